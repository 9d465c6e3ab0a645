// Moments as the objects of a real cluster carry them: RFC 3339, as text. Nothing for whatever is not one.
#pragma once

#include <optional>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::sim {

inline std::optional<WallTime> time_of(const control::Value& text) {
  return text.is_string() ? parse_time(text.as_string()) : std::nullopt;
}

}  // namespace minik::sim
