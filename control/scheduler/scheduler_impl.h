// The scheduler's state and its steps, apart from Scheduler so that they can stand in two files:
// scheduler.cpp has the life of a pod that finds a node, unschedulable.cpp that of one that does
// not, claim_binding.cpp what pods with claims need besides.
//
// Invariants: a pod that is assumed is counted on its node in the table, once, until the informer
// shows it bound there; a nominated pod has its nomination in the table except while it is being
// placed; `assumed` and `nominated` of a pending pod name those nodes. Owned by Scheduler through a
// shared_ptr, so that callbacks can tell whether it is still there.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/scheduler/class_cache.h"
#include "control/scheduler/node_table.h"
#include "control/scheduler/preemption.h"
#include "control/scheduler/queue.h"
#include "control/scheduler/scheduler.h"
#include "control/scheduler/scheduler_metrics.h"
#include "control/scheduler/volume_rules.h"

namespace minik::control {

struct Scheduler::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
       MetricRegistry& metrics, Rng rng, SchedulerConfiguration configuration);

  // scheduler.cpp: what the informers say.
  void on_pod(const Value& before, const Value& after);
  void on_node(const Value& before, const Value& after);
  void on_placed(const Value& after);
  void on_waiting(const Value& before, const Value& after);
  void on_namespace(const Value& after);
  void on_unplaced(const Value& pod, const std::string& node);
  void release(const PendingPtr& pod, const Value& object);

  // scheduler.cpp: placing.
  const Profile* profile_of(const Value& pod) const;
  bool is_mine(const Value& pod) const;
  void wake();
  void work();
  // Whether the steps of this cycle are timed (scheduler_metrics.h).
  enum class Clocked : bool { kNo, kYes };
  void place(const PendingPtr& pod);
  int choose_node(const PendingPtr& pod, const Value& object, const Profile& profile,
                  const Value& volume_rules, std::shared_ptr<Candidates>& candidates, Clocked clocked);
  void note_point(ExtensionPoint point, PointStatus status, const Value& pod, Instant since);
  void bind(const PendingPtr& pod, const Value& object, const std::string& node, Instant begin, Clocked clocked);
  void on_bound(const PendingPtr& pod, const Value& object, const std::string& node,
                const Result<ApiResponse>& result);
  void count_pending();
  void count_cached();
  bool forget_gated(const ObjectKey& key);

  // unschedulable.cpp
  void no_room(const PendingPtr& pod, const Value& object,
               const std::shared_ptr<Candidates>& candidates, const std::string& refusal);
  std::string preempt(const PendingPtr& pod, const Value& object, Candidates& candidates);
  bool waits_for_victims(const PendingPod& pod) const;
  void evict(const PendingPtr& pod, const Value& object, const std::string& node,
             const std::vector<Value>& victims);
  void clear_lower_nominations(int node, int64_t priority);
  void help_at(QueueEvent event, const std::string& node, const Value& gone);
  void help_by(QueueEvent event, const Value& placed);
  void arm_flush();

  // claim_binding.cpp
  void bind_claims(const PendingPtr& pod, const Value& object, const std::vector<Value>& undecided,
                   const std::string& node, Instant begin);
  void give_up_claims(const PendingPtr& pod, const std::string& node, const Error& error);
  void on_claim(const Value& before, const Value& after);
  void on_volume(const Value& after);
  void wake_claimants(QueueEvent event, const std::function<bool(const Value& pod)>& may_help);

  const ObjectCache& pods() const { return pods_cache; }

  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& events;
  const ObjectCache& pods_cache;
  SchedulerConfiguration configuration;
  NodeTable table;
  ClassCache classes;
  Budgets budgets;
  Preemption preemption{budgets};
  SchedulerMetrics metrics;
  SchedulingQueue queue;
  VolumeRules volumes;
  // Pods that have a node and wait there for their claims' volumes.
  struct ClaimsInBinding {
    PendingPtr pod;
    Value object;
    std::string node;
    Instant begin;
    Instant since;  // the claims were asked for
  };
  std::map<ObjectKey, ClaimsInBinding> binding_claims;
  std::set<ObjectKey> claimants;  // pods with claims that were parked; some may have left since
  std::map<ObjectKey, const Profile*> gated;
  std::set<std::string, std::less<>>
      victims;  // uids of pods that are being evicted, until they are gone
  uint64_t salt;
  size_t cursor = 0;
  std::vector<int> quick_found;  // scratch of one choice
  uint64_t cycle = 0;
  ScopedTimer flush_timer;
  bool started = false;
  bool wake_scheduled = false;
  MetricRegistry::Collector collector;
};

// What events are about: stored objects do not say their kind.
Value reference_to_pod(const Value& pod);

}  // namespace minik::control
