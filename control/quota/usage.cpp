#include "control/quota/usage.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <span>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kRequests = "requests.", kLimits = "limits.", kHugePages = "hugepages-";
constexpr std::string_view kOfStorageClass = ".storageclass.storage.k8s.io/";
constexpr std::string_view kClassAnnotation = "volume.beta.kubernetes.io/storage-class";

constexpr std::array<std::string_view, 10> kOfPods = {"cpu",
                                                      "ephemeral-storage",
                                                      "limits.cpu",
                                                      "limits.memory",
                                                      "limits.ephemeral-storage",
                                                      "memory",
                                                      "pods",
                                                      "requests.cpu",
                                                      "requests.memory",
                                                      "requests.ephemeral-storage"};
// Limited by a quota, these must be said by every container: an old mistake of Kubernetes that
// clients know.
constexpr std::array<std::string_view, 6> kToBeSpecified = {
    "cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"};
constexpr std::array<std::string_view, 2> kOfClaims = {"persistentvolumeclaims",
                                                       "requests.storage"};
constexpr std::array<std::string_view, 3> kOfServices = {"services", "services.loadbalancers",
                                                         "services.nodeports"};
constexpr std::array<std::string_view, 4> kPlainCounts = {"configmaps", "replicationcontrollers",
                                                          "resourcequotas", "secrets"};

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// A resource of a vendor: "example.com/gpu".
bool is_extended(std::string_view name) {
  const size_t slash = name.find('/');
  return slash != std::string_view::npos && !name.substr(0, slash).ends_with("kubernetes.io");
}

bool counts_pod_resource(std::string_view name) {
  if (among(kOfPods, name) || name.starts_with(kHugePages)) return true;
  if (!name.starts_with(kRequests)) return false;
  const auto asked = name.substr(kRequests.size());
  return asked.starts_with(kHugePages) || is_extended(asked);
}

// What a list of requests and one of limits use, by the names of quotas.
Amounts compute_usage(const Amounts& requests, const Amounts& limits) {
  Amounts usage;
  for (const auto& [name, amount] : requests) {
    const bool plain = name == "cpu" || name == "memory" || name == "ephemeral-storage" ||
                       name.starts_with(kHugePages);
    if (plain) usage[name] = amount;
    if (plain || is_extended(name)) usage[cat(kRequests, name)] = amount;
  }
  for (const auto& [name, amount] : limits) {
    if (name == "cpu" || name == "memory" || name == "ephemeral-storage") {
      usage[cat(kLimits, name)] = amount;
    }
  }
  return usage;
}

bool uses_compute(const Value& pod, WallTime now) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  if (phase == "Failed" || phase == "Succeeded") return false;
  // A pod whose node is lost would else be charged for ever.
  const Value& metadata = pod[keys::kMetadata];
  const auto leaving = parse_time(metadata[keys::kDeletionTimestamp].as_string());
  if (!leaving) return true;
  return now <= *leaving + seconds(metadata[keys::kDeletionGracePeriodSeconds].as_int());
}

bool is_best_effort(const Value& pod_spec) {
  const auto silent = [](const Value& container) {
    for (const auto& which : {keys::kRequests, keys::kLimits}) {
      const Value& list = container[keys::kResources][which];
      for (const auto& name : {keys::kCpu, keys::kMemory}) {
        if (!Quantity::of_value(list[name]).zero()) return false;
      }
    }
    return true;
  };
  return silent(pod_spec) && std::ranges::all_of(pod_spec[keys::kContainers].items(), silent) &&
         std::ranges::all_of(pod_spec[keys::kInitContainers].items(), silent);
}

bool names_other_namespaces(const Value& affinity) {
  const auto crosses = [](const Value& term) {
    return !term[keys::kNamespaces].empty() || term[keys::kNamespaceSelector].has_value();
  };
  const Value& required = affinity[keys::kRequiredDuringSchedulingIgnoredDuringExecution];
  const Value& preferred = affinity[keys::kPreferredDuringSchedulingIgnoredDuringExecution];
  return std::ranges::any_of(required.items(), crosses) ||
         std::ranges::any_of(preferred.items(), [&](const Value& weighted) {
           return crosses(weighted[keys::kPodAffinityTerm]);
         });
}

