#include "control/scheduler/rank_heap.h"

#include <gtest/gtest.h>

#include <set>

#include "control/base/rng.h"

namespace minik::control {
namespace {

TEST(RankHeap, AlwaysHasTheBestInFrontHoweverNodesComeGoAndChange) {
  constexpr int kNodes = 200;
  Rng rng(7);
  std::vector<uint32_t> places(kNodes);
  RankHeap heap(places);
  std::set<Rank> expected;
  std::vector<std::set<Rank>::iterator> here(kNodes, expected.end());
  const auto draw = [&](int node) { return Rank{rng.between(0, 20), static_cast<uint64_t>(rng.between(0, 3)), node}; };
  for (int node = 0; node < kNodes; node += 2) {
    const Rank rank = draw(node);
    heap.append(rank);
    here[static_cast<size_t>(node)] = expected.insert(rank).first;
  }
  heap.arrange();
  for (int step = 0; step < 5000; ++step) {
    const auto node = static_cast<int>(rng.between(0, kNodes - 1));
    auto& at = here[static_cast<size_t>(node)];
    const Rank rank = draw(node);
    if (at == expected.end()) {
      heap.add(rank);
      at = expected.insert(rank).first;
    } else if (rng.between(0, 2) == 0) {
      heap.remove(node);
      expected.erase(at);
      at = expected.end();
    } else {
      heap.replace(rank);
      expected.erase(at);
      at = expected.insert(rank).first;
    }
    ASSERT_EQ(heap.size(), expected.size());
    if (!expected.empty()) {
      ASSERT_EQ(heap.best().node, expected.begin()->node) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace minik::control
