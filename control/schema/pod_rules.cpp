// Validation of a pod's spec as a whole: names within it, volumes and who mounts them, placement.
#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"
#include "control/schema/views/core_pod.h"

namespace minik::control {

namespace {

void check_mount_names(const Value& containers, const std::set<std::string_view>& volumes,
                       const FieldPath& at, FieldErrors& errors) {
  for (size_t i = 0; i < containers.items().size(); ++i) {
    const auto& mounts = containers.items()[i][keys::kVolumeMounts];
    const FieldPath container = at.index(i);
    const FieldPath list = container.field("volumeMounts");
    for (size_t m = 0; m < mounts.items().size(); ++m) {
      const Value& name = mounts.items()[m][keys::kName];
      if (!name.has_value() || volumes.contains(name.as_string())) continue;
      const FieldPath mount = list.index(m);
      errors.not_found(mount.field("name"), name);
    }
  }
}

void check_volumes(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  const FieldPath list = at.field("volumes");
  for (size_t i = 0; i < spec.volumes().size(); ++i) {
    const auto volume = spec.volumes()[i];
    const FieldPath here = list.index(i);
    if (volume.name().empty()) continue;  // required, and the schema says so
    const auto problems = check_dns_label(volume.name());
    errors.invalid_each(here.field("name"), volume.name_value(), problems);
    if (!names.insert(volume.name()).second)
      errors.duplicate(here.field("name"), volume.name_value());
  }
}

void check_containers(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  check_volumes(spec, at, errors);
  const std::tuple<std::string_view, const Value&, bool> lists[] = {
      {"containers", spec.containers_value(), false},
      {"initContainers", spec.initContainers_value(), true},
      {"ephemeralContainers", spec.ephemeralContainers_value(), false}};
  for (const auto& [name, containers, init] : lists) {
    const FieldPath list = at.field(name);
    for (size_t i = 0; i < containers.items().size(); ++i) {
      const Value& container = containers.items()[i];
      const FieldPath here = list.index(i);
      check_container(container, init, here, errors);
      const std::string_view own = container[keys::kName].as_string();
      if (!own.empty() && !names.insert(own).second) {
        errors.duplicate(here.field("name"), container[keys::kName]);
      }
    }
  }
}

// Two containers of a pod cannot have one port of the host.
void check_host_ports(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string> taken;
  const FieldPath list = at.field("containers");
  for (size_t c = 0; c < spec.containers().size(); ++c) {
    const auto ports = spec.containers()[c].ports();
    const FieldPath container = list.index(c);
    const FieldPath ports_at = container.field("ports");
    for (size_t p = 0; p < ports.size(); ++p) {
      const auto port = ports[p];
      const FieldPath here = ports_at.index(p);
      if (spec.hostNetwork() && port.hostPort() != port.containerPort()) {
        errors.invalid(here.field("containerPort"), port.containerPort_value(),
                       "must match `hostPort` when `hostNetwork` is true");
      }
      if (port.hostPort() == 0) continue;
      const std::string key = cat(port.protocol(), "/", port.hostIP(), "/", port.hostPort());
      if (!taken.insert(key).second) errors.duplicate(here.field("hostPort"), Value(key));
    }
  }
}

void check_dns(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  const auto config = spec.dnsConfig();
  const FieldPath here = at.field("dnsConfig");
  if (spec.dnsPolicy() == "None") {
    if (!config) {
      errors.required(here, "must provide `dnsConfig` when `dnsPolicy` is None");
    } else if (config.nameservers().empty()) {
      errors.required(here.field("nameservers"),
                      "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
  }
  const FieldPath servers = here.field("nameservers");
  if (config.nameservers().size() > 3) errors.invalid(servers, config.nameservers_value(), "must not have more than 3 nameservers");
  const auto items = config.nameservers_value().items();
  for (size_t i = 0; i < items.size(); ++i) {
    errors.invalid_each(servers.index(i), items[i], check_ip(items[i].as_string()));
  }
  const FieldPath searches = here.field("searches"), options = here.field("options");
  if (config.searches().size() > 32) errors.invalid(searches, config.searches_value(), "must not have more than 32 search paths");
  for (size_t i = 0; i < config.options().size(); ++i) {
    if (config.options()[i].name().empty()) errors.required(options.index(i), "must not be empty");
  }
}

void check_identity(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  const auto check = [&](std::string_view name, const Value& value, auto&& checker) {
    if (!value.as_string().empty()) {
      errors.invalid_each(at.field(name), value, checker(value.as_string()));
    }
  };
  check("hostname", spec.hostname_value(), check_dns_label);
  check("subdomain", spec.subdomain_value(), check_dns_label);
  check("serviceAccountName", spec.serviceAccountName_value(), check_dns_subdomain);
  check("nodeName", spec.nodeName_value(), check_dns_subdomain);
  check("priorityClassName", spec.priorityClassName_value(), check_dns_subdomain);
  check("runtimeClassName", spec.runtimeClassName_value(), check_dns_subdomain);
  const FieldPath selector = at.field("nodeSelector");
  check_labels(spec.nodeSelector(), selector, errors);
  if (spec.has_activeDeadlineSeconds() &&
      (spec.activeDeadlineSeconds() < 1 || spec.activeDeadlineSeconds() > INT32_MAX)) {
    errors.invalid(at.field("activeDeadlineSeconds"), spec.activeDeadlineSeconds_value(),
                   "must be between 1 and 2147483647, inclusive");
  }
}

// The name that the kernel tells the pod, which holds no longer one and is the machine's where its network is.
void check_hostname_override(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kBytesMax = 64;
  const FieldPath here = at.field("hostnameOverride");
  const Value& name = spec.hostnameOverride_value();
  if (name.as_string().empty()) return;
  errors.invalid_each(here, name, check_dns_subdomain(name.as_string()));
  if (name.as_string().size() > kBytesMax) errors.too_long(here, kBytesMax);
  if (spec.setHostnameAsFQDN()) errors.forbidden(here, "may not be specified when `setHostnameAsFQDN` is true");
  if (spec.hostNetwork()) errors.forbidden(here, "may not be specified when `hostNetwork` is true");
}

// What the pod as a whole has bounds what its containers have, each and together.
void check_pod_resources(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kSupported[] = {"cpu", "hugepages-", "memory"};
  const Value& resources = spec[keys::kResources];
  const FieldPath here = at.field("resources");
  const FieldPath limits_at = here.field("limits"), requests_at = here.field("requests");
  for (const auto& [list, list_at] : {std::pair{keys::kLimits, &limits_at}, std::pair{keys::kRequests, &requests_at}}) {
    for (const auto& [name, amount] : resources[list].entries()) {
      if (name == keys::kCpu || name == keys::kMemory || name.text().starts_with("hugepages-")) continue;
      errors.not_supported(list_at->key(name.text()), Value(name.text()), kSupported);
    }
  }
  if (!resources[keys::kClaims].empty()) errors.forbidden(here.field("claims"), "claims may not be set for the resources of a pod");
  for (const auto& [name, request] : resources[keys::kRequests].entries()) {
    const auto together = container_aggregate(spec, keys::kRequests, name);
    if (!request.has_value() || !together || !(*together > Quantity::of_value(request))) continue;
    errors.invalid(requests_at.key(name.text()), request, cat("must be greater than or equal to aggregate container requests of ", together->text()));
  }
  const FieldPath containers_at = at.field("containers");
  for (const auto& [name, limit] : resources[keys::kLimits].entries()) {
    if (!limit.has_value()) continue;
    const auto together = name.text().starts_with("hugepages-") ? container_aggregate(spec, keys::kLimits, name) : std::nullopt;
    if (together && *together > Quantity::of_value(limit))
      errors.invalid(limits_at.key(name.text()), limit, cat("must be greater than or equal to aggregate container limits of ", together->text()));
    const auto containers = spec[keys::kContainers].items();
    for (size_t i = 0; i < containers.size(); ++i) {
      const Value& own_limit = containers[i][keys::kResources][keys::kLimits][name];
      if (!(Quantity::of_value(own_limit) > Quantity::of_value(limit))) continue;
      const FieldPath container = containers_at.index(i);
      const FieldPath own_resources = container.field("resources");
      const FieldPath own_limits = own_resources.field("limits");
      errors.invalid(own_limits.key(name.text()), own_limit, cat("must be less than or equal to pod limits of ", limit.as_string()));
    }
  }
}

// What a container says of itself and the pod decides: how long it may sleep before it ends, which claims there are, and
// whether it may be restarted at all or see what the machine's users see.
void check_containers_together(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> claims;
  for (const auto& claim : spec[keys::kResourceClaims].items()) claims.insert(claim[keys::kName].as_string());
  const int64_t grace = spec[keys::kTerminationGracePeriodSeconds].as_int(30);
  const bool never = spec[keys::kRestartPolicy].as_string() == "Never";
  const bool own_users = !spec[keys::kHostUsers].as_bool(true);
  for (const auto* name : {"containers", "initContainers", "ephemeralContainers"}) {
    const FieldPath list = at.field(name);
    const auto containers = spec.get(name).items();
    for (size_t i = 0; i < containers.size(); ++i) {
      const FieldPath here = list.index(i);
      for (const auto& hook : {keys::kPostStart, keys::kPreStop}) {
        const Value& seconds = containers[i][keys::kLifecycle][hook][keys::kSleep][keys::kSeconds];
        if (!seconds.has_value() || (seconds.as_int() >= 0 && seconds.as_int() <= grace)) continue;
        const FieldPath lifecycle = here.field("lifecycle");
        const FieldPath action = lifecycle.field(hook.text());
        errors.invalid(action.field("sleep"), seconds,
                       cat("must be non-negative and less than terminationGracePeriodSeconds (", grace, ")"));
      }
      const Value& proc = containers[i][keys::kSecurityContext]["procMount"];
      if (proc.as_string() == "Unmasked" && !own_users)
        errors.invalid(here.field("securityContext.procMount"), proc, "`hostUsers` must be false to use `Unmasked`");
      const auto wanted = containers[i][keys::kResources][keys::kClaims].items();
      const FieldPath claims_at = here.field("resources.claims");
      for (size_t c = 0; c < wanted.size(); ++c) {
        if (!claims.contains(wanted[c][keys::kName].as_string())) errors.not_found(claims_at.index(c), wanted[c][keys::kName]);
      }
      for (const auto& policy : containers[i][keys::kResizePolicy].items()) {
        const Value& restart = policy[keys::kRestartPolicy];
        if (never && restart.as_string() == "RestartContainer")
          errors.invalid(here.field("resizePolicy"), restart, "must be 'NotRequired' when `restartPolicy` is 'Never'");
      }
    }
  }
}

// Users of its own are worth nothing beside a namespace of the machine's.
void check_own_users(PodSpecView spec, const FieldPath& at, FieldErrors& errors) {
  for (const auto& [name, shared] : {std::pair{"hostNetwork", spec.hostNetwork()}, std::pair{"HostPID", spec.hostPID()},
                                     std::pair{"HostIPC", spec.hostIPC()}}) {
    if (shared) errors.forbidden(at.field(name), "when `pod.Spec.HostUsers` is false");
  }
}

void check_os(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  static constexpr std::string_view kSystems[] = {"linux", "windows"};
  const Value& name = spec[keys::kOs][keys::kName];
  if (!spec[keys::kOs].has_value() || name.as_string().empty()) return;  // a name is required, and the schema says so
  const FieldPath os = at.field("os");
  if (std::ranges::find(kSystems, name.as_string()) == std::end(kSystems)) errors.not_supported(os.field("name"), name, kSystems);
  if (name.as_string() == "linux" && spec[keys::kSecurityContext].get("windowsOptions").has_value())
    errors.forbidden(at.field("securityContext.windowsOptions"), "windows options cannot be set for a linux pod");
  if (name.as_string() != "windows") return;
  for (const auto& [key, value] : spec[keys::kSecurityContext].entries()) {
    constexpr std::string_view kAnywhere[] = {"runAsNonRoot", "windowsOptions"};
    if (std::ranges::find(kAnywhere, key.text()) != std::end(kAnywhere) || !value.has_value()) continue;
    const FieldPath context = at.field("securityContext");
    errors.forbidden(context.field(key.text()), "cannot be set for a windows pod");
  }
}

void check_pod_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const PodSpecView spec(value);
  check_containers(spec, at, errors);
  check_containers_together(value, at, errors);
  check_host_ports(spec, at, errors);
  check_dns(spec, at, errors);
  check_identity(spec, at, errors);
  check_hostname_override(spec, at, errors);
  if (value[keys::kResources].has_value()) check_pod_resources(value, at, errors);
  if (value[keys::kHostUsers].has_value() && !value[keys::kHostUsers].as_bool()) check_own_users(spec, at, errors);
  check_os(value, at, errors);
  const Value& shared = value[keys::kShareProcessNamespace];
  if (shared.as_bool() && spec.hostPID()) {
    const FieldPath context = at.field("securityContext");
    errors.invalid(context.field("shareProcessNamespace"), shared,
                   "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  std::set<std::string_view> gates;
  const FieldPath gates_at = at.field("schedulingGates");
  for (size_t i = 0; i < spec.schedulingGates().size(); ++i) {
    const auto gate = spec.schedulingGates()[i];
    const FieldPath here = gates_at.index(i);
    errors.invalid_each(here, Value(gate.name()), check_qualified_name(gate.name()));
    if (!gates.insert(gate.name()).second) errors.duplicate(here, Value(gate.name()));
  }
  std::set<std::string> spreads;
  const FieldPath list = at.field("topologySpreadConstraints");
  for (size_t i = 0; i < spec.topologySpreadConstraints().size(); ++i) {
    const auto constraint = spec.topologySpreadConstraints()[i];
    const std::string key =
        cat("{", constraint.topologyKey(), ", ", constraint.whenUnsatisfiable(), "}");
    if (spreads.insert(key).second) continue;
    const FieldPath here = list.index(i);
    errors.duplicate(here.field("{topologyKey, whenUnsatisfiable}"), Value(key));
  }
}

// ---- placement ----

void check_toleration(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const TolerationView toleration(value);
  const std::string_view op = toleration.operator_();
  if (!toleration.key().empty()) {
    errors.invalid_each(at.field("key"), toleration.key_value(),
                        check_qualified_name(toleration.key()));
  } else if (op != "Exists") {
    errors.invalid(
        at.field("operator"), Value(op),
        "operator must be Exists when `key` is empty, which means \"match all values and "
        "all keys\"");
  }
  if (toleration.has_tolerationSeconds() && toleration.effect() != "NoExecute") {
    errors.invalid(at.field("effect"), Value(toleration.effect()),
                   "effect must be 'NoExecute' when `tolerationSeconds` is set");
  }
  if (op == "Exists" && !toleration.value().empty()) {
    errors.invalid(at.field("operator"), value, "value must be empty when `operator` is 'Exists'");
  } else if (op.empty() || op == "Equal") {
    const auto problems = check_label_value(toleration.value());
    if (!problems.empty())
      errors.invalid(at.field("operator"), toleration.value_value(), problems[0]);
  }
}

void check_spread_constraint(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const TopologySpreadConstraintView constraint(value);
  if (constraint.maxSkew() <= 0) {
    errors.invalid(at.field("maxSkew"), Value(constraint.maxSkew()), "must be greater than zero");
  }
  if (constraint.has_minDomains() && constraint.minDomains() <= 0) {
    errors.invalid(at.field("minDomains"), constraint.minDomains_value(),
                   "must be greater than zero");
  }
  if (constraint.has_minDomains() && constraint.whenUnsatisfiable() != "DoNotSchedule") {
    errors.invalid(at.field("minDomains"), constraint.minDomains_value(),
                   cat("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ", constraint.whenUnsatisfiable()));
  }
  if (constraint.topologyKey().empty()) errors.required(at.field("topologyKey"), "can not be empty");
  check_label_keys(value, "matchLabelKeys", at, errors);
}

void check_weight(const Value& term, const FieldPath& at, FieldErrors& errors) {
  const int64_t weight = term[keys::kWeight].as_int();
  if (weight < 1 || weight > 100) {
    errors.invalid(at.field("weight"), Value(weight), "must be in the range 1-100");
  }
}

void check_node_requirement(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const NodeSelectorRequirementView requirement(value);
  const std::string_view op = requirement.operator_();
  const size_t values = requirement.values().size();
  const FieldPath list = at.field("values");
  if ((op == "In" || op == "NotIn") && values == 0) {
    errors.required(list, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if ((op == "Exists" || op == "DoesNotExist") && values > 0) {
    errors.forbidden(list, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if ((op == "Gt" || op == "Lt") && values != 1) {
    errors.required(list, "must be specified single value when `operator` is 'Lt' or 'Gt'");
  }
  if (!requirement.key().empty()) {
    errors.invalid_each(at.field("key"), requirement.key_value(),
                        check_qualified_name(requirement.key()));
  }
}

void check_host_alias(const Value& alias, const FieldPath& at, FieldErrors& errors) {
  const Value& ip = alias[keys::kIp];
  if (!ip.as_string().empty()) errors.invalid_each(at.field("ip"), ip, check_ip(ip.as_string()));
  const FieldPath names = at.field("hostnames");
  for (const auto& name : alias[keys::kHostnames].items()) {
    errors.invalid_each(names, name, check_dns_subdomain(name.as_string()));
  }
}

void check_pod(const Value& pod, const FieldPath& at, FieldErrors& errors) {
  const Value& spec = pod[keys::kSpec];
  check_mounts(spec, at.field("spec"), errors);
  if (!spec[keys::kNodeName].as_string().empty() && !spec[keys::kSchedulingGates].empty())
    errors.forbidden(at.field("spec.nodeName"), "cannot be set until all schedulingGates have been cleared");
}

void check_pod_template(const Value& pod_template, const FieldPath& at, FieldErrors& errors) {
  check_mounts(pod_template.at({keys::kTemplate, keys::kSpec}), at.field("template.spec"), errors);
}

constexpr NamedCheckRule kPodRules[] = {
    {"core", "Pod", check_pod},
    {"core", "PodTemplate", check_pod_template},
    {"core", "PodSpec", check_pod_spec},
    {"core", "Toleration", check_toleration},
    {"core", "TopologySpreadConstraint", check_spread_constraint},
    {"core", "PreferredSchedulingTerm", check_weight},
    {"core", "WeightedPodAffinityTerm", check_weight},
    {"core", "NodeSelectorRequirement", check_node_requirement},
    {"core", "HostAlias", check_host_alias},
};

}  // namespace

void check_mounts(const Value& pod_spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> volumes;
  for (const auto& volume : pod_spec[keys::kVolumes].items()) {
    volumes.insert(volume[keys::kName].as_string());
  }
  for (const auto* list : {"containers", "initContainers", "ephemeralContainers"}) {
    check_mount_names(pod_spec.get(list), volumes, at.field(list), errors);
  }
}

std::span<const NamedCheckRule> pod_rules() {
  return kPodRules;
}

}  // namespace minik::control
