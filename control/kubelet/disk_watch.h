// DiskWatch: keeps what pods write within their limits, and the node's disk from running full.
//
//   look, each 10 s --> who is over a limit of its own is evicted --> less left than a threshold? DiskPressure
//     --> what nobody needs goes: remains of ended pods, images of no container --> still too little? one pod is evicted
//
// The condition outlasts the shortage by five minutes, so that it does not flap. What is measured is what somebody may be
// evicted for: pods with limits, and under pressure all. A node whose thresholds are 0 and whose pods have no limits
// measures nothing.
//
// Owned by the Kubelet; control thread only. A disk that cannot be measured evicts nobody. The decisions are eviction.h's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/kubelet/eviction.h"
#include "control/kubelet/pod_worker.h"

namespace minik::control {

struct DiskWatchOptions {
  DiskThresholds thresholds;
  // Looks all the time; else only from a call of look() on, until there is no shortage any more.
  bool goes_on = false;
  Duration period = seconds(10);
  Duration pressure_transition_period = minutes(5);
  Duration image_age_min = minutes(2);  // a younger one may be about to be used
};

class DiskWatch {
 public:
  using Workers = std::vector<std::shared_ptr<PodWorker>>;
  // `shortage_met` is told of each look at which what nobody needs is taken away.
  DiskWatch(Executor& executor, ContainerRuntime& runtime, DiskWatchOptions options, std::function<Workers()> workers,
            std::function<void()> pressure_changed, std::function<void()> shortage_met);
  ~DiskWatch();
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;

  void look();
  void image_pulled(const std::string& id);
  // As the node's condition says it.
  bool pressure() const { return pressure_; }

 private:
  void measure(const Workers& of, std::function<void(const DiskUsage&)> then);
  void judge(const DiskUsage& usage);
  bool evict_who_exceeds(const DiskUsage& usage);
  void set_shortage(bool is_short);
  void reclaim(const std::shared_ptr<Workers>& all);
  void remove_remains(const std::shared_ptr<Workers>& all, size_t from);
  void remove_unused_images(const std::shared_ptr<Workers>& all);
  void evict_one();
  void done() { looking_ = false; }

  Executor& executor_;
  ContainerRuntime& runtime_;
  const DiskWatchOptions options_;
  std::function<Workers()> workers_;
  std::function<void()> pressure_changed_, shortage_met_;
  std::map<std::string, Instant> pulled_at_;  // of images that are not old yet
  bool looking_ = false;
  bool short_ = false, pressure_ = false;  // now, and as the condition says it
  ScopedTimer look_timer_, relief_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace minik::control
