// Validation of what stands between volumes and their drivers: classes, drivers, what is on a node and attached to it.
#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// ---- classes ----

void check_provisioner(const Value& name, const FieldPath& at, FieldErrors& errors) {
  if (!name.as_string().empty()) errors.invalid_each(at, name, check_qualified_name(to_lower(name.as_string())));
}

void check_parameters(const Value& parameters, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kParametersMax = 512, kBytesMax = 256 * 1024;
  if (parameters.size() > kParametersMax) return errors.too_long(at, kParametersMax);
  size_t bytes = 0;
  for (const auto& [key, value] : parameters.entries()) {
    if (key.text().empty()) errors.invalid(at, Value(""), "field can not be empty.");
    bytes += key.text().size() + value.as_string().size();
  }
  if (bytes > kBytesMax) errors.too_long(at, kBytesMax);
}

// A term of allowedTopologies as the sets that it means: two terms may not mean the same ones.
using Topology = std::map<std::string_view, std::set<std::string_view>>;

Topology check_topology(const Value& term, const FieldPath& at, FieldErrors& errors) {
  Topology topology;
  const FieldPath list = at.field("matchLabelExpressions");
  const auto expressions = term["matchLabelExpressions"].items();
  for (size_t i = 0; i < expressions.size(); ++i) {
    const FieldPath here = list.index(i);
    const FieldPath values_at = here.field("values");
    const Value& key = expressions[i][keys::kKey];
    const auto values = expressions[i][keys::kValues].items();
    std::set<std::string_view> seen;
    for (size_t v = 0; v < values.size(); ++v) {
      if (!seen.insert(values[v].as_string()).second) errors.duplicate(values_at.index(v), values[v]);
    }
    if (!key.as_string().empty()) errors.invalid_each(here.field("key"), key, check_qualified_name(key.as_string()));
    if (!topology.emplace(key.as_string(), std::move(seen)).second) errors.duplicate(here.field("key"), key);
  }
  return topology;
}

void check_storage_class(const Value& object, const FieldPath& at, FieldErrors& errors) {
  const FieldPath provisioner = at.field("provisioner"), parameters = at.field("parameters"), list = at.field("allowedTopologies");
  check_provisioner(object["provisioner"], provisioner, errors);
  check_parameters(object["parameters"], parameters, errors);
  std::set<Topology> topologies;
  const auto terms = object["allowedTopologies"].items();
  for (size_t i = 0; i < terms.size(); ++i) {
    const FieldPath here = list.index(i);
    if (!topologies.insert(check_topology(terms[i], here, errors)).second)
      errors.duplicate(here.field("matchLabelExpressions"), Value(""));
  }
}

void check_attributes_class(const Value& object, const FieldPath& at, FieldErrors& errors) {
  const FieldPath driver = at.field("driverName"), parameters = at.field("parameters");
  check_provisioner(object["driverName"], driver, errors);
  check_parameters(object["parameters"], parameters, errors);
  if (object["parameters"].empty()) errors.required(parameters, "must contain at least one key/value pair");
}

// ---- drivers ----

