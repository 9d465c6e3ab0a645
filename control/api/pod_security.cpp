#include "control/api/pod_security.h"

#include <algorithm>
#include <map>

#include "control/api/errors.h"
#include "control/api/pod_security_standards.h"
#include "control/audit/audit_context.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kPrefix = "pod-security.kubernetes.io/";
// Of a namespace whose standard changes.
constexpr size_t kPodsLookedAtMax = 3000;

struct Policy {
  PodSecurityStandard enforce, audit, warn;
  std::vector<ErrorCause> mistakes;  // labels that say nothing valid
};

// A level that cannot be read is the strictest for what is refused, and the laxest for what is only told.
void read_mode(const Value& labels, std::string_view mode, PodSecurityLevel level_of_mistake, PodSecurityStandard& into,
               std::vector<ErrorCause>& mistakes) {
  const auto read = [&](std::string_view suffix, const auto& parse, auto of_mistake, auto& field, std::string_view wanted) {
    const auto name = cat(kPrefix, mode, suffix);
    const Value& text = labels.get(name);
    if (text.is_absent()) return;
    const auto parsed = parse(text.as_string());
    field = parsed.value_or(of_mistake);
    if (!parsed) {
      mistakes.push_back({"FieldValueInvalid", cat("Invalid value: ", quoted(text.as_string()), ": must be ", wanted),
                          cat("metadata.labels[", name, "]")});
    }
  };
  read("", parse_pod_security_level, level_of_mistake, into.level, "one of privileged, baseline, restricted");
  read("-version", parse_pod_security_version, kLatestMinor, into.minor, "\"latest\" or \"v1.x\"");
}

Policy policy_of(const Value& namespace_) {
  const Value& labels = namespace_[keys::kMetadata][keys::kLabels];
  Policy policy;
  // Most namespaces say nothing, and every new pod comes by here.
  if (std::ranges::none_of(labels.entries(), [](const MapEntry& label) { return label.key.text().starts_with(kPrefix); }))
    return policy;
  read_mode(labels, "enforce", PodSecurityLevel::kRestricted, policy.enforce, policy.mistakes);
  read_mode(labels, "audit", PodSecurityLevel::kPrivileged, policy.audit, policy.mistakes);
  read_mode(labels, "warn", PodSecurityLevel::kPrivileged, policy.warn, policy.mistakes);
  // Who only enforces wants to be told of a template that will not come to life.
  if (!labels.contains(cat(kPrefix, "warn")) && policy.enforce.level > policy.warn.level) {
    policy.warn.level = policy.enforce.level;
    if (!labels.contains(cat(kPrefix, "warn-version"))) policy.warn.minor = policy.enforce.minor;
  }
  return policy;
}

// Metadata and spec of the pods that this kind makes; absent spec: it makes none.
std::pair<Value, Value> template_of(const ResourceInfo& resource, const Value& object) {
  const Value& spec = object[keys::kSpec];
  const auto parts = [](const Value& t) { return std::pair(t[keys::kMetadata], t[keys::kSpec]); };
  if (resource.id == kinds::kCronjobs) return parts(spec[keys::kJobTemplate][keys::kSpec][keys::kTemplate]);
  if (resource.id == kinds::kPodtemplates) return parts(object[keys::kTemplate]);
  for (const auto kind : {kinds::kDeployments, kinds::kReplicasets, kinds::kStatefulsets, kinds::kDaemonsets,
                          kinds::kJobs, kinds::kReplicationcontrollers}) {
    if (resource.id == kind) return parts(spec[keys::kTemplate]);
  }
  return {};
}

// Of a stored pod little can change, and less that matters here.
bool is_significant(const Value& pod, const Value& old) {
  if (old.is_absent()) return true;
  for (const auto& list : {keys::kInitContainers, keys::kContainers, keys::kEphemeralContainers}) {
    const auto now = pod[keys::kSpec][list].items(), before = old[keys::kSpec][list].items();
    if (now.size() != before.size()) return true;
    for (size_t i = 0; i < now.size(); ++i) {
      if (now[i][keys::kImage] != before[i][keys::kImage]) return true;
    }
  }
  return false;
}

void annotate(const ApiRequest& request, std::string_view name, std::string text) {
  if (request.audit) request.audit->annotate(cat(kPrefix, name), std::move(text));
}

std::string would_violate(const PodSecurityStandard& standard, const std::vector<PodSecurityViolation>& violations) {
  return cat("would violate PodSecurity ", quoted(standard.text()), ": ", violation_details(violations));
}

