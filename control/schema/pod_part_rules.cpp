// Validation of the parts of a pod that say who it runs as, where it may run and what it waits for.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// ---- identity ----

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// "kernel.shm_rmid_forced", also with slashes.
bool is_sysctl_name(std::string_view name) {
  constexpr size_t kBytesMax = 253;
  if (name.empty() || name.size() > kBytesMax) return false;
  char before = '.';
  for (const char c : name) {
    const bool separator = c == '.' || c == '/';
    if (!is_alphanumeric(c) && !separator && c != '-' && c != '_') return false;
    const bool at_edge = before == '.' || before == '/' || separator;
    if (at_edge && !is_alphanumeric(separator ? before : c)) return false;
    before = c;
  }
  return is_alphanumeric(before);
}

void check_sysctls(const Value& sysctls, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < sysctls.size(); ++i) {
    const Value& name = sysctls.items()[i][keys::kName];
    const FieldPath one = at.index(i);
    const FieldPath here = one.field("name");
    if (name.as_string().empty()) {
      errors.required(here);
    } else if (!is_sysctl_name(name.as_string())) {
      errors.invalid(here, name, R"(must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*)"
                                 R"([a-z0-9]([-_a-z0-9]*[a-z0-9])?)");
    } else if (!names.insert(name.as_string()).second) {
      errors.duplicate(here, name);
    }
  }
}

void check_pod_security_context(const Value& context, const FieldPath& at, FieldErrors& errors) {
  for (const auto* name : {"runAsUser", "runAsGroup", "fsGroup"}) check_id(context.get(name), at.field(name), errors);
  const FieldPath groups = at.field("supplementalGroups"), sysctls = at.field("sysctls");
  const auto ids = context[keys::kSupplementalGroups].items();
  for (size_t i = 0; i < ids.size(); ++i) check_id(ids[i], groups.index(i), errors);
  check_sysctls(context[keys::kSysctls], sysctls, errors);
}

// Of seccomp and AppArmor alike: a file of the node, or none.
void check_profile(const Value& profile, std::string_view what, const FieldPath& at, FieldErrors& errors) {
  const Value& file = profile[keys::kLocalhostProfile];
  const FieldPath here = at.field("localhostProfile");
  if (profile[keys::kType].as_string() == "Localhost") {
    if (file.as_string().empty()) errors.required(here, cat("must be set when ", what, " type is Localhost"));
  } else if (file.has_value()) {
    errors.invalid(here, file, cat("can only be set when ", what, " type is Localhost"));
  }
}

void check_seccomp_profile(const Value& profile, const FieldPath& at, FieldErrors& errors) {
  check_profile(profile, "seccomp", at, errors);
  const Value& file = profile[keys::kLocalhostProfile];
  const FieldPath here = at.field("localhostProfile");
  if (file.as_string().starts_with('/')) errors.invalid(here, file, "must be a relative path");
  for (const auto part : split(file.as_string(), '/')) {
    if (part == "..") errors.invalid(here, file, "must not contain '..'");
  }
}

void check_apparmor_profile(const Value& profile, const FieldPath& at, FieldErrors& errors) {
  check_profile(profile, "AppArmor", at, errors);
}

// ---- placement ----

void check_node_selector(const Value& selector, const FieldPath& at, FieldErrors& errors) {
  if (selector[keys::kNodeSelectorTerms].empty())
    errors.required(at.field("nodeSelectorTerms"), "must have at least one node selector term");
}

