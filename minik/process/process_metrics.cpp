#include "minik/process/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik {

namespace {

Duration cpu_time() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) { return seconds(t.tv_sec) + microseconds(t.tv_usec); };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Field of /proc/self/stat, counted from 1; those before the command's closing bracket are not asked for.
int64_t stat_field(size_t field) {
  const auto text = runtime::read_whole_file("/proc/self/stat");
  if (!text) return 0;
  const auto fields = split(std::string_view(*text).substr(text->rfind(')') + 2), ' ');
  return field - 3 < fields.size() ? parse_int64(fields[field - 3]).value_or(0) : 0;
}

WallTime started_at() {
  constexpr size_t kStartTime = 22;  // clock ticks after the boot
  timespec since_boot{}, now{};
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t boot_ns = seconds(now.tv_sec - since_boot.tv_sec).ns + now.tv_nsec - since_boot.tv_nsec;
  return WallTime{boot_ns + stat_field(kStartTime) * (1'000'000'000 / sysconf(_SC_CLK_TCK))};
}

int64_t open_files() {
  std::error_code error;
  int64_t count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error))
    ++count;
  return count;
}

}  // namespace

MetricRegistry::Collector collect_process_metrics(MetricRegistry& registry, const std::string& version) {
  constexpr size_t kVirtualBytes = 23, kResidentPages = 24;
  auto& cpu = registry.counter("process_cpu_seconds_total", "CPU time of the process, in user and kernel mode.", {},
                               MetricUnit::kSeconds);
  auto& resident = registry.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.");
  auto& virtual_ = registry.gauge("process_virtual_memory_bytes", "Address space of the process.");
  auto& files = registry.gauge("process_open_fds", "Open file descriptors.");
  rlimit files_limit{};
  getrlimit(RLIMIT_NOFILE, &files_limit);
  registry.gauge("process_max_fds", "Open file descriptors that the process may have.")
      .set(static_cast<int64_t>(std::min<rlim_t>(files_limit.rlim_cur, INT64_MAX)));
  registry.gauge("process_start_time_seconds", "When the process was started, in Unix time.", {}, MetricUnit::kSeconds)
      .set(started_at().ns);
  registry
      .gauge("kubernetes_build_info", "The Kubernetes version that is served; always 1.",
             {{"git_version", version}, {"platform", "linux"}})
      .set(1);
  return registry.collect([&cpu, &resident, &virtual_, &files] {
    cpu.add(static_cast<uint64_t>(cpu_time().ns) - cpu.value());
    resident.set(stat_field(kResidentPages) * sysconf(_SC_PAGESIZE));
    virtual_.set(stat_field(kVirtualBytes));
    files.set(open_files());
  });
}

}  // namespace minik