bool in_class_scope(const Value& scope, std::string_view class_name) {
  const auto op = scope[keys::kOperator].as_string();
  const auto named = [&] {
    return std::ranges::any_of(scope[keys::kValues].items(),
                               [&](const Value& value) { return value.as_string() == class_name; });
  };
  if (op == "Exists") return !class_name.empty();
  if (op == "DoesNotExist") return class_name.empty();
  if (op == "In") return !class_name.empty() && named();
  return class_name.empty() || !named();  // NotIn
}

bool pod_in_scope(const Value& scope, const Value& spec) {
  const auto name = scope[keys::kScopeName].as_string();
  if (name == "Terminating") return spec[keys::kActiveDeadlineSeconds].has_value();
  if (name == "NotTerminating") return !spec[keys::kActiveDeadlineSeconds].has_value();
  if (name == "BestEffort") return is_best_effort(spec);
  if (name == "NotBestEffort") return !is_best_effort(spec);
  if (name == "PriorityClass") {
    return in_class_scope(scope, spec[keys::kPriorityClassName].as_string());
  }
  if (name == "CrossNamespacePodAffinity") {
    const Value& affinity = spec[keys::kAffinity];
    return names_other_namespaces(affinity[keys::kPodAffinity]) ||
           names_other_namespaces(affinity[keys::kPodAntiAffinity]);
  }
  return false;
}

// By any of the classes that the claim wants, has, or is being changed to.
bool claim_in_scope(const Value& scope, const Value& claim) {
  if (scope[keys::kScopeName].as_string() != "VolumeAttributesClass") return false;
  const Value& status = claim[keys::kStatus];
  std::vector<std::string_view> names;
  for (const Value* name : {&claim[keys::kSpec].get("volumeAttributesClassName"), &status.get("currentVolumeAttributesClassName"),
                            &status.get("modifyVolumeStatus").get("targetVolumeAttributesClassName")}) {
    if (!name->as_string().empty()) names.push_back(name->as_string());
  }
  if (names.empty()) return in_class_scope(scope, "");
  return std::ranges::any_of(names, [&](std::string_view name) { return in_class_scope(scope, name); });
}

bool in_all_scopes(const Value& quota, const ResourceInfo& resource, const Value& object) {
  const Value& spec = quota[keys::kSpec];
  const Value& selected = spec[keys::kScopeSelector][keys::kMatchExpressions];
  if (spec[keys::kScopes].empty() && selected.empty()) return true;
  const auto in_scope = [&](const Value& scope) {
    if (resource.id == kinds::kPods) return pod_in_scope(scope, object[keys::kSpec]);
    return resource.id == kinds::kPersistentvolumeclaims && claim_in_scope(scope, object);
  };
  return std::ranges::all_of(
             spec[keys::kScopes].items(),
             [&](const Value& scope) {
               return in_scope(Value::map({{keys::kScopeName, scope}, {keys::kOperator, "Exists"}}));
             }) &&
         std::ranges::all_of(selected.items(), in_scope);
}

void add_service_usage(Amounts& usage, const Value& spec) {
  const auto type = spec[keys::kType].as_string();
  const auto ports = spec[keys::kPorts].items();
  int64_t node_ports = 0;
  if (type == "NodePort" || type == "LoadBalancer") {
    // Of a load balancer that needs none only those that it asked for.
    const bool all = type == "NodePort" || spec[keys::kAllocateLoadBalancerNodePorts].as_bool(true);
    node_ports = std::ranges::count_if(
        ports, [all](const Value& port) { return all || port[keys::kNodePort].as_int() != 0; });
  }
  usage["services"] = Quantity::of(1);
  usage["services.nodeports"] = Quantity::of(node_ports);
  usage["services.loadbalancers"] = Quantity::of(type == "LoadBalancer" ? 1 : 0);
}

