// SchedulingQueue: the pods that wait for a node, each in one of Kubernetes' queues.
//
//   add --> active --take--> (being placed) --> bound: removed
//             ^  ^                |
//             |  +--- back-off <--+ an error
//             |                   v
//             +---- wake ---- unschedulable, by class
//
// Active pods are taken by priority, then by the order of their arrival. Pods that fit nowhere wait
// by class: what can help one can help all, and one of them tries for all: wake() activates the
// first of a class, and when it finds a node the next may follow (woken by the caller). Back-off doubles with
// each attempt, by the configuration from 1 s to 10 s. Every pod that comes into a queue is counted with the event
// that brought it. Holds no pod's document but its key; control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/base/executor.h"
#include "control/object/object_ref.h"
#include "control/scheduler/candidates.h"
#include "control/scheduler/queue_event.h"
#include "control/scheduler/scheduler_metrics.h"

namespace minik::control {

struct PendingPod {
  enum class Where : uint8_t { kActive, kBackOff, kUnschedulable, kBeingPlaced };
  ObjectKey key;
  Value uid;
  int64_t priority = 0;
  uint64_t sequence = 0;
  Instant added;
  int attempts = 0;
  Where where = Where::kActive;
  QueueEvent event = QueueEvent::kPodAdd;  // that made it active
  std::string assumed;     // the node it is being bound to
  int assumed_index = -1;  // and where that is in the table
  std::string nominated;   // the node on which room is being made
  std::string last_message;
  std::shared_ptr<Candidates> candidates;  // while it is unschedulable
};
using PendingPtr = std::shared_ptr<PendingPod>;

class SchedulingQueue {
 public:
  // `on_active` is called when a pod has become active.
  SchedulingQueue(Executor& executor, SchedulerMetrics& metrics, BackOff back_off, std::function<void()> on_active);
  ~SchedulingQueue();
  SchedulingQueue(const SchedulingQueue&) = delete;
  SchedulingQueue& operator=(const SchedulingQueue&) = delete;

  // Null when it does not wait.
  PendingPtr find(const ObjectKey& key) const;
  void add(const Value& pod, QueueEvent event);
  void remove(const PendingPtr& pod);

  bool has_active() const { return !active_.empty(); }
  // The first active pod; it is being placed from now on.
  PendingPtr take();

  void back_off(const PendingPtr& pod, QueueEvent event);
  void park(const PendingPtr& pod, std::shared_ptr<Candidates> candidates);
  void activate(const PendingPtr& pod, QueueEvent event);
  // The first pod of the class that is parked; false when there is none.
  bool wake(uint64_t candidates_id, QueueEvent event);
  void wake_all(QueueEvent event);
  // Wakes the first pod of each parked class for which `can_help` answers true.
  void wake_if(QueueEvent event, const std::function<bool(Candidates&)>& can_help);

  size_t size() const { return pods_.size(); }
  size_t active() const { return active_.size(); }
  size_t backing_off() const { return backing_off_; }
  size_t unschedulable() const { return parked_pods_; }

 private:
  using Turn = std::pair<int64_t, uint64_t>;  // the priority, turned round, and the sequence
  static Turn turn_of(const PendingPod& pod) { return {-pod.priority, pod.sequence}; }
  struct Parked {
    std::shared_ptr<Candidates> candidates;
    std::map<Turn, PendingPtr> pods;
  };
  void leave(PendingPod& pod);

  Executor& executor_;
  SchedulerMetrics& metrics_;
  const BackOff back_off_;
  std::function<void()> on_active_;
  std::map<ObjectKey, PendingPtr> pods_;
  std::map<Turn, PendingPtr> active_;
  std::map<uint64_t, Parked> parked_;
  size_t backing_off_ = 0;
  size_t parked_pods_ = 0;
  uint64_t next_sequence_ = 0;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
