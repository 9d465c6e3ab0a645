// The grammar of label selectors in query parameters: "app=web,tier in (a,b),!old,size>3".
//
//   selector     requirement {"," requirement}
//   requirement  key | "!" key | key ("=" | "==" | "!=" | ">" | "<") [value] | key ("in" | "notin") "(" value {"," value} ")"
//
// As Kubernetes' own parser cuts and understands them: "in" and "notin" are operators only where one may stand, a missing
// value is the empty one, values are a set. Errors are BadRequest with that parser's sentences. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::control {

enum class SelectorOperator : uint8_t { kIn, kNotIn, kExists, kNotExists, kGreater, kLess };

struct SelectorTerm {
  std::string key;
  SelectorOperator op = SelectorOperator::kExists;
  std::vector<std::string> values;  // in order, each once
};

Result<std::vector<SelectorTerm>> parse_selector_text(std::string_view text);

}  // namespace minik::control
