#include "control/schema/validation.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {


bool is_empty(const Value& value) {
  if (!value.has_value()) return true;
  if (value.is_string()) return value.as_string().empty();
  return (value.is_array() || value.is_map()) && value.empty();
}

void check_enum(const FieldInfo& field, const Value& value, const FieldPath& at,
                FieldErrors& errors) {
  const std::string_view text = value.as_string();
  if (!value.is_string() || text.empty() || errors.name(at)) return;
  if (std::ranges::find(field.enum_values, text) == field.enum_values.end()) {
    errors.not_supported(at, value, field.enum_values);
  }
}

// Of the operators of selectors Kubernetes says so instead of naming those that there are.
bool is_selector_requirement(const TypeInfo& type) {
  constexpr std::string_view kRequirements[] = {"LabelSelectorRequirement", "NodeSelectorRequirement",
                                                "ScopedResourceSelectorRequirement"};
  return std::ranges::find(kRequirements, type.name) != std::end(kRequirements);
}

void check_bounds(const FieldInfo& field, const Value& value, const FieldPath& at,
                  FieldErrors& errors) {
  if (!value.is_int()) return;
  const int64_t number = value.as_int();
  const bool low = field.min && number < *field.min;
  const bool high = field.max && number > *field.max;
  if ((!low && !high) || errors.name(at)) return;
  if (field.min && field.max) {
    errors.invalid(at, value,
                   cat("must be between ", *field.min, " and ", *field.max, ", inclusive"));
  } else if (low) {
    errors.invalid(at, value, cat("must be greater than or equal to ", *field.min));
  } else {
    errors.invalid(at, value, cat("must be less than or equal to ", *field.max));
  }
}

// Lists and texts that are required must say something; an object that is missing is looked at as
// if it were empty, because that names the fields that it lacks. Selectors have rules of their own.
bool check_required(const FieldInfo& field, const Value& value, const FieldPath& at,
                    FieldErrors& errors) {
  if (!field.required || field.empty_allowed || !is_empty(value)) return true;
  if (field.base == BaseType::kObject && field.shape == Shape::kSingle) return true;
  const bool number = field.shape == Shape::kSingle &&
                      (field.base == BaseType::kInt32 || field.base == BaseType::kInt64 ||
                       field.base == BaseType::kBool || field.base == BaseType::kAny);
  if (number) return true;
  if (!errors.name(at)) errors.required(at);  // unless a rule of the type has said it better
  return false;
}

void check_operator(const Value& value, const FieldInfo& field, const FieldPath& at, FieldErrors& errors) {
  const std::string_view text = value.as_string();
  const bool known = std::ranges::find(field.enum_values, text) != field.enum_values.end();
  if (!known) errors.invalid(at, Value(text), "not a valid selector operator");
}

void check_items(const FieldInfo& field, const Value& value, const Value& known,
                 const FieldPath& at, FieldErrors& errors) {
  const auto items = value.items();
  const auto known_items = known.items();
  for (size_t i = 0; i < items.size(); ++i) {
    const FieldPath here = at.index(i);
    if (field.type) {
      check_part(*field.type, items[i], i < known_items.size() ? known_items[i] : Value::absent(),
                 here, errors);
    } else if (!field.enum_values.empty()) {
      check_enum(field, items[i], here, errors);
    }
  }
}

void check_field(const FieldInfo& field, const Value& value, const Value& known,
                 const FieldPath& at, FieldErrors& errors) {
  if (value.has_value() && value.same_node(known)) return;
  if (!check_required(field, value, at, errors)) return;
  switch (field.shape) {
    case Shape::kSingle:
      if (field.type) {
        const bool looked_for = field.required || field.name == "spec";
        if (value.is_map() || looked_for) check_part(*field.type, value, known, at, errors);
        return;
      }
      if (!field.enum_values.empty()) check_enum(field, value, at, errors);
      check_bounds(field, value, at, errors);
      return;
    case Shape::kList:
      check_items(field, value, known, at, errors);
      return;
    default:
      if (!field.type) return;
      for (const auto& [key, item] : value.entries()) {
        check_part(*field.type, item, known[key], at.key(key.text()), errors);
      }
  }
}

