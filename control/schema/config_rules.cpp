// Validation of the small kinds: ConfigMap, Secret, Event, Lease, RBAC, quotas, classes.
#include <algorithm>
#include <set>
#include <span>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/certificate_request.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

constexpr size_t kDataBytesMax = 1024 * 1024;  // MaxSecretSize, for both kinds

void check_config_map(const Value& map, const FieldPath&, FieldErrors& errors) {
  size_t bytes = 0;
  const FieldPath data("data"), binary("binaryData");
  for (const auto& [key, value] : map[keys::kData].entries()) {
    errors.invalid_each(data.key(key.text()), Value(key), check_config_key(key.text()));
    if (!map[keys::kBinaryData][key].is_absent()) {
      errors.invalid(data.key(key.text()), Value(key), "duplicate of key present in binaryData");
    }
    bytes += value.as_string().size();
  }
  for (const auto& [key, value] : map[keys::kBinaryData].entries()) {
    errors.invalid_each(binary.key(key.text()), Value(key), check_config_key(key.text()));
    bytes += value.as_string().size() / 4 * 3;
  }
  if (bytes > kDataBytesMax) errors.too_long(FieldPath("[]"), kDataBytesMax);
}

void require_keys(const Value& data, std::initializer_list<std::string_view> names,
                  FieldErrors& errors) {
  const FieldPath at("data");
  for (const auto name : names) {
    if (!data.contains(name)) errors.required(at.key(name));
  }
}

// What a container runtime would have to read as its registries' credentials; the complaint repeats none of it.
void check_credentials(const Value& data, std::string_view name, FieldErrors& errors) {
  require_keys(data, {name}, errors);
  if (!data.contains(name)) return;
  const auto document = parse_json(from_base64(data.get(name).as_string()).value_or(""));
  if (document && document->is_map()) return;
  const FieldPath at("data");
  errors.invalid(at.key(name), "<secret contents redacted>",
                 document ? "json: cannot unmarshal into Go value of type map[string]interface {}" : document.error().message);
}