void add_claim_usage(Amounts& usage, const Value& claim) {
  const Value& annotated = claim[keys::kMetadata][keys::kAnnotations].get(kClassAnnotation);
  const Value& class_name =
      annotated.has_value() ? annotated : claim[keys::kSpec][keys::kStorageClassName];
  const auto charge = [&](std::string_view name, const Quantity& amount) {
    usage[std::string(name)] = amount;
    if (!class_name.as_string().empty()) {
      usage[cat(class_name.as_string(), kOfStorageClass, name)] = amount;
    }
  };
  charge("persistentvolumeclaims", Quantity::of(1));
  const Value& asked = claim[keys::kSpec][keys::kResources][keys::kRequests].get("storage");
  if (!asked.has_value()) return;
  // While it grows or shrinks, the larger of what is asked for and what is given.
  const Value& given = claim[keys::kStatus][keys::kAllocatedResources].get("storage");
  charge("requests.storage", std::max(Quantity::of_value(asked), Quantity::of_value(given)));
}

// The usage of each pod of a namespace. Pods that share their containers, as those of one template do, and are in the
// same state use the same, which is worked out once for all of them.
class PodUsages {
 public:
  PodUsages(const ResourceInfo& pods, WallTime now) : pods_(pods), now_(now) {}

  const Amounts& of(const Value& pod) {
    const Value& spec = pod[keys::kSpec];
    if (changes_size(pod)) return odd_ = quota_usage(pods_, pod, now_);
    const bool computes = uses_compute(pod, now_);
    auto& alike = known_[spec[keys::kContainers].hash()];
    for (const auto& sort : alike) {
      if (sort.computes == computes && same_demand(sort.spec, spec)) return sort.usage;
    }
    return alike.emplace_back(Sort{spec, computes, quota_usage(pods_, pod, now_)}).usage;
  }

 private:
  struct Sort {
    Value spec;
    bool computes;
    Amounts usage;
  };
  // In all that pod_amounts() looks at.
  static bool same_demand(const Value& a, const Value& b) {
    return std::ranges::all_of(
        std::array{keys::kContainers, keys::kInitContainers, keys::kOverhead, keys::kResources},
        [&](const Key& part) { return a[part] == b[part]; });
  }

  const ResourceInfo& pods_;
  WallTime now_;
  std::map<uint64_t, std::deque<Sort>> known_;  // by the containers' hash
  Amounts odd_;                                 // of the last pod that is like no other
};

}  // namespace

bool quota_counts(const ResourceInfo& resource, std::string_view name) {
  if (name.starts_with("count/")) return name.substr(6) == resource.group_resource();
  if (resource.id == kinds::kPods) return counts_pod_resource(name);
  if (resource.id == kinds::kServices) return among(kOfServices, name);
  if (resource.id == kinds::kPersistentvolumeclaims) {
    const size_t at = name.find(kOfStorageClass);
    return among(kOfClaims,
                 at == std::string_view::npos ? name : name.substr(at + kOfStorageClass.size()));
  }
  return resource.group.empty() && name == resource.plural && among(kPlainCounts, name);
}

bool quota_concerns(const Value& quota, const Value& hard, const ResourceInfo& resource,
                    const Value& object) {
  return std::ranges::any_of(
             hard.entries(),
             [&](const MapEntry& entry) { return quota_counts(resource, entry.key.text()); }) &&
         in_all_scopes(quota, resource, object);
}

Amounts quota_usage(const ResourceInfo& resource, const Value& object, WallTime now) {
  Amounts usage;
  usage[cat("count/", resource.group_resource())] = Quantity::of(1);
  if (resource.id == kinds::kPods) {
    if (!uses_compute(object, now)) return usage;
    usage["pods"] = Quantity::of(1);
    const Value spec = spec_in_force(object);
    usage.merge(
        compute_usage(pod_amounts(spec, keys::kRequests), pod_amounts(spec, keys::kLimits)));
  } else if (resource.id == kinds::kServices) {
    add_service_usage(usage, object[keys::kSpec]);
  } else if (resource.id == kinds::kPersistentvolumeclaims) {
    add_claim_usage(usage, object);
  } else if (quota_counts(resource, resource.plural)) {
    usage[std::string(resource.plural)] = Quantity::of(1);
  }
  return usage;
}