void check_affinity_term(const Value& term, const FieldPath& at, FieldErrors& errors) {
  const Value& key = term[keys::kTopologyKey];
  const FieldPath here = at.field("topologyKey");
  if (key.as_string().empty()) errors.required(here, "can not be empty");
  errors.invalid_each(here, key.has_value() ? key : Value(""), check_qualified_name(key.as_string()));
  const FieldPath namespaces = at.field("namespace");
  for (const auto& name : term[keys::kNamespaces].items())
    errors.invalid_each(namespaces, name, check_dns_label(name.as_string()));
  for (const auto* keys : {"matchLabelKeys", "mismatchLabelKeys"}) check_label_keys(term, keys, at, errors);
  const auto match = term[keys::kMatchLabelKeys].items(), mismatch = term[keys::kMismatchLabelKeys].items();
  const FieldPath match_at = at.field("matchLabelKeys");
  for (size_t i = 0; i < match.size(); ++i) {
    if (std::ranges::find(mismatch, match[i]) != mismatch.end())
      errors.invalid(match_at.index(i), match[i], "exists in both matchLabelKeys and mismatchLabelKeys");
  }
}

void check_readiness_gate(const Value& gate, const FieldPath& at, FieldErrors& errors) {
  const Value& type = gate[keys::kConditionType];
  errors.invalid_each(at.field("conditionType"), type.has_value() ? type : Value(""), check_qualified_name(type.as_string()));
}

// ---- references ----

void check_key_selector(const Value& selector, const FieldPath& at, FieldErrors& errors) {
  const Value& key = selector[keys::kKey];
  if (!key.as_string().empty()) errors.invalid_each(at.field("key"), key, check_config_key(key.as_string()));
}

void check_empty_dir(const Value& source, const FieldPath& at, FieldErrors& errors) {
  const Value& limit = source[keys::kSizeLimit];
  if (limit.has_value() && Quantity::of_value(limit).negative())
    errors.forbidden(at.field("sizeLimit"), "SizeLimit field must be a valid resource quantity");
}

void check_template(const Value& pod_template, const FieldPath& at, FieldErrors& errors) {
  if (!pod_template[keys::kSpec][keys::kEphemeralContainers].empty())
    errors.forbidden(at.field("spec.ephemeralContainers"), "ephemeral containers not allowed in pod template");
}

constexpr NamedCheckRule kPodPartRules[] = {
    {"core", "PodSecurityContext", check_pod_security_context},
    {"core", "SeccompProfile", check_seccomp_profile},
    {"core", "AppArmorProfile", check_apparmor_profile},
    {"core", "NodeSelector", check_node_selector},
    {"core", "PodAffinityTerm", check_affinity_term},
    {"core", "PodReadinessGate", check_readiness_gate},
    {"core", "ConfigMapKeySelector", check_key_selector},
    {"core", "SecretKeySelector", check_key_selector},
    {"core", "EmptyDirVolumeSource", check_empty_dir},
    {"core", "PodTemplateSpec", check_template},
};

}  // namespace

void check_label_keys(const Value& term, std::string_view name, const FieldPath& at, FieldErrors& errors) {
  const auto all = term.get(name).items();
  if (all.empty()) return;
  const FieldPath here = at.field(name);
  const Value& selector = term[keys::kLabelSelector];
  if (!selector.has_value()) return errors.forbidden(here, "must not be specified when labelSelector is not set");
  const auto selects = [&selector](const Value& key) {
    return selector[keys::kMatchLabels].contains(key.as_string()) ||
           std::ranges::any_of(selector[keys::kMatchExpressions].items(),
                               [&](const Value& expression) { return expression[keys::kKey] == key; });
  };
  for (size_t i = 0; i < all.size(); ++i) {
    const FieldPath one = here.index(i);
    errors.invalid_each(one, all[i], check_qualified_name(all[i].as_string()));
    if (selects(all[i])) errors.invalid(one, all[i], cat("exists in both ", name, " and labelSelector"));
  }
}

void check_id(const Value& id, const FieldPath& at, FieldErrors& errors) {
  if (id.has_value() && (id.as_int() < 0 || id.as_int() > INT32_MAX))
    errors.invalid(at, id, "must be between 0 and 2147483647, inclusive");
}

std::span<const NamedCheckRule> pod_part_rules() {
  return kPodPartRules;
}

}  // namespace minik::control
