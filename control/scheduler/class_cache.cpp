#include "control/scheduler/class_cache.h"

#include <algorithm>

#include "control/object/keys.h"

namespace minik::control {

namespace {
// A class keeps about forty bytes for each node, and as much again for each rule about other pods.
constexpr size_t kClassesMin = 16, kClassesMax = 1024;
constexpr size_t kNodesOfClassesMax = 4'000'000;
constexpr size_t kRulesMax = 64;
constexpr size_t kSeenMax = 1 << 16;
}  // namespace

std::shared_ptr<Candidates> ClassCache::find(const Value& pod, const Profile& profile,
                                             const Value& volume_rules, PodClassKey& fresh) {
  const Value& metadata = pod[keys::kMetadata];
  const Value& owner = controller_of(pod)[keys::kUid];
  if (last_.candidates && last_.profile == &profile && last_.spec.same_node(pod[keys::kSpec]) &&
      last_.labels == metadata[keys::kLabels] && last_.owner == owner &&
      last_.namespace_ == metadata[keys::kNamespace] && last_.volumes == volume_rules &&
      last_.counts_version == table_.counts().version() &&
      last_.nodes_version == table_.nodes_version()) {
    return last_.candidates;
  }
  fresh = class_key(pod, table_);
  fresh.volumes = volume_rules;
  fresh.demand = without_ignored(profile, std::move(fresh.demand));
  const auto found = classes_.find(fresh.hash());
  if (found == classes_.end()) return nullptr;
  for (const auto& candidates : found->second) {
    if (&candidates->profile() != &profile || !(candidates->pod_class().key == fresh)) continue;
    last_ = {pod[keys::kSpec],
             metadata[keys::kLabels],
             owner,
             metadata[keys::kNamespace],
             volume_rules,
             table_.counts().version(),
             table_.nodes_version(),
             &profile,
             candidates};
    return candidates;
  }
  return nullptr;
}

std::shared_ptr<NodeRules> ClassCache::rules_of(const PodClassKey& key, const Profile& profile) {
  for (size_t i = rules_.size(); i-- > 0;) {
    const auto& rules = *rules_[i];
    if (!rules.same(key.node_selector, key.affinity, profile.added_affinity, key.tolerations, key.volumes)) continue;
    std::rotate(rules_.begin() + static_cast<ptrdiff_t>(i),
                rules_.begin() + static_cast<ptrdiff_t>(i) + 1, rules_.end());
    return rules_.back();
  }
  if (rules_.size() >= kRulesMax) rules_.erase(rules_.begin());
  rules_.push_back(
      std::make_shared<NodeRules>(key.node_selector, key.affinity, profile.added_affinity, key.tolerations,
                                  key.volumes));
  return rules_.back();
}

bool ClassCache::seen_before(const PodClassKey& key) {
  if (seen_.size() >= kSeenMax) seen_.clear();
  return !seen_.insert(key.hash()).second;
}

std::shared_ptr<Candidates> ClassCache::make(const PodClass& pod_class, const Profile& profile) {
  const size_t nodes = std::max<size_t>(1, table_.nodes().size());
  if (count_ >= std::clamp(kNodesOfClassesMax / nodes, kClassesMin, kClassesMax)) {
    // Pods that fit nowhere hold on to theirs, and there may be many of them.
    for (const auto& [hash, classes] : classes_) {
      for (const auto& candidates : classes) candidates->forget();
    }
    classes_.clear();
    last_ = {};
    count_ = 0;
  }
  auto candidates =
      std::make_shared<Candidates>(next_id_++, pod_class, profile, rules_of(pod_class.key, profile), salt_);
  classes_[pod_class.key.hash()].push_back(candidates);
  ++count_;
  return candidates;
}

}  // namespace minik::control