bool may_change_usage(const ResourceInfo& resource, const Value& before, const Value& after) {
  if (!before.has_value() || !after.has_value()) return true;
  const auto differ = [&](std::initializer_list<std::array<Key, 2>> places) {
    return std::ranges::any_of(places, [&](const auto& place) { return !(before[place[0]][place[1]] == after[place[0]][place[1]]); });
  };
  if (resource.id == kinds::kPods) {
    return !(before[keys::kSpec] == after[keys::kSpec]) ||
           differ({{keys::kStatus, keys::kPhase},
                   {keys::kStatus, keys::kContainerStatuses},
                   {keys::kStatus, keys::kConditions},
                   {keys::kMetadata, keys::kDeletionTimestamp},
                   {keys::kMetadata, keys::kDeletionGracePeriodSeconds}});
  }
  if (resource.id == kinds::kServices) return !(before[keys::kSpec] == after[keys::kSpec]);
  return resource.id == kinds::kPersistentvolumeclaims && !(before == after);
}

std::string unspecified_for_quota(const Value& quota, const Value& pod_spec) {
  std::map<std::string, std::set<std::string>> missing;
  for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : pod_spec[key].items()) {
      const Value& resources = container[keys::kResources];
      const Amounts said = compute_usage(amounts_of(resources[keys::kRequests]),
                                         amounts_of(resources[keys::kLimits]));
      for (const auto& [name, hard] : quota[keys::kStatus][keys::kHard].entries()) {
        if (!among(kToBeSpecified, name.text()) || said.contains(name.text())) continue;
        missing[std::string(name.text())].insert(container[keys::kName].string());
      }
    }
  }
  std::string text;
  for (const auto& [name, containers] : missing) {
    text +=
        cat(text.empty() ? "must specify " : "; ", name,
            " for: ", join(std::vector<std::string>(containers.begin(), containers.end()), ","));
  }
  return text;
}

std::vector<KindId> quota_kinds(const Schema& schema) {
  std::vector<KindId> found;
  for (const auto& resource : schema.resources()) {
    const bool stored =
        resource.has_verb("list") && resource.has_verb("create") && resource.has_verb("delete");
    const bool counted = stored && resource.namespaced && resource.plural != "events" &&
                         resource.id != kinds::kAutoscalingV1Horizontalpodautoscalers;
    if (counted) found.push_back(resource.id);
  }
  return found;
}

void count_custom_kinds(const Schema& schema, const Value& quota, const Value& hard, CustomKinds custom, const VisitObjects& visit_all,
                        Amounts& used) {
  if (!schema.registry() || !quota[keys::kSpec][keys::kScopes].empty() ||
      !quota[keys::kSpec][keys::kScopeSelector].empty()) {
    return;
  }
  for (const ResourceInfo* resource : schema.registry()->stored()) {
    const std::string name = cat("count/", resource->group_resource());
    if (!resource->namespaced || !hard.contains(name)) continue;
    if (custom == CustomKinds::kAsStated) {
      used[name] = Quantity::of_value(quota[keys::kStatus][keys::kUsed].get(name));
      continue;
    }
    int64_t count = 0;
    visit_all(resource->id, object_namespace(quota), [&](const Value&) { ++count; });
    used[name] = Quantity::of(count);
  }
}

Amounts counted_usage(const Schema& schema, const Value& quota, const Value& hard, WallTime now, CustomKinds custom,
                      const VisitObjects& visit_all) {
  Amounts used;
  count_custom_kinds(schema, quota, hard, custom, visit_all, used);
  for (const KindId kind : quota_kinds(schema)) {
    const ResourceInfo& resource = schema.resource(kind);
    std::vector<std::string> names;
    for (const auto& [name, limit] : hard.entries()) {
      if (quota_counts(resource, name.text())) names.emplace_back(name.text());
    }
    if (names.empty()) continue;
    for (const auto& name : names) used.try_emplace(name);
    PodUsages of_pods(resource, now);
    visit_all(kind, object_namespace(quota), [&](const Value& object) {
      if (!in_all_scopes(quota, resource, object)) return;
      Amounts own;
      if (kind != kinds::kPods) own = quota_usage(resource, object, now);
      const Amounts& usage = kind == kinds::kPods ? of_pods.of(object) : own;
      for (const auto& name : names) {
        const auto found = usage.find(name);
        if (found != usage.end()) used[name] = used[name] + found->second;
      }
    });
  }
  return used;
}

}  // namespace minik::control
