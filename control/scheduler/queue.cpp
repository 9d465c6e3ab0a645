#include "control/scheduler/queue.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>

#include "control/object/keys.h"

namespace minik::control {

namespace {

struct Name {
  std::string_view namespace_, name;
  Name(std::string_view of_namespace, std::string_view own) : namespace_(of_namespace), name(own) {}
  Name(const PendingPtr& pod) : namespace_(pod->key.namespace_), name(pod->key.name) {}  // NOLINT: what it is found by
};

struct NameHash {
  using is_transparent = void;
  size_t operator()(const Name& of) const {
    const std::hash<std::string_view> hash;
    return hash(of.name) * 31 + hash(of.namespace_);
  }
};

struct NameEqual {
  using is_transparent = void;
  bool operator()(const Name& a, const Name& b) const { return a.name == b.name && a.namespace_ == b.namespace_; }
};

}  // namespace

struct SchedulingQueue::Pods {
  boost::unordered_flat_set<PendingPtr, NameHash, NameEqual> by_name;
};

SchedulingQueue::SchedulingQueue(Executor& executor, SchedulerMetrics& metrics, BackOff back_off,
                                 std::function<void()> on_active)
    : executor_(executor),
      metrics_(metrics),
      back_off_(back_off),
      on_active_(std::move(on_active)),
      pods_(std::make_unique<Pods>()),
      alive_(std::make_shared<bool>(true)) {}

SchedulingQueue::~SchedulingQueue() {
  *alive_ = false;
}

PendingPtr SchedulingQueue::find(std::string_view namespace_, std::string_view name) const {
  const auto found = pods_->by_name.find(Name(namespace_, name));
  return found == pods_->by_name.end() ? nullptr : *found;
}

size_t SchedulingQueue::size() const {
  return pods_->by_name.size();
}

size_t SchedulingQueue::assumed() const {
  return static_cast<size_t>(std::ranges::count_if(pods_->by_name, [](const PendingPtr& pod) { return !pod->assumed.empty(); }));
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
  pods_->by_name.insert(std::move(pod));
  on_active_();
}

void SchedulingQueue::leave(PendingPod& pod) {
  switch (pod.where) {
    case PendingPod::Where::kActive:
      active_.erase(turn_of(pod));
      break;
    case PendingPod::Where::kBackOff:
      --after_errors_;
      break;
    case PendingPod::Where::kWoken:
      woken_.erase(woken_turn_of(pod));
      break;
    case PendingPod::Where::kUnschedulable: {
      const auto parked = parked_.find(pod.candidates->id());
      parked->second.pods.erase(turn_of(pod));
      if (parked->second.pods.empty()) parked_.erase(parked);
      --parked_pods_;
      metrics_.rejected(pod.candidates->profile().name, pod.rejected_by, -1);
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
  pods_->by_name.erase(pod);
}

PendingPtr SchedulingQueue::take() {
  while (!woken_.empty() && woken_.begin()->second->backs_off_until <= executor_.now()) {
    activate(PendingPtr(woken_.begin()->second), QueueEvent::kBackOffComplete);
  }
  const bool early = active_.empty();
  if (early) metrics_.incoming(QueueName::kActive, QueueEvent::kPopFromBackOff);
  PendingPtr pod = early ? woken_.begin()->second : active_.begin()->second;
  leave(*pod);
  pod->where = PendingPod::Where::kBeingPlaced;
  ++pod->attempts;
  return pod;
}

Duration SchedulingQueue::delay_of(const PendingPod& pod) const {
  Duration delay = back_off_.first;
  for (int i = 1; i < pod.attempts && delay < back_off_.last; ++i) delay = delay * 2;
  return std::min(delay, back_off_.last);
}

void SchedulingQueue::back_off(const PendingPtr& pod, QueueEvent event) {
  leave(*pod);
  pod->where = PendingPod::Where::kBackOff;
  ++after_errors_;
  metrics_.incoming(QueueName::kBackOff, event);
  const std::weak_ptr<PendingPod> weak = pod;
  executor_.after(delay_of(*pod), [this, alive = alive_, weak] {
    const auto waiting = weak.lock();
    if (*alive && waiting && waiting->where == PendingPod::Where::kBackOff) {
      waiting->event = QueueEvent::kBackOffComplete;
      activate(waiting, QueueEvent::kBackOffComplete);
    }
  });
}

void SchedulingQueue::park(const PendingPtr& pod, std::shared_ptr<Candidates> candidates, Rejections rejected_by) {
  leave(*pod);
  pod->where = PendingPod::Where::kUnschedulable;
  pod->backs_off_until = executor_.now() + delay_of(*pod);
  pod->candidates = candidates;
  pod->rejected_by = rejected_by;
  pod->parked_as = candidates->id();
  metrics_.rejected(candidates->profile().name, rejected_by, 1);
  auto& parked = parked_[candidates->id()];
  parked.candidates = std::move(candidates);
  parked.pods.emplace(turn_of(*pod), pod);
  ++parked_pods_;
  metrics_.incoming(QueueName::kUnschedulable, QueueEvent::kAttemptFailure);
}

void SchedulingQueue::activate(const PendingPtr& pod, QueueEvent counted_as) {
  leave(*pod);
  pod->where = PendingPod::Where::kActive;
  metrics_.incoming(QueueName::kActive, counted_as);
  active_.emplace(turn_of(*pod), pod);
  on_active_();
}

void SchedulingQueue::wake(const PendingPtr& pod, QueueEvent event) {
  pod->event = event;
  if (pod->backs_off_until <= executor_.now()) return activate(pod, event);
  leave(*pod);
  pod->where = PendingPod::Where::kWoken;
  metrics_.incoming(QueueName::kBackOff, event);
  woken_.emplace(woken_turn_of(*pod), pod);
  on_active_();
}

bool SchedulingQueue::wake(uint64_t candidates_id, QueueEvent event) {
  const auto parked = parked_.find(candidates_id);
  if (parked == parked_.end()) return false;
  wake(PendingPtr(parked->second.pods.begin()->second), event);
  return true;
}

void SchedulingQueue::wake_all(QueueEvent event) {
  std::vector<PendingPtr> all;
  for (const auto& [id, parked] : parked_) {
    for (const auto& [turn, pod] : parked.pods) all.push_back(pod);
  }
  for (const auto& pod : all) wake(pod, event);
}

void SchedulingQueue::wake_if(QueueEvent event, const std::function<bool(Candidates&)>& can_help) {
  std::vector<uint64_t> helped;
  for (const auto& [id, parked] : parked_) {
    if (can_help(*parked.candidates)) helped.push_back(id);
  }
  for (const uint64_t id : helped) wake(id, event);
}

}  // namespace minik::control
