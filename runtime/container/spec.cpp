#include "runtime/container/spec.h"

#include <algorithm>

#include "control/base/text.h"
#include "runtime/container/codec.h"

namespace minik::runtime {

namespace {
constexpr std::string_view kMagic = "minik-container-6";
}

void order_mounts(std::vector<MountSpec>& mounts) {
  const auto depth = [](const MountSpec& mount) {
    const auto parts = split(mount.target, '/');
    return std::ranges::count_if(parts, [](std::string_view part) { return !part.empty() && part != "."; });
  };
  std::ranges::stable_sort(mounts, {}, depth);
}

std::string encode_spec(const ContainerSpec& s) {
  Writer w;
  w.put(kMagic).put(s.id).put(s.args).put(s.env).put(s.cwd).put(s.user).put(s.supplementary_groups).put(int64_t{s.image_groups});
  w.put(s.lower_directories).put(int64_t{s.user_xattr}).put(int64_t{s.read_only_root});
  w.put(static_cast<int64_t>(s.mounts.size()));
  for (const auto& m : s.mounts) {
    w.put(m.type).put(m.source).put(m.sub_path).put(m.target).put(int64_t{m.read_only}).put(m.propagation).put(m.size_bytes);
    w.put(int64_t{m.shows_devices});
  }
  w.put(s.capabilities).put(int64_t{s.privileged}).put(int64_t{s.no_new_privileges}).put(int64_t{s.seccomp}).put(s.seccomp_profile);
  w.put(int64_t{s.terminal}).put(int64_t{s.stdin_open}).put(int64_t{s.stdin_once}).put(s.log_path).put(s.namespace_directory);
  w.put(int64_t{s.host_pid}).put(s.pid_namespace).put(s.cgroup).put(s.memory_limit_bytes).put(s.cpu_shares).put(s.cpu_quota_us);
  w.put(s.cpu_period_us).put(s.pids_limit).put(s.oom_score_adj);
  return std::move(w).take();
}

Result<ContainerSpec> decode_spec(std::string_view bytes) {
  Reader r(bytes);
  ContainerSpec s;
  const bool known = r.text() == kMagic;
  s.id = r.text();
  s.args = r.texts();
  s.env = r.texts();
  s.cwd = r.text();
  s.user = r.text();
  s.supplementary_groups = r.numbers();
  s.image_groups = r.flag();
  s.lower_directories = r.texts();
  s.user_xattr = r.flag();
  s.read_only_root = r.flag();
  for (int64_t left = r.count(); left > 0 && r.ok(); --left) {
    MountSpec m;
    m.type = r.text();
    m.source = r.text();
    m.sub_path = r.text();
    m.target = r.text();
    m.read_only = r.flag();
    m.propagation = r.text();
    m.size_bytes = r.number();
    m.shows_devices = r.flag();
    s.mounts.push_back(std::move(m));
  }
  s.capabilities = r.texts();
  s.privileged = r.flag();
  s.no_new_privileges = r.flag();
  s.seccomp = r.flag();
  s.seccomp_profile = r.text();
  s.terminal = r.flag();
  s.stdin_open = r.flag();
  s.stdin_once = r.flag();
  s.log_path = r.text();
  s.namespace_directory = r.text();
  s.host_pid = r.flag();
  s.pid_namespace = r.text();
  s.cgroup = r.text();
  s.memory_limit_bytes = r.number();
  s.cpu_shares = r.number();
  s.cpu_quota_us = r.number();
  s.cpu_period_us = r.number();
  s.pids_limit = r.number();
  s.oom_score_adj = r.number();
  if (!known || !r.finished()) return Error(ErrorCode::kInvalid, "the container's configuration is damaged");
  return s;
}

}  // namespace minik::runtime
