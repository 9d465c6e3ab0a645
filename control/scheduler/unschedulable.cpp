// What happens to a pod that fits nowhere: it says why, makes room if it may, and waits for what
// can help.
#include <algorithm>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/scheduler/scheduler_impl.h"
#include "control/scheduler/writes.h"

namespace minik::control {

namespace {

constexpr Duration kUnschedulableFlush = minutes(5);

// "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable."
template <typename Counts>
std::string sentence(size_t nodes, const Counts& counts) {
  std::vector<std::string> parts;
  for (const auto& [count, reason] : counts) parts.push_back(cat(count, " ", reason));
  std::ranges::sort(parts);
  return cat("0/", nodes, " nodes are available: ", join(parts, ", "), ".");
}

bool evicted_by_scheduler(const Value& pod) {
  return std::ranges::any_of(pod[keys::kStatus][keys::kConditions].items(), [](const Value& c) {
    return c[keys::kType].as_string() == "DisruptionTarget" &&
           c[keys::kReason].as_string() == "PreemptionByScheduler";
  });
}

}  // namespace

void Scheduler::Impl::no_room(const PendingPtr& pod, const Value& object,
                              const std::shared_ptr<Candidates>& candidates,
                              const std::string& refusal) {
  std::string message = "no nodes available to schedule pods";
  Rejections rejected_by;
  const std::string nominated_before = pod->nominated;
  if (table.count() > 0) {
    // Of what holds for all nodes Kubernetes counts none.
    if (refusal.empty()) {
      const auto reasons = candidates->diagnosis(table);
      for (const auto& [count, reason] : reasons) rejected_by.add(reason);
      message = sentence(table.count(), reasons);
    } else {
      rejected_by.add(refusal);
      message = cat("0/", table.count(), " nodes are available: ", refusal, ".");
    }
    if (candidates->profile().preempts) {
      const Instant begin = executor.now();
      const std::string outcome = preempt(pod, object, *candidates);
      note_point(ExtensionPoint::kPostFilter, outcome.empty() ? PointStatus::kSuccess : PointStatus::kUnschedulable,
                 object, begin);
      // Before it the plugin of resource claims speaks, and of a pod that was refused as a whole it knows nothing.
      if (!outcome.empty() && refusal.empty()) message += cat(" no new claims to deallocate, preemption: ", outcome);
      if (!refusal.empty() && refusal != kNobodyAllocates) message += " not found";
    }
  }
  const bool new_nomination = pod->nominated != nominated_before;
  if (message != pod->last_message || new_nomination) {
    events.record({reference_to_pod(object), "Warning", "FailedScheduling", message});
    client.send(unschedulable_request(object, message, new_nomination ? &pod->nominated : nullptr,
                                      executor.wall_now()),
                [](const Result<ApiResponse>&) {});
    pod->last_message = message;
  }
  queue.park(pod, candidates, rejected_by);
}

// Preemption has been done already, and its room is not free yet.
bool Scheduler::Impl::waits_for_victims(const PendingPod& pod) const {
  const int node = pod.nominated.empty() ? -1 : table.find(pod.nominated);
  if (node < 0) return false;
  return std::ranges::any_of(table.node(node).pods, [&](const PlacedPod& placed) {
    return placed.priority() < pod.priority &&
           (victims.contains(object_uid(placed.pod)) ||
            (is_deleting(placed.pod) && evicted_by_scheduler(placed.pod)));
  });
}

// Answers what the message says of it: nothing when victims were found.
std::string Scheduler::Impl::preempt(const PendingPtr& pod, const Value& object,
                                     Candidates& candidates) {
  if (object[keys::kSpec][keys::kPreemptionPolicy].as_string() == "Never") {
    return "not eligible due to preemptionPolicy=Never.";
  }
  if (waits_for_victims(*pod))
    return "not eligible due to a terminating pod on the nominated node.";
  if (!pod->nominated.empty()) {
    table.withdraw(object, pod->nominated);
    pod->nominated.clear();
  }
  const PreemptionPlan plan = preemption.plan(table, candidates);
  if (plan.node >= 0) {
    pod->nominated = table.node(plan.node).name;
    clear_lower_nominations(plan.node, pod->priority);
    table.nominate(object, pod->nominated);
    evict(pod, object, pod->nominated, plan.victims);
    metrics.preemption(plan.victims.size());
    return {};
  }
  std::vector<std::pair<int64_t, std::string>> counts;
  for (const auto& [reason, count] : plan.refusals) counts.emplace_back(count, reason);
  return sentence(table.count(), counts);
}

void Scheduler::Impl::evict(const PendingPtr& pod, const Value& object, const std::string& node,
                            const std::vector<Value>& evicted) {
  for (const auto& victim : evicted) {
    const std::string uid(object_uid(victim));
    if (is_deleting(victim) || !victims.insert(uid).second) continue;
    events.record({reference_to_pod(victim), "Normal", "Preempted",
                   cat("Preempted by pod ", pod->uid.as_string(), " on node ", node)});
    const std::weak_ptr<Impl> weak = weak_from_this();
    const auto failed = [weak, uid, pod](const Error& error) {
      const auto self = weak.lock();
      if (!self) return;
      self->victims.erase(uid);
      if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kConflict) return;
      MINIK_LOG(kWarning, "scheduler", cat("evict for ", pod->key.text(), ": ", error.message));
      // Without this victim the nominated node stays full: look again soon.
      if (pod->where == PendingPod::Where::kUnschedulable) {
        self->queue.back_off(pod, QueueEvent::kForceActivate);
      }
    };
    client.send(disruption_request(victim, profile_of(object)->name, executor.wall_now()),
                [weak, victim, failed](const Result<ApiResponse>& marked) {
                  const auto self = weak.lock();
                  if (!self) return;
                  if (!marked) return failed(marked.error());
                  self->client.send(eviction_request(victim),
                                    [failed](const Result<ApiResponse>& gone) {
                                      if (!gone) failed(gone.error());
                                    });
                });
  }
}

