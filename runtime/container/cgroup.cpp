#include "runtime/container/cgroup.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>

#include "control/base/text.h"
#include "runtime/container/devices.h"
#include "runtime/container/files.h"

namespace minik::runtime {

namespace {

constexpr const char* kV1Controllers[] = {"memory", "cpu", "cpuacct", "pids", "freezer", "devices"};

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

int64_t number_in(const std::string& path) {
  const auto text = read_whole_file(path);
  return text ? parse_int64(trim(*text)).value_or(0) : 0;
}

// A line "name number" of a flat keyed file.
int64_t keyed(const std::string& path, std::string_view name) {
  const auto text = read_whole_file(path);
  if (!text) return 0;
  for (const auto line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2 && words[0] == name) return parse_int64(words[1]).value_or(0);
  }
  return 0;
}

std::vector<int> members_of(const std::string& directory) {
  std::vector<int> pids;
  const auto text = read_whole_file(directory + "/cgroup.procs");
  if (!text) return pids;
  for (const auto line : split(*text, '\n')) {
    // 0 is somebody whom this PID namespace does not know.
    if (const auto pid = parse_int64(line); pid && *pid > 0) pids.push_back(static_cast<int>(*pid));
  }
  return pids;
}

}  // namespace

Cgroup::Cgroup(std::string root, std::string path)
    : root_(std::move(root)), path_(std::move(path)), version2_(exists(root_ + "/cgroup.controllers")) {}

std::string Cgroup::directory(const std::string& controller) const {
  return version2_ ? cat(root_, "/", path_) : cat(root_, "/", controller, "/", path_);
}

std::vector<std::string> Cgroup::directories() const {
  if (version2_) return {directory("")};
  std::vector<std::string> all;
  for (const auto* controller : kV1Controllers) {
    if (!exists(cat(root_, "/", controller))) continue;
    const std::string path = directory(controller);
    // cpu and cpuacct are often one hierarchy under two names.
    std::error_code error;
    const bool same = std::ranges::any_of(all, [&](const std::string& other) {
      return std::filesystem::equivalent(std::filesystem::path(other), path, error);
    });
    if (!same) all.push_back(path);
  }
  return all;
}

Status Cgroup::create() const {
  for (const auto& path : directories()) MINIK_TRY(make_directories(path));
  if (!version2_) return {};
  // Controllers reach a group only when every group above hands them down.
  std::string at = root_;
  for (const auto part : split(path_, '/')) {
    for (const auto* controller : {"+memory", "+cpu", "+pids"}) {
      (void)write_kernel_file(at + "/cgroup.subtree_control", controller).ok();
    }
    at += cat("/", part);
  }
  return {};
}

int64_t Cgroup::weight_of_shares(int64_t shares) {
  if (shares == 0) return 0;
  const int64_t bounded = std::clamp<int64_t>(shares, 2, 262144);
  return 1 + (bounded - 2) * 9999 / 262142;
}

Result<std::vector<std::string>> Cgroup::set(const CgroupLimits& limits) const {
  std::vector<std::string> missing;
  const auto put = [&](const char* controller, const std::string& file, const std::string& value) -> Status {
    const std::string path = cat(directory(controller), "/", file);
    if (!exists(path)) {
      missing.emplace_back(controller);
      return {};
    }
    return write_kernel_file(path, value);
  };
  if (limits.memory_bytes > 0) {
    MINIK_TRY(put("memory", version2_ ? "memory.max" : "memory.limit_in_bytes", cat(limits.memory_bytes)));
  }
  if (limits.cpu_shares > 0) {
    MINIK_TRY(version2_ ? put("cpu", "cpu.weight", cat(weight_of_shares(limits.cpu_shares)))
                        : put("cpu", "cpu.shares", cat(std::max<int64_t>(2, limits.cpu_shares))));
  }
  if (limits.cpu_quota_us > 0) {
    if (version2_) {
      MINIK_TRY(put("cpu", "cpu.max", cat(limits.cpu_quota_us, " ", limits.cpu_period_us)));
    } else {
      MINIK_TRY(put("cpu", "cpu.cfs_period_us", cat(limits.cpu_period_us)));
      MINIK_TRY(put("cpu", "cpu.cfs_quota_us", cat(limits.cpu_quota_us)));
    }
  }
  if (limits.pids > 0) MINIK_TRY(put("pids", "pids.max", cat(limits.pids)));
  return missing;
}

