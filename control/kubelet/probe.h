// Probe: the counting of one probe of one container. What is asked and when; the asking is the
// runtime's. A pure state machine: next_delay() says when to ask, observe() what an answer changes.
#pragma once

#include <optional>
#include <string>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

class Probe {
 public:
  enum class Verdict : uint8_t { kUnknown, kSuccess, kFailure };

  explicit Probe(const Value& spec) : spec_(spec) {}

  const Value& spec() const { return spec_; }
  Duration initial_delay() const;
  Duration period() const;
  Duration timeout() const;
  // Returns the verdict when this answer makes or changes one: thresholds of consecutive answers.
  std::optional<Verdict> observe(bool success);
  Verdict verdict() const { return verdict_; }

 private:
  Value spec_;
  Verdict verdict_ = Verdict::kUnknown;
  int64_t successes_ = 0, failures_ = 0;
};

}  // namespace minik::control
