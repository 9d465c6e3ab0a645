// A system call filter of the user's own, as the OCI runtime specification writes it in JSON (linux.seccomp): what happens
// to a call that no rule names, and rules by name with conditions on arguments.
//
// As runc and containerd read it: calls that this machine does not know are left out, fields that are not the
// specification's (Docker's includes and excludes) have no effect, several conditions on one argument are alternatives.
// SCMP_ACT_NOTIFY, which needs a supervisor, is refused. parse is pure and takes any bytes; numbers are libseccomp's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

struct SeccompCondition {
  int64_t argument = 0, comparison = 0, value = 0, value_two = 0;
};

struct SeccompRule {
  std::vector<std::string> names;
  int64_t action = 0;
  std::vector<SeccompCondition> conditions;
};

struct SeccompProfile {
  int64_t default_action = 0;
  std::vector<int64_t> architectures;
  bool log = false;  // what is refused
  std::vector<SeccompRule> rules;
};

Result<SeccompProfile> parse_seccomp_profile(std::string_view json);
// For the file between engine and shim; decode accepts only what encode makes.
std::string encode_seccomp_profile(const SeccompProfile& profile);
Result<SeccompProfile> decode_seccomp_profile(std::string_view bytes);
// Loads the filter into the calling process; needs no_new_privs or CAP_SYS_ADMIN.
Status load_seccomp_profile(const SeccompProfile& profile);

}  // namespace minik::runtime
