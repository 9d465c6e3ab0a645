// The type checker: resolves names to variables, calls to overloads, and gives every node its type.
//
// It reports all errors at once, a line each, in cel-go's words. What depends on a `dyn` is left to
// the evaluator. Constant patterns are compiled here, so that a bad one is found before anything
// runs. It recurses as deep as the tree, which the parser bounds.
#pragma once

#include "control/base/result.h"
#include "control/cel/program.h"
#include "control/cel/syntax.h"

namespace minik::control::cel {

Status check(Tree& tree, const Environment& environment, const Type& wanted);

}  // namespace minik::control::cel
