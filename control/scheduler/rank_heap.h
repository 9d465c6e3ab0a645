// RankHeap: nodes of one group, of which the best is at hand: a heap of four branches that knows where each node
// stands, so that a node whose rank changes moves from its place.
//
//   best()                     one look
//   add, remove, replace       a path from the node's place to the root or to a leaf
//   append ..., then arrange   a whole cluster in linear time
//
// Compared with a sorted tree it has no allocation a node and a quarter of its memory, which is what a change costs
// when there are so many nodes that every look misses the processor's cache. Ranks are all different (the node's
// index is their last word), so that the best does not depend on the history of the heap.
//
// The places of nodes are in a vector that the heaps share: a node stands in one heap at most. Control thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace minik::control {

struct Rank {
  int64_t score = 0;
  uint64_t tie = 0;
  int node = -1;
  // Better ones come first.
  bool operator<(const Rank& other) const {
    if (score != other.score) return score > other.score;
    if (tie != other.tie) return tie < other.tie;
    return node < other.node;
  }
};

class RankHeap {
 public:
  // `places` is by node, has room for every node that is added, and outlives the heap.
  explicit RankHeap(std::vector<uint32_t>& places) : places_(places) {}

  bool empty() const { return ranks_.empty(); }
  size_t size() const { return ranks_.size(); }
  const Rank& best() const { return ranks_.front(); }

  void add(const Rank& rank);
  void remove(int node);
  // Another rank of a node that is here.
  void replace(const Rank& rank);
  // Adds without order: nothing but append() until arrange().
  void append(const Rank& rank);
  void arrange();

 private:
  void rise(size_t at, const Rank& rank);
  void sink(size_t at, const Rank& rank);
  // Where the rank belongs that stands, or is to stand, at this place.
  void settle(size_t at, const Rank& rank);
  void set(size_t at, const Rank& rank);
  size_t place_of(int node) const { return places_[static_cast<size_t>(node)]; }

  std::vector<Rank> ranks_;
  std::vector<uint32_t>& places_;
};

}  // namespace minik::control
