#include "control/scheduler/rank_heap.h"

#include <algorithm>

namespace minik::control {

namespace {
constexpr size_t kBranches = 4;
}

void RankHeap::set(size_t at, const Rank& rank) {
  ranks_[at] = rank;
  places_[static_cast<size_t>(rank.node)] = static_cast<uint32_t>(at);
}

void RankHeap::rise(size_t at, const Rank& rank) {
  while (at > 0) {
    const size_t parent = (at - 1) / kBranches;
    if (!(rank < ranks_[parent])) break;
    set(at, ranks_[parent]);
    at = parent;
  }
  set(at, rank);
}

void RankHeap::sink(size_t at, const Rank& rank) {
  for (;;) {
    const size_t first = at * kBranches + 1;
    if (first >= ranks_.size()) break;
    const auto begin = ranks_.begin() + static_cast<ptrdiff_t>(first);
    const auto end = ranks_.begin() + static_cast<ptrdiff_t>(std::min(first + kBranches, ranks_.size()));
    const auto best = std::min_element(begin, end);
    if (!(*best < rank)) break;
    const auto below = static_cast<size_t>(best - ranks_.begin());
    set(at, *best);
    at = below;
  }
  set(at, rank);
}

void RankHeap::settle(size_t at, const Rank& rank) {
  if (at > 0 && rank < ranks_[(at - 1) / kBranches]) {
    rise(at, rank);
  } else {
    sink(at, rank);
  }
}

void RankHeap::add(const Rank& rank) {
  ranks_.push_back(rank);
  rise(ranks_.size() - 1, rank);
}

void RankHeap::remove(int node) {
  const size_t at = place_of(node);
  const Rank last = ranks_.back();
  ranks_.pop_back();
  if (at < ranks_.size()) settle(at, last);
}

void RankHeap::replace(const Rank& rank) { settle(place_of(rank.node), rank); }

void RankHeap::append(const Rank& rank) {
  ranks_.push_back(rank);
  places_[static_cast<size_t>(rank.node)] = static_cast<uint32_t>(ranks_.size() - 1);
}

void RankHeap::arrange() {
  if (ranks_.size() < 2) return;
  for (size_t at = (ranks_.size() - 2) / kBranches + 1; at-- > 0;) {
    const Rank rank = ranks_[at];  // sink() writes to where it stands
    sink(at, rank);
  }
}

}  // namespace minik::control