// Room that a less important pod waits for is taken: it looks for another node.
void Scheduler::Impl::clear_lower_nominations(int node, int64_t priority) {
  const std::vector<Nomination> nominations = table.node(node).nominations;
  for (const auto& nomination : nominations) {
    if (nomination.priority >= priority) continue;
    const auto pod = queue.find(nomination.key);
    const Value object = pods().find(nomination.key.namespace_, nomination.key.name);
    if (!pod || !(pod->uid == nomination.uid) || object.is_absent()) continue;
    table.withdraw(object, pod->nominated);
    pod->nominated.clear();
    client.send(clear_nomination_request(object), [](const Result<ApiResponse>&) {});
    if (pod->where == PendingPod::Where::kUnschedulable) {
      queue.back_off(pod, QueueEvent::kPodUpdate);
    }
  }
}

// Something changed on this node: who could use it now? `gone` is a pod that left it, or takes less, or absent.
void Scheduler::Impl::help_at(QueueEvent event, const std::string& name, const Value& gone) {
  if (queue.unschedulable() == 0) return;
  const int node = table.find(name);
  if (node < 0) return;
  const std::vector<Nomination> nominations = table.node(node).nominations;
  for (const auto& nomination : nominations) {
    const auto pod = queue.find(nomination.key);
    if (pod && pod->where == PendingPod::Where::kUnschedulable) {
      queue.wake(pod, event);
    }
  }
  queue.wake_if(event, [&](Candidates& candidates) {
    // A rule about other pods may open other nodes of the domain too.
    const bool other_nodes =
        gone.has_value() ? candidates.depends_on(table, gone) : candidates.has_hard_terms();
    return other_nodes || (candidates.has_place(table, node) && candidates.could_take(table, node));
  });
}

// A pod was placed: who waits to be near it, or for the others to catch up?
void Scheduler::Impl::help_by(QueueEvent event, const Value& placed) {
  if (queue.unschedulable() == 0) return;
  queue.wake_if(event, [&](const Candidates& candidates) {
    return candidates.has_hard_terms() && candidates.depends_on(table, placed);
  });
}

void Scheduler::Impl::arm_flush() {
  flush_timer.arm(kUnschedulableFlush, [this] {
    queue.wake_all(QueueEvent::kUnschedulableTimeout);
    arm_flush();
  });
}

}  // namespace minik::control