void check_driver_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kPeriodMin = 10, kSecondsMin = 600, kSecondsMax = int64_t{1} << 32;
  static constexpr std::string_view kModes[] = {"Persistent", "Ephemeral"};
  const FieldPath tokens_at = at.field("tokenRequests");
  const auto tokens = spec["tokenRequests"].items();
  std::set<std::string_view> audiences;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const FieldPath here = tokens_at.index(i);
    const Value &audience = tokens[i]["audience"], &seconds = tokens[i][keys::kExpirationSeconds];
    if (!audiences.insert(audience.as_string()).second) {
      errors.duplicate(here.field("audience"), audience.has_value() ? audience : Value(""));
    } else if (seconds.has_value() && seconds.as_int() < kSecondsMin) {
      errors.invalid(here.field("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    } else if (seconds.as_int() > kSecondsMax) {
      errors.invalid(here.field("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
    }
  }
  for (const auto& mode : spec["volumeLifecycleModes"].items()) {
    if (std::ranges::find(kModes, mode.as_string()) == std::end(kModes)) errors.not_supported(at.field("volumeLifecycleModes"), mode, kModes);
  }
  const Value& period = spec["nodeAllocatableUpdatePeriodSeconds"];
  if (period.has_value() && period.as_int() < kPeriodMin)
    errors.invalid(at.field("nodeAllocatableUpdatePeriodSeconds"), period, "must be greater than or equal to 10 seconds");
}

// What is wrong with the keys of a driver's topology is said of the driver.
void check_topology_keys(const Value& list, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> seen;
  for (const auto& key : list.items()) {
    if (key.as_string().empty()) errors.required(at);
    if (!seen.insert(key.as_string()).second) errors.duplicate(at, key);
    errors.invalid_each(at, key, check_qualified_name(key.as_string()));
  }
}

void check_node_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kNodeIdMax = 256;
  const FieldPath list = at.field("drivers");
  const auto drivers = spec["drivers"].items();
  std::set<std::string_view> names;
  for (size_t i = 0; i < drivers.size(); ++i) {
    const FieldPath here = list.index(i);
    const FieldPath name_at = here.field("name"), allocatable = here.field("allocatable");
    const FieldPath count_at = allocatable.field("count");
    const Value &name = drivers[i][keys::kName], &id = drivers[i]["nodeID"];
    check_driver_name(name, name_at, errors);
    if (id.as_string().size() > kNodeIdMax) errors.invalid(here.field("nodeID"), id, cat("must be ", kNodeIdMax, " characters or less"));
    check_not_negative(drivers[i]["allocatable"]["count"], count_at, errors);
    if (!names.insert(name.as_string()).second) errors.duplicate(name_at, name);
    check_topology_keys(drivers[i]["topologyKeys"], here, errors);
  }
}

// A volume of a pod that is told as if it were a PersistentVolume: it has a driver, and is nobody's.
void check_inline_volume(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  for (const auto* field : {"claimRef", "capacity", "nodeAffinity", "storageClassName"}) {
    const bool there = spec.get(field).has_value() && !spec.get(field).empty();
    if (there) errors.forbidden(at.field(field), "may not be specified in the context of inline volumes");
  }
  if (!spec["csi"].has_value()) errors.required(at.field("csi"), "has to be specified in the context of inline volumes");
}

void check_attachment_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& source = spec["source"];
  const Value& volume = source["persistentVolumeName"];
  const bool named = volume.has_value(), inlined = source["inlineVolumeSpec"].has_value();
  const FieldPath here = at.field("source"), attacher = at.field("attacher");
  const FieldPath volume_at = here.field("persistentVolumeName");
  if (!named && !inlined) errors.required(here, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
  if (named && inlined) errors.forbidden(here, "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
  if (named && !inlined && volume.as_string().empty()) errors.required(volume_at, "must specify non empty persistentVolumeName");
  const FieldPath inlined_at = here.field("inlineVolumeSpec");
  if (inlined && !named) check_inline_volume(source["inlineVolumeSpec"], inlined_at, errors);
  const Value& node = spec[keys::kNodeName];
  errors.invalid_each(at.field("nodeName"), node.has_value() ? node : Value(""), check_dns_subdomain(node.as_string()));
  check_driver_name(spec["attacher"], attacher, errors);
  if (!volume.as_string().empty()) errors.invalid_each(volume_at, volume, check_dns_subdomain(volume.as_string()));
}

void check_storage_capacity(const Value& object, const FieldPath& at, FieldErrors& errors) {
  const Value &name = object[keys::kStorageClassName], &capacity = object[keys::kCapacity];
  errors.invalid_each(at.field("storageClassName"), name.has_value() ? name : Value(""), check_dns_subdomain(name.as_string()));
  if (Quantity::of_value(capacity).negative()) errors.invalid(at.field("capacity"), capacity, "must be greater than or equal to 0");
}

constexpr NamedCheckRule kStorageRules[] = {
    {"storage", "StorageClass", check_storage_class},
    {"storage", "VolumeAttributesClass", check_attributes_class},
    {"storage", "CSIDriverSpec", check_driver_spec},
    {"storage", "CSINodeSpec", check_node_spec},
    {"storage", "CSIStorageCapacity", check_storage_capacity},
    {"storage", "VolumeAttachmentSpec", check_attachment_spec},
};

}  // namespace

// Unlike other names, one in capitals is as good.
void check_driver_name(const Value& name, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kBytesMax = 63;
  if (name.as_string().empty()) errors.required(at);
  if (name.as_string().size() > kBytesMax) errors.too_long(at, kBytesMax);
  errors.invalid_each(at, name.has_value() ? name : Value(""), check_dns_subdomain(to_lower(name.as_string())));
}

std::span<const NamedCheckRule> storage_rules() {
  return kStorageRules;
}

}  // namespace minik::control
