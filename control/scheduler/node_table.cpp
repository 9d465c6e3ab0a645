#include "control/scheduler/node_table.h"

#include "control/object/keys.h"

namespace minik::control {

namespace {
constexpr size_t kLogMax = 1 << 20;
}

int NodeTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? -1 : static_cast<int>(found->second);
}

NodeEntry& NodeTable::entry(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return nodes_[found->second];
  size_t index = nodes_.size();
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
    nodes_[index] = {};
  }
  by_name_.emplace(std::string(name), index);
  nodes_[index].name = name;
  return nodes_[index];
}

void NodeTable::note_change(size_t index) {
  if (log_.size() == kLogMax) {
    log_start_ += log_.size();
    log_.clear();
  }
  log_.push_back(static_cast<int>(index));
}

void NodeTable::put_node(const Value& node) {
  NodeEntry& e = entry(object_name(node));
  const Value& labels = node[keys::kMetadata][keys::kLabels];
  const Value& taints = node[keys::kSpec][keys::kTaints];
  const bool unschedulable = node[keys::kSpec][keys::kUnschedulable].as_bool();
  Resources allocatable = node_allocatable(node);
  // A heartbeat changes nothing that placement depends on.
  if (e.used && e.labels == labels && e.taints == taints && e.unschedulable == unschedulable &&
      e.allocatable == allocatable) {
    return;
  }
  e.used = true;
  e.labels = labels;
  e.taints = taints;
  e.unschedulable = unschedulable;
  e.allocatable = std::move(allocatable);
  note_change(static_cast<size_t>(&e - nodes_.data()));
}

void NodeTable::remove_node(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  NodeEntry& e = nodes_[found->second];
  note_change(found->second);
  e.used = false;
  // Pods may still be bound to it; their entry stays until the last one has gone.
  if (e.requested.pods == 0) {
    free_.push_back(found->second);
    by_name_.erase(found);
  }
}

void NodeTable::add_pod(const Value& pod, std::string_view node) {
  NodeEntry& e = entry(node);
  e.requested.add(pod_requests(pod[keys::kSpec]), 1);
  const auto owner = controller_of(pod)[keys::kUid].as_string();
  if (!owner.empty()) {
    const auto found = e.pods_by_owner.find(owner);
    if (found == e.pods_by_owner.end()) {
      e.pods_by_owner.emplace(std::string(owner), 1);
    } else {
      ++found->second;
    }
  }
  note_change(static_cast<size_t>(&e - nodes_.data()));
}

void NodeTable::remove_pod(const Value& pod, std::string_view node) {
  const auto found = by_name_.find(node);
  if (found == by_name_.end()) return;
  NodeEntry& e = nodes_[found->second];
  e.requested.add(pod_requests(pod[keys::kSpec]), -1);
  const auto count = e.pods_by_owner.find(controller_of(pod)[keys::kUid].as_string());
  if (count != e.pods_by_owner.end() && --count->second == 0) e.pods_by_owner.erase(count);
  note_change(found->second);
  if (!e.used && e.requested.pods == 0) {
    free_.push_back(found->second);
    by_name_.erase(found);
  }
}

}  // namespace minik::control
