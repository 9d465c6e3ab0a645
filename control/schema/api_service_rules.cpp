// Validation of who else is asked: APIServices, and the Services behind which webhooks answer.
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

void check_service_reference(const Value& service, const FieldPath& at, FieldErrors& errors) {
  if (service[keys::kNamespace].as_string().empty()) errors.required(at.field("namespace"));
  if (service[keys::kName].as_string().empty()) errors.required(at.field("name"));
  const Value& port = service[keys::kPort];
  for (const auto& problem : check_port_number(port.as_int())) errors.invalid(at.field("port"), port, cat("port is not valid: ", problem));
}

// What is served by the API server itself says nothing of how to reach it.
void check_local(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const size_t bytes = from_base64(spec["caBundle"].as_string()).value_or("").size();
  if (bytes > 0) errors.invalid(at.field("caBundle"), Value(cat(bytes, " bytes")), "local APIServices may not have a caBundle");
  const Value& unchecked = spec["insecureSkipTLSVerify"];
  if (unchecked.as_bool())
    errors.invalid(at.field("insecureSkipTLSVerify"), unchecked, "local APIServices may not have insecureSkipTLSVerify");
}

void check_api_service(const Value& object, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kGroupPriorityMax = 20'000, kVersionPriorityMax = 1000;
  const Value& spec = object[keys::kSpec];
  const FieldPath here = at.field("spec");
  const Value &group = spec["group"], &version = spec["version"], &name = object[keys::kMetadata][keys::kName];
  const std::string wanted = cat(version.as_string(), ".", group.as_string());
  if (name.as_string() != wanted && check_path_segment(name.as_string()).empty())
    errors.invalid(at.field("metadata.name"), name, cat("must be `spec.version+\".\"+spec.group`: ", quoted(wanted)));
  if (!group.as_string().empty()) {
    errors.invalid_each(here.field("group"), group, check_dns_subdomain(group.as_string()));
  } else if (version.as_string() != "v1") {
    errors.required(here.field("group"), "only v1 may have an empty group and it better be legacy kube");
  }
  errors.invalid_each(here.field("version"), version.has_value() ? version : Value(""), check_dns_1035_label(version.as_string()));
  const auto check_priority = [&](std::string_view field, int64_t most) {
    const int64_t priority = spec.get(field).as_int();
    if (priority <= 0 || priority > most) errors.invalid(here.field(field), Value(priority), cat("must be positive and less than ", most));
  };
  check_priority("groupPriorityMinimum", kGroupPriorityMax);
  check_priority("versionPriority", kVersionPriorityMax);
  if (!spec["service"].is_map()) return check_local(spec, here, errors);
  const Value& unchecked = spec["insecureSkipTLSVerify"];
  if (unchecked.as_bool() && !spec["caBundle"].as_string().empty())
    errors.invalid(here.field("insecureSkipTLSVerify"), unchecked, "may not be true if caBundle is specified");
}

constexpr NamedCheckRule kApiServiceRules[] = {
    {"apiregistration", "APIService", check_api_service},
    {"apiregistration", "ServiceReference", check_service_reference},
    {"admissionregistration", "ServiceReference", check_service_reference},
    {"apiextensions", "ServiceReference", check_service_reference},
};

}  // namespace

std::span<const NamedCheckRule> api_service_rules() {
  return kApiServiceRules;
}

}  // namespace minik::control
