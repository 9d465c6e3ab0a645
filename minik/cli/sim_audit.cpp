#include "minik/cli/sim_audit.h"

#include <fstream>
#include <memory>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/simulation.h"
#include "minik/process/audit_log.h"
#include "runtime/container/files.h"
#include "sim/run.h"

namespace minik::cli {

void audit_into(const AuditFlags& flags, sim::RunOptions& options) {
  // What changes something, but not what nodes and controllers report all the time.
  constexpr std::string_view kChanges = R"(
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, verbs: [get, list, watch]}
- {level: None, resources: [{group: "", resources: [events, "*/status"]}, {group: events.k8s.io}, {group: coordination.k8s.io}]}
- {level: None, resources: [{group: apps, resources: ["*/status"]}, {group: discovery.k8s.io}]}
- {level: Request}
)";
  if (flags.log.empty() && flags.policy.empty()) return;
  if (flags.log.empty()) fail(Error(ErrorCode::kBadRequest, "--audit-policy is for --audit-log FILE"), kNotValid);
  const std::string text = flags.policy.empty() ? std::string(kChanges) : value_or_fail(runtime::read_whole_file(flags.policy));
  auto policy = parse_audit_policy(text, flags.policy);
  if (!policy) fail(policy.error(), kNotValid);
  options.audit_policy = *std::move(policy);
  auto file = std::make_shared<std::ofstream>(flags.log, std::ios::binary | std::ios::trunc);
  if (!*file) fail(Error(ErrorCode::kInternalError, cat("cannot write ", flags.log, ": is its folder there?")));
  options.audit = [file](const control::AuditRecord& record) { *file << control::to_json(control::audit_event(record)) << "\n"; };
}

}  // namespace minik::cli
