// Profile: where one cluster keeps its files, and what it was started with.
//
//   $MINIK_HOME (default ~/.minik)/<profile>/
//     config          ports and sizes that the next start keeps
//     scheduler.yaml  the scheduler's configuration, when it was given one
//     pki/ state.db   keys, the store
//     run/            daemon.pid, control files, the container engine's state
//     images/         OCI image layout; pods/, logs/, daemon.log
#pragma once

#include <cstdint>
#include <string>

#include "control/base/result.h"

namespace minik {

struct Profile {
  std::string name = "minik";
  std::string directory;
  uint16_t api_port = 0;  // 0: chosen at the first start, kept while it is free
  uint16_t ingress_port = 0;
  uint16_t ingress_tls_port = 0;

  std::string pki() const { return directory + "/pki"; }
  std::string database() const { return directory + "/state.db"; }
  std::string run() const { return directory + "/run"; }
  std::string images() const { return directory + "/images"; }
  std::string pods() const { return directory + "/pods"; }
  std::string logs() const { return directory + "/logs"; }
  std::string scheduler_config() const { return directory + "/scheduler.yaml"; }
  std::string token_file() const { return directory + "/tokens.csv"; }
  std::string eviction_hard() const { return directory + "/eviction-hard"; }
  std::string audit_policy() const { return directory + "/audit-policy.yaml"; }
  std::string audit_log() const { return directory + "/audit.log"; }
  std::string daemon_log() const { return directory + "/daemon.log"; }
  std::string pid_file() const { return run() + "/daemon.pid"; }
  bool exists() const;

  // Reads the kept configuration; a profile that was never started has defaults. Another user's is an error.
  static Result<Profile> open(const std::string& name);
  Status save() const;
};

// The daemon's process id while it runs, else 0. A stale file of a killed daemon counts as not
// running.
int daemon_pid(const Profile& profile);

}  // namespace minik
