// The evaluator: walks a checked tree once and answers a Datum, which is an error where the
// expression fails.
//
// An error of a part is the error of the whole, but && and || (and all() and exists(), which are
// chains of them) ignore errors of one side where the other decides. Running out of the budget ends
// everything and is not to be ignored. Recursion is as deep as the tree, which the parser bounds.
#pragma once

#include <span>

#include "control/cel/program.h"
#include "control/cel/syntax.h"

namespace minik::control::cel {

Datum evaluate(const Tree& tree, std::span<const Datum> bindings, Budget& budget);

}  // namespace minik::control::cel