void check_secret(const Value& secret, const FieldPath&, FieldErrors& errors) {
  const Value& data = secret[keys::kData];
  const FieldPath at("data");
  size_t bytes = 0;
  for (const auto& [key, value] : data.entries()) {
    errors.invalid_each(at.key(key.text()), Value(key), check_config_key(key.text()));
    bytes += value.as_string().size() / 4 * 3;
  }
  if (bytes > kDataBytesMax) errors.too_long(at, kDataBytesMax);
  const std::string_view type = secret[keys::kType].as_string();
  if (type == "kubernetes.io/tls") {
    require_keys(data, {"tls.crt", "tls.key"}, errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    check_credentials(data, ".dockerconfigjson", errors);
  } else if (type == "kubernetes.io/dockercfg") {
    check_credentials(data, ".dockercfg", errors);
  } else if (type == "kubernetes.io/ssh-auth") {
    require_keys(data, {"ssh-privatekey"}, errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (!data.contains("username") && !data.contains("password")) {
      require_keys(data, {"username", "password"}, errors);
    }
  } else if (type == "kubernetes.io/service-account-token") {
    const FieldPath annotations("metadata.annotations");
    constexpr std::string_view kName = "kubernetes.io/service-account.name";
    if (secret.at({keys::kMetadata, keys::kAnnotations}).get(kName).as_string().empty()) {
      errors.required(annotations.key(kName));
    }
  }
}

void check_event(const Value& event, const FieldPath&, FieldErrors& errors) {
  const Value& home = event.at({keys::kMetadata, keys::kNamespace});
  const Value& involved = event.at({keys::kInvolvedObject, keys::kNamespace});
  const std::string_view about = involved.as_string();
  // Events about objects without a namespace live in the default one.
  const bool fits = about.empty()
                        ? home.as_string() == "default" || home.as_string() == "kube-system"
                        : about == home.as_string();
  if (!fits) {
    errors.invalid(FieldPath("involvedObject.namespace"),
                   involved.has_value() ? involved : Value(""), "does not match event.namespace");
  }
}

// The younger form asks for more than the one that its objects are stored in.
void check_reported_event(const Value& event, const FieldPath&, FieldErrors& errors) {
  constexpr size_t kNoteMax = 1024;
  if (event[keys::kEventTime].as_string().empty()) errors.required(FieldPath("eventTime"));
  for (const auto* name : {"reportingController", "reportingInstance", "action", "reason"}) {
    constexpr size_t kMax = 128;
    const Value& text = event.get(name);
    if (text.as_string().empty()) errors.required(FieldPath(name));
    if (text.as_string().size() > kMax) errors.invalid(FieldPath(name), text, "can have at most 128 characters");
  }
  const Value& type = event[keys::kType];
  if (type.as_string() != "Normal" && type.as_string() != "Warning") {
    errors.invalid(FieldPath("type"), type.has_value() ? type : Value(""), "has invalid value: " + type.string());
  }
  if (event[keys::kNote].as_string().size() > kNoteMax) {
    errors.invalid(FieldPath("note"), event[keys::kNote], "can have at most 1024 characters");
  }
}

void check_lease_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& seconds = spec[keys::kLeaseDurationSeconds];
  if (seconds.has_value() && seconds.as_int() <= 0) {
    errors.invalid(at.field("leaseDurationSeconds"), seconds, "must be greater than 0");
  }
  const FieldPath transitions = at.field("leaseTransitions");
  check_not_negative(spec[keys::kLeaseTransitions], transitions, errors);
  const Value& strategy = spec["strategy"];
  const FieldPath strategy_at = at.field("strategy.strategy");  // so in Kubernetes
  static constexpr std::string_view kStrategies[] = {"OldestEmulationVersion"};
  if (strategy.as_string().find('/') != std::string_view::npos) {
    errors.invalid_each(strategy_at, strategy, check_qualified_name(strategy.as_string()));
  } else if (strategy.has_value() && strategy.as_string() != kStrategies[0]) {
    errors.not_supported(strategy_at, strategy, kStrategies);
  }
  if (!spec["preferredHolder"].as_string().empty() && strategy.as_string().empty())
    errors.forbidden(at.field("preferredHolder"), "may only be specified if `strategy` is defined");
}

void check_quota_amounts(const Value& amounts, const FieldPath& at, FieldErrors& errors) {
  for (const auto& [key, amount] : amounts.entries()) {
    if (Quantity::of_value(amount).negative()) {
      errors.invalid(at.key(key.text()), amount, "must be greater than or equal to 0");
    }
  }
}

bool is_one_of(std::string_view text, std::span<const std::string_view> list) { return std::ranges::find(list, text) != list.end(); }

constexpr std::string_view kQuotaResources[] = {
    "configmaps", "cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory",
    "persistentvolumeclaims", "pods", "replicationcontrollers", "requests.cpu", "requests.ephemeral-storage", "requests.memory",
    "requests.storage", "resourcequotas", "secrets", "services", "services.loadbalancers", "services.nodeports"};
constexpr std::string_view kPodScopes[] = {"CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass",
                                           "Terminating"};

// Of which there are no halves.
bool counts_objects(std::string_view resource) {
  constexpr std::string_view kCounted[] = {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas",
                                           "secrets", "services", "services.loadbalancers", "services.nodeports"};
  const bool extended = resource.find('/') != std::string_view::npos && resource.find("kubernetes.io/") == std::string_view::npos &&
                        !resource.starts_with("requests.");
  return extended || is_one_of(resource, kCounted);
}

bool is_quota_scope(std::string_view scope) {
  return scope == "BestEffort" || scope == "VolumeAttributesClass" || is_one_of(scope, kPodScopes);
}

// Whether the objects that the scope chooses among use any of the resource at all.
bool has_resource(std::string_view scope, std::string_view resource) {
  constexpr std::string_view kOfPods[] = {"cpu", "limits.cpu", "limits.memory", "memory", "pods", "requests.cpu", "requests.memory"};
  constexpr std::string_view kOfClaims[] = {"persistentvolumeclaims", "requests.storage"};
  if (!is_one_of(resource, kQuotaResources)) return true;
  if (scope == "BestEffort") return resource == "pods";
  if (scope == "VolumeAttributesClass") return is_one_of(resource, kOfClaims);
  return is_one_of(resource, kOfPods);
}

bool fits(std::string_view scope, const Value& hard) {
  for (const auto& [name, amount] : hard.entries()) {
    if (!has_resource(scope, name.text())) return false;
  }
  return true;
}

void check_scopes(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& scopes = spec[keys::kScopes];
  const auto has = [&](std::string_view scope) {
    return std::ranges::any_of(scopes.items(), [&](const Value& s) { return s.as_string() == scope; });
  };
  for (const auto& scope : scopes.items()) {
    if (!is_quota_scope(scope.as_string())) {
      errors.invalid(at, scopes, "unsupported scope");
    } else if (!fits(scope.as_string(), spec[keys::kHard])) {
      errors.invalid(at, scopes, "unsupported scope applied to resource");
    }
  }
  const bool conflict = (has("BestEffort") && has("NotBestEffort")) || (has("Terminating") && has("NotTerminating"));
  if (conflict) errors.invalid(at, scopes, "conflicting scopes");
}

void check_scope_rule(const Value& rule, const Value& hard, const FieldPath& at, FieldErrors& errors) {
  const FieldPath name_at = at.field("scopeName"), operator_at = at.field("operator"), values_at = at.field("values");
  const Value &name = rule[keys::kScopeName], &op = rule[keys::kOperator], &values = rule[keys::kValues];
  if (name.as_string().empty()) return;  // which the schema requires
  if (!is_quota_scope(name.as_string())) return errors.invalid(name_at, name, "unsupported scope");
  if (!fits(name.as_string(), hard)) errors.invalid(name_at, name, "unsupported scope applied to resource");
  const bool by_class = name.as_string() == "PriorityClass" || name.as_string() == "VolumeAttributesClass";
  if (!by_class && op.as_string() != "Exists") {
    errors.invalid(operator_at, op,
                   "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                   "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
  }
  const bool compares = op.as_string() == "In" || op.as_string() == "NotIn";
  if (compares && values.empty()) {
    errors.required(values_at, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
  } else if (!compares && !values.empty()) {
    errors.invalid(values_at, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
  }
}

void check_quota_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath hard = at.field("hard"), scopes = at.field("scopes"), rules = at.field("scopeSelector.matchExpressions");
  check_quota_amounts(spec[keys::kHard], hard, errors);
  for (const auto& [key, amount] : spec[keys::kHard].entries()) {
    const std::string_view name = key.text();
    const FieldPath here = hard.key(name);
    errors.invalid_each(here, Value(name), check_qualified_name(name));
    if (!is_quota_resource(name)) errors.invalid(here, Value(name), "must be a standard resource for quotas");
    if (counts_objects(name) && Quantity::of_value(amount).milli() % 1000 != 0) errors.invalid(here, amount, "must be an integer");
  }
  check_scopes(spec, scopes, errors);
  const auto all = spec[keys::kScopeSelector][keys::kMatchExpressions].items();
  for (size_t i = 0; i < all.size(); ++i) {
    const FieldPath here = rules.index(i);
    check_scope_rule(all[i], spec[keys::kHard], here, errors);
  }
}

void check_taint(const Value& taint, const FieldPath& at, FieldErrors& errors) {
  const Value& key = taint[keys::kKey];
  if (!key.as_string().empty()) {
    errors.invalid_each(at.field("key"), key, check_qualified_name(key.as_string()));
  }
  const Value& value = taint[keys::kValue];
  if (!value.as_string().empty()) {
    errors.invalid_each(at.field("value"), value, check_label_value(value.as_string()));
  }
}

void check_policy_rule(const Value& rule, const FieldPath& at, FieldErrors& errors) {
  if (rule[keys::kVerbs].empty()) errors.required(at.field("verbs"), "verbs must contain at least one value");
  const bool urls = !rule[keys::kNonResourceURLs].empty();
  if (urls && (!rule[keys::kApiGroups].empty() || !rule[keys::kResources].empty() ||
               !rule[keys::kResourceNames].empty())) {
    errors.invalid(at.field("nonResourceURLs"), rule[keys::kNonResourceURLs],
                   "rules cannot apply to both regular resources and non-resource URLs");
    return;
  }
  if (urls) return;
  if (rule[keys::kApiGroups].empty()) {
    errors.required(at.field("apiGroups"), "resource rules must supply at least one api group");
  }
  if (rule[keys::kResources].empty()) {
    errors.required(at.field("resources"), "resource rules must supply at least one resource");
  }
}

void check_role_ref(const Value& reference, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kGroups[] = {"rbac.authorization.k8s.io"};
  static constexpr std::string_view kKinds[] = {"ClusterRole", "Role"};
  const Value& group = reference[keys::kApiGroup];
  if (group.as_string() != kGroups[0]) errors.not_supported(at.field("apiGroup"), group, kGroups);
  const std::string_view kind = reference[keys::kKind].as_string();
  if (!kind.empty() && kind != "Role" && kind != "ClusterRole") {
    errors.not_supported(at.field("kind"), reference[keys::kKind], kKinds);
  }
}

void check_rbac_subject(const Value& subject, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kKinds[] = {"ServiceAccount", "User", "Group"};
  static constexpr std::string_view kNoGroup[] = {""}, kOwnGroup[] = {"rbac.authorization.k8s.io"};
  const std::string_view kind = subject[keys::kKind].as_string();
  const Value &name = subject[keys::kName], &group = subject[keys::kApiGroup];
  if (kind == "ServiceAccount") {
    if (!name.as_string().empty()) errors.invalid_each(at.field("name"), name, check_dns_subdomain(name.as_string()));
    if (!group.as_string().empty()) errors.not_supported(at.field("apiGroup"), group, kNoGroup);
  } else if (kind == "User" || kind == "Group") {
    if (group.as_string() != kOwnGroup[0]) errors.not_supported(at.field("apiGroup"), group, kOwnGroup);
  } else if (!kind.empty()) {
    errors.not_supported(at.field("kind"), subject[keys::kKind], kKinds);
  }
}

void check_cluster_role(const Value& role, const FieldPath& at, FieldErrors& errors) {
  const Value& aggregation = role[keys::kAggregationRule];
  if (aggregation.is_map() && aggregation[keys::kClusterRoleSelectors].empty())
    errors.required(at.field("aggregationRule.clusterRoleSelectors"),
                    "at least one clusterRoleSelector required if aggregationRule is non-nil");
}

// A RoleBinding means accounts of its own namespace where it names none; here there is no such namespace.
void check_cluster_binding(const Value& binding, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kKinds[] = {"ClusterRole"};
  const Value& kind = binding[keys::kRoleRef][keys::kKind];
  if (kind.as_string() == "Role") errors.not_supported(at.field("roleRef.kind"), kind, kKinds);
  const FieldPath subjects = at.field("subjects");
  size_t i = 0;
  for (const auto& subject : binding[keys::kSubjects].items()) {
    const FieldPath one = subjects.index(i++);
    if (subject[keys::kKind].as_string() == "ServiceAccount" && subject[keys::kNamespace].as_string().empty())
      errors.required(one.field("namespace"));
  }
}

void check_role(const Value& role, const FieldPath& at, FieldErrors& errors) {
  const FieldPath rules = at.field("rules");
  size_t i = 0;
  for (const auto& rule : role[keys::kRules].items()) {
    const FieldPath one = rules.index(i++);
    if (!rule[keys::kNonResourceURLs].empty()) {
      errors.invalid(one.field("nonResourceURLs"), rule[keys::kNonResourceURLs],
                     "namespaced rules cannot apply to non-resource URLs");
    }
  }
}

void check_priority_class(const Value& object, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kUserPriorityMax = 1'000'000'000;
  const std::string_view name = object.at({keys::kMetadata, keys::kName}).as_string();
  if (name.starts_with("system-")) {
    if (name != "system-node-critical" && name != "system-cluster-critical") {
      errors.forbidden(at.field("metadata.name"),
                       "priority class names with 'system-' prefix are "
                       "reserved for system use only");
    }
  } else if (object[keys::kValue].as_int() > kUserPriorityMax) {
    errors.forbidden(at.field("value"),
                     cat("maximum allowed value of a user defined priority is ", kUserPriorityMax));
  }
}

// In the order in which they are told.
constexpr std::string_view kKeyUsages[] = {
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
    "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"};

void check_usages(const Value& usages, const FieldPath& at, FieldErrors& errors) {
  if (usages.empty()) errors.required(at);
  // One more than there are: among so many one is wrong, and a long list of them makes no long answer.
  const auto items = usages.items().first(std::min(usages.size(), std::size(kKeyUsages) + 1));
  std::set<std::string_view> seen;
  for (size_t i = 0; i < items.size(); ++i) {
    const FieldPath here = at.index(i);
    if (!seen.insert(items[i].as_string()).second) errors.duplicate(here, items[i]);
    if (std::ranges::find(kKeyUsages, items[i].as_string()) == std::end(kKeyUsages)) errors.not_supported(here, items[i], kKeyUsages);
  }
}

void check_certificate_request(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath usages = at.field("usages");
  check_usages(spec.get("usages"), usages, errors);
  constexpr int64_t kSecondsMin = 600;
  const Value& seconds = spec[keys::kExpirationSeconds];
  if (seconds.is_int() && seconds.as_int() < kSecondsMin) {
    errors.invalid(at.field("expirationSeconds"), seconds,
                   "may not specify a duration less than 600 seconds (10 minutes)");
  }
  const std::string_view signer = spec[keys::kSignerName].as_string();
  const size_t slash = signer.find('/');
  if (!signer.empty() && (slash == std::string_view::npos || slash == 0 || slash + 1 == signer.size())) {
    errors.invalid(at.field("signerName"), spec[keys::kSignerName],
                   "must be a fully qualified domain and path of the form 'example.com/signer-name'");
  }
  const Value& request = spec[keys::kRequest];
  if (request.as_string().empty()) return;
  const auto pem = from_base64(request.as_string());
  const auto subject = read_certificate_subject(pem ? *pem : "");
  if (!subject) errors.invalid(at.field("request"), request, subject.error().message);
}

constexpr NamedCheckRule kConfigRules[] = {
    {"core", "ConfigMap", check_config_map},
    {"core", "Secret", check_secret},
    {"core", "Event", check_event},
    {"events", "Event", check_reported_event},
    {"core", "ResourceQuotaSpec", check_quota_spec},
    {"core", "Taint", check_taint},
    {"certificates", "CertificateSigningRequestSpec", check_certificate_request},
    {"coordination", "LeaseSpec", check_lease_spec},
    {"rbac", "ClusterRole", check_cluster_role},
    {"rbac", "ClusterRoleBinding", check_cluster_binding},
    {"rbac", "PolicyRule", check_policy_rule},
    {"rbac", "Role", check_role},
    {"rbac", "RoleRef", check_role_ref},
    {"rbac", "Subject", check_rbac_subject},
    {"scheduling", "PriorityClass", check_priority_class},
};

}  // namespace

bool is_quota_resource(std::string_view name) {
  return name.find('/') != std::string_view::npos || is_one_of(name, kQuotaResources) || name.starts_with("hugepages-") ||
         name.starts_with("requests.hugepages-");
}

std::span<const NamedCheckRule> config_rules() {
  return kConfigRules;
}

}  // namespace minik::control
