// The audit log of a simulated run.
#pragma once

#include <string>

namespace minik::sim {
struct RunOptions;
}

namespace minik::cli {

struct AuditFlags {
  std::string log, policy;
};

// Lines of audit.k8s.io/v1 Events into flags.log, as the daemon's audit log has them; nothing without one. Ends
// the program with exit code 2 when the policy is not valid.
void audit_into(const AuditFlags& flags, sim::RunOptions& options);

}  // namespace minik::cli
