// TimeText: moments as metav1.Time has them, in whole seconds, each second's text made once.
//
// Most of what a cluster writes down happens in the second of what it wrote before: that is one text then, in a thousand
// objects. A plain container: one owner, one thread.
#pragma once

#include <chrono>
#include <optional>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

class TimeText {
 public:
  // Valid until the next call.
  const Value& of(WallTime now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(now.ns));
    if (second_ != second) {
      second_ = second;
      text_ = format_time(now);
    }
    return text_;
  }

 private:
  std::optional<std::chrono::seconds> second_;
  Value text_;
};

}  // namespace minik::control
