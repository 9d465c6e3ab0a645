#include "control/scheduler/pod_class.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

int64_t& amount_of(Resources& resources, const Key& name) {
  const auto at = std::lower_bound(resources.extended.begin(), resources.extended.end(), name,
                                   [](const auto& e, const Key& n) { return e.first < n; });
  if (at != resources.extended.end() && at->first == name) return at->second;
  return resources.extended.insert(at, {name, 0})->second;
}

Resources of_list(const Value& list) {
  Resources resources;
  for (const auto& [name, value] : list.entries()) {
    const Quantity quantity = Quantity::of_value(value);
    if (name == keys::kCpu) {
      resources.milli_cpu = quantity.milli();
    } else if (name == keys::kMemory) {
      resources.memory_bytes = quantity.units();
    } else if (name.text() == "ephemeral-storage") {
      resources.ephemeral_bytes = quantity.units();
    } else if (name == keys::kPods) {
      resources.pods = quantity.units();
    } else {
      amount_of(resources, name) = quantity.units();
    }
  }
  return resources;
}

void raise_to(Resources& resources, const Resources& other) {
  resources.milli_cpu = std::max(resources.milli_cpu, other.milli_cpu);
  resources.memory_bytes = std::max(resources.memory_bytes, other.memory_bytes);
  resources.ephemeral_bytes = std::max(resources.ephemeral_bytes, other.ephemeral_bytes);
  for (const auto& [name, amount] : other.extended) {
    auto& mine = amount_of(resources, name);
    mine = std::max(mine, amount);
  }
}

const Value& requests_of(const Value& container) {
  return container[keys::kResources][keys::kRequests];
}

}  // namespace

void Resources::add(const Resources& other, int64_t sign) {
  milli_cpu += sign * other.milli_cpu;
  memory_bytes += sign * other.memory_bytes;
  ephemeral_bytes += sign * other.ephemeral_bytes;
  pods += sign * other.pods;
  for (const auto& [name, amount] : other.extended) amount_of(*this, name) += sign * amount;
}

Resources pod_requests(const Value& spec) {
  Resources sum;
  for (const auto& container : spec[keys::kContainers].items()) sum.add(of_list(requests_of(container)), 1);
  Resources sidecars, highest_init;
  for (const auto& container : spec[keys::kInitContainers].items()) {
    const Resources own = of_list(requests_of(container));
    if (container[keys::kRestartPolicy].as_string() == "Always") {
      sum.add(own, 1);
      sidecars.add(own, 1);
      raise_to(highest_init, sidecars);
    } else {
      Resources beside = sidecars;
      beside.add(own, 1);
      raise_to(highest_init, beside);
    }
  }
  raise_to(sum, highest_init);
  sum.add(of_list(spec[keys::kOverhead]), 1);
  sum.pods = 1;
  return sum;
}

Resources node_allocatable(const Value& node) {
  const Value& status = node[keys::kStatus];
  return of_list(status[keys::kAllocatable].has_value() ? status[keys::kAllocatable]
                                                        : status[keys::kCapacity]);
}

PodClass make_pod_class(const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  PodClass c;
  c.spec = spec;
  c.namespace_ = object_namespace(pod);
  c.labels = pod[keys::kMetadata][keys::kLabels];
  c.requests = pod_requests(spec);
  c.node_selector = spec[keys::kNodeSelector];
  const Value& affinity = spec[keys::kAffinity];
  const Value& node_affinity = affinity[keys::kNodeAffinity];
  c.required_affinity =
      node_affinity[keys::kRequiredDuringSchedulingIgnoredDuringExecution][keys::kNodeSelectorTerms];
  c.preferred_affinity = node_affinity[keys::kPreferredDuringSchedulingIgnoredDuringExecution];
  c.tolerations = spec[keys::kTolerations];
  for (const auto& constraint : spec[keys::kTopologySpreadConstraints].items()) {
    auto selector = LabelSelector::from_object(constraint[keys::kLabelSelector]);
    c.spread.push_back({Key(constraint[keys::kTopologyKey].as_string()),
                        constraint[keys::kMaxSkew].as_int(1),
                        constraint[keys::kWhenUnsatisfiable].as_string() != "ScheduleAnyway",
                        selector ? *std::move(selector) : LabelSelector::nothing()});
  }
  const Value& owner = controller_of(pod);
  c.owner = owner[keys::kUid];
  for (const auto& key : {keys::kPodAffinity, keys::kPodAntiAffinity}) {
    if (!affinity[key][keys::kRequiredDuringSchedulingIgnoredDuringExecution].empty()) {
      c.refusal = "required pod affinity and anti-affinity are not there yet";
    }
  }
  return c;
}

uint64_t pod_class_hash(const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  uint64_t hash = spec.hash();
  hash = hash * 31 + pod[keys::kMetadata][keys::kLabels].hash();
  hash = hash * 31 + pod[keys::kMetadata][keys::kNamespace].hash();
  return hash * 31 + controller_of(pod)[keys::kUid].hash();
}

bool same_pod_class(const PodClass& c, const Value& pod) {
  return c.spec == pod[keys::kSpec] && c.labels == pod[keys::kMetadata][keys::kLabels] &&
         c.namespace_ == object_namespace(pod) && c.owner == controller_of(pod)[keys::kUid];
}

}  // namespace minik::control
