// The defaults that depend on other fields, one function a type. Each takes an object whose fields
// are complete already and returns it unchanged, as the same node, when there is nothing to add.
#include <algorithm>
#include <array>
#include <optional>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/schema/defaults.h"

namespace minik::control {

namespace {

bool unset(const Value& value) {
  return !value.has_value() || (value.is_string() && value.as_string().empty()) ||
         (value.is_int() && value.as_int() == 0);
}

// Rewrites each item of a list; the same node when none changes.
template <typename Rewrite>
Value rewrite_items(const Value& list, const Rewrite& rewrite) {
  std::vector<Value> items(list.items().begin(), list.items().end());
  bool changed = false;
  for (auto& item : items) {
    Value after = rewrite(item);
    changed |= !after.same_node(item);
    item = std::move(after);
  }
  return changed ? Value::array(std::move(items)) : list;
}

Value with_changed(const Value& object, const Key& key, Value value) {
  return value.same_node(object[key]) ? object : object.with(key, std::move(value));
}

// No tag and no digest, or the tag "latest": such an image may change behind its name.
bool floats(std::string_view image) {
  if (image.empty() || image.find('@') != std::string_view::npos) return false;
  const auto slash = image.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? image : image.substr(slash + 1);
  const auto colon = last.find(':');
  return colon == std::string_view::npos || last.substr(colon + 1) == "latest";
}

Value complete_container(const Value& container) {
  if (!unset(container[keys::kImagePullPolicy])) return container;
  const bool pull_always = floats(container[keys::kImage].as_string());
  return container.with(keys::kImagePullPolicy, pull_always ? "Always" : "IfNotPresent");
}

Value with_host_ports(const Value& container) {
  return with_changed(container, keys::kPorts,
                      rewrite_items(container[keys::kPorts], [](const Value& port) {
                        if (!unset(port[keys::kHostPort])) return port;
                        return port.with(keys::kHostPort, port[keys::kContainerPort]);
                      }));
}

Value complete_pod_spec(const Value& input) {
  Value spec = input;
  if (spec[keys::kHostNetwork].as_bool()) {
    for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
      if (spec[list].is_array()) {
        spec = with_changed(spec, list, rewrite_items(spec[list], with_host_ports));
      }
    }
  }
  // serviceAccount is the older name of serviceAccountName; both are always written.
  const Value& name = spec[keys::kServiceAccountName];
  const Value& alias = spec[keys::kServiceAccount];
  if (unset(name) && !unset(alias)) {
    spec = spec.with(keys::kServiceAccountName, alias);
  } else if (!unset(name) && !(name == alias)) {
    spec = spec.with(keys::kServiceAccount, name);
  }
  return spec;
}

// A limit without a request is a request of as much.
Value with_requests(const Value& container) {
  const Value& resources = container[keys::kResources];
  MapBuilder requests(resources[keys::kRequests]);
  bool changed = false;
  for (const auto& [name, amount] : resources[keys::kLimits].entries()) {
    if (!requests.get(name).is_absent()) continue;
    requests.set(name, amount);
    changed = true;
  }
  if (!changed) return container;
  return container.with(keys::kResources,
                        resources.with(keys::kRequests, std::move(requests).build()));
}

bool is_huge_pages(const Key& name) { return name.text().starts_with("hugepages-"); }

// Huge pages are never promised beyond what there is, so the limits of the containers are one of the pod.
Value with_huge_page_limits(const Value& spec) {
  const Value& limits = spec[keys::kResources][keys::kLimits];
  if (limits.empty()) return spec;
  MapBuilder whole(limits);
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : spec[list].items()) {
      for (const auto& [name, amount] : container[keys::kResources][keys::kLimits].entries()) {
        if (!is_huge_pages(name) || !whole.get(name).is_absent()) continue;
        if (const auto together = container_aggregate(spec, keys::kLimits, name)) whole.set(name, together->text());
      }
    }
  }
  Value built = std::move(whole).build();
  return built == limits ? spec : spec.with(keys::kResources, spec[keys::kResources].with(keys::kLimits, std::move(built)));
}

