// NodeTable: the nodes as the scheduler sees them, with what is placed on each, kept and never
// recomputed. A change of a node or of a pod on it touches that node's entry alone and is written to a
// change log, from which each candidate order (candidates.h) brings itself up to date.
//
// Indices are stable while a node exists and are reused afterwards. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/scheduler/pod_class.h"

namespace minik::control {

struct NodeEntry {
  bool used = false;
  std::string name;
  Value labels;
  Value taints;
  bool unschedulable = false;
  Resources allocatable;
  Resources requested;
  std::map<std::string, int64_t, std::less<>> pods_by_owner;  // uid of the controlling owner
};

class NodeTable {
 public:
  void put_node(const Value& node);
  void remove_node(std::string_view name);
  // A pod occupies its node from the moment it is assumed there until it has ended or is gone.
  void add_pod(const Value& pod, std::string_view node);
  void remove_pod(const Value& pod, std::string_view node);

  const std::vector<NodeEntry>& nodes() const { return nodes_; }
  size_t count() const { return by_name_.size(); }
  int find(std::string_view name) const;  // -1 when unknown

  // Positions in the change log only grow; entries before log_start() are forgotten.
  uint64_t log_start() const { return log_start_; }
  uint64_t log_end() const { return log_start_ + log_.size(); }
  int changed(uint64_t position) const { return log_[static_cast<size_t>(position - log_start_)]; }

 private:
  NodeEntry& entry(std::string_view name);
  void note_change(size_t index);

  std::vector<NodeEntry> nodes_;
  std::vector<size_t> free_;
  std::map<std::string, size_t, std::less<>> by_name_;
  std::vector<int> log_;
  uint64_t log_start_ = 0;
};

}  // namespace minik::control
