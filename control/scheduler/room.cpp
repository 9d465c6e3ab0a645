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

// The shape's score of a node that is so full: straight lines between its points, level outside them.
int64_t shaped(const std::vector<ShapePoint>& shape, int64_t percent) {
  for (size_t i = 0; i < shape.size(); ++i) {
    const ShapePoint& point = shape[i];
    if (percent > point.utilization_percent) continue;
    if (i == 0) return point.score;
    const ShapePoint& before = shape[i - 1];
    return before.score + (point.score - before.score) * (percent - before.utilization_percent) /
                              (point.utilization_percent - before.utilization_percent);
  }
  return shape.back().score;
}

int64_t filled(const Profile& profile, int64_t requested, int64_t capacity) {
  if (profile.strategy == AllocationStrategy::kRequestedToCapacity) {
    return shaped(profile.shape, requested > capacity ? 100 : share(requested, capacity, 100));
  }
  if (requested > capacity) return 0;
  const int64_t part = profile.strategy == AllocationStrategy::kMost ? requested : capacity - requested;
  return share(part, capacity, 100);
}

// The weighted mean of what a node's resources score. A resource that the node does not have is left out; so is, by the
// shape, one that scores nothing.
class Mean {
 public:
  explicit Mean(const Profile& profile) : profile_(profile) {}
  void add(int64_t requested, int64_t capacity, int64_t weight) {
    if (capacity <= 0 || weight == 0) return;
    const int64_t score = filled(profile_, requested, capacity);
    if (score == 0 && shaped_by_points()) return;
    sum_ += score * weight;
    weights_ += weight;
  }
  int64_t value() const {
    if (weights_ == 0) return 0;
    return shaped_by_points() ? (2 * sum_ + weights_) / (2 * weights_) : sum_ / weights_;
  }

 private:
  bool shaped_by_points() const { return profile_.strategy == AllocationStrategy::kRequestedToCapacity; }
  const Profile& profile_;
  int64_t sum_ = 0, weights_ = 0;
};

struct ResourceUse {
  int64_t asked = 0;
  int64_t requested = 0;  // with what is asked
  int64_t allocatable = 0;
};

ResourceUse use_of(const Key& name, const PodDemand& demand, const NodeEntry& node) {
  const auto with_demand = [](int64_t asked, int64_t used, int64_t there) {
    return ResourceUse{asked, used + asked, there};
  };
  if (name.text() == "ephemeral-storage") {
    return with_demand(demand.requests.ephemeral_bytes, node.requested.ephemeral_bytes,
                       node.allocatable.ephemeral_bytes);
  }
  // A pod that asks for none is not scored by an extended resource.
  const int64_t asked = demand.requests.amount(name);
  if (asked == 0) return {};
  return with_demand(asked, node.requested.amount(name), node.allocatable.amount(name));
}

// The whole part of a square root.
int64_t root(int64_t square) {
  int64_t found = 0;
  for (int64_t bit = int64_t{1} << 31; bit > 0; bit >>= 1) {
    if ((found + bit) * (found + bit) <= square) found += bit;
  }
  return found;
}

// A hundred less the standard deviation of any number of shares.
int64_t balance_of(const std::vector<ResourceUse>& resources) {
  constexpr int64_t kWhole = 1'000'000;
  std::vector<int64_t> shares;
  int64_t sum = 0;
  for (const auto& resource : resources) {
    if (resource.allocatable <= 0) continue;
    shares.push_back(static_cast<int64_t>(
        std::min<Int128>(kWhole, Int128{resource.requested} * kWhole / resource.allocatable)));
    sum += shares.back();
  }
  if (shares.size() < 2) return 100;
  const auto count = static_cast<int64_t>(shares.size());
  int64_t squares = 0;
  for (const int64_t share : shares) squares += (share - sum / count) * (share - sum / count);
  return (kWhole - root(squares / count)) * 100 / kWhole;
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

std::shared_ptr<const PodDemand> without_ignored(const Profile& profile, std::shared_ptr<const PodDemand> demand) {
  if (profile.ignored_resources.empty() && profile.ignored_resource_groups.empty()) return demand;
  const auto ignored = [&](const auto& entry) {
    const auto name = entry.first.text();
    const auto slash = name.find('/');
    // Only extended resources: huge pages and the like are always filtered by.
    if (slash == std::string_view::npos) return false;
    return std::ranges::count(profile.ignored_resources, name) > 0 ||
           std::ranges::count(profile.ignored_resource_groups, name.substr(0, slash)) > 0;
  };
  if (std::ranges::none_of(demand->requests.extended, ignored)) return demand;
  auto rest = std::make_shared<PodDemand>(*demand);
  std::erase_if(rest->requests.extended, ignored);
  return rest;
}

int64_t allocation_score(const Profile& profile, const PodDemand& demand, const NodeEntry& node) {
  Mean mean(profile);
  mean.add(node.requested.scored_milli_cpu + demand.requests.scored_milli_cpu, node.allocatable.milli_cpu,
           profile.cpu_weight);
  mean.add(node.requested.scored_memory_bytes + demand.requests.scored_memory_bytes, node.allocatable.memory_bytes,
           profile.memory_weight);
  for (const auto& [name, weight] : profile.other_weights) {
    const ResourceUse amounts = use_of(name, demand, node);
    mean.add(amounts.requested, amounts.allocatable, weight);
  }
  return mean.value();
}

int64_t balance_score(const Profile& profile, const PodDemand& demand, const NodeEntry& node) {
  if (!profile.balances_cpu || !profile.balances_memory || !profile.balances_others.empty()) {
    std::vector<ResourceUse> resources;
    if (profile.balances_cpu) {
      resources.push_back({demand.requests.milli_cpu, node.requested.milli_cpu + demand.requests.milli_cpu,
                           node.allocatable.milli_cpu});
    }
    if (profile.balances_memory) {
      resources.push_back({demand.requests.memory_bytes, node.requested.memory_bytes + demand.requests.memory_bytes,
                           node.allocatable.memory_bytes});
    }
    for (const auto& name : profile.balances_others) resources.push_back(use_of(name, demand, node));
    const bool asks = std::ranges::any_of(resources, [](const ResourceUse& resource) { return resource.asked > 0; });
    return asks ? balance_of(resources) : 0;
  }
  if (demand.requests.milli_cpu == 0 && demand.requests.memory_bytes == 0) return 0;
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
