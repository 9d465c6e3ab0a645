// What the nodes of an expression cost beside their parts, in cel-go's numbers: the evaluator charges them, and the
// estimate of a rule sums them up before it is ever evaluated. What calls cost stands with their overloads.
#pragma once

#include <cstdint>

namespace minik::control::cel {

inline constexpr uint64_t kNameCost = 1, kListCost = 10, kMapCost = 30, kObjectCost = 40;
// A turn of a macro, which cel-go expands into a fold: reading the result so far and testing it, or
// growing a list by another.
inline constexpr uint64_t kAllCost = 3, kExistsCost = 4, kCountCost = 2, kGrowCost = 12;

}  // namespace minik::control::cel