// The limits of the pod as a whole have requests: what its containers ask for, or as much as the limit.
Value with_pod_requests(const Value& spec) {
  const Value& resources = spec[keys::kResources];
  if (resources[keys::kLimits].empty()) return spec;
  MapBuilder requests(resources[keys::kRequests]);
  for (const auto& name : {keys::kCpu, keys::kMemory}) {
    if (!requests.get(name).is_absent()) continue;
    if (const auto asked = container_aggregate(spec, keys::kRequests, name)) requests.set(name, asked->text());
  }
  for (const auto& [name, limit] : resources[keys::kLimits].entries()) {
    const bool counts = name == keys::kCpu || name == keys::kMemory || is_huge_pages(name);
    if (counts && limit.has_value() && requests.get(name).is_absent()) requests.set(name, limit);
  }
  Value built = std::move(requests).build();
  return built == resources[keys::kRequests] ? spec : spec.with(keys::kResources, resources.with(keys::kRequests, std::move(built)));
}

Value complete_pod(const Value& pod) {
  Value spec = pod[keys::kSpec];
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    if (spec[list].is_array()) {
      spec = with_changed(spec, list, rewrite_items(spec[list], with_requests));
    }
  }
  spec = with_pod_requests(with_huge_page_limits(spec));
  if (!spec[keys::kEnableServiceLinks].has_value()) {
    spec = spec.with(keys::kEnableServiceLinks, true);
  }
  return with_changed(pod, keys::kSpec, std::move(spec));
}

Value complete_volume(const Value& volume) {
  for (const auto& entry : volume.entries()) {
    if (!(entry.key == keys::kName)) return volume;
  }
  return volume.with(keys::kEmptyDir, Value::empty_map());
}

Value complete_deployment_strategy(const Value& strategy) {
  if (strategy[keys::kType].as_string() != "RollingUpdate" ||
      strategy[keys::kRollingUpdate].is_map()) {
    return strategy;
  }
  return strategy.with(keys::kRollingUpdate,
                       Value::map({{keys::kMaxSurge, "25%"}, {keys::kMaxUnavailable, "25%"}}));
}

Value complete_stateful_set_strategy(const Value& strategy) {
  if (strategy[keys::kType].as_string() != "RollingUpdate" ||
      strategy[keys::kRollingUpdate].is_map()) {
    return strategy;
  }
  return strategy.with(keys::kRollingUpdate, Value::map({{keys::kPartition, 0}}));
}

Value complete_daemon_set_strategy(const Value& strategy) {
  if (strategy[keys::kType].as_string() != "RollingUpdate" ||
      strategy[keys::kRollingUpdate].is_map()) {
    return strategy;
  }
  return strategy.with(keys::kRollingUpdate,
                       Value::map({{keys::kMaxSurge, 0}, {keys::kMaxUnavailable, 1}}));
}

// A claim template says what it is, though its place says so already.
Value complete_stateful_set_spec(const Value& spec) {
  if (!spec[keys::kVolumeClaimTemplates].is_array()) return spec;
  return with_changed(
      spec, keys::kVolumeClaimTemplates,
      rewrite_items(spec[keys::kVolumeClaimTemplates], [](const Value& claim) {
        if (claim[keys::kKind].has_value()) return claim;
        return claim.with(keys::kApiVersion, "v1").with(keys::kKind, "PersistentVolumeClaim");
      }));
}

Value complete_service_port(const Value& port) {
  if (!unset(port[keys::kTargetPort])) return port;
  return port.with(keys::kTargetPort, port[keys::kPort]);
}

Value complete_service_spec(const Value& input) {
  MapBuilder spec(input);
  const auto fill = [&](const Key& key, Value value) {
    if (!spec.get(key).has_value() || spec.get(key).as_string("x").empty()) {
      spec.set(key, std::move(value));
    }
  };
  const std::string type = spec.get(keys::kType).string();
  if (spec.get(keys::kSessionAffinity).as_string() == "ClientIP") {
    if (!input.at({keys::kSessionAffinityConfig, keys::kClientIP, keys::kTimeoutSeconds})
             .is_int()) {
      spec.set(keys::kSessionAffinityConfig,
               Value::map({{keys::kClientIP, Value::map({{keys::kTimeoutSeconds, 10800}})}}));
    }
  } else {
    spec.erase(keys::kSessionAffinityConfig);
  }
  const bool cluster = type != "ExternalName";
  const bool outside = type == "NodePort" || type == "LoadBalancer";
  if (outside || (type == "ClusterIP" && !input[keys::kExternalIPs].empty())) {
    fill(keys::kExternalTrafficPolicy, "Cluster");
  }
  if (cluster) fill(keys::kInternalTrafficPolicy, "Cluster");
  if (type == "LoadBalancer") fill(keys::kAllocateLoadBalancerNodePorts, true);
  Value completed = std::move(spec).build();
  return completed == input ? input : completed;
}