// Tells `audit` and `warn`.
void tell(const Policy& policy, const ApiRequest& request, const Value& metadata, const Value& spec,
          std::vector<std::string>& warnings) {
  const auto for_audit = pod_security_violations(policy.audit, metadata, spec);
  if (!for_audit.empty()) annotate(request, "audit-violations", would_violate(policy.audit, for_audit));
  const auto for_warn = pod_security_violations(policy.warn, metadata, spec);
  if (!for_warn.empty()) warnings.push_back(would_violate(policy.warn, for_warn));
}

void warn_of_pods(const Store& store, std::string_view namespace_, const PodSecurityStandard& standard,
                  std::vector<std::string>& warnings) {
  const auto list = store.list(kinds::kPods, namespace_);
  const size_t looked_at = std::min(list->objects.size(), kPodsLookedAtMax);
  std::map<std::string, std::pair<std::string, size_t>> pods_of;  // by reasons: the first pod, and how many
  for (size_t i = 0; i < looked_at; ++i) {
    const Value& pod = list->objects[i];
    const auto violations = pod_security_violations(standard, pod[keys::kMetadata], pod[keys::kSpec]);
    if (violations.empty()) continue;
    auto& [first, count] = pods_of[violation_reasons(violations)];
    if (count++ == 0) first = object_name(pod);
  }
  if (looked_at < list->objects.size()) {
    warnings.push_back(cat("new PodSecurity enforce level only checked against the first ", looked_at, " of ",
                           list->objects.size(), " existing pods"));
  }
  if (pods_of.empty()) return;
  warnings.push_back(cat("existing pods in namespace ", quoted(namespace_), " violate the new PodSecurity enforce level ",
                         quoted(standard.text())));
  std::vector<std::string> lines;
  for (const auto& [reasons, pods] : pods_of) {
    const size_t others = pods.second - 1;
    const auto more = others == 0 ? std::string() : cat(" (and ", others, others == 1 ? " other pod)" : " other pods)");
    lines.push_back(cat(pods.first, more, ": ", reasons));
  }
  std::ranges::sort(lines);
  warnings.insert(warnings.end(), lines.begin(), lines.end());
}

Status check_namespace(const Store& store, const ResourceInfo& resource, const Value& object, const Value& old,
                       std::vector<std::string>& warnings) {
  const Policy policy = policy_of(object), before = policy_of(old);
  const auto same_mistakes = std::ranges::equal(policy.mistakes, before.mistakes, {}, &ErrorCause::message, &ErrorCause::message);
  if (!policy.mistakes.empty() && (old.is_absent() || !same_mistakes))
    return invalid(resource, object_name(object), policy.mistakes);
  if (old.is_absent() || policy.enforce == before.enforce) return {};
  if (policy.enforce.minor == before.enforce.minor && policy.enforce.level <= before.enforce.level) return {};
  warn_of_pods(store, object_name(object), policy.enforce, warnings);
  return {};
}

}  // namespace

Status check_pod_security(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                          const Value& object, const Value& old, std::vector<std::string>& warnings) {
  const bool pod = resource.id == kinds::kPods;
  const bool changes_pod = pod && (request.subresource == "ephemeralcontainers" || request.subresource == "resize");
  if (!request.subresource.empty() && !changes_pod) return {};
  if (resource.id == kinds::kNamespaces) return check_namespace(store, resource, object, old, warnings);
  if (!pod && !template_of(resource, object).second.has_value()) return {};
  const Policy policy = policy_of(store.find(kinds::kNamespaces, "", object_namespace(object)));
  if (!policy.mistakes.empty()) annotate(request, "error", cat("Failed to parse policy: ", policy.mistakes[0].field, ": ", policy.mistakes[0].message));
  if (!pod) {
    const auto [metadata, spec] = template_of(resource, object);
    tell(policy, request, metadata, spec, warnings);
    return {};
  }
  if (!is_significant(object, old)) return {};
  if (policy.enforce.level != PodSecurityLevel::kPrivileged) annotate(request, "enforce-policy", policy.enforce.text());
  const auto violations = pod_security_violations(policy.enforce, object[keys::kMetadata], object[keys::kSpec]);
  std::vector<std::string> told;
  tell(policy, request, object[keys::kMetadata], object[keys::kSpec], told);
  if (!violations.empty()) {
    return forbidden(resource, object_name(object),
                     cat("violates PodSecurity ", quoted(policy.enforce.text()), ": ", violation_details(violations)));
  }
  warnings.insert(warnings.end(), told.begin(), told.end());
  return {};
}

}  // namespace minik::control
