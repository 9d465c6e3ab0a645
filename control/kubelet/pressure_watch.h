// PressureWatch: keeps what pods write within their limits, and the node from running out of memory, disk and process numbers.
//
//   look, each 10 s --> who is over a limit of its own is evicted --> less left than a threshold? the node says so
//     --> of a disk, what nobody needs goes: remains of ended pods, images of no container --> still too little?
//     --> one pod is evicted --> it has ended, or half a minute is over --> look
//
// What the node says of itself outlasts the shortage by five minutes, so that it does not flap; as long as it says so, new
// pods are turned away (eviction.h). What is measured is what somebody may be evicted for: pods with limits, and under
// pressure all. A node without thresholds whose pods have no limits measures nothing.
//
// Owned by the Kubelet; control thread only. What cannot be measured evicts nobody. The decisions are eviction.h's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/executor.h"
#include "control/kubelet/eviction.h"
#include "control/kubelet/pod_worker.h"
#include "control/kubelet/usage_sampler.h"

namespace minik::control {

struct EvictionOptions {
  EvictionThresholds thresholds;
  // Asked after a look that has found nothing short: whether something may become so without look_soon(). None: no.
  std::function<bool()> goes_on;
  Duration period = seconds(10);
  Duration pressure_transition_period = minutes(5);
  Duration image_age_min = minutes(2);  // a younger one may be about to be used
};

// What there is to be used, besides the disk, which its runtime knows; 0: it is not watched.
struct NodeCapacity {
  int64_t memory_bytes = 0, processes = 0;
};

struct PressureListener {
  std::function<void(NodePressure)> changed;
  // Of each look at which something is to be had back.
  std::function<void(std::string_view resource)> reclaims;
};

class PressureWatch {
 public:
  using Workers = std::vector<std::shared_ptr<PodWorker>>;
  // Without `machine` the node uses what its containers do.
  PressureWatch(Executor& executor, ContainerRuntime& runtime, EvictionOptions options, NodeCapacity capacity,
                std::function<MachineReading()> machine, std::function<Workers()> workers, PressureListener listener);
  ~PressureWatch();
  PressureWatch(const PressureWatch&) = delete;
  PressureWatch& operator=(const PressureWatch&) = delete;

  void look();
  // At the next beat, unless one is due anyway.
  void look_soon();
  void image_pulled(const std::string& id);
  // As the node's conditions say it.
  const std::set<NodePressure>& pressures() const { return pressures_; }

 private:
  struct Measured {
    SignalReadings signals;
    std::vector<ContainerStats> containers;
    DiskUsage disk;
  };
  enum class Depth : uint8_t { kNode, kPods };
  bool watches(NodePressure pressure) const;
  // Of the disk what these pods have written; `depth` says whether containers are measured where the machine's own counters
  // would do.
  void measure(const Workers& of, Depth depth, std::function<void(const Measured&)> then);
  void measure_disk(const Workers& of, Measured measured, std::function<void(const Measured&)> then);
  void read_machine(Measured& measured) const;
  void judge(const Measured& measured);
  bool evict_who_exceeds(const DiskUsage& usage);
  void set_pressure(NodePressure pressure, bool is_short);
  void reclaim(const std::shared_ptr<Workers>& all);
  void remove_remains(const std::shared_ptr<Workers>& all, size_t from);
  void remove_unused_images(const std::shared_ptr<Workers>& all);
  void evict_one();
  void evict_first(const Workers& active, const Measured& measured, const Shortage& shortage);
  // Looks again as soon as it has ended.
  void await_end(const std::weak_ptr<PodWorker>& evicted, Instant deadline);
  void done() { looking_ = false; }

  struct Pressure {
    explicit Pressure(Executor& executor) : relief(executor) {}
    bool is_short = false;  // now; the condition says it for longer
    ScopedTimer relief;
  };

  Executor& executor_;
  ContainerRuntime& runtime_;
  const EvictionOptions options_;
  const NodeCapacity capacity_;
  std::function<MachineReading()> machine_;
  std::function<Workers()> workers_;
  PressureListener listener_;
  std::map<std::string, Instant> pulled_at_;  // of images that are not old yet
  bool looking_ = false;
  std::map<NodePressure, Pressure> states_;
  std::set<NodePressure> pressures_;
  ScopedTimer look_timer_, end_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace minik::control
