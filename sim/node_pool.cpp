#include "sim/node_pool.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik::sim {

std::string node_name(const std::vector<NodePool>& pools, const NodePool& pool, int64_t index) {
  return pool.count == 1 && pools.size() > 1 ? pool.name : cat(pool.name, "-", index);
}

bool names_node(const std::vector<NodePool>& pools, std::string_view name) {
  return std::ranges::any_of(pools, [&](const NodePool& pool) {
    if (pool.count == 1) return name == node_name(pools, pool, 0);
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

}  // namespace minik::sim
