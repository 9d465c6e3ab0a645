// SchedulingQueue: the pods that wait for a node, each in one of Kubernetes' queues.
//
//   add --> active --take--> (being placed) --> bound: removed
//             ^  ^                |
//             |  +--- back-off <--+ an error
//             |          ^        v
//             +------- wake -- unschedulable, by class
//
// Active pods are taken by priority, then by the order of their arrival. Pods that fit nowhere wait
// by class: what can help one can help all, and one of them tries for all: wake() wakes the
// first of a class, and when it finds a node the next may follow (woken by the caller). Back-off doubles with
// each attempt, by the configuration from 1 s to 10 s. A pod that is woken while its own lasts lets the active ones go
// first, whatever its priority; where none is active it is taken at once. Every pod that comes into a queue is counted
// with the event that brought it. Holds no pod's document but its key; control thread only.
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
#include "control/scheduler/rejections.h"
#include "control/scheduler/scheduler_metrics.h"

namespace minik::control {

struct PendingPod {
  // Woken: an event may have helped it before its back-off is over.
  enum class Where : uint8_t { kActive, kBackOff, kWoken, kUnschedulable, kBeingPlaced };
  ObjectKey key;
  Value uid;
  int64_t priority = 0;
  uint64_t sequence = 0;
  Instant added;
  int attempts = 0;
  Instant backs_off_until;  // of the last attempt that found no node
  Where where = Where::kActive;
  QueueEvent event = QueueEvent::kPodAdd;  // that had it tried
  std::string assumed;     // the node it is being bound to
  int assumed_index = -1;  // and where that is in the table
  std::string nominated;   // the node on which room is being made
  std::string last_message;
  std::shared_ptr<Candidates> candidates;  // while it is unschedulable, as is the next
  Rejections rejected_by;
  uint64_t parked_as = 0;  // the id of its candidates when it last was; 0: never
};
using PendingPtr = std::shared_ptr<PendingPod>;

class SchedulingQueue {
 public:
  // `on_active` is called when a pod may be taken.
  SchedulingQueue(Executor& executor, SchedulerMetrics& metrics, BackOff back_off, std::function<void()> on_active);
  ~SchedulingQueue();
  SchedulingQueue(const SchedulingQueue&) = delete;
  SchedulingQueue& operator=(const SchedulingQueue&) = delete;

  // Null when it does not wait.
  PendingPtr find(std::string_view namespace_, std::string_view name) const;
  PendingPtr find(const ObjectKey& key) const { return find(key.namespace_, key.name); }
  void add(const Value& pod, QueueEvent event);
  void remove(const PendingPtr& pod);

  bool has_next() const { return !active_.empty() || !woken_.empty(); }
  // The first active pod, else the first that was woken; it is being placed from now on.
  PendingPtr take();

  void back_off(const PendingPtr& pod, QueueEvent event);
  void park(const PendingPtr& pod, std::shared_ptr<Candidates> candidates, Rejections rejected_by);
  // A parked pod is tried again, after its back-off or before.
  void wake(const PendingPtr& pod, QueueEvent event);
  // The first pod of the class that is parked; false when there is none.
  bool wake(uint64_t candidates_id, QueueEvent event);
  void wake_all(QueueEvent event);
  // Wakes the first pod of each parked class for which `can_help` answers true.
  void wake_if(QueueEvent event, const std::function<bool(Candidates&)>& can_help);

  size_t size() const;
  // Those that have a node here and not yet in the API.
  size_t assumed() const;
  size_t active() const { return active_.size(); }
  size_t backing_off() const { return after_errors_ + woken_.size(); }
  size_t unschedulable() const { return parked_pods_; }

 private:
  using Turn = std::pair<int64_t, uint64_t>;  // the priority, turned round, and the sequence
  static Turn turn_of(const PendingPod& pod) { return {-pod.priority, pod.sequence}; }
  // Kubernetes' order of those that back off: by the second in which that ends, then by their turn.
  using WokenTurn = std::pair<int64_t, Turn>;
  static WokenTurn woken_turn_of(const PendingPod& pod) { return {pod.backs_off_until.ns / seconds(1).ns, turn_of(pod)}; }
  struct Parked {
    std::shared_ptr<Candidates> candidates;
    std::map<Turn, PendingPtr> pods;
  };
  void leave(PendingPod& pod);
  void activate(const PendingPtr& pod, QueueEvent counted_as);
  Duration delay_of(const PendingPod& pod) const;

  Executor& executor_;
  SchedulerMetrics& metrics_;
  const BackOff back_off_;
  std::function<void()> on_active_;
  struct Pods;  // all of them by key, in no order: found with every change of a pod in the cluster
  std::unique_ptr<Pods> pods_;
  std::map<Turn, PendingPtr> active_;
  std::map<uint64_t, Parked> parked_;
  std::map<WokenTurn, PendingPtr> woken_;
  size_t after_errors_ = 0;
  size_t parked_pods_ = 0;
  uint64_t next_sequence_ = 0;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
