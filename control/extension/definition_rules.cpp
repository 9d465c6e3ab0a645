#include "control/extension/definition_rules.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/extension/json_path.h"
#include "control/extension/stored_form.h"
#include "control/extension/structural_rules.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/names.h"
#include "control/schema/webhook_client_rules.h"

namespace minik::control {

namespace {

constexpr size_t kSelectableFieldsMax = 8;
constexpr std::string_view kColumnTypes[] = {"integer", "number", "string", "boolean", "date"};
constexpr std::string_view kColumnFormats[] = {"int32", "int64", "float", "double", "byte", "date", "date-time", "password"};

bool is_established(const Value& definition) {
  const auto conditions = definition[keys::kStatus][keys::kConditions].items();
  return std::ranges::any_of(conditions, [](const Value& c) {
    return c[keys::kType].as_string() == "Established" && c[keys::kStatus].as_string() == "True";
  });
}

void check_label(const Value& name, std::string_view before, const FieldPath& at, FieldErrors& errors) {
  if (!name.has_value() || name.as_string().empty()) return;
  const auto problems = check_dns_1035_label(before.empty() ? name.string() : to_lower(name.as_string()));
  if (!problems.empty()) errors.invalid(at, name, cat(before, join(problems, ",")));
}

void check_names(const Value& names, const FieldPath& at, FieldErrors& errors) {
  constexpr std::string_view kMixed = "may have mixed case, but should otherwise match: ";
  const FieldPath plural = at.field("plural"), singular = at.field("singular"), kind = at.field("kind"),
                  list_kind = at.field("listKind");
  check_label(names.get("plural"), "", plural, errors);
  check_label(names.get("singular"), "", singular, errors);
  check_label(names[keys::kKind], kMixed, kind, errors);
  check_label(names.get("listKind"), kMixed, list_kind, errors);
  if (!names[keys::kKind].as_string().empty() && names[keys::kKind] == names.get("listKind")) {
    errors.invalid(list_kind, names.get("listKind"), "kind and listKind may not be the same");
  }
  for (const std::string_view field : {"shortNames", "categories"}) {
    const FieldPath list = at.field(field);
    const auto words = names.get(field).items();
    for (size_t i = 0; i < words.size(); ++i) {
      const FieldPath here = list.index(i);
      check_label(words[i], "", here, errors);
    }
  }
}

void check_simple_path(const Value& path, std::string_view under, const FieldPath& at, FieldErrors& errors) {
  const std::string_view text = path.as_string();
  if (text.empty()) return errors.required(at);
  const auto parsed = JsonPath::parse(text);
  if (text[0] != '.' || !parsed) {
    errors.invalid(at, path, parsed ? "must be a simple json path starting with ." : parsed.error().message);
  } else if (!under.empty() && (!text.starts_with(under) || parsed->fields().empty())) {
    errors.invalid(at, path, cat("should be a json path under ", under.substr(0, under.size() - 1)));
  }
}

void check_subresources(const Value& subresources, const FieldPath& at, FieldErrors& errors) {
  const Value& scale = subresources.get("scale");
  if (!scale.is_map()) return;
  const FieldPath here = at.field("scale");
  const FieldPath spec = here.field("specReplicasPath"), status = here.field("statusReplicasPath"),
                  selector = here.field("labelSelectorPath");
  check_simple_path(scale.get("specReplicasPath"), ".spec.", spec, errors);
  check_simple_path(scale.get("statusReplicasPath"), ".status.", status, errors);
  if (scale.get("labelSelectorPath").as_string().empty()) return;
  const bool below_status = scale.get("labelSelectorPath").as_string().starts_with(".status.");
  check_simple_path(scale.get("labelSelectorPath"), below_status ? ".status." : ".spec.", selector, errors);
}

void check_columns(const Value& columns, const FieldPath& at, FieldErrors& errors) {
  for (size_t i = 0; i < columns.items().size(); ++i) {
    const Value& column = columns.items()[i];
    const FieldPath here = at.index(i);
    const FieldPath type = here.field("type"), format = here.field("format"), path = here.field("jsonPath");
    const std::string_view name = column[keys::kType].as_string(), wanted = column[keys::kFormat].as_string();
    if (!name.empty() && std::ranges::find(kColumnTypes, name) == std::end(kColumnTypes)) {
      errors.not_supported(type, Value(name), kColumnTypes);
    }
    if (!wanted.empty() && std::ranges::find(kColumnFormats, wanted) == std::end(kColumnFormats)) {
      errors.not_supported(format, Value(wanted), kColumnFormats);
    }
    if (column.get("jsonPath").as_string().empty()) continue;  // its schema says that it is needed
    check_simple_path(column.get("jsonPath"), "", path, errors);
  }
}

void check_selectable(const Value& fields, const Value& schema, const FieldPath& at, FieldErrors& errors) {
  if (fields.size() > kSelectableFieldsMax) errors.too_many(at, fields.size(), kSelectableFieldsMax);
  std::set<std::string> seen;
  for (size_t i = 0; i < fields.items().size(); ++i) {
    const Value& path = fields.items()[i].get("jsonPath");
    const FieldPath item = at.index(i);
    const FieldPath here = item.field("jsonPath");
    const auto parsed = JsonPath::parse(path.as_string());
    const auto names = parsed ? parsed->fields() : std::vector<std::string>();
    const std::string_view type = names.empty() ? "" : schema_at(schema, names).get("type").as_string();
    if (names.empty() || type.empty()) {
      errors.invalid(here, path, "is an invalid path: does not refer to a valid field");
    } else if (names[0] == "metadata") {
      errors.invalid(here, path, "must not point to fields in metadata");
    } else if (type != "string" && type != "boolean" && type != "integer") {
      errors.invalid(here, path, "must point to a field of type string, boolean or integer");
    }
    if (!seen.insert(path.string()).second) errors.duplicate(here, path);
  }
}

void check_version(const Value& version, const FieldPath& at, FieldErrors& errors) {
  const FieldPath name = at.field("name"), schema_at_ = at.field("schema"), warning = at.field("deprecationWarning");
  check_label(version[keys::kName], "", name, errors);
  const FieldPath open_api = schema_at_.field("openAPIV3Schema");
  const Value& schema = version.get("schema").get("openAPIV3Schema");
  if (schema.is_map()) {
    check_schema(schema, open_api, errors);
  } else {
    errors.required(open_api, "schemas are required");
  }
  const FieldPath subresources = at.field("subresources"), columns = at.field("additionalPrinterColumns"),
                  selectable = at.field("selectableFields");
  check_subresources(version.get("subresources"), subresources, errors);
  check_columns(version.get("additionalPrinterColumns"), columns, errors);
  check_selectable(version.get("selectableFields"), schema, selectable, errors);
  const Value& text = version.get("deprecationWarning");
  if (!text.as_string().empty() && !version.get("deprecated").as_bool()) {
    errors.invalid(warning, text, "can only be set for deprecated versions");
  } else if (text.as_string().size() > 256) {
    errors.invalid(warning, text, "must be <= 256 characters long");
  }
}

void check_versions(const Value& versions, const FieldPath& at, FieldErrors& errors) {
  size_t storage = 0;
  std::set<std::string> names;
  for (size_t i = 0; i < versions.items().size(); ++i) {
    const Value& version = versions.items()[i];
    storage += version.get("storage").as_bool() ? 1 : 0;
    names.insert(version[keys::kName].string());
    const FieldPath here = at.index(i);
    check_version(version, here, errors);
  }
  if (versions.empty()) return;
  if (names.size() != versions.size()) errors.invalid(at, versions, "must contain unique version names");
  if (storage != 1) errors.invalid(at, versions, "must have exactly one version marked as storage version");
}

void check_review_versions(const Value& versions, const FieldPath& at, FieldErrors& errors) {
  if (versions.empty()) return;  // its schema says that one is needed
  std::set<std::string> seen;
  for (size_t i = 0; i < versions.items().size(); ++i) {
    const Value& version = versions.items()[i];
    const FieldPath here = at.index(i);
    if (seen.insert(version.string()).second) {
      errors.invalid_each(here, version, check_dns_1035_label(version.as_string()));
    } else {
      errors.invalid(here, version, "duplicate version");
    }
  }
  if (!seen.contains("v1")) errors.invalid(at, versions, "must include at least one of v1, v1beta1");
}

void check_conversion(const Value& conversion, const FieldPath& at, FieldErrors& errors) {
  // Kubernetes complains by the names of its internal form, in which the webhook has no field of its own.
  const FieldPath client = at.field("webhookClientConfig"), versions_at = at.field("conversionReviewVersions");
  const FieldPath bundle = client.field("caBundle");
  constexpr std::string_view kOther = "should not be set when strategy is not set to Webhook";
  const bool by_webhook = conversion.get("strategy").as_string() == "Webhook";
  const Value& config = conversion.get("webhook").get("clientConfig");
  const Value& versions = conversion.get("webhook").get("conversionReviewVersions");
  if (!by_webhook) {
    if (config.is_map()) errors.forbidden(client, kOther);
    if (!versions.empty()) errors.forbidden(versions_at, kOther);
    return;
  }
  if (config.is_map()) {
    check_webhook_client(config, client, errors);
    check_ca_bundle(config.get("caBundle"), bundle, errors);
  } else {
    errors.required(client, "required when strategy is set to Webhook");
  }
  check_review_versions(versions, versions_at, errors);
}

void check_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath group_at = at.field("group"), names = at.field("names"), versions = at.field("versions"),
                  conversion = at.field("conversion"), preserve = at.field("preserveUnknownFields");
  const std::string_view group = spec[keys::kGroup].as_string();
  const auto problems = group.empty() ? NameProblems() : check_dns_subdomain(group);
  if (!problems.empty()) {
    errors.invalid(group_at, spec[keys::kGroup], join(problems, ","));
  } else if (!group.empty() && group.find('.') == std::string_view::npos) {
    errors.invalid(group_at, spec[keys::kGroup], "should be a domain with at least one dot");
  }
  if (spec.get("preserveUnknownFields").as_bool()) {
    errors.invalid(preserve, Value(true),
                   "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                   "spec.versions[*].schema instead");
  }
  check_names(spec.get("names"), names, errors);
  check_versions(spec.get("versions"), versions, errors);
  check_conversion(spec.get("conversion"), conversion, errors);
}

void check_update(const Value& definition, const Value& old, FieldErrors& errors) {
  const FieldPath spec("spec"), status("status");
  const FieldPath names = spec.field("names"), stored = status.field("storedVersions");
  const auto same = [&](const Value& now, const Value& before, const FieldPath& at) {
    if (!(now == before)) errors.invalid(at, now, "field is immutable");
  };
  const Value &now = definition[keys::kSpec], &before = old[keys::kSpec];
  const FieldPath group = spec.field("group"), scope = spec.field("scope"), plural = names.field("plural"),
                  kind = names.field("kind");
  same(now[keys::kGroup], before[keys::kGroup], group);
  same(now.get("names").get("plural"), before.get("names").get("plural"), plural);
  if (is_established(old)) {
    same(now.get("scope"), before.get("scope"), scope);
    same(now.get("names")[keys::kKind], before.get("names")[keys::kKind], kind);
  }
  const auto versions = now.get("versions").items();
  const auto was_stored = definition[keys::kStatus].get("storedVersions").items();
  const auto has = [&](std::string_view name) {
    return std::any_of(versions.begin(), versions.end(), [&](const Value& v) { return v[keys::kName].as_string() == name; });
  };
  // It has left status.storedVersions, and the webhook has not converted the objects yet.
  if (const std::string form = stored_form(old); converts_by_webhook(old) && !has(form) && is_to_leave(old, form)) {
    errors.invalid(spec.field("versions"), Value(form),
                   cat("objects are still stored in ", form, ", which must remain in spec.versions until they have been converted"));
  }
  for (size_t i = 0; i < was_stored.size(); ++i) {
    const Value& version = was_stored[i];
    if (has(version.as_string())) continue;
    const FieldPath here = stored.index(i);
    const std::string_view name = version.as_string();
    errors.invalid(here, version,
                   cat("missing from spec.versions; ", name, " was previously a storage version, and must remain in "
                       "spec.versions until a storage migration ensures no data remains persisted in ", name,
                       " and removes ", name, " from status.storedVersions"));
  }
}

// Groups of Kubernetes' own domains are for kinds that its reviewers have seen, or that say that none has.
void check_protected_group(const Value& definition, const FieldPath& annotations, FieldErrors& errors) {
  constexpr std::string_view kApproved = "api-approved.kubernetes.io";
  const std::string_view group = definition[keys::kSpec][keys::kGroup].as_string();
  if (!group.ends_with(".k8s.io") && !group.ends_with(".kubernetes.io")) return;
  const Value& reason = definition[keys::kMetadata][keys::kAnnotations].get(kApproved);
  const std::string_view text = reason.as_string();
  if (text.empty()) {
    errors.required(annotations.key(kApproved), cat("protected groups must have approval annotation ", quoted(kApproved),
                                                    ", see https://github.com/kubernetes/enhancements/pull/1111"));
  } else if (!text.starts_with("unapproved") && text.find("://") == std::string_view::npos) {
    errors.invalid(annotations.key(kApproved), reason,
                   cat("protected groups must have approval annotation ", quoted(kApproved),
                       " with either a URL or a reason starting with \"unapproved\", see "
                       "https://github.com/kubernetes/enhancements/pull/1111"));
  }
}

}  // namespace

void check_definition(const Value& definition, const Value& old, FieldErrors& errors) {
  const FieldPath metadata("metadata"), spec_at("spec");
  const FieldPath name_at = metadata.field("name");
  const Value& spec = definition[keys::kSpec];
  const std::string_view name = object_name(definition);
  if (name != cat(spec.get("names").get("plural").as_string(), ".", spec[keys::kGroup].as_string())) {
    errors.invalid(name_at, Value(name), "must be spec.names.plural+\".\"+spec.group");
  }
  const FieldPath annotations = metadata.field("annotations");
  if (old.is_absent()) check_protected_group(definition, annotations, errors);
  if (old.is_absent() || !(spec == old[keys::kSpec])) check_spec(spec, spec_at, errors);
  if (!old.is_absent()) check_update(definition, old, errors);
}

Value completed_definition(const Value& definition) {
  const Value& names = definition[keys::kSpec].get("names");
  const std::string kind = names[keys::kKind].string();
  if (kind.empty()) return definition;
  MapBuilder completed(names);
  if (names.get("singular").as_string().empty()) completed.set("singular", to_lower(kind));
  if (names.get("listKind").as_string().empty()) completed.set("listKind", cat(kind, "List"));
  return definition.with_at({keys::kSpec, keys::kNames}, std::move(completed).build());
}

Value with_stored_version(const Value& definition) {
  const Value& status = definition[keys::kStatus];
  std::vector<Value> stored(status.get("storedVersions").items().begin(), status.get("storedVersions").items().end());
  for (const auto& version : definition[keys::kSpec].get("versions").items()) {
    if (!version.get("storage").as_bool()) continue;
    if (std::ranges::find(stored, version[keys::kName]) == stored.end()) stored.push_back(version[keys::kName]);
  }
  if (stored.size() == status.get("storedVersions").size()) return definition;
  return definition.with(keys::kStatus, status.with("storedVersions", Value::array(std::move(stored))));
}

}  // namespace minik::control
