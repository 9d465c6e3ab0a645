// Machines at rest: of all that happens in a day of a large cluster, 99 parts in a hundred are nodes that say that
// nothing has happened. Where nothing disturbs a cluster they need not say it.
//
//   a Lease renewed, a minute since disturb()   -->  the node agent rests: no renewal, no status, no timer
//   disturb(), or its Node is changed by others  -->  it goes on at its own beat
//
// The node lifecycle controller asks spoke_at() of a node that it has not heard of for its grace period, so that a
// machine that dies counts as silent from its last beat on. What is stored of a node at rest (its Lease's renewTime,
// the lastHeartbeatTime of its conditions) stands still meanwhile, and the server handles that many requests less.
#include <algorithm>
#include <utility>

#include "sim/cluster.h"

namespace minik::sim {

namespace {
// Since the last disturbance: by then whoever could be reached again has said so itself, and been heard.
constexpr Duration kCalm = minutes(1);
}  // namespace

bool SimulatedCluster::may_rest() {
  if (request_watch_.leaves || request_watch_.done || executor_.now() - disturbed_at_ < kCalm) return false;
  some_rest_ = true;
  return true;
}

void SimulatedCluster::disturb() {
  disturbed_at_ = executor_.now();
  if (!std::exchange(some_rest_, false)) return;
  for (auto& [name, m] : machines_) {
    if (m.kubelet) m.kubelet->wake();
  }
}

void SimulatedCluster::end_kubelet(Machine& m) {
  if (m.kubelet) m.spoke_at = std::max(m.spoke_at, m.kubelet->spoke_at());
  m.kubelet.reset();
}

Instant SimulatedCluster::spoke_at(const std::string& node) const {
  const auto found = machines_.find(node);
  if (found == machines_.end()) return {};
  const Machine& m = found->second;
  return m.kubelet ? std::max(m.spoke_at, m.kubelet->spoke_at()) : m.spoke_at;
}

}  // namespace minik::sim
