// Node rules: what a node's own properties mean for a pod, without regard to what is placed there:
// cordons, taints, selector and affinity, the rules of its claims, and how much the pod likes the
// node for them.
//
// NodeRules evaluates them for all pods that have the same tolerations, selector and affinity, once
// a node and again when that node's own properties change; the other nodes are not looked at then.
// Refusals come in the order of Kubernetes' filters (NodeUnschedulable, TaintToleration,
// NodeAffinity) and words. Scores are the weighted sum of TaintToleration and NodeAffinity, each
// normalised over the nodes that the rules allow; when that changes the best or the worst value,
// every score may change, and generation() grows.
//
// Shared by the candidate orders of the classes that have the same rules; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/scheduler/node_table.h"
#include "control/scheduler/profile.h"

namespace minik::control {

class NodeRules {
 public:
  // `added` is the profile's own node affinity, absent when it has none.
  NodeRules(Value node_selector, Value affinity, Value added, Value tolerations, Value volumes);

  bool same(const Value& node_selector, const Value& affinity, const Value& added, const Value& tolerations,
            const Value& volumes) const;
  // Brings the verdicts up to date; cheap when no node has changed.
  void refresh(const NodeTable& table);

  bool allows(int node) const {
    return verdicts_[static_cast<size_t>(node)].refusal == Refusal::kNone;
  }
  // For the counting of topology domains: the two halves apart.
  bool selected(int node) const { return verdicts_[static_cast<size_t>(node)].selected; }
  bool tolerated(int node) const { return verdicts_[static_cast<size_t>(node)].tolerated; }
  // Of a node that is allowed.
  int64_t score(int node, const ScoreWeights& weights) const;
  // The verdict on one node, without a look at the others.
  bool would_allow(const NodeEntry& node) const { return judge(node).refusal == Refusal::kNone; }
  // In Kubernetes' words; empty when the node is allowed.
  std::string why_not(const NodeEntry& node) const;
  uint64_t generation() const { return generation_; }
  // Lets go of the verdicts until the next refresh.
  void forget();

 private:
  enum class Refusal : uint8_t { kNone, kGone, kUnschedulable, kTaint, kEnforcedAffinity, kAffinity, kVolumes };
  struct Verdict {
    uint64_t version = 0;
    Refusal refusal = Refusal::kGone;
    bool selected = false;
    bool tolerated = false;
    int64_t disliked = 0;   // PreferNoSchedule taints that are not tolerated
    int64_t preferred = 0;  // weights of the preferred terms that match
  };
  Verdict judge(const NodeEntry& node) const;
  void update(const NodeEntry& node, Verdict& verdict);
  void count(const Verdict& verdict, int by);

  Value node_selector_, affinity_, added_, tolerations_, volumes_;
  std::vector<Verdict> verdicts_;
  // Allowed nodes by what they have of either that is not nothing.
  std::map<int64_t, int> disliked_, preferred_;
  uint64_t seen_ = 0;      // the nodes' version
  uint64_t position_ = 0;  // in the table's change log
  int64_t most_disliked_ = 0, most_preferred_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace minik::control