Value complete_namespace(const Value& object) {
  const Value& name = object.at({keys::kMetadata, keys::kName});
  const Key label = keys::kKubernetesIoMetadataName;
  if (unset(name) || object.at({keys::kMetadata, keys::kLabels, label}) == name) return object;
  return object.with_at({keys::kMetadata, keys::kLabels, label}, name);
}

// Written as text, read back as base64 only.
Value complete_secret(const Value& secret) {
  const Value& texts = secret[keys::kStringData];
  if (texts.is_absent()) return secret;
  MapBuilder data(secret[keys::kData]);
  for (const auto& [name, text] : texts.entries()) data.set(name, to_base64(text.as_string()));
  MapBuilder result(secret);
  result.erase(keys::kStringData);
  if (!data.empty()) result.set(keys::kData, std::move(data).build());
  return std::move(result).build();
}

Value complete_node(const Value& node) {
  const Value& capacity = node.at({keys::kStatus, keys::kCapacity});
  if (capacity.empty() || node.at({keys::kStatus, keys::kAllocatable}).has_value()) return node;
  return node.with_at({keys::kStatus, keys::kAllocatable}, capacity);
}

Value complete_replication_controller(const Value& object) {
  const Value& labels = object.at({keys::kSpec, keys::kTemplate, keys::kMetadata, keys::kLabels});
  if (labels.empty() || !object.at({keys::kSpec, keys::kSelector}).empty()) return object;
  return object.with_at({keys::kSpec, keys::kSelector}, labels);
}

// Here and not as data, because the template inside a CronJob gets none of them.
Value complete_job(const Value& job) {
  MapBuilder spec(job[keys::kSpec]);
  const auto fill = [&](const Key& key, Value value) {
    if (!spec.get(key).has_value()) spec.set(key, std::move(value));
  };
  if (!spec.get(keys::kCompletions).has_value() && !spec.get(keys::kParallelism).has_value()) {
    spec.set(keys::kCompletions, 1);
  }
  fill(keys::kParallelism, 1);
  fill(keys::kBackoffLimit, spec.get(keys::kBackoffLimitPerIndex).has_value() ? INT32_MAX : 6);
  fill(keys::kCompletionMode, "NonIndexed");
  fill(keys::kSuspend, false);
  fill(keys::kPodReplacementPolicy,
       spec.get(keys::kPodFailurePolicy).has_value() ? "Failed" : "TerminatingOrFailed");
  Value completed = std::move(spec).build();
  return completed == job[keys::kSpec] ? job : job.with(keys::kSpec, std::move(completed));
}

Value complete_autoscaler_spec(const Value& spec) {
  if (!spec[keys::kMetrics].empty()) return spec;
  const Value target = Value::map({{keys::kAverageUtilization, 80}, {keys::kType, "Utilization"}});
  const Value metric =
      Value::map({{keys::kResource, Value::map({{keys::kName, "cpu"}, {keys::kTarget, target}})},
                  {keys::kType, "Resource"}});
  return spec.with(keys::kMetrics, Value::array({metric}));
}

// Rules of one direction bring those of the other, and each says all that it leaves open.
Value complete_behavior(const Value& behavior) {
  const auto policy = [](std::string_view type, int64_t value) {
    return Value::map({{keys::kPeriodSeconds, 15}, {keys::kType, type}, {keys::kValue, value}});
  };
  static const Value kUp = Value::map({{keys::kPolicies, Value::array({policy("Pods", 4), policy("Percent", 100)})},
                                       {keys::kSelectPolicy, "Max"},
                                       {keys::kStabilizationWindowSeconds, 0}});
  static const Value kDown = Value::map({{keys::kPolicies, Value::array({policy("Percent", 100)})}, {keys::kSelectPolicy, "Max"}});
  MapBuilder both(behavior);
  for (const auto& [direction, usual] : {std::pair{Key("scaleUp"), &kUp}, std::pair{Key("scaleDown"), &kDown}}) {
    MapBuilder rules(*usual);
    for (const auto& [key, value] : behavior[direction].entries()) {
      if (value.has_value()) rules.set(key, value);
    }
    both.set(direction, std::move(rules).build());
  }
  Value completed = std::move(both).build();
  return completed == behavior ? behavior : completed;
}

