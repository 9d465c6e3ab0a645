#include "runtime/container/capabilities.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

constexpr const char* kDefaultCapabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER",          "CAP_MKNOD",
    "CAP_NET_RAW", "CAP_SETGID",      "CAP_SETUID", "CAP_SETFCAP",         "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"};

int last_capability() {
  int last = CAP_LAST_CAP;
  while (last > 0 && prctl(PR_CAPBSET_READ, last, 0, 0, 0) < 0) --last;
  return last;
}

std::string full_name(std::string_view name) {
  std::string upper;
  for (const char c : name) upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return upper.starts_with("CAP_") ? upper : cat("CAP_", upper);
}

// Those that this process has itself, by their numbers: nobody can give away more, and in a container or a sandbox of
// somebody else's some are missing.
std::vector<int> own_capabilities() {
  std::vector<int> held;
  const cap_t own = cap_get_proc();
  for (int i = 0; own && i <= last_capability(); ++i) {
    cap_flag_value_t permitted = CAP_CLEAR;
    if (cap_get_flag(own, i, CAP_PERMITTED, &permitted) == 0 && permitted == CAP_SET) held.push_back(i);
  }
  cap_free(own);
  return held;
}

std::vector<std::string> own_names() {
  std::vector<std::string> names;
  for (const int number : own_capabilities()) {
    char* name = cap_to_name(number);
    names.push_back(full_name(name));
    cap_free(name);
  }
  return names;
}

int number_of(const std::string& name) {
  cap_value_t value = 0;
  return cap_from_name(to_lower(name).c_str(), &value) == 0 ? value : -1;
}

}  // namespace

Result<std::vector<std::string>> capability_set(const std::vector<std::string>& add,
                                                const std::vector<std::string>& drop, bool privileged) {
  if (privileged) return own_names();
  std::vector<std::string> set(std::begin(kDefaultCapabilities), std::end(kDefaultCapabilities));
  const auto is_all = [](const std::string& name) { return full_name(name) == "CAP_ALL"; };
  if (std::ranges::any_of(drop, is_all)) set.clear();
  if (std::ranges::any_of(add, is_all)) set = own_names();
  for (const auto& name : drop) std::erase(set, full_name(name));
  for (const auto& name : add) {
    if (is_all(name)) continue;
    const std::string full = full_name(name);
    if (number_of(full) < 0) return Error(ErrorCode::kInvalid, cat("unknown capability ", minik::quoted(name)));
    if (std::ranges::find(set, full) == set.end()) set.push_back(full);
  }
  return set;
}

Status drop_bounding_set(const std::vector<std::string>& keep) {
  std::vector<int> kept;
  for (const auto& name : keep) kept.push_back(number_of(name));
  for (int i = 0; i <= last_capability(); ++i) {
    if (std::ranges::find(kept, i) != kept.end()) continue;
    if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) return error_from_errno(errno, "drop capability");
  }
  return {};
}

Status set_capabilities(const std::vector<std::string>& keep, bool root) {
  // What this process lacks cannot be given: it is left out, as runc does, for there are machines without some of them.
  const auto own = own_capabilities();
  std::vector<cap_value_t> values;
  for (const auto& name : keep) {
    if (const int n = number_of(name); std::ranges::find(own, n) != own.end()) values.push_back(n);
  }
  const cap_t caps = cap_init();
  const auto count = static_cast<int>(values.size());
  cap_set_flag(caps, CAP_PERMITTED, count, values.data(), CAP_SET);
  // A container's user other than root starts without any, as with every CRI runtime.
  if (root) {
    cap_set_flag(caps, CAP_EFFECTIVE, count, values.data(), CAP_SET);
    cap_set_flag(caps, CAP_INHERITABLE, 0, values.data(), CAP_SET);
  } else {
    cap_clear(caps);
  }
  const int result = cap_set_proc(caps);
  const int error = errno;
  cap_free(caps);
  if (result != 0) return error_from_errno(error, "set capabilities");
  return {};
}

}  // namespace minik::runtime
