// NodeTable: the nodes as the scheduler sees them, with what is placed on each, kept and never
// recomputed. A change of a node or of a pod on it touches that node's entry alone and is written
// to a change log, from which each candidate order (candidates.h) brings itself up to date.
//
// A pod stands on its node from the moment it is assumed there until it has ended or is gone. A
// nomination reserves room for a pod that waits for its victims to go; it counts only against pods
// of lower or equal priority. Beside the entries the table keeps the topologies that somebody asked
// for, the counts of pods by sort (pod_counts.h) and which node has which image.
//
// Indices are stable while a node exists and are reused afterwards. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_ref.h"
#include "control/scheduler/pod_counts.h"
#include "control/scheduler/resources.h"
#include "control/scheduler/topology.h"

namespace minik::control {

struct PlacedPod {
  Value pod;
  std::shared_ptr<const PodDemand> demand;
  uint64_t uid_hash = 0;  // so that finding a pod among a node's hundred looks into one of them

  int64_t priority() const;
};

struct Nomination {
  ObjectKey key;
  Value uid;
  int64_t priority = 0;
  std::shared_ptr<const PodDemand> demand;
};

struct NodeEntry {
  bool used = false;  // the node exists; without it only pods that are bound to its name
  std::string name;
  uint64_t tie = 0;      // from the name
  uint64_t version = 0;  // grows with the node's own properties, not with its pods
  Value labels;
  Value taints;
  Value images;
  bool unschedulable = false;
  Resources allocatable;
  Resources requested;
  std::vector<HostPort> ports;  // taken by pods
  std::vector<PlacedPod> pods;
  std::vector<Nomination> nominations;
};

// Where an image is, as nodes report it.
struct ImagePlaces {
  std::map<int, int64_t> bytes_by_node;
};

class NodeTable {
 public:
  NodeTable();
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;

  // Answer whether anything changed that placement depends on: a heartbeat changes nothing.
  bool put_node(const Value& node);
  void remove_node(std::string_view name);

  void add_pod(const Value& pod, std::string_view node);
  // The same by index, without a search among a hundred thousand names.
  void add_pod(const Value& pod, int node);
  void remove_pod(const Value& pod, std::string_view node);
  // The same pod on the same node in a newer version. Answers whether it counts otherwise than before.
  bool update_pod(const Value& before, const Value& after, std::string_view node);
  // An index stays while a pod stands on the node.
  bool update_pod(const Value& before, const Value& after, int node);

  void nominate(const Value& pod, std::string_view node);
  void withdraw(const Value& pod, std::string_view node);

  const std::vector<NodeEntry>& nodes() const { return nodes_; }
  const NodeEntry& node(int index) const { return nodes_[static_cast<size_t>(index)]; }
  size_t count() const { return used_; }
  int find(std::string_view name) const;  // -1 when unknown

  // Positions in the change log only grow; entries before log_start() are forgotten.
  uint64_t log_start() const { return log_start_; }
  uint64_t log_end() const { return log_start_ + log_.size(); }
  int changed(uint64_t position) const { return log_[static_cast<size_t>(position - log_start_)]; }
  // Grows when any node's own properties change.
  uint64_t nodes_version() const { return nodes_version_; }

  // Whether any placed pod has a lower priority: else nobody can be evicted for it.
  bool has_lower_than(int64_t priority) const {
    return !priorities_.empty() && priorities_.begin()->first < priority;
  }
  const Topology& topology(const Key& label);
  PodCounts& counts() { return counts_; }
  DemandMemo& demands() { return demands_; }
  // Null when no node has it.
  const ImagePlaces* image(std::string_view name) const;

 private:
  size_t entry(std::string_view name);
  void note_change(size_t index);
  void drop_if_empty(size_t index);
  void put_images(size_t index, const Value& images, int sign);

  std::vector<NodeEntry> nodes_;
  std::vector<size_t> free_;
  std::map<std::string, size_t, std::less<>> by_name_;
  size_t used_ = 0;
  uint64_t nodes_version_ = 0;
  std::vector<int> log_;
  uint64_t log_start_ = 0;
  std::map<int64_t, size_t> priorities_;  // of the placed pods
  std::map<Key, Topology> topologies_;
  std::map<std::string, ImagePlaces, std::less<>> images_;
  PodCounts counts_;
  DemandMemo demands_;
};

}  // namespace minik::control
