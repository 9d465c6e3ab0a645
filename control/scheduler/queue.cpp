#include "control/scheduler/queue.h"

#include <algorithm>

#include "control/object/keys.h"

namespace minik::control {

SchedulingQueue::SchedulingQueue(Executor& executor, SchedulerMetrics& metrics, BackOff back_off,
                                 std::function<void()> on_active)
    : executor_(executor),
      metrics_(metrics),
      back_off_(back_off),
      on_active_(std::move(on_active)),
      alive_(std::make_shared<bool>(true)) {}

SchedulingQueue::~SchedulingQueue() {
  *alive_ = false;
}

PendingPtr SchedulingQueue::find(const ObjectKey& key) const {
  const auto found = pods_.find(key);
  return found == pods_.end() ? nullptr : found->second;
}

void SchedulingQueue::add(const Value& object, QueueEvent event) {
  auto pod = std::make_shared<PendingPod>();
  pod->key = key_of(object);
  pod->uid = object[keys::kMetadata][keys::kUid];
  pod->priority = object[keys::kSpec][keys::kPriority].as_int();
  pod->sequence = next_sequence_++;
  pod->added = executor_.now();
  pod->event = event;
  metrics_.incoming(QueueName::kActive, event);
  active_.emplace(turn_of(*pod), pod);
  pods_.emplace(pod->key, std::move(pod));
  on_active_();
}

void SchedulingQueue::leave(PendingPod& pod) {
  switch (pod.where) {
    case PendingPod::Where::kActive:
      active_.erase(turn_of(pod));
      break;
    case PendingPod::Where::kBackOff:
      --backing_off_;
      break;
    case PendingPod::Where::kUnschedulable: {
      const auto parked = parked_.find(pod.candidates->id());
      parked->second.pods.erase(turn_of(pod));
      if (parked->second.pods.empty()) parked_.erase(parked);
      --parked_pods_;
      pod.candidates.reset();
      break;
    }
    case PendingPod::Where::kBeingPlaced:
      break;
  }
}

void SchedulingQueue::remove(const PendingPtr& pod) {
  leave(*pod);
  pod->where = PendingPod::Where::kBeingPlaced;
  pods_.erase(pod->key);
}

PendingPtr SchedulingQueue::take() {
  PendingPtr pod = active_.begin()->second;
  leave(*pod);
  pod->where = PendingPod::Where::kBeingPlaced;
  ++pod->attempts;
  return pod;
}

void SchedulingQueue::back_off(const PendingPtr& pod, QueueEvent event) {
  leave(*pod);
  pod->where = PendingPod::Where::kBackOff;
  ++backing_off_;
  metrics_.incoming(QueueName::kBackOff, event);
  Duration delay = back_off_.first;
  for (int i = 1; i < pod->attempts && delay < back_off_.last; ++i) delay = delay * 2;
  delay = std::min(delay, back_off_.last);
  const std::weak_ptr<PendingPod> weak = pod;
  executor_.after(delay, [this, alive = alive_, weak] {
    const auto waiting = weak.lock();
    if (*alive && waiting && waiting->where == PendingPod::Where::kBackOff) {
      activate(waiting, QueueEvent::kBackOffComplete);
    }
  });
}

void SchedulingQueue::park(const PendingPtr& pod, std::shared_ptr<Candidates> candidates) {
  leave(*pod);
  pod->where = PendingPod::Where::kUnschedulable;
  pod->candidates = candidates;
  auto& parked = parked_[candidates->id()];
  parked.candidates = std::move(candidates);
  parked.pods.emplace(turn_of(*pod), pod);
  ++parked_pods_;
  metrics_.incoming(QueueName::kUnschedulable, QueueEvent::kAttemptFailure);
}

void SchedulingQueue::activate(const PendingPtr& pod, QueueEvent event) {
  leave(*pod);
  pod->where = PendingPod::Where::kActive;
  pod->event = event;
  metrics_.incoming(QueueName::kActive, event);
  active_.emplace(turn_of(*pod), pod);
  on_active_();
}

bool SchedulingQueue::wake(uint64_t candidates_id, QueueEvent event) {
  const auto parked = parked_.find(candidates_id);
  if (parked == parked_.end()) return false;
  activate(PendingPtr(parked->second.pods.begin()->second), event);
  return true;
}

void SchedulingQueue::wake_all(QueueEvent event) {
  std::vector<PendingPtr> all;
  for (const auto& [id, parked] : parked_) {
    for (const auto& [turn, pod] : parked.pods) all.push_back(pod);
  }
  for (const auto& pod : all) activate(pod, event);
}

void SchedulingQueue::wake_if(QueueEvent event, const std::function<bool(Candidates&)>& can_help) {
  std::vector<uint64_t> helped;
  for (const auto& [id, parked] : parked_) {
    if (can_help(*parked.candidates)) helped.push_back(id);
  }
  for (const uint64_t id : helped) wake(id, event);
}

}  // namespace minik::control
