#include "sim/node_pool.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik::sim {

std::string node_name(const NodePool& pool, int64_t index) { return cat(pool.name, "-", index); }

bool names_node(const std::vector<NodePool>& pools, std::string_view name) {
  return std::ranges::any_of(pools, [&](const NodePool& pool) {
    if (!name.starts_with(pool.name) || name.size() < pool.name.size() + 2 || name[pool.name.size()] != '-') return false;
    const std::string_view digits = name.substr(pool.name.size() + 1);
    int64_t index = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9' || index > pool.count) return false;
      index = index * 10 + (c - '0');
    }
    return index < pool.count && (digits.size() == 1 || digits[0] != '0');
  });
}

std::string known_nodes(const std::vector<NodePool>& pools) {
  std::vector<std::string> ranges;
  for (const auto& pool : pools) {
    if (pool.count == 0) continue;
    ranges.push_back(pool.count == 1 ? node_name(pool, 0) : cat(node_name(pool, 0), " to ", node_name(pool, pool.count - 1)));
  }
  return join(ranges, ", ");
}

}  // namespace minik::sim
