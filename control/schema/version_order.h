// The order of API versions by what they promise: v10, v2, v1, v11beta2, v10beta3, v3beta1, v12alpha1,
// and then everything that is no version, by its letters.
#pragma once

#include <string_view>

namespace minik::control {

// True when `a` is to be preferred to `b`.
bool version_before(std::string_view a, std::string_view b);

}  // namespace minik::control
