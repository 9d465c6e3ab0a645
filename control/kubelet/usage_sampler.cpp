#include "control/kubelet/usage_sampler.h"

#include <utility>

namespace minik::control {

namespace {

constexpr Duration kSamplePeriod = seconds(15);
constexpr Duration kFirstWindow = seconds(1);
constexpr Duration kFresh = seconds(60);
constexpr Duration kGoOn = minutes(5);
// A shorter window would say more of the scheduler's time slices than of the program.
constexpr Duration kWindowMin = seconds(10);

}  // namespace

UsageSampler::UsageSampler(Executor& executor, ContainerRuntime& runtime,
                           std::function<std::vector<RunningContainer>()> running,
                           std::function<MachineReading()> machine)
    : executor_(executor),
      runtime_(runtime),
      running_(std::move(running)),
      machine_(std::move(machine)),
      timer_(executor) {}

UsageSampler::~UsageSampler() { *alive_ = false; }

bool UsageSampler::is_fresh() const { return has_read_ && executor_.now() - last_at_ <= kFresh; }

void UsageSampler::ask(UsageCallback done) {
  asked_at_ = executor_.now();
  const auto answer = [this, done = std::move(done)](const Status& status) {
    if (status.ok()) {
      done(usage());
      keep_reading();
    } else {
      done(status.error());
    }
  };
  if (!before_.empty() && executor_.now() - last_at_ < kWindowMin) {
    answer({});
    return;
  }
  if (is_fresh()) {
    read(answer);
    return;
  }
  read([this, answer](const Status& status) {
    if (!status.ok()) {
      answer(status);
      return;
    }
    executor_.after(kFirstWindow, [this, alive = alive_, answer] {
      if (*alive) read(answer);
    });
  });
}

void UsageSampler::read(std::function<void(Status)> then) {
  runtime_.stats([this, alive = alive_, then = std::move(then)](Result<std::vector<ContainerStats>> stats) {
    if (!*alive) return;
    if (!stats) {
      then(stats.error());
      return;
    }
    const WallTime now = executor_.wall_now();
    Reading reading;
    Counter machine{now, 0, 0};
    for (const auto& container : *stats) {
      reading[container.id] = {now, container.cpu_usage_ns, container.memory_working_set_bytes};
      machine.cpu_usage_ns += container.cpu_usage_ns;
      machine.memory_bytes += container.memory_working_set_bytes;
    }
    if (machine_) {
      const MachineReading whole = machine_();
      machine.cpu_usage_ns = whole.cpu_usage_ns;
      machine.memory_bytes = whole.memory_working_set_bytes;
    }
    reading[""] = machine;
    before_ = std::exchange(last_, std::move(reading));
    last_at_ = executor_.now();
    has_read_ = true;
    then({});
  });
}

void UsageSampler::keep_reading() {
  if (reading_on_) return;
  reading_on_ = true;
  timer_.arm(kSamplePeriod, [this] {
    reading_on_ = false;
    if (executor_.now() - asked_at_ > kGoOn) return;
    read([this](const Status&) { keep_reading(); });
  });
}

Usage UsageSampler::usage_of(const std::string& id) const {
  const auto now = last_.find(id);
  const auto from = before_.find(id);
  if (now == last_.end()) return {};
  Usage usage;
  usage.memory_bytes = now->second.memory_bytes;
  usage.cpu_time = Duration{now->second.cpu_usage_ns};
  if (from == before_.end()) return usage;
  const int64_t spent = now->second.cpu_usage_ns - from->second.cpu_usage_ns;
  const Duration window = now->second.at - from->second.at;
  // Per mille of a CPU first: nanoseconds times 10^9 would not fit.
  if (window >= milliseconds(1) && spent > 0) usage.nano_cores = spent * 1000 / (window.ns / 1'000'000);
  return usage;
}

NodeUsage UsageSampler::usage() const {
  NodeUsage result;
  const auto machine = last_.find("");
  result.at = machine->second.at;
  const auto from = before_.find("");
  if (from != before_.end()) result.window = machine->second.at - from->second.at;
  result.node = usage_of("");
  std::map<std::pair<std::string, std::string>, PodUsage> pods;
  for (const auto& container : running_()) {
    // A container of which there is one reading only has no rate yet.
    if (!last_.contains(container.id) || !before_.contains(container.id)) continue;
    auto& pod = pods[{container.namespace_, container.pod}];
    pod.namespace_ = container.namespace_;
    pod.name = container.pod;
    pod.containers.push_back({container.name, usage_of(container.id)});
  }
  for (auto& [key, pod] : pods) result.pods.push_back(std::move(pod));
  return result;
}

}  // namespace minik::control
