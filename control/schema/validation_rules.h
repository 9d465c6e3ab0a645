// The rules of validation that the schema cannot say, by type. Inside control/schema only.
//
// A rule looks at one object and what is below it where several fields must agree; the walk in
// validation.cpp calls it before it goes into the fields, so that messages come from the outside
// inwards. The object may be absent where the schema requires one.
#pragma once

#include <span>
#include <string_view>

#include "control/schema/field_error.h"
#include "control/schema/schema.h"

namespace minik::control {

struct NamedCheckRule {
  std::string_view package, type;
  CheckRule check;
};

// Each in the file of its name.
std::span<const NamedCheckRule> pod_rules();
std::span<const NamedCheckRule> pod_part_rules();
std::span<const NamedCheckRule> container_rules();
std::span<const NamedCheckRule> workload_rules();
std::span<const NamedCheckRule> network_rules();
std::span<const NamedCheckRule> endpoint_rules();
std::span<const NamedCheckRule> config_rules();
std::span<const NamedCheckRule> policy_rules();
std::span<const NamedCheckRule> volume_rules();
std::span<const NamedCheckRule> storage_rules();
std::span<const NamedCheckRule> flow_control_rules();
std::span<const NamedCheckRule> api_service_rules();

// The rule of a type, or null. For Schema's constructor.
CheckRule check_rule(std::string_view package, std::string_view type);

// Shared pieces.
void check_labels(const Value& labels, const FieldPath& at, FieldErrors& errors);
void check_not_negative(const Value& number, const FieldPath& at, FieldErrors& errors);
// The ID of a user or group.
void check_id(const Value& id, const FieldPath& at, FieldErrors& errors);
void check_port_or_name(const Value& port, const FieldPath& at, FieldErrors& errors);
// Every mount of a pod's containers names one of its volumes. By the objects that know all of them:
// the claims of a StatefulSet become volumes of its pods only later.
void check_mounts(const Value& pod_spec, const FieldPath& at, FieldErrors& errors);
// The keys of labels by which a term or constraint narrows its selector, which must not name them too.
void check_label_keys(const Value& term, std::string_view name, const FieldPath& at, FieldErrors& errors);
// What a resourceFieldRef may name.
void check_resource_reference(const Value& reference, const FieldPath& at, FieldErrors& errors);
// The name of a CSI driver.
void check_driver_name(const Value& name, const FieldPath& at, FieldErrors& errors);
// Limits and requests, and the names of what a container may have.
void check_resources(const Value& resources, const FieldPath& at, FieldErrors& errors);
void check_container_resource(std::string_view name, const FieldPath& at, FieldErrors& errors);
// "cpu", "requests.storage", "example.com/gpu": what a ResourceQuota may bound.
bool is_quota_resource(std::string_view name);
void check_container(const Value& container, bool init, const FieldPath& at, FieldErrors& errors);

}  // namespace minik::control
