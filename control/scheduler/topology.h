// Topology: which nodes share a value of one label (a zone, a rack, a host name), as small numbers.
//
// Domains are numbered as their values are first seen, and a number is kept for its value; a node
// without the label is in none (-1). Where no two nodes share a value the topology is local: a
// domain is then a node, and whoever counts by it may count by node. Owned by the NodeTable, which
// keeps it up to date.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

class Topology {
 public:
  explicit Topology(Key key) : key_(std::move(key)) {}

  const Key& key() const { return key_; }
  // The labels of a node; absent when it is gone.
  void put(size_t node, const Value& labels);

  int domain_of(int node) const {
    return static_cast<size_t>(node) < of_node_.size() ? of_node_[static_cast<size_t>(node)] : -1;
  }
  // Numbers are below this; some may be empty by now.
  size_t domain_numbers() const { return sizes_.size(); }
  bool local() const { return shared_ == 0; }

 private:
  void leave(int domain);

  Key key_;
  std::map<std::string, int, std::less<>> numbers_;
  std::vector<int> of_node_;
  std::vector<int> sizes_;  // nodes by domain
  int shared_ = 0;          // domains of more than one node
};

}  // namespace minik::control
