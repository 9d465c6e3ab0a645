#include "control/scheduler/node_table.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

constexpr size_t kLogMax = 1 << 20;

std::vector<PlacedPod>::iterator find_pod(NodeEntry& entry, const Value& pod) {
  const Value& uid = pod[keys::kMetadata][keys::kUid];
  const uint64_t hash = uid.hash();
  return std::ranges::find_if(entry.pods, [&](const PlacedPod& p) {
    return p.uid_hash == hash && p.pod[keys::kMetadata][keys::kUid] == uid;
  });
}

}  // namespace

int64_t PlacedPod::priority() const {
  return pod[keys::kSpec][keys::kPriority].as_int();
}

NodeTable::NodeTable()
    : counts_([this](const PodCounts::Visit& visit) {
        for (size_t i = 0; i < nodes_.size(); ++i) {
          for (const auto& placed : nodes_[i].pods) visit(placed.pod, static_cast<int>(i));
        }
      }) {}

int NodeTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? -1 : static_cast<int>(found->second);
}

size_t NodeTable::entry(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  size_t index = nodes_.size();
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  by_name_.emplace(std::string(name), index);
  nodes_[index].name = name;
  nodes_[index].tie = fnv1a_64(name);
  return index;
}

void NodeTable::note_change(size_t index) {
  if (log_.size() == kLogMax) {
    log_start_ += log_.size();
    log_.clear();
  }
  log_.push_back(static_cast<int>(index));
}

bool NodeTable::put_node(const Value& node) {
  const size_t index = entry(object_name(node));
  NodeEntry& e = nodes_[index];
  const Value& labels = node[keys::kMetadata][keys::kLabels];
  const Value& taints = node[keys::kSpec][keys::kTaints];
  const Value& images = node[keys::kStatus][keys::kImages];
  const bool unschedulable = node[keys::kSpec][keys::kUnschedulable].as_bool();
  Resources allocatable = node_allocatable(node);
  if (e.used && e.labels == labels && e.taints == taints && e.unschedulable == unschedulable &&
      e.images == images && e.allocatable == allocatable) {
    return false;
  }
  if (!e.used) ++used_;
  e.used = true;
  if (!(e.images == images)) {
    put_images(index, e.images, -1);
    put_images(index, images, 1);
  }
  e.labels = labels;
  e.taints = taints;
  e.images = images;
  e.unschedulable = unschedulable;
  e.allocatable = std::move(allocatable);
  e.version = ++nodes_version_;
  for (auto& [key, topology] : topologies_) topology.put(index, labels);
  note_change(index);
  return true;
}

void NodeTable::remove_node(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end() || !nodes_[found->second].used) return;
  const size_t index = found->second;
  NodeEntry& e = nodes_[index];
  --used_;
  e.used = false;
  e.version = ++nodes_version_;
  put_images(index, e.images, -1);
  e.images = {};
  for (auto& [key, topology] : topologies_) topology.put(index, Value());
  note_change(index);
  // Pods may still be bound to it; their entry stays until the last one has gone.
  drop_if_empty(index);
}

void NodeTable::drop_if_empty(size_t index) {
  NodeEntry& e = nodes_[index];
  if (e.used || !e.pods.empty() || !e.nominations.empty()) return;
  by_name_.erase(e.name);
  const uint64_t version = e.version;
  e = {};
  e.version = version;
  free_.push_back(index);
}

void NodeTable::put_images(size_t index, const Value& images, int sign) {
  for (const auto& image : images.items()) {
    for (const auto& name : image[keys::kNames].items()) {
      auto& places = images_[name.string()];
      if (sign > 0) {
        places.bytes_by_node[static_cast<int>(index)] = image[keys::kSizeBytes].as_int();
      } else {
        places.bytes_by_node.erase(static_cast<int>(index));
        if (places.bytes_by_node.empty()) images_.erase(name.string());
      }
    }
  }
}

const ImagePlaces* NodeTable::image(std::string_view name) const {
  const auto found = images_.find(name);
  return found == images_.end() ? nullptr : &found->second;
}

