#include "control/scheduler/resources.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

constexpr int64_t kAssumedMilliCpu = 100;
constexpr int64_t kAssumedMemory = 200LL << 20;
constexpr size_t kMemoSize = 1024;

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
  resources.scored_milli_cpu = resources.milli_cpu;
  resources.scored_memory_bytes = resources.memory_bytes;
  return resources;
}

Resources of_container(const Value& container) {
  Resources resources = of_list(container[keys::kResources][keys::kRequests]);
  if (resources.milli_cpu == 0) resources.scored_milli_cpu = kAssumedMilliCpu;
  if (resources.memory_bytes == 0) resources.scored_memory_bytes = kAssumedMemory;
  return resources;
}

void raise_to(Resources& resources, const Resources& other) {
  const auto raise = [](int64_t& mine, int64_t theirs) { mine = std::max(mine, theirs); };
  raise(resources.milli_cpu, other.milli_cpu);
  raise(resources.memory_bytes, other.memory_bytes);
  raise(resources.ephemeral_bytes, other.ephemeral_bytes);
  raise(resources.scored_milli_cpu, other.scored_milli_cpu);
  raise(resources.scored_memory_bytes, other.scored_memory_bytes);
  for (const auto& [name, amount] : other.extended) raise(amount_of(resources, name), amount);
}

// Pod-level requests stand for the sum of the containers, for the resources that they name.
void replace_named(Resources& resources, const Value& list) {
  const Resources named = of_list(list);
  if (list[keys::kCpu].has_value()) {
    resources.milli_cpu = resources.scored_milli_cpu = named.milli_cpu;
  }
  if (list[keys::kMemory].has_value()) {
    resources.memory_bytes = resources.scored_memory_bytes = named.memory_bytes;
  }
  for (const auto& [name, amount] : named.extended) amount_of(resources, name) = amount;
}

}  // namespace

void Resources::add(const Resources& other, int64_t sign) {
  milli_cpu += sign * other.milli_cpu;
  memory_bytes += sign * other.memory_bytes;
  ephemeral_bytes += sign * other.ephemeral_bytes;
  pods += sign * other.pods;
  scored_milli_cpu += sign * other.scored_milli_cpu;
  scored_memory_bytes += sign * other.scored_memory_bytes;
  for (const auto& [name, amount] : other.extended) amount_of(*this, name) += sign * amount;
}

int64_t Resources::amount(const Key& name) const {
  const auto found = std::ranges::find(extended, name, &std::pair<Key, int64_t>::first);
  return found == extended.end() ? 0 : found->second;
}

bool Resources::asks_nothing() const {
  return milli_cpu == 0 && memory_bytes == 0 && ephemeral_bytes == 0 &&
         std::ranges::all_of(extended, [](const auto& e) { return e.second == 0; });
}

Resources pod_requests(const Value& spec) {
  Resources sum;
  for (const auto& container : spec[keys::kContainers].items()) sum.add(of_container(container), 1);
  Resources sidecars, highest_init;
  for (const auto& container : spec[keys::kInitContainers].items()) {
    const Resources own = of_container(container);
    if (is_sidecar(container)) {
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
  replace_named(sum, spec[keys::kResources][keys::kRequests]);
  sum.add(of_list(spec[keys::kOverhead]), 1);
  sum.pods = 1;
  return sum;
}

Resources node_allocatable(const Value& node) {
  const Value& status = node[keys::kStatus];
  return of_list(status[keys::kAllocatable].has_value() ? status[keys::kAllocatable]
                                                        : status[keys::kCapacity]);
}

std::shared_ptr<const PodDemand> DemandMemo::of_pod(const Value& pod) {
  if (!changes_size(pod)) return of(pod[keys::kSpec]);
  const Value spec = spec_in_force(pod);
  return std::make_shared<const PodDemand>(PodDemand{pod_requests(spec), host_ports(spec), true});
}

std::shared_ptr<const PodDemand> DemandMemo::of(const Value& spec) {
  if (entries_.empty()) entries_.resize(kMemoSize);
  const Value& containers = spec[keys::kContainers];
  const Value& init = spec[keys::kInitContainers];
  // The slot decides only what is remembered, never what is answered.
  auto& entry = entries_[containers.hash() % kMemoSize];
  if (!entry.demand || !(entry.containers == containers) || !(entry.init_containers == init) ||
      !(entry.overhead == spec[keys::kOverhead]) || !(entry.resources == spec[keys::kResources])) {
    entry = {containers, init, spec[keys::kOverhead], spec[keys::kResources],
             std::make_shared<const PodDemand>(PodDemand{pod_requests(spec), host_ports(spec), false})};
  }
  return entry.demand;
}

}  // namespace minik::control
