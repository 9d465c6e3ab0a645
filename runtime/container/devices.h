// Which device nodes a container may make and open: the list that runc gives every container. Nodes of any kind may be made,
// as archives have them; opened may be those that all containers have in /dev, and terminals.
//
// Control groups carry it: version 1 by lines in devices.allow, version 2 by a program that the kernel runs at each such
// access (BPF_PROG_TYPE_CGROUP_DEVICE). Both are made from the same rules. Documentation/admin-guide/cgroup-v1/devices.rst.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

struct DeviceRule {
  static constexpr int64_t kAny = -1;
  char type;  // 'c' or 'b'
  int64_t major, minor;
  bool make, open;
};

std::span<const DeviceRule> default_device_rules();

// "c 1:3 rwm"
std::string device_line(const DeviceRule& rule);
// Answers 1 to what one of the rules allows, to everything else 0.
std::vector<bpf_insn> device_program(std::span<const DeviceRule> rules);
// Puts the program in force for the members of a version 2 group, until the group is gone.
Status attach_device_program(const std::string& group_directory, std::span<const DeviceRule> rules);

}  // namespace minik::runtime
