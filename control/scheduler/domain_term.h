// DomainTerm: one rule about pods per domain of a topology (an affinity, an anti-affinity, a spread
// constraint, a preference), with its counts per domain, for one class of pods.
//
// The counts follow the nodes: update() takes in what changed on one node, so that nothing is
// recounted. A node's place() is what the rule sees of it: the number of its domain, or, where
// every domain is one node, the count itself; nodes of the same place are the same to the rule,
// which is why candidates are kept in groups by place. A node without the label has the place
// kNowhere.
//
// Refusals and their order follow Kubernetes' PodTopologySpread and InterPodAffinity. Owned by a
// class's Candidates; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "control/scheduler/pod_class.h"

namespace minik::control {

class DomainTerm {
 public:
  enum class Kind : uint8_t {
    kNear,          // required affinity: some such pod is there
    kApart,         // required anti-affinity: no such pod is there
    kKeptAway,      // no pod is there whose own anti-affinity is about this class
    kSpread,        // hard spread constraint
    kPreferSpread,  // soft spread constraint
    kAttract,       // preference, or a preference of pods that are there
  };
  static constexpr int64_t kNowhere = -1;

  DomainTerm(Kind kind, const Topology& topology, std::shared_ptr<const PodCount> count);

  Kind kind;
  int64_t weight = 0;    // kAttract
  int64_t max_skew = 1;  // spread
  int64_t min_domains = 1;
  bool counts_itself = false;
  bool honor_affinity = false, honor_taints = false;
  bool ignores_missing = false;  // kPreferSpread by default: a node without the label still counts

  bool hard() const { return kind <= Kind::kSpread; }
  const PodCount& pods() const { return *count_; }

  // Takes in the node as it is now; it counts only when it is eligible.
  void update(int node, bool eligible);
  int64_t place(int node) const;
  // Pods in the domain of a place.
  int64_t pods_at(int64_t place) const {
    if (place == kNowhere) return 0;
    return local_ ? place : totals_[static_cast<size_t>(place)];
  }
  // `removed` of the domain's pods are thought away, for preemption. kNear also answers by `first`:
  // there is no such pod anywhere yet, and this pod is one itself.
  bool allows(int64_t place, bool first, int64_t removed = 0) const;
  int64_t total() const { return sum_; }
  // Of kPreferSpread, in thousandths of Kubernetes' unit: pods there, weighted by how many domains
  // share.
  int64_t crowding(int64_t place) const;

  std::string_view reason(int64_t place) const;
  // Fewer pods on the node can change a refusal.
  bool resolvable(int64_t place) const;
  // The topology has become local, or stopped being so: places have another meaning.
  bool outdated() const { return topology_->local() != local_; }

 private:
  struct Seat {
    int domain = -1;
    int64_t count = 0;
  };
  void count_domain(int64_t total, int by);
  void add(int domain, int64_t count, int nodes);

  const Topology* topology_;  // of the node table, never null
  std::shared_ptr<const PodCount> count_;
  bool local_;
  std::vector<Seat> seats_;            // by node
  std::vector<int64_t> totals_;        // by domain
  std::vector<int> members_;           // eligible nodes by domain
  std::map<int64_t, int64_t> levels_;  // domains by their total
  int64_t domains_ = 0;
  int64_t sum_ = 0;
};

}  // namespace minik::control