const Topology& NodeTable::topology(const Key& label) {
  const auto [at, fresh] = topologies_.try_emplace(label, label);
  if (fresh) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      at->second.put(i, nodes_[i].used ? nodes_[i].labels : Value());
    }
  }
  return at->second;
}

void NodeTable::add_pod(const Value& pod, std::string_view node) {
  add_pod(pod, static_cast<int>(entry(node)));
}

void NodeTable::add_pod(const Value& pod, int node) {
  const auto index = static_cast<size_t>(node);
  NodeEntry& e = nodes_[index];
  auto demand = demands_.of_pod(pod);
  e.requested.add(demand->requests, 1);
  e.ports.insert(e.ports.end(), demand->ports.begin(), demand->ports.end());
  e.pods.push_back({pod, std::move(demand), pod[keys::kMetadata][keys::kUid].hash()});
  ++priorities_[e.pods.back().priority()];
  counts_.change(pod, node, 1);
  note_change(index);
}

void NodeTable::remove_pod(const Value& pod, std::string_view node) {
  const auto found = by_name_.find(node);
  if (found == by_name_.end()) return;
  NodeEntry& e = nodes_[found->second];
  const auto placed = find_pod(e, pod);
  if (placed == e.pods.end()) return;
  e.requested.add(placed->demand->requests, -1);
  for (const auto& port : placed->demand->ports) e.ports.erase(std::ranges::find(e.ports, port));
  counts_.change(placed->pod, static_cast<int>(found->second), -1);
  const auto peers = priorities_.find(placed->priority());
  if (--peers->second == 0) priorities_.erase(peers);
  e.pods.erase(placed);
  note_change(found->second);
  drop_if_empty(found->second);
}

bool NodeTable::update_pod(const Value& before, const Value& after, std::string_view node) {
  return update_pod(before, after, find(node));
}

bool NodeTable::update_pod(const Value& before, const Value& after, int node) {
  if (node < 0) return false;
  NodeEntry& e = nodes_[static_cast<size_t>(node)];
  const auto placed = find_pod(e, before);
  if (placed == e.pods.end()) return false;
  const Value& old = placed->pod;
  // Labels and resources may change while a pod runs, and with them where it counts.
  const bool resized = !(old[keys::kStatus] == after[keys::kStatus]) && (placed->demand->resizing || changes_size(after));
  if (!resized && old[keys::kMetadata][keys::kLabels] == after[keys::kMetadata][keys::kLabels] &&
      old[keys::kSpec][keys::kContainers] == after[keys::kSpec][keys::kContainers] &&
      old[keys::kSpec][keys::kPriority] == after[keys::kSpec][keys::kPriority] &&
      controller_of(old) == controller_of(after)) {
    const bool leaves = is_deleting(after) && !is_deleting(old) && counts_.begin_deletion(old, node);
    placed->pod = after;
    if (leaves) note_change(static_cast<size_t>(node));
    return leaves;
  }
  const std::string name = e.name;  // of an entry that may go with its last pod
  remove_pod(before, name);
  add_pod(after, name);
  return true;
}

void NodeTable::nominate(const Value& pod, std::string_view node) {
  const size_t index = entry(node);
  nodes_[index].nominations.push_back({key_of(pod), pod[keys::kMetadata][keys::kUid],
                                       pod[keys::kSpec][keys::kPriority].as_int(),
                                       demands_.of(pod[keys::kSpec])});
  note_change(index);
}

void NodeTable::withdraw(const Value& pod, std::string_view node) {
  const int index = find(node);
  if (index < 0) return;
  const Value& uid = pod[keys::kMetadata][keys::kUid];
  std::erase_if(nodes_[static_cast<size_t>(index)].nominations,
                [&](const Nomination& n) { return n.uid == uid; });
  note_change(static_cast<size_t>(index));
  drop_if_empty(static_cast<size_t>(index));
}

}  // namespace minik::control
