// What a container is started with: plain values that the engine writes to disk and the shim reads.
//
// Paths are the machine's unless they say otherwise. Everything is resolved beforehand except what only
// the root filesystem knows: user names and the program's place in PATH.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

struct MountSpec {
  // "bind", "tmpfs" or "own": the image's directory at the target, which stays writable whatever the root becomes.
  std::string type;
  std::string source;  // of a bind
  std::string sub_path;  // of a bind: the part of the source that is mounted; one that leads out of it is refused
  std::string target;  // in the container
  bool read_only = false;
  std::string propagation;  // "", "rslave" or "rshared"
  int64_t size_bytes = 0;   // of a tmpfs; 0: half of memory
  bool shows_devices = false;  // of a bind: the machine's device nodes in it are such, as far as the container may open them
};

struct ContainerSpec {
  std::string id;
  std::vector<std::string> args;
  std::vector<std::string> env;  // "NAME=value"
  std::string cwd;
  std::string user;  // "uid", "name", "uid:gid", "name:group" as images have it
  std::vector<int64_t> supplementary_groups;
  bool image_groups = true;  // also those that the image's /etc/group puts the user into
  std::vector<std::string> lower_directories;  // topmost first
  bool user_xattr = false;
  bool read_only_root = false;
  std::vector<MountSpec> mounts;
  std::vector<std::string> capabilities;  // "CAP_CHOWN", the whole set
  bool privileged = false;
  bool no_new_privileges = false;
  bool seccomp = true;
  std::string seccomp_profile;  // one of the user's own (seccomp_profile.h), encoded; empty: the default filter
  bool terminal = false;
  bool stdin_open = false;
  bool stdin_once = false;  // the first attached input's end is the container's too
  std::string log_path;
  std::string namespace_directory;  // of the sandbox: ipc, uts and net files
  bool host_pid = false;
  std::string pid_namespace;  // path of another container's, whose processes this one sees; empty: its own
  std::string cgroup;  // relative, "minik/<pod>/<container>"
  int64_t memory_limit_bytes = 0;
  int64_t cpu_shares = 0;
  int64_t cpu_quota_us = 0;
  int64_t cpu_period_us = 100000;
  int64_t pids_limit = 0;
  int64_t oom_score_adj = 0;
  // Whether its control group confines devices. The shim finds out; it is not part of the file.
  bool devices_confined = false;
};

// Outer mounts before those inside of them, otherwise as given: a mount hides what was mounted below its target before.
void order_mounts(std::vector<MountSpec>& mounts);

// A length-prefixed form for the file between engine and shim; decode accepts only what encode makes.
std::string encode_spec(const ContainerSpec& spec);
Result<ContainerSpec> decode_spec(std::string_view bytes);

}  // namespace minik::runtime
