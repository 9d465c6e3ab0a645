#include "control/scheduler/topology.h"

namespace minik::control {

void Topology::put(size_t node, const Value& labels) {
  if (of_node_.size() <= node) of_node_.resize(node + 1, -1);
  int domain = -1;
  const Value& value = labels[key_];
  if (value.is_string()) {
    const auto found = numbers_.find(value.as_string());
    if (found != numbers_.end()) {
      domain = found->second;
    } else {
      domain = static_cast<int>(sizes_.size());
      numbers_.emplace(value.string(), domain);
      sizes_.push_back(0);
    }
  }
  if (domain == of_node_[node]) return;
  leave(of_node_[node]);
  of_node_[node] = domain;
  if (domain >= 0 && ++sizes_[static_cast<size_t>(domain)] == 2) ++shared_;
}

void Topology::leave(int domain) {
  if (domain >= 0 && --sizes_[static_cast<size_t>(domain)] == 1) --shared_;
}

}  // namespace minik::control