Status Cgroup::add(int pid) const {
  for (const auto& path : directories()) MINIK_TRY(write_kernel_file(path + "/cgroup.procs", cat(pid)));
  return {};
}

Status Cgroup::confine_devices() const {
  if (version2_) return attach_device_program(directory(""), default_device_rules());
  const std::string at = directory("devices");
  MINIK_TRY(write_kernel_file(at + "/devices.deny", "a"));
  for (const auto& rule : default_device_rules()) {
    // What minik itself may not, on a machine that is a container, it cannot allow: that device stays closed.
    (void)write_kernel_file(at + "/devices.allow", device_line(rule)).ok();
  }
  return {};
}

std::vector<CgroupView> Cgroup::views() const {
  if (version2_) return {{"", directory("")}};
  std::vector<CgroupView> all;
  for (const auto* controller : kV1Controllers) {
    if (exists(directory(controller))) all.push_back({controller, directory(controller)});
  }
  return all;
}

std::vector<int> Cgroup::members() const {
  const auto all = directories();
  return all.empty() ? std::vector<int>() : members_of(all.front());
}

std::vector<int> Cgroup::members_with_below() const {
  const auto all = directories();
  if (all.empty()) return {};
  std::vector<int> pids = members_of(all.front());
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(all.front(), error), end; !error && at != end; at.increment(error)) {
    if (!at->is_directory(error)) continue;
    for (const int pid : members_of(at->path())) pids.push_back(pid);
  }
  return pids;
}

void Cgroup::kill() const {
  if (version2_ && write_kernel_file(directory("") + "/cgroup.kill", "1").ok()) return;
  // Who is to die makes no more children, but may have made one since the members were read: again until nobody is new.
  constexpr int kRounds = 1000;
  std::set<int> told;
  for (int round = 0; round < kRounds; ++round) {
    bool is_new = false;
    for (const int pid : members_with_below()) {
      if (!told.insert(pid).second) continue;
      is_new = true;
      ::kill(pid, SIGKILL);
    }
    if (!is_new) return;
  }
}

CgroupStats Cgroup::stats() const {
  CgroupStats stats;
  if (version2_) {
    const std::string at = directory("");
    stats.cpu_usage_ns = keyed(at + "/cpu.stat", "usage_usec") * 1000;
    stats.memory_usage_bytes = number_in(at + "/memory.current");
    stats.memory_working_set_bytes = stats.memory_usage_bytes - keyed(at + "/memory.stat", "inactive_file");
    stats.pids = number_in(at + "/pids.current");
  } else {
    stats.cpu_usage_ns = number_in(directory("cpuacct") + "/cpuacct.usage");
    stats.memory_usage_bytes = number_in(directory("memory") + "/memory.usage_in_bytes");
    stats.memory_working_set_bytes =
        stats.memory_usage_bytes - keyed(directory("memory") + "/memory.stat", "total_inactive_file");
    stats.pids = number_in(directory("pids") + "/pids.current");
  }
  stats.memory_working_set_bytes = std::max<int64_t>(0, stats.memory_working_set_bytes);
  return stats;
}

int64_t Cgroup::oom_kills() const {
  return version2_ ? keyed(directory("") + "/memory.events", "oom_kill")
                   : keyed(directory("memory") + "/memory.oom_control", "oom_kill");
}

Status Cgroup::remove() const {
  for (const auto& path : directories()) {
    std::error_code error;
    std::vector<std::string> below;
    for (std::filesystem::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
      if (at->is_directory(error)) below.push_back(at->path());
    }
    const auto remove_all = [&] {
      for (auto child = below.rbegin(); child != below.rend(); ++child) rmdir(child->c_str());
      return rmdir(path.c_str());
    };
    // A killed member counts until the kernel has let go of it.
    constexpr int kTries = 500;
    int left = kTries;
    while (remove_all() != 0 && errno != ENOENT) {
      if (errno != EBUSY || --left == 0) return error_from_errno(errno, cat("rmdir ", path));
      usleep(2000);
    }
  }
  return {};
}

}  // namespace minik::runtime
