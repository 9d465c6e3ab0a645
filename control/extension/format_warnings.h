// Formats in a CustomResourceDefinition that nobody knows: they check nothing, which their author hardly meant.
//
// As kube-apiserver does since 1.34: only of texts, only where the change brings them in. Pure.
#pragma once

#include <string>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

// A warning for each format that is not known and not in `old` already (absent: the definition is new).
std::vector<std::string> format_warnings(const Value& definition, const Value& old);

}  // namespace minik::control
