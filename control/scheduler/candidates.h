// Candidates: for one pod class, the nodes that can take a pod, best first; brought up to date by the
// node table's change log, so that placing a pod costs what changed since the last one, not what exists.
//
// Ties are broken by a hash of class and node, so that equal nodes are not all filled in name order and
// runs stay repeatable.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "control/scheduler/node_table.h"
#include "control/scheduler/pod_class.h"

namespace minik::control {

class Candidates {
 public:
  Candidates(PodClass pod_class, uint64_t salt);

  const PodClass& pod_class() const { return class_; }
  // The best node that also satisfies `allowed`, or -1.
  template <typename Allowed>
  int best(const NodeTable& table, const Allowed& allowed) {
    refresh(table);
    for (const auto& rank : order_) {
      if (allowed(rank.node)) return rank.node;
    }
    return -1;
  }
  // Nodes by reason, for FailedScheduling: computed when asked.
  std::vector<std::pair<std::string, int>> reasons(const NodeTable& table) const;

 private:
  struct Rank {
    int64_t score;
    uint64_t tie;
    int node;
    bool operator<(const Rank& other) const {
      if (score != other.score) return score > other.score;
      if (tie != other.tie) return tie < other.tie;
      return node < other.node;
    }
  };
  void refresh(const NodeTable& table);
  void evaluate(const NodeTable& table, int node);

  PodClass class_;
  uint64_t salt_;
  uint64_t position_ = 0;
  bool built_ = false;
  std::set<Rank> order_;
  std::vector<std::set<Rank>::iterator> places_;  // by node; end() when it cannot take the pod
};

}  // namespace minik::control
