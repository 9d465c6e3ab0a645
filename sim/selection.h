// Which objects, nodes and pods a scenario speaks of. Plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/object/value.h"

namespace minik::sim {

struct ObjectReference {
  std::string kind, namespace_ = "default", name;
  control::KindId id;

  std::string text() const { return kind + " " + (namespace_.empty() ? "" : namespace_ + "/") + name; }
};

// Objects of one kind. An empty namespace is all of them.
struct ObjectSelection {
  control::KindId kind;
  std::string namespace_;
  control::LabelSelector labels;
  control::FieldSelector fields;
  std::string condition;  // only objects on which it is True

  bool selects(const control::Value& object) const;
};

// Nodes that every given part names; `count` of them drawn by the seed, or all. Without any part: all nodes.
struct NodeChoice {
  std::vector<std::string> names;
  std::string pool, zone;
  std::optional<control::LabelSelector> runs;  // those on which such a pod is, of any namespace
  int64_t count = 0;
};

// Running pods, likewise.
struct PodChoice {
  std::string namespace_;
  control::LabelSelector labels;
  std::string node, container;
  int64_t count = 0;
};

}  // namespace minik::sim
