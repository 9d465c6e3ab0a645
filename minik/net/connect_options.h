// The way back from the options of a connection (PodExecOptions and their like), which admission may have changed, to the
// query parameters that they came from. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "control/object/value.h"

namespace minik {

std::vector<std::pair<std::string, std::string>> connect_parameters(const control::Value& options);

}  // namespace minik
