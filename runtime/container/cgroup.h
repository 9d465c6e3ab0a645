// Control groups, version 1 and 2: limits, members, statistics, out-of-memory.
//
// A Cgroup is a path below the hierarchies of the machine; under version 1 it is one directory per
// controller, under version 2 one directory. The root is handed in, so that version 2's code runs
// against a recorded tree. A controller that is missing is skipped: limits() says what could not be set,
// and the caller decides whether that matters. Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

struct CgroupLimits {
  int64_t memory_bytes = 0;  // 0: none, for each
  int64_t cpu_shares = 0;
  int64_t cpu_quota_us = 0;
  int64_t cpu_period_us = 100000;
  int64_t pids = 0;
};

struct CgroupStats {
  int64_t cpu_usage_ns = 0;
  int64_t memory_usage_bytes = 0;
  int64_t memory_working_set_bytes = 0;  // usage without the inactive file cache, as kubelet counts
  int64_t pids = 0;
};

// Where a group shows itself: under version 1 by controller, under version 2 once and without a name.
struct CgroupView {
  std::string controller, directory;
};

class Cgroup {
 public:
  Cgroup(std::string root, std::string path);

  static constexpr const char* kDefaultRoot = "/sys/fs/cgroup";
  bool version2() const { return version2_; }

  // Creates the directories; idempotent.
  Status create() const;
  // Answers the controllers that a wanted limit needs and the machine lacks.
  Result<std::vector<std::string>> set(const CgroupLimits& limits) const;
  Status add(int pid) const;  // 0: the caller
  // Members open only the devices that every container has (devices.h). Fails where the machine has no controller for it.
  Status confine_devices() const;
  std::vector<CgroupView> views() const;
  std::vector<int> members() const;
  // SIGKILL to every member, also of groups below and those that come meanwhile.
  void kill() const;
  CgroupStats stats() const;
  // How often the kernel has killed a member for memory.
  int64_t oom_kills() const;
  // Only empty groups can be removed, those of killed members after a moment; the ones below go first.
  Status remove() const;

  // cpu.shares (2 to 262144) as cpu.weight (1 to 10000), as runc converts.
  static int64_t weight_of_shares(int64_t shares);

 private:
  std::string directory(const std::string& controller) const;
  std::vector<std::string> directories() const;
  std::vector<int> members_with_below() const;

  std::string root_, path_;
  bool version2_;
};

}  // namespace minik::runtime
