#include "control/kubelet/pressure_watch.h"

#include <algorithm>
#include <utility>

#include "control/object/object_ref.h"

namespace minik::control {

namespace {
constexpr Duration kEndPoll = seconds(1), kEndMax = seconds(30);
}

PressureWatch::PressureWatch(Executor& executor, ContainerRuntime& runtime, EvictionOptions options, NodeCapacity capacity,
                             std::function<MachineReading()> machine, std::function<Workers()> workers, PressureListener listener)
    : executor_(executor),
      runtime_(runtime),
      options_(std::move(options)),
      capacity_(capacity),
      machine_(std::move(machine)),
      workers_(std::move(workers)),
      listener_(std::move(listener)),
      look_timer_(executor),
      end_timer_(executor) {}

PressureWatch::~PressureWatch() { *alive_ = false; }

void PressureWatch::image_pulled(const std::string& id) {
  const Instant now = executor_.now();
  std::erase_if(pulled_at_, [&](const auto& image) { return now - image.second >= options_.image_age_min; });
  pulled_at_[id] = now;
}

bool PressureWatch::watches(NodePressure pressure) const {
  return std::ranges::any_of(options_.thresholds, [&](const auto& entry) { return pressure_of(entry.first) == pressure; });
}

void PressureWatch::look_soon() {
  if (!look_timer_.armed()) look_timer_.arm(options_.period, [this] { look(); });
}

void PressureWatch::look() {
  look_timer_.arm(options_.period, [this] { look(); });
  if (std::exchange(looking_, true)) return;
  Workers limited;
  for (auto& worker : workers_()) {
    if (worker->is_active() && has_storage_limit(worker->pod())) limited.push_back(std::move(worker));
  }
  measure(limited, Depth::kNode, [this](const Measured& measured) { judge(measured); });
}

void PressureWatch::measure(const Workers& of, Depth depth, std::function<void(const Measured&)> then) {
  const bool has_signal = watches(NodePressure::kMemory) || watches(NodePressure::kPid);
  if (!has_signal || (machine_ && depth == Depth::kNode)) return measure_disk(of, {}, std::move(then));
  runtime_.stats([this, alive = alive_, of, then = std::move(then)](Result<std::vector<ContainerStats>> stats) mutable {
    if (!*alive) return;
    if (!stats) return done();
    measure_disk(of, {{}, *std::move(stats), {}}, std::move(then));
  });
}

void PressureWatch::measure_disk(const Workers& of, Measured measured, std::function<void(const Measured&)> then) {
  read_machine(measured);
  if (of.empty() && !watches(NodePressure::kDisk)) return then(measured);
  std::vector<std::string> uids;
  for (const auto& worker : of) uids.emplace_back(object_uid(worker->pod()));
  runtime_.disk_usage(std::move(uids), [this, alive = alive_, measured = std::move(measured),
                                        then = std::move(then)](Result<DiskUsage> usage) mutable {
    if (!*alive) return;
    if (!usage) return done();
    measured.disk = *std::move(usage);
    const DiskUsage& disk = measured.disk;
    for (const auto signal : {EvictionSignal::kImageFsAvailable, EvictionSignal::kNodeFsAvailable}) {
      if (disk.capacity_bytes > 0) measured.signals[signal] = {disk.capacity_bytes, disk.available_bytes};
    }
    for (const auto signal : {EvictionSignal::kImageFsInodesFree, EvictionSignal::kNodeFsInodesFree}) {
      if (disk.inodes > 0) measured.signals[signal] = {disk.inodes, disk.inodes_free};
    }
    then(measured);
  });
}

void PressureWatch::read_machine(Measured& measured) const {
  if (!watches(NodePressure::kMemory) && !watches(NodePressure::kPid)) return;
  int64_t memory = 0, processes = 0;
  if (machine_) {
    const MachineReading reading = machine_();
    memory = reading.memory_working_set_bytes;
    processes = reading.processes;
  } else {
    for (const auto& container : measured.containers) {
      memory += container.memory_working_set_bytes;
      processes += container.pids;
    }
  }
  const auto left = [](int64_t of, int64_t used) { return SignalReading{of, std::max<int64_t>(of - used, 0)}; };
  if (capacity_.memory_bytes > 0) measured.signals[EvictionSignal::kMemoryAvailable] = left(capacity_.memory_bytes, memory);
  if (capacity_.processes > 0) measured.signals[EvictionSignal::kPidAvailable] = left(capacity_.processes, processes);
}

void PressureWatch::judge(const Measured& measured) {
  const bool evicted = evict_who_exceeds(measured.disk);
  const auto found = shortages(options_.thresholds, measured.signals);
  for (const auto pressure : kNodePressures) {
    set_pressure(pressure, std::ranges::any_of(found, [&](const Shortage& shortage) { return pressure_of(shortage.signal) == pressure; }));
  }
  if (found.empty() && !(options_.goes_on && options_.goes_on())) look_timer_.cancel();
  // Who goes may leave enough.
  if (found.empty() || evicted) return done();
  listener_.reclaims(resource_of(found.front().signal));
  if (pressure_of(found.front().signal) != NodePressure::kDisk) return evict_one();
  reclaim(std::make_shared<Workers>(workers_()));
}

bool PressureWatch::evict_who_exceeds(const DiskUsage& usage) {
  bool any = false;
  for (const auto& worker : workers_()) {
    const auto written = usage.pods.find(std::string(object_uid(worker->pod())));
    if (written == usage.pods.end() || !worker->is_active()) continue;
    const auto why = exceeded_storage_limit({worker->pod(), written->second});
    if (!why) continue;
    worker->evict(*why, EvictionCause::kOwnLimit);
    any = true;
  }
  return any;
}

void PressureWatch::set_pressure(NodePressure pressure, bool is_short) {
  auto& state = states_.try_emplace(pressure, executor_).first->second;
  if (std::exchange(state.is_short, is_short) == is_short) return;
  if (!is_short) {
    state.relief.arm(options_.pressure_transition_period, [this, pressure] {
      pressures_.erase(pressure);
      listener_.changed(pressure);
    });
    return;
  }
  state.relief.cancel();
  if (pressures_.insert(pressure).second) listener_.changed(pressure);
}

void PressureWatch::reclaim(const std::shared_ptr<Workers>& all) { remove_remains(all, 0); }

// One pod after the other, then the images.
void PressureWatch::remove_remains(const std::shared_ptr<Workers>& all, size_t from) {
  for (size_t i = from; i < all->size(); ++i) {
    const bool begun = (*all)[i]->remove_remains([this, alive = alive_, all, i] {
      if (*alive) remove_remains(all, i + 1);
    });
    if (begun) return;
  }
  remove_unused_images(all);
}

void PressureWatch::remove_unused_images(const std::shared_ptr<Workers>& all) {
  std::set<std::string> used;
  for (const auto& worker : *all) {
    for (const auto& [name, record] : worker->state().containers) {
      if (record.current) used.insert(record.current->image_id);
      if (record.last) used.insert(record.last->image_id);
    }
  }
  runtime_.list_images([this, alive = alive_, used = std::move(used)](Result<std::vector<ImageStatus>> images) {
    if (!*alive) return;
    const auto left = std::make_shared<size_t>(1);
    const auto one_less = [this, alive, left] {
      if (*alive && --*left == 0) evict_one();
    };
    for (const auto& image : images ? *images : std::vector<ImageStatus>()) {
      const auto pulled = pulled_at_.find(image.id);
      const bool young = pulled != pulled_at_.end() && executor_.now() - pulled->second < options_.image_age_min;
      if (young || used.contains(image.id)) continue;
      ++*left;
      runtime_.remove_image(image.id, [one_less](const Result<Unit>&) { one_less(); });
    }
    one_less();
  });
}

void PressureWatch::evict_one() {
  Workers active = workers_();
  std::erase_if(active, [](const auto& worker) { return !worker->is_active(); });
  measure(active, Depth::kPods, [this, active](const Measured& measured) {
    const auto found = shortages(options_.thresholds, measured.signals);
    if (found.empty()) return done();
    evict_first(active, measured, found.front());
  });
}

void PressureWatch::evict_first(const Workers& active, const Measured& measured, const Shortage& shortage) {
  std::map<std::string, std::vector<const ContainerStats*>> containers;  // by sandbox
  for (const auto& container : measured.containers) containers[container.sandbox_id].push_back(&container);
  std::vector<EvictionCandidate> candidates;
  Workers of;
  for (const auto& worker : active) {
    if (!worker->is_active()) continue;
    // Who cannot be measured uses nothing.
    EvictionCandidate candidate{worker->pod(), {}};
    const auto written = measured.disk.pods.find(std::string(object_uid(worker->pod())));
    if (written != measured.disk.pods.end()) candidate.written = written->second;
    if (const auto& sandbox = worker->state().sandbox) {
      for (const auto* container : containers[sandbox->id]) {
        candidate.memory_bytes[container->name] += container->memory_working_set_bytes;
        candidate.processes += container->pids;
      }
    }
    candidates.push_back(std::move(candidate));
    of.push_back(worker);
  }
  const auto next = next_to_evict(candidates, shortage.signal);
  if (!next) return done();
  of[*next]->evict(eviction_message(candidates[*next], shortage), EvictionCause::kNodePressure);
  await_end(of[*next], executor_.now() + kEndMax);
}

void PressureWatch::await_end(const std::weak_ptr<PodWorker>& evicted, Instant deadline) {
  end_timer_.arm(kEndPoll, [this, evicted, deadline] {
    const auto worker = evicted.lock();
    if (worker && !worker->state().terminal && executor_.now() < deadline) return await_end(evicted, deadline);
    done();
    look();
  });
}

}  // namespace minik::control
