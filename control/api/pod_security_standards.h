// The Pod Security Standards: what the levels baseline and restricted forbid in a pod, in the words in which
// Kubernetes says it. A level is read as of a version, so that a namespace pinned to v1.24 does not meet rules of
// later releases. Pure questions to a pod's (or template's) metadata and spec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

enum class PodSecurityLevel : uint8_t { kPrivileged, kBaseline, kRestricted };

constexpr int kLatestMinor = 1 << 20;

struct PodSecurityStandard {
  PodSecurityLevel level = PodSecurityLevel::kPrivileged;
  int minor = kLatestMinor;  // of version 1.x
  friend bool operator==(const PodSecurityStandard&, const PodSecurityStandard&) = default;

  std::string text() const;  // "restricted:latest", "baseline:v1.24"
};

std::optional<PodSecurityLevel> parse_pod_security_level(std::string_view text);
std::optional<int> parse_pod_security_version(std::string_view text);  // "latest", "v1.24"

struct PodSecurityViolation {
  std::string reason;  // "host namespaces"
  std::string detail;  // "hostNetwork=true"; may be empty
};
std::vector<PodSecurityViolation> pod_security_violations(const PodSecurityStandard& standard, const Value& metadata,
                                                          const Value& spec);

// "host namespaces (hostNetwork=true), privileged (…)", and the reasons alone.
std::string violation_details(const std::vector<PodSecurityViolation>& violations);
std::string violation_reasons(const std::vector<PodSecurityViolation>& violations);

}  // namespace minik::control
