#include "control/scheduler/quick_pick.h"

#include <algorithm>

#include "control/scheduler/room.h"

namespace minik::control {

namespace {

constexpr size_t kLookedAtMin = 100;

size_t nodes_to_find(const Profile& profile, size_t nodes) {
  if (nodes < kLookedAtMin) return nodes;
  auto percent = static_cast<size_t>(profile.percentage_of_nodes);
  if (percent == 0) percent = nodes / 125 >= 45 ? 5 : 50 - nodes / 125;
  return std::max(kLookedAtMin, nodes * percent / 100);
}

}  // namespace

bool quick(const PodClass& pod_class, const Profile& profile, NodeTable& table) {
  if (!pod_class.near.empty() || !pod_class.apart.empty() || !pod_class.preferred.empty() ||
      !pod_class.spread.empty() || table.counts().any_carried()) {
    return false;
  }
  if (pod_class.spreads_by_default && !profile.default_spread.empty()) return false;
  // Siblings elsewhere are a reason to spread.
  return !pod_class.spreads_by_default || !pod_class.pinned.empty() ||
         table.counts().owned_by(pod_class.key.owner)->total() == 0;
}

void quick_filter(const PodClass& pod_class, const NodeTable& table, NodeRules& rules, const Profile& profile, size_t& cursor,
                  std::vector<int>& found) {
  found.clear();
  const auto& demand = pod_class.demand();
  const int64_t priority = pod_class.key.priority;
  if (!pod_class.pinned.empty()) {
    const int node = table.find(pod_class.pinned);
    if (node < 0 || !rules.would_allow(table.node(node))) return;
    if (has_room(demand, priority, table.node(node))) found.push_back(node);
    return;
  }
  rules.refresh(table);
  const auto& nodes = table.nodes();
  const size_t wanted = nodes_to_find(profile, table.count());
  for (size_t looked = 0; looked < nodes.size() && found.size() < wanted; ++looked) {
    const size_t index = cursor % nodes.size();
    cursor = index + 1;
    const int node = static_cast<int>(index);
    if (rules.allows(node) && has_room(demand, priority, nodes[index])) found.push_back(node);
  }
}

int quick_best(const PodClass& pod_class, const NodeTable& table, const NodeRules& rules, const Profile& profile, uint64_t salt,
               const std::vector<int>& found) {
  if (found.size() <= 1) return found.empty() ? -1 : found.front();
  const auto& demand = pod_class.demand();
  const auto& nodes = table.nodes();
  const ScoreWeights weights = profile.weights;
  const bool scores_images = !pod_class.key.images.empty();
  int best = -1;
  int64_t best_score = 0;
  for (const int node : found) {
    const NodeEntry& entry = nodes[static_cast<size_t>(node)];
    int64_t score = rules.score(node, weights) + weights.allocation * allocation_score(profile, demand, entry) +
                    weights.balance * balance_score(profile, demand, entry);
    if (scores_images) score += weights.image * image_score(pod_class.key.images, table, node);
    const bool better = best < 0 || score > best_score ||
                        (score == best_score && (entry.tie ^ salt) < (nodes[static_cast<size_t>(best)].tie ^ salt));
    if (better) {
      best = node;
      best_score = score;
    }
  }
  return best;
}

}  // namespace minik::control
