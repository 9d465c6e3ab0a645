// UsageSampler: turns the runtime's counters into rates.
//
//   asked, and no reading of the last minute --> read, a second later read again --> answer
//   asked, and there is one                  --> read --> answer: the rate since the one before
//   asked within 10 s of the last answer     --> the same answer
//
// Once asked it goes on reading every 15 s for five minutes, so that whoever asks again gets a rate over
// such a window; a node that nobody asks measures nothing. Owned by the Kubelet, control thread only.
// Errors of the runtime are the answer's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/client/usage.h"
#include "control/kubelet/container_runtime.h"

namespace minik::control {

struct RunningContainer {
  std::string id, name, namespace_, pod;
};

// The counters of a whole machine.
struct MachineReading {
  int64_t cpu_usage_ns = 0;  // since boot, all CPUs together
  int64_t memory_working_set_bytes = 0;
  int64_t processes = 0;  // threads among them: each has a number
};

class UsageSampler {
 public:
  // Without `machine` the node uses what its containers do.
  UsageSampler(Executor& executor, ContainerRuntime& runtime, std::function<std::vector<RunningContainer>()> running,
               std::function<MachineReading()> machine);
  ~UsageSampler();

  void ask(UsageCallback done);

 private:
  struct Counter {
    WallTime at;
    int64_t cpu_usage_ns = 0;
    int64_t memory_bytes = 0;
  };
  // One reading of everything: by container id, the machine under "".
  using Reading = std::map<std::string, Counter>;

  void read(std::function<void(Status)> then);
  void keep_reading();
  bool is_fresh() const;
  Usage usage_of(const std::string& id) const;
  NodeUsage usage() const;

  Executor& executor_;
  ContainerRuntime& runtime_;
  std::function<std::vector<RunningContainer>()> running_;
  std::function<MachineReading()> machine_;
  Reading last_, before_;  // `before_` is the one that rates are counted from
  Instant last_at_, asked_at_;
  bool has_read_ = false, reading_on_ = false;
  ScopedTimer timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace minik::control