// ---- metadata ----

NameProblems check_name(const ResourceInfo& resource, std::string_view name) {
  if (resource.id == kinds::kServices) return check_dns_1035_label(name);
  if (resource.id == kinds::kNamespaces) return check_dns_label(name);
  if (resource.id == kinds::kIpaddresses) return check_ip(name);
  if (resource.group == "rbac.authorization.k8s.io" || resource.id == kinds::kApiservices) return check_path_segment(name);
  auto problems = check_dns_subdomain(name);
  if (resource.id == kinds::kCronjobs && problems.empty() && name.size() > 52) {
    problems.emplace_back("must be no more than 52 characters");
  }
  return problems;
}

void check_owner_references(const Value& owners, const FieldPath& at, FieldErrors& errors) {
  bool controlled = false;
  for (size_t i = 0; i < owners.items().size(); ++i) {
    const Value& owner = owners.items()[i];
    const FieldPath here = at.index(i);
    const std::pair<Key, std::string_view> needed[] = {
        {keys::kApiVersion, "version must not be empty"},
        {keys::kKind, "must not be empty"},
        {keys::kName, "must not be empty"},
        {keys::kUid, "must not be empty"}};
    for (const auto& [key, detail] : needed) {
      if (is_empty(owner[key])) errors.invalid(here.field(key.text()), Value(""), detail);
    }
    if (owner[keys::kApiVersion].as_string() == "v1" && owner[keys::kKind].as_string() == "Event")
      errors.invalid(at, owner, "/v1, Kind=Event is disallowed from being an owner");
    if (!owner[keys::kController].as_bool()) continue;
    if (controlled) {
      errors.invalid(at, owners, "Only one reference can have Controller set to true");
      return;
    }
    controlled = true;
  }
}

// Of Kubernetes itself, or of a domain.
bool is_own_finalizer(std::string_view name) {
  return name.find('/') != std::string_view::npos || name == "kubernetes" || name == "orphan" || name == "foregroundDeletion";
}

