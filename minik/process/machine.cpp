#include "minik/process/machine.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "runtime/container/files.h"

namespace minik {

namespace {

std::string line_of(const std::string& path, std::string_view key) {
  const auto text = runtime::read_whole_file(path);
  if (!text) return {};
  for (const auto line : split(*text, '\n')) {
    if (!line.starts_with(key)) continue;
    auto value = trim(line.substr(key.size()));
    if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return {};
}

int64_t number_of(const std::string& path) {
  const auto text = runtime::read_whole_file(path);
  return text ? parse_int64(trim(*text)).value_or(0) : 0;
}

}  // namespace

control::KubeletConfig node_config(const std::string& name, const std::string& directory) {
  control::KubeletConfig config;
  config.node_name = name;
  config.labels["node-role.kubernetes.io/control-plane"] = "";
  config.milli_cpu = sysconf(_SC_NPROCESSORS_ONLN) * 1000;
  struct sysinfo memory {};
  sysinfo(&memory);
  config.memory_bytes = static_cast<int64_t>(memory.totalram) * memory.mem_unit;
  config.processes_max = std::min(number_of("/proc/sys/kernel/pid_max"), number_of("/proc/sys/kernel/threads-max"));
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) == 0) {
    config.ephemeral_bytes =
        static_cast<int64_t>(disk.f_blocks) * static_cast<int64_t>(disk.f_frsize);
  }
  utsname system{};
  uname(&system);
  namespace keys = control::keys;
  const auto machine = runtime::read_whole_file("/etc/machine-id");
  const auto boot = runtime::read_whole_file("/proc/sys/kernel/random/boot_id");
  const std::string architecture =
      std::string_view(system.machine) == "aarch64" ? "arm64" : "amd64";
  config.node_info = control::Value::map(
      {{keys::kArchitecture, architecture},
       {keys::kKernelVersion, std::string_view(system.release)},
       {keys::kOsImage, line_of("/etc/os-release", "PRETTY_NAME=")},
       {keys::kMachineID, machine ? std::string(trim(*machine)) : std::string()},
       {keys::kSystemUUID, machine ? std::string(trim(*machine)) : std::string()},
       {keys::kBootID, boot ? std::string(trim(*boot)) : std::string()}});
  const auto resolv = runtime::read_whole_file("/etc/resolv.conf");
  if (resolv) {
    for (const auto line : split(*resolv, '\n')) {
      if (line.starts_with("nameserver "))
        config.host_dns_servers.emplace_back(trim(line.substr(11)));
    }
  }
  config.read_machine = read_machine;
  return config;
}

control::MachineReading read_machine() {
  control::MachineReading reading;
  // "cpu  user nice system idle iowait irq softirq steal …", in ticks.
  const std::string ticks = line_of("/proc/stat", "cpu ");
  constexpr bool kBusy[] = {true, true, true, false, false, true, true, true};
  int64_t busy = 0;
  size_t field = 0;
  for (const auto word : split(ticks, ' ')) {
    if (word.empty() || field >= std::size(kBusy)) continue;
    if (kBusy[field++]) busy += parse_int64(word).value_or(0);
  }
  reading.cpu_usage_ns = busy * (1'000'000'000 / sysconf(_SC_CLK_TCK));
  const auto kib = [](const char* key) {
    const std::string text = line_of("/proc/meminfo", key);
    return parse_int64(text.substr(0, text.find(' '))).value_or(0);
  };
  reading.memory_working_set_bytes = (kib("MemTotal:") - kib("MemAvailable:")) * 1024;
  struct sysinfo now {};
  if (sysinfo(&now) == 0) reading.processes = now.procs;
  return reading;
}

}  // namespace minik
