// The audit log on the disk: a line of JSON for each event (audit.k8s.io/v1 Event) in audit.log of the profile's
// folder. A full file becomes audit.log.1, that one audit.log.2, and so on up to a last one that goes.
//
// Records come from any thread and wait in a bounded queue for the one thread that makes documents of them and
// writes: nobody who answers requests ever waits for the disk. What does not fit any more is dropped and counted.
// Written when the thread comes to it, not made durable: an audit log tells, it is not the store.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/audit/auditor.h"
#include "control/base/metrics.h"
#include "minik/process/profile.h"

namespace minik {

struct AuditLogOptions {
  std::string path;
  size_t file_bytes_max = size_t{32} << 20;
  int old_files_max = 3;
  // Records that wait, counted with the bodies that they hold.
  size_t queue_bytes_max = size_t{64} << 20;
};

class AuditLog {
 public:
  static Result<std::unique_ptr<AuditLog>> open(AuditLogOptions options);
  ~AuditLog();  // after everything that waits has been written
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void write(control::AuditRecord record);
  // Counts under kube-apiserver's names.
  MetricRegistry::Collector collect(MetricRegistry& metrics) const;

 private:
  struct Shared;
  explicit AuditLog(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

// `minik start --audit-policy FILE`: checks the file, an audit.k8s.io/v1 Policy, and makes it the profile's own.
Status keep_audit_policy(const Profile& profile, const std::string& path);
// What the cluster is to be started with; none: no audit log.
Result<std::optional<control::AuditPolicy>> kept_audit_policy(const Profile& profile);
// The typed reading of a policy's text; `name` stands before the line in errors.
Result<control::AuditPolicy> parse_audit_policy(std::string_view text, std::string_view name);

}  // namespace minik