Value complete_network_policy_spec(const Value& spec) {
  if (!spec[keys::kPolicyTypes].empty()) return spec;
  std::vector<Value> types{"Ingress"};
  if (!spec[keys::kEgress].empty()) types.emplace_back("Egress");
  return spec.with(keys::kPolicyTypes, Value::array(std::move(types)));
}

Value complete_subject(const Value& subject) {
  if (!unset(subject[keys::kApiGroup])) return subject;
  const std::string_view kind = subject[keys::kKind].as_string();
  if (kind != "User" && kind != "Group") return subject;
  return subject.with(keys::kApiGroup, "rbac.authorization.k8s.io");
}

Value complete_claim_status_condition(const Value& pattern) {
  return unset(pattern[keys::kStatus]) ? pattern.with(keys::kStatus, "True") : pattern;
}

Value complete_class_parameters(const Value& reference) {
  return unset(reference[keys::kScope]) ? reference.with(keys::kScope, "Cluster") : reference;
}

// The names of a definition that can be told from its kind, and its stored versions' start.
Value complete_definition(const Value& definition) {
  MapBuilder names(definition[keys::kNames]);
  const std::string kind = names.get(keys::kKind).string();
  if (unset(names.get(keys::kSingular)) && !kind.empty())
    names.set(keys::kSingular, to_lower(kind));
  if (unset(names.get(keys::kListKind)) && !kind.empty())
    names.set(keys::kListKind, cat(kind, "List"));
  Value completed = std::move(names).build();
  return completed == definition[keys::kNames]
             ? definition
             : definition.with(keys::kNames, std::move(completed));
}

// What a range says of containers fills what it leaves open: no default limit but a maximum, no default
// request but a limit or a minimum.
Value complete_limit_range_item(const Value& item) {
  if (item[keys::kType].as_string() != "Container") return item;
  const auto filled = [](Value list, const Value& from) {
    MapBuilder builder(list);
    for (const auto& [name, amount] : from.entries()) {
      if (list.get(name.text()).is_absent()) builder.set(name, amount);
    }
    return std::move(builder).build();
  };
  const Value limits = filled(item[keys::kDefault], item[keys::kMax]);
  const Value requests = filled(filled(item[keys::kDefaultRequest], limits), item[keys::kMin]);
  Value completed = item;
  if (!limits.empty()) completed = completed.with(keys::kDefault, limits);
  if (!requests.empty()) completed = completed.with(keys::kDefaultRequest, requests);
  return completed == item ? item : completed;
}

struct Rule {
  std::string_view package, type;
  CompleteRule complete;
};

constexpr Rule kDefaultRules[] = {
    {"core", "Container", complete_container},
    {"core", "LimitRangeItem", complete_limit_range_item},
    {"core", "EphemeralContainer", complete_container},
    {"core", "PodSpec", complete_pod_spec},
    {"core", "Pod", complete_pod},
    {"core", "Volume", complete_volume},
    {"core", "ServicePort", complete_service_port},
    {"core", "ServiceSpec", complete_service_spec},
    {"core", "Namespace", complete_namespace},
    {"core", "Secret", complete_secret},
    {"core", "Node", complete_node},
    {"core", "ReplicationController", complete_replication_controller},
    {"apps", "DeploymentStrategy", complete_deployment_strategy},
    {"apps", "StatefulSetUpdateStrategy", complete_stateful_set_strategy},
    {"apps", "StatefulSetSpec", complete_stateful_set_spec},
    {"apps", "DaemonSetUpdateStrategy", complete_daemon_set_strategy},
    {"batch", "Job", complete_job},
    {"batch", "PodFailurePolicyOnPodConditionsPattern", complete_claim_status_condition},
    {"autoscaling_v2", "HorizontalPodAutoscalerSpec", complete_autoscaler_spec},
    {"autoscaling_v2", "HorizontalPodAutoscalerBehavior", complete_behavior},
    {"networking", "NetworkPolicySpec", complete_network_policy_spec},
    {"networking", "IngressClassParametersReference", complete_class_parameters},
    {"rbac", "Subject", complete_subject},
    {"apiextensions", "CustomResourceDefinitionSpec", complete_definition},
};

}  // namespace

CompleteRule complete_rule(std::string_view package, std::string_view type) {
  const auto found = std::ranges::find_if(
      kDefaultRules, [&](const Rule& rule) { return rule.package == package && rule.type == type; });
  return found == std::end(kDefaultRules) ? nullptr : found->complete;
}

}  // namespace minik::control
