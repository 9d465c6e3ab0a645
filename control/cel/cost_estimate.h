// What an expression may cost at the most, before it is ever evaluated: by how large a schema lets its values become.
//
// The estimate is cel-go's, which Kubernetes asks when a CustomResourceDefinition is created: each node of the tree costs
// what it costs to evaluate, a macro costs its body for each item that the range may have, and where nothing is known of
// a size it may be anything. Sums and products that would overflow stay at the largest number. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "control/cel/program.h"

namespace minik::control::cel {

// How large the values of one place may become: bytes of text, items of a list, entries of a map.
struct SizeBound {
  using Ptr = std::shared_ptr<const SizeBound>;
  uint64_t elements_max = 0;
  std::map<std::string, Ptr, std::less<>> fields;  // of an object
  Ptr items;                                       // of a list; the values of a map
};

// One for each variable of the environment with which the program was compiled; null: nothing is known.
uint64_t estimated_cost(const Program& program, std::span<const SizeBound::Ptr> variables);

}  // namespace minik::control::cel
