#include "control/kubelet/probe.h"

#include "control/object/keys.h"

namespace minik::control {

Duration Probe::initial_delay() const { return seconds(spec_[keys::kInitialDelaySeconds].as_int()); }
Duration Probe::period() const {
  const int64_t period = spec_[keys::kPeriodSeconds].as_int();
  return seconds(period > 0 ? period : 10);
}
Duration Probe::timeout() const { return seconds(spec_[keys::kTimeoutSeconds].as_int(1)); }

std::optional<Probe::Verdict> Probe::observe(bool success) {
  successes_ = success ? successes_ + 1 : 0;
  failures_ = success ? 0 : failures_ + 1;
  const bool enough = success ? successes_ >= spec_[keys::kSuccessThreshold].as_int(1)
                              : failures_ >= spec_[keys::kFailureThreshold].as_int(3);
  const Verdict next = success ? Verdict::kSuccess : Verdict::kFailure;
  if (!enough || next == verdict_) return {};
  verdict_ = next;
  return next;
}

}  // namespace minik::control
