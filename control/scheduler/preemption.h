// Preemption: which pods of lower priority must go, and from which node, so that a pod can be
// placed.
//
// On each node Kubernetes' dry run: all pods of lower priority are thought away; when the pod fits
// then, as many as possible are taken back, first those whose disruption budget would be violated,
// then the others, each by importance (priority, then age). The node is chosen by the fewest
// violations, the lowest highest priority among the victims, the smallest sum of their priorities,
// their number, and the latest start of the most important one.
//
// The outcome of a dry run depends on its node alone for classes without rules about other pods, so
// it is kept by class in an order that follows the node table's change log; other classes look at
// as many nodes as Kubernetes does (by its profile; a tenth, at least 100). Decides only; the scheduler evicts.
// Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/scheduler/candidates.h"

namespace minik::control {

// The PodDisruptionBudgets, compiled.
class Budgets {
 public:
  void put(const Value& before, const Value& after);
  uint64_t version() const { return version_; }
  bool empty() const { return budgets_.empty(); }
  // For pods in order: whether evicting each, after those before it, breaks a budget.
  std::vector<bool> violations(const std::vector<const PlacedPod*>& pods) const;

 private:
  struct Budget {
    LabelSelector selector;
    int64_t allowed = 0;
    Value disrupted;  // pods that are on their way out already
  };
  std::map<ObjectKey, Budget> budgets_;
  uint64_t version_ = 0;
};

struct PreemptionPlan {
  int node = -1;
  std::vector<Value> victims;
  // When there is no node: nodes by what their dry run said.
  std::map<std::string, int64_t> refusals;
};

class Preemption {
 public:
  explicit Preemption(const Budgets& budgets) : budgets_(budgets) {}

  PreemptionPlan plan(NodeTable& table, Candidates& candidates);

 private:
  struct Rank {
    int64_t violations = 0;
    int64_t highest_priority = 0;
    int64_t priority_sum = 0;
    size_t victims = 0;
    std::string start;  // of the most important victim
    uint64_t tie = 0;
    int node = -1;
    bool operator<(const Rank& other) const;
  };
  struct DryRun {
    bool possible = false;
    Rank rank;
    std::vector<const PlacedPod*> victims;
    std::string refusal;  // empty also where preemption cannot help
  };
  struct Order {
    std::set<Rank> ranks;
    std::vector<std::set<Rank>::iterator> places;  // by node; end() when preemption does not help
    std::vector<std::string> said;                 // by node: the dry run's refusal
    std::map<std::string, int64_t> refusals;
    uint64_t position = 0;
    uint64_t budgets_version = 0;
    bool built = false;
  };
  DryRun dry_run(NodeTable& table, Candidates& candidates, int node) const;
  const Order& order_of(NodeTable& table, Candidates& candidates);
  int best_of_some(NodeTable& table, Candidates& candidates, const std::vector<int>& nodes);

  const Budgets& budgets_;
  std::map<uint64_t, Order> orders_;  // by the candidates' id
  size_t cursor_ = 0;
};

}  // namespace minik::control
