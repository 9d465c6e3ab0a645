#include "minik/process/cluster_end.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>

#include "control/base/text.h"
#include "minik/process/node_network.h"
#include "runtime/container/engine.h"
#include "runtime/container/files.h"
#include "runtime/container/signal_names.h"
#include "runtime/network/network_namespace.h"

namespace minik {

namespace {

using runtime::ContainerInfo;
using runtime::ContainerPhase;

constexpr Duration kSaysAfter = seconds(1);
// Beyond what containers are given: for hooks, the kernel, and the daemon's own end.
constexpr Duration kDaemonReserve = seconds(15);
constexpr Duration kKillReserve = seconds(2);  // from SIGKILL to the record of the end

using Clock = std::chrono::steady_clock;

Duration since(Clock::time_point begun) { return {std::chrono::nanoseconds(Clock::now() - begun).count()}; }

std::string noted(const ContainerInfo& info, const char* name) {
  const auto found = info.annotations.find(name);
  return found == info.annotations.end() ? std::string() : found->second;
}

std::vector<std::string> pods_of(const std::vector<ContainerInfo>& containers) {
  std::set<std::string> pods;
  for (const auto& info : containers) {
    const std::string pod = noted(info, "io.kubernetes.pod.name");
    pods.insert(pod.empty() ? noted(info, "minik.name") : cat(noted(info, "io.kubernetes.pod.namespace"), "/", pod));
  }
  return {pods.begin(), pods.end()};
}

std::string state_directory(const Profile& profile) { return profile.run() + "/containers"; }

// Until it is so, or for so long; `waits` is told after a second of whom `running` still names.
bool wait_until(const std::function<bool()>& condition, Duration limit, const std::function<std::vector<ContainerInfo>()>& running,
                const WaitListener& waits) {
  const auto begun = Clock::now();
  for (bool said = false;;) {
    if (condition()) return true;
    const Duration took = since(begun);
    if (took >= limit) return false;
    if (!said && waits && took >= kSaysAfter) {
      said = true;
      if (const auto pods = pods_of(running()); !pods.empty()) waits(pods);
    }
    usleep(10'000);
  }
}

std::vector<ContainerInfo> recorded_as_running(const Profile& profile) {
  auto all = runtime::Engine::recorded_containers(state_directory(profile));
  std::erase_if(all, [](const ContainerInfo& info) { return info.started.ns == 0 || info.phase == ContainerPhase::kExited; });
  return all;
}

std::vector<ContainerInfo> running_in(const runtime::Engine& engine) {
  auto all = engine.containers();
  std::erase_if(all, [](const ContainerInfo& info) { return info.phase != ContainerPhase::kRunning; });
  return all;
}

// All at once; each is killed when its pod's grace is over.
void ask_to_end(runtime::Engine& engine, const WaitListener& waits) {
  const auto begun = Clock::now();
  std::map<std::string, Duration> graces;  // of those that have not been killed
  for (const auto& info : running_in(engine)) {
    (void)engine.signal_container(info.id, runtime::parse_signal(noted(info, "minik.stop-signal")).value_or(SIGTERM)).ok();
    const Duration grace = seconds(parse_int64(noted(info, "io.kubernetes.pod.terminationGracePeriod")).value_or(30));
    graces.emplace(info.id, std::min(grace, kShutdownMost));
  }
  const auto all_ended = [&] {
    const auto running = running_in(engine);
    for (const auto& info : running) {
      const auto grace = graces.find(info.id);
      if (grace == graces.end() || since(begun) < grace->second) continue;
      (void)engine.signal_container(info.id, SIGKILL).ok();
      graces.erase(grace);
    }
    return running.empty();
  };
  wait_until(all_ended, kShutdownMost + kKillReserve, [&] { return running_in(engine); }, waits);
}

// What runs on the machine for a cluster whose daemon has ended: `each` has done with a sandbox; then what all share goes.
Status end_node(const Profile& profile, const std::function<Status(runtime::Engine&, const std::string& sandbox)>& each,
                const std::function<void(runtime::Engine&)>& before) {
  if (access(state_directory(profile).c_str(), F_OK) != 0) return {};
  MINIK_ASSIGN(const auto engine, runtime::Engine::open(state_directory(profile), cat("minik/", profile.name),
                                                        [](const std::string&, const std::string&) {}));
  MINIK_ASSIGN(const auto network, NodeNetwork::open(profile.run() + "/network"));
  before(*engine);
  // All that can go, whatever becomes of one; the first failure is the answer.
  Status all;
  const auto note = [&all](Status status) {
    if (all.ok()) all = std::move(status);
  };
  for (const auto& sandbox : engine->sandboxes()) {
    note(each(*engine, sandbox.config.id));
    note(network->detach(sandbox.config.id));
  }
  wait_until([&] { return running_in(*engine).empty(); }, kKillReserve, {}, {});
  // Nobody will see it again, and on a full disk this is the way to more space.
  for (const auto& info : engine->containers()) {
    if (info.phase == ContainerPhase::kExited) note(runtime::remove_mounted_tree(engine->layer_directory(info.id)));
  }
  // Volumes in memory end with the containers, as at a reboot.
  note(runtime::unmount_below(profile.pods()));
  note(runtime::remove_network_namespace(network->pods().node_namespace()));
  return all;
}

}  // namespace

Status end_daemon(const Profile& profile, Haste haste, const WaitListener& waits) {
  const int pid = daemon_pid(profile);
  if (pid == 0) return {};
  kill(pid, haste == Haste::kGraceful ? kShutdownSignal : SIGTERM);
  const auto ended = [&] { return daemon_pid(profile) == 0; };
  if (wait_until(ended, haste == Haste::kGraceful ? kShutdownMost + kDaemonReserve : kDaemonReserve,
                 [&] { return recorded_as_running(profile); }, haste == Haste::kGraceful ? waits : WaitListener())) {
    return {};
  }
  return Error(ErrorCode::kTimeout, cat("process ", pid, " does not end: kill -9 ", pid, " loses nothing"));
}

Status end_containers(const Profile& profile, Haste haste, const WaitListener& waits) {
  return end_node(
      profile, [](runtime::Engine& engine, const std::string& sandbox) { return engine.stop_sandbox(sandbox); },
      [&](runtime::Engine& engine) {
        if (haste == Haste::kGraceful) ask_to_end(engine, waits);
      });
}

Status remove_containers(const Profile& profile) {
  return end_node(
      profile, [](runtime::Engine& engine, const std::string& sandbox) { return engine.remove_sandbox(sandbox); },
      [](runtime::Engine&) {});
}

}  // namespace minik
