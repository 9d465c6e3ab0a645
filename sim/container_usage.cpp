// What simulated containers use of their machine: processors, memory, disk.
#include <algorithm>
#include <utility>

#include "sim/simulated_runtime.h"

namespace minik::sim {

using control::ContainerState;

namespace {
// How often a machine whose memory is in use is looked at.
constexpr Duration kMemoryPeriod = seconds(2);
constexpr int64_t kNeverKilled = -1000;
// Nobody has more of anything, and sums of many stay in their type.
constexpr int64_t kMost = 1LL << 50, kMilliCpuMax = 100'000'000;

bool is_any(const ImageLoad& load) { return load.milli_cpu > 0 || load.requests > 0; }

int64_t times(int64_t amount, int64_t count) { return amount > 0 && count > kMost / amount ? kMost : amount * count; }
}

void ImageLoad::settle() const {
  for (const auto& [machine, containers] : on_) machine->count_cpu();
}

void ImageLoad::add(SimulatedRuntime* machine) {
  ++on_[machine];
  ++running_;
}

void ImageLoad::remove(SimulatedRuntime* machine) {
  const auto found = on_.find(machine);
  if (--found->second == 0) on_.erase(found);
  --running_;
}

// What it uses where there is enough for all.
int64_t SimulatedRuntime::milli_cpu_of(const Container& container) const {
  int64_t milli = container.behaviour->milli_cpu;
  const ImageLoad* load = load_of(container);
  if (load && load->running() > 0) milli += load->milli_cpu / load->running();
  milli += times(container.behaviour->cpu_per_request.ns, requests_of(container)) / 1'000'000;
  if (container.spins) milli += container.behaviour->spin_milli_cpu;
  return std::min(milli, container.milli_cpu_limit > 0 ? container.milli_cpu_limit : kMilliCpuMax);
}

// As much as they have used since the last time, which nothing has changed meanwhile: whatever changes it counts first.
void SimulatedRuntime::count_cpu() {
  const Duration time = executor_.now() - std::exchange(cpu_known_at_, executor_.now());
  if (time == Duration{}) return;
  std::vector<std::pair<Container*, int64_t>> use;
  int64_t wanted = 0;
  for (auto& [id, container] : containers_) {
    if (container.status.state != ContainerState::kRunning) continue;
    const int64_t milli = milli_cpu_of(container);
    if (milli == 0) continue;
    use.emplace_back(&container, milli);
    wanted += milli;
  }
  // Each gets its share of a machine that has too little.
  const int64_t given = milli_cpu_ > 0 ? std::min(wanted, milli_cpu_) : wanted;
  for (const auto& [container, milli] : use) {
    const int64_t gets = milli * given / wanted;
    container->cpu_usage_ns += time.ns / 1000 * gets + time.ns % 1000 * gets / 1000;
  }
}

void SimulatedRuntime::join_load(const Container& container) {
  count_cpu();
  ImageLoad* load = load_of(container);
  if (!load) return;
  if (is_any(*load)) load->settle();
  load->add(this);
}

void SimulatedRuntime::leave_load(const Container& container) {
  count_cpu();
  ImageLoad* load = load_of(container);
  if (!load) return;
  if (is_any(*load)) load->settle();
  load->remove(this);
}

// What one container can answer of the requests that are its share.
int64_t SimulatedRuntime::requests_of(const Container& container) const {
  const ImageLoad* load = load_of(container);
  if (!load || load->running() == 0) return 0;
  const int64_t share = load->requests / load->running();
  const int64_t most = container.behaviour->capacity_requests;
  return most > 0 ? std::min(share, most) : share;
}

int64_t SimulatedRuntime::memory_of(const Container& container) const {
  const ImageBehaviour& behaviour = *container.behaviour;
  const int64_t seconds_up = (executor_.wall_now() - container.status.started).seconds();
  const ImageLoad* load = load_of(container);
  // Requests that it cannot answer wait in its memory as well.
  const int64_t share = load && load->running() > 0 ? load->requests / load->running() : 0;
  return behaviour.memory_bytes + times(behaviour.memory_growth_bytes, std::max<int64_t>(seconds_up, 0)) +
         times(behaviour.memory_per_request_bytes, share);
}

int64_t SimulatedRuntime::held_memory_of(const Container& container) const {
  const int64_t wanted = memory_of(container);
  return container.memory_limit_bytes > 0 ? std::min(wanted, container.memory_limit_bytes) : wanted;
}

bool SimulatedRuntime::memory_moves() const {
  return surroundings_.uses_memory && std::ranges::any_of(containers_, [](const auto& entry) {
           const Container& container = entry.second;
           return container.status.state == ContainerState::kRunning && container.behaviour->memory_moves();
         });
}

void SimulatedRuntime::memory_used(const ImageBehaviour& by) {
  if (!by.uses_memory()) return;
  if (memory_used_listener_) memory_used_listener_();
  if (memory_bytes_ == 0 || std::exchange(memory_watched_, true)) return;
  executor_.after(kMemoryPeriod, [this, alive = alive_] {
    if (*alive) look_at_memory();
  });
}

// As the kernel: while there is not enough for all, whoever has most goes, what it may have of the machine by its
// oom_score_adj counted as if it had it.
void SimulatedRuntime::look_at_memory() {
  for (;;) {
    int64_t used = 0, worst = 0;
    std::string victim;
    for (const auto& [id, container] : containers_) {
      if (container.status.state != ContainerState::kRunning) continue;
      const int64_t held = held_memory_of(container);
      used += held;
      const int64_t badness = held + memory_bytes_ / 1000 * container.oom_score_adj;
      if (container.oom_score_adj == kNeverKilled || held == 0 || (!victim.empty() && badness <= worst)) continue;
      victim = id;
      worst = badness;
    }
    if (used <= memory_bytes_ || victim.empty()) break;
    kill_for_memory(victim);
  }
  memory_watched_ = memory_moves();
  if (!memory_watched_) return;
  executor_.after(kMemoryPeriod, [this, alive = alive_] {
    if (*alive) look_at_memory();
  });
}

void SimulatedRuntime::write_to_disk(const std::string& id, const Container& container) {
  const ImageBehaviour& behaviour = *container.behaviour;
  if (!behaviour.writes()) return;
  const DiskWrites writes{behaviour.disk_bytes.draw(rng_), behaviour.disk_growth_bytes.draw(rng_), behaviour.log_growth_bytes.draw(rng_),
                          behaviour.volume_growth_bytes.draw(rng_)};
  const auto sandbox = sandboxes_.find(container.status.sandbox_id);
  const std::string pod_uid = sandbox == sandboxes_.end() ? std::string() : sandbox->second.status.uid;
  disk_.started(id, pod_uid, container.status.name, container.empty_dirs, writes, executor_.now());
}

void SimulatedRuntime::count_cpu_wanted() {
  if (!surroundings_.wants_cpu || !cpu_wanted_listener_) return;
  int64_t wanted = 0;
  for (const auto& [id, container] : containers_) {
    if (container.status.state != ContainerState::kRunning) continue;
    const int64_t of_it = container.behaviour->milli_cpu + (container.spins ? container.behaviour->spin_milli_cpu : 0);
    wanted += container.milli_cpu_limit > 0 ? std::min(of_it, container.milli_cpu_limit) : of_it;
  }
  if (wanted == milli_cpu_wanted_) return;
  milli_cpu_wanted_ = wanted;
  cpu_wanted_listener_(wanted);
}

}  // namespace minik::sim
