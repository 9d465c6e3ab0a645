#include "control/scheduler/room.h"

#include <algorithm>

#include "control/base/int128.h"
#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr int64_t kImageBytesMin = 23LL << 20;
constexpr int64_t kImageBytesMax = 1000LL << 20;  // for each image

// Parts of `whole` in units of `scale`; everything when there is no whole.
int64_t share(int64_t part, int64_t whole, int64_t scale) {
  if (whole <= 0) return scale;
  if (part <= INT64_MAX / 10'000) return std::min(scale, part * scale / whole);
  return static_cast<int64_t>(std::min<Int128>(scale, Int128{part} * scale / whole));
}

int64_t filled(AllocationStrategy strategy, int64_t requested, int64_t capacity) {
  if (capacity <= 0 || requested > capacity) return 0;
  const int64_t part = strategy == AllocationStrategy::kMost ? requested : capacity - requested;
  return share(part, capacity, 100);
}

}  // namespace

Resources taken_on(const NodeEntry& node, int64_t priority) {
  Resources taken = node.requested;
  for (const auto& nomination : node.nominations) {
    if (nomination.priority >= priority) taken.add(nomination.demand->requests, 1);
  }
  return taken;
}

bool fits(const Resources& wanted, const Resources& taken, const Resources& have) {
  const auto short_of = [](int64_t asked, int64_t used, int64_t there) {
    return asked > 0 && used + asked > there;
  };
  return !(taken.pods + wanted.pods > have.pods ||
           short_of(wanted.milli_cpu, taken.milli_cpu, have.milli_cpu) ||
           short_of(wanted.memory_bytes, taken.memory_bytes, have.memory_bytes) ||
           short_of(wanted.ephemeral_bytes, taken.ephemeral_bytes, have.ephemeral_bytes)) &&
         std::ranges::all_of(wanted.extended, [&](const auto& e) {
           return !short_of(e.second, taken.amount(e.first), have.amount(e.first));
         });
}

bool ports_are_free(const std::vector<HostPort>& wanted, const std::vector<HostPort>& taken) {
  return std::ranges::none_of(wanted, [&](const HostPort& port) {
    return std::ranges::any_of(taken,
                               [&](const HostPort& other) { return port.conflicts_with(other); });
  });
}

bool has_room(const PodDemand& demand, int64_t priority, const NodeEntry& node) {
  if (!demand.ports.empty()) {
    if (!ports_are_free(demand.ports, node.ports)) return false;
    for (const auto& nomination : node.nominations) {
      if (nomination.priority >= priority &&
          !ports_are_free(demand.ports, nomination.demand->ports)) {
        return false;
      }
    }
  }
  if (node.nominations.empty()) return fits(demand.requests, node.requested, node.allocatable);
  return fits(demand.requests, taken_on(node, priority), node.allocatable);
}

std::vector<Refusal> shortages(const PodDemand& demand, int64_t priority, const NodeEntry& node) {
  std::vector<HostPort> ports = node.ports;
  for (const auto& nomination : node.nominations) {
    if (nomination.priority < priority) continue;
    ports.insert(ports.end(), nomination.demand->ports.begin(), nomination.demand->ports.end());
  }
  if (!ports_are_free(demand.ports, ports)) {
    return {{"node(s) didn't have free ports for the requested pod ports", true}};
  }
  std::vector<Refusal> refusals;
  const Resources taken = taken_on(node, priority);
  const Resources& have = node.allocatable;
  const Resources& wanted = demand.requests;
  if (taken.pods + wanted.pods > have.pods) refusals.push_back({"Too many pods", have.pods > 0});
  const auto check = [&](std::string_view name, int64_t asked, int64_t used, int64_t there) {
    if (asked > 0 && used + asked > there) {
      refusals.push_back({cat("Insufficient ", name), asked <= there});
    }
  };
  check("cpu", wanted.milli_cpu, taken.milli_cpu, have.milli_cpu);
  check("memory", wanted.memory_bytes, taken.memory_bytes, have.memory_bytes);
  check("ephemeral-storage", wanted.ephemeral_bytes, taken.ephemeral_bytes, have.ephemeral_bytes);
  for (const auto& [name, asked] : wanted.extended) {
    check(name.text(), asked, taken.amount(name), have.amount(name));
  }
  return refusals;
}

int64_t allocation_score(const Profile& profile, const PodDemand& demand, const NodeEntry& node) {
  const int64_t cpu =
      filled(profile.strategy, node.requested.scored_milli_cpu + demand.requests.scored_milli_cpu,
             node.allocatable.milli_cpu);
  const int64_t memory = filled(
      profile.strategy, node.requested.scored_memory_bytes + demand.requests.scored_memory_bytes,
      node.allocatable.memory_bytes);
  return (cpu * profile.cpu_weight + memory * profile.memory_weight) /
         (profile.cpu_weight + profile.memory_weight);
}

int64_t balance_score(const PodDemand& demand, const NodeEntry& node) {
  // The standard deviation of two shares is half of their distance.
  const int64_t cpu = share(node.requested.milli_cpu + demand.requests.milli_cpu,
                            node.allocatable.milli_cpu, 10'000);
  const int64_t memory = share(node.requested.memory_bytes + demand.requests.memory_bytes,
                               node.allocatable.memory_bytes, 10'000);
  return (10'000 - std::abs(cpu - memory) / 2) / 100;
}

int64_t image_score(const std::vector<Value>& images, const NodeTable& table, int node) {
  int64_t bytes = 0;
  for (const auto& image : images) {
    const ImagePlaces* places = table.image(image.as_string());
    if (!places) continue;
    const auto here = places->bytes_by_node.find(node);
    if (here == places->bytes_by_node.end()) continue;
    const auto having = static_cast<int64_t>(places->bytes_by_node.size());
    bytes +=
        static_cast<int64_t>(Int128{here->second} * having / static_cast<int64_t>(table.count()));
  }
  const int64_t most = kImageBytesMax * static_cast<int64_t>(images.size());
  if (most <= kImageBytesMin) return 0;
  bytes = std::clamp(bytes, kImageBytesMin, most);
  return 100 * (bytes - kImageBytesMin) / (most - kImageBytesMin);
}

}  // namespace minik::control