void check_metadata(const ResourceInfo& resource, const Value& metadata, const FieldPath& at,
                    FieldErrors& errors) {
  const Value& name = metadata[keys::kName];
  if (is_empty(name)) {
    errors.required(at.field("name"), "name or generateName is required");
  } else {
    errors.invalid_each(at.field("name"), name, check_name(resource, name.as_string()));
  }
  const Value& home = metadata[keys::kNamespace];
  if (!resource.namespaced && !is_empty(home)) {
    errors.forbidden(at.field("namespace"), "not allowed on this type");
  } else if (resource.namespaced && is_empty(home)) {
    errors.required(at.field("namespace"));
  } else if (!is_empty(home)) {
    errors.invalid_each(at.field("namespace"), home, check_dns_label(home.as_string()));
  }
  const FieldPath finalizers = at.field("finalizers");
  for (const auto& finalizer : metadata[keys::kFinalizers].items()) {
    errors.invalid_each(finalizers, finalizer, check_qualified_name(finalizer.as_string()));
    if (!resource.custom && !is_own_finalizer(finalizer.as_string()))
      errors.invalid(finalizers, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
  }
  const FieldPath owners = at.field("ownerReferences");
  check_owner_references(metadata[keys::kOwnerReferences], owners, errors);
}

// Of a template as well as of the object itself.
void check_object_meta(const Value& metadata, const FieldPath& at, FieldErrors& errors) {
  const FieldPath labels = at.field("labels");
  check_labels(metadata[keys::kLabels], labels, errors);
  const FieldPath annotations = at.field("annotations");
  size_t bytes = 0;
  for (const auto& [key, value] : metadata[keys::kAnnotations].entries()) {
    const std::string_view name = key.text();
    errors.invalid_each(annotations, Value(name), check_qualified_name(to_lower(name)));
    bytes += name.size() + value.as_string().size();
  }
  if (bytes > kAnnotationsBytesMax) errors.too_long(annotations, kAnnotationsBytesMax);
}

void check_selector_requirement(const Value& requirement, const FieldPath& at,
                                FieldErrors& errors) {
  const std::string_view op = requirement[keys::kOperator].as_string();
  const Value& values = requirement[keys::kValues];
  if ((op == "In" || op == "NotIn") && values.empty()) {
    errors.required(at.field("values"), "must be specified when `operator` is 'In' or 'NotIn'");
  } else if ((op == "Exists" || op == "DoesNotExist") && !values.empty()) {
    errors.forbidden(at.field("values"),
                     "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  }
  const Value& key = requirement[keys::kKey];
  if (!is_empty(key)) {
    errors.invalid_each(at.field("key"), key, check_qualified_name(key.as_string()));
  }
  const FieldPath list = at.field("values");
  for (size_t i = 0; i < values.items().size(); ++i) {
    const Value& value = values.items()[i];
    errors.invalid_each(list.index(i), value, check_label_value(value.as_string()));
  }
}

void check_label_selector(const Value& selector, const FieldPath& at, FieldErrors& errors) {
  const FieldPath labels = at.field("matchLabels");
  check_labels(selector[keys::kMatchLabels], labels, errors);
}

constexpr NamedCheckRule kMetaRules[] = {
    {"meta", "ObjectMeta", check_object_meta},
    {"meta", "LabelSelector", check_label_selector},
    {"meta", "LabelSelectorRequirement", check_selector_requirement},
};

}  // namespace

CheckRule check_rule(std::string_view package, std::string_view type) {
  for (const auto rules : {std::span<const NamedCheckRule>(kMetaRules), pod_rules(), pod_part_rules(),
                           container_rules(), workload_rules(), network_rules(), endpoint_rules(), config_rules(),
                           policy_rules(), volume_rules(), storage_rules(), flow_control_rules(), api_service_rules()}) {
    for (const auto& rule : rules) {
      if (rule.package == package && rule.type == type) return rule.check;
    }
  }
  return nullptr;
}

void check_labels(const Value& labels, const FieldPath& at, FieldErrors& errors) {
  for (const auto& [key, value] : labels.entries()) {
    const std::string_view name = key.text();
    errors.invalid_each(at, Value(name), check_qualified_name(name));
    errors.invalid_each(at, value, check_label_value(value.as_string()));
  }
}

void check_not_negative(const Value& number, const FieldPath& at, FieldErrors& errors) {
  if (number.as_int() < 0) errors.invalid(at, number, "must be greater than or equal to 0");
}

void check_port_or_name(const Value& port, const FieldPath& at, FieldErrors& errors) {
  if (port.is_string()) {
    errors.invalid_each(at, port, check_port_name(port.as_string()));
  } else {
    errors.invalid_each(at, port.has_value() ? port : Value(0), check_port_number(port.as_int()));
  }
}

void check_part(const TypeInfo& type, const Value& part, const Value& known, const FieldPath& at,
                FieldErrors& errors) {
  if (part.has_value() && part.same_node(known)) return;
  if (type.check) type.check(part, at, errors);
  for (const auto& field : type.fields) {
    const Value& value = part[field.key];
    if (!field.required && !value.has_value() && field.name != "spec") continue;
    if (field.name == "status" && !type.api_version.empty()) continue;
    const FieldPath here = at.field(field.name);
    if (field.name == "operator" && is_selector_requirement(type)) {
      check_operator(value, field, here, errors);
      continue;
    }
    check_field(field, value, known[field.key], here, errors);
  }
}

FieldErrors check_object(const ResourceInfo& resource, const Value& object, const Value& known) {
  FieldErrors errors;
  const FieldPath root;
  const FieldPath metadata("metadata");
  if (!object[keys::kMetadata].same_node(known[keys::kMetadata])) {
    check_metadata(resource, object[keys::kMetadata], metadata, errors);
  }
  if (resource.type) check_part(*resource.type, object, known, root, errors);
  return errors;
}

}  // namespace minik::control
