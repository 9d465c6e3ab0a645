#include "control/scheduler/scheduler.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/volume_match.h"
#include "control/scheduler/quick_pick.h"
#include "control/scheduler/scheduler_impl.h"
#include "control/scheduler/writes.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr int kBatch = 256;  // pods placed in one turn, so that a turn stays bounded
constexpr uint64_t kClockedEvery = 10;

bool has_ended(const Value& pod) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

std::string_view node_of(const Value& pod) {
  return pod[keys::kSpec][keys::kNodeName].as_string();
}

bool occupies(const Value& pod) {
  return pod.has_value() && !node_of(pod).empty() && !has_ended(pod);
}

}  // namespace

Value reference_to_pod(const Value& pod) {
  static const Value version("v1"), kind("Pod");
  const Value& metadata = pod[keys::kMetadata];
  return Value::map({{keys::kApiVersion, version},
                     {keys::kKind, kind},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kNamespace, metadata[keys::kNamespace]},
                     {keys::kResourceVersion, metadata[keys::kResourceVersion]},
                     {keys::kUid, metadata[keys::kUid]}});
}

Scheduler::Impl::Impl(Executor& e, Client& c, InformerSet& i, EventRecorder& r, MetricRegistry& m,
                      Rng rng, SchedulerConfiguration settings)
    : executor(e),
      client(c),
      informers(i),
      events(r),
      pods_cache(informers.of(kinds::kPods).cache()),
      configuration(std::move(settings)),
      classes(table, rng.next()),
      metrics(m),
      queue(e, metrics, configuration.back_off, [this] { wake(); }),
      volumes(informers.of(kinds::kPersistentvolumeclaims).cache(),
              informers.of(kinds::kPersistentvolumes).cache(),
              informers.of(kinds::kStorageclasses).cache(), pods_cache,
              VolumeLimits(informers.of(kinds::kCsinodes).cache(),
                           informers.of(kinds::kPersistentvolumeclaims).cache(),
                           informers.of(kinds::kPersistentvolumes).cache(),
                           informers.of(kinds::kStorageclasses).cache(),
                           [this](std::string_view node, const VolumeLimits::VisitPod& visit) {
                             const int index = table.find(node);
                             if (index < 0) return;
                             for (const auto& placed : table.node(index).pods) visit(placed.pod);
                           }),
              [this](const Value& pod) {
                const auto pending = queue.find(object_namespace(pod), object_name(pod));
                return occupies(pod) || (pending && !pending->assumed.empty());
              },
              [this](const VolumeRules::VisitNode& visit) {
                for (const auto& node : table.nodes()) {
                  if (node.used) visit(node.name, node.labels);
                }
              }),
      salt(rng.next()),
      flush_timer(e),
      collector(m.collect([this] { count_cached(); })) {}

const Profile* Scheduler::Impl::profile_of(const Value& pod) const {
  const auto name = pod[keys::kSpec][keys::kSchedulerName].as_string("default-scheduler");
  const auto found = std::ranges::find(configuration.profiles, name, &Profile::name);
  return found == configuration.profiles.end() ? nullptr : &*found;
}

bool Scheduler::Impl::is_mine(const Value& pod) const {
  return pod.has_value() && node_of(pod).empty() && !is_deleting(pod) && !has_ended(pod) &&
         profile_of(pod) != nullptr;
}

void Scheduler::Impl::on_pod(const Value& before, const Value& after) {
  const bool same = before.has_value() && after.has_value() &&
                    before[keys::kMetadata][keys::kUid] == after[keys::kMetadata][keys::kUid] &&
                    node_of(before) == node_of(after);
  if (same && occupies(before) && occupies(after)) {
    if (!table.update_pod(before, after, node_of(after))) return;
    if (is_deleting(after) && !is_deleting(before)) {
      help_by(QueueEvent::kAssignedPodUpdate, before);  // what it takes it still has: only spreading counts it no more
      return;
    }
    // It takes less than before, or has labels that others wait for or kept away from.
    help_at(QueueEvent::kAssignedPodUpdate, std::string(node_of(after)), before);
    help_by(QueueEvent::kAssignedPodUpdate, after);
    return;
  }
  // After a gap in the watch a namesake may stand where the pod before was.
  if (occupies(before)) on_unplaced(before, std::string(node_of(before)));
  if (occupies(after)) {
    on_placed(after);
  } else if (is_mine(after)) {
    on_waiting(before, after);
  } else {
    const Value& object = after.has_value() ? after : before;
    const ObjectKey key = key_of(object);
    forget_gated(key);
    const auto pod = queue.find(key);
    if (pod) release(pod, object.with_at({keys::kMetadata, keys::kUid}, pod->uid));
  }
  count_pending();
}

void Scheduler::Impl::on_placed(const Value& after) {
  const std::string node(node_of(after));
  const auto pod = queue.find(object_namespace(after), object_name(after));
  if (pod && pod->assumed == node && pod->uid == after[keys::kMetadata][keys::kUid]) {
    table.update_pod(after, after, pod->assumed_index);
    queue.remove(pod);
    return;
  }
  // Somebody else has placed it.
  if (pod) release(pod, after.with_at({keys::kMetadata, keys::kUid}, pod->uid));
  table.add_pod(after, node);
  help_by(QueueEvent::kAssignedPodAdd, after);
}

void Scheduler::Impl::on_unplaced(const Value& pod, const std::string& node) {
  table.remove_pod(pod, node);
  victims.erase(std::string(object_uid(pod)));
  help_at(QueueEvent::kAssignedPodDelete, node, pod);
  if (claimants.empty() || !has_claims(pod)) return;
  if (volumes.has_limits()) wake_claimants(QueueEvent::kAssignedPodDelete, [](const Value&) { return true; });
  // A claim for one pod at a time may be free now.
  for (const auto& name : claims_of_pod(pod)) {
    wake_claimants(QueueEvent::kAssignedPodDelete, [&](const Value& other) {
      return object_namespace(other) == object_namespace(pod) &&
             std::ranges::count(claims_of_pod(other), name) > 0;
    });
  }
}

// A pod that needs no node any more gives back what was assumed or reserved for it.
void Scheduler::Impl::release(const PendingPtr& pod, const Value& object) {
  if (!pod->assumed.empty()) {
    table.remove_pod(object, pod->assumed);
    victims.erase(std::string(object_uid(object)));
    help_at(QueueEvent::kAssignedPodDelete, pod->assumed, object);
  }
  if (!pod->nominated.empty()) table.withdraw(object, pod->nominated);
  binding_claims.erase(pod->key);
  queue.remove(pod);
}

void Scheduler::Impl::on_waiting(const Value& before, const Value& after) {
  const auto known = queue.find(object_namespace(after), object_name(after));
  if (known && !(known->uid == after[keys::kMetadata][keys::kUid])) {
    // A namesake: what was known is of its predecessor.
    release(known, after.with_at({keys::kMetadata, keys::kUid}, known->uid));
  } else if (known) {
    // A toleration or a label may be what it waited for.
    const bool changed =
        !(before[keys::kSpec] == after[keys::kSpec]) ||
        !(before[keys::kMetadata][keys::kLabels] == after[keys::kMetadata][keys::kLabels]);
    if (changed && known->where == PendingPod::Where::kUnschedulable) {
      queue.wake(known, QueueEvent::kPodUpdate);
    }
    return;
  }
  if (!after[keys::kSpec][keys::kSchedulingGates].empty()) {
    if (!gated.emplace(key_of(after), profile_of(after)).second) return;
    metrics.incoming(QueueName::kUnschedulable, QueueEvent::kPodAdd);
    metrics.gated(profile_of(after)->name, 1);
    return;
  }
  const bool was_gated = !gated.empty() && forget_gated(key_of(after));
  queue.add(after, was_gated ? QueueEvent::kGatesEliminated : QueueEvent::kPodAdd);
  const auto nominated = after[keys::kStatus][keys::kNominatedNodeName].as_string();
  if (nominated.empty()) return;
  queue.find(object_namespace(after), object_name(after))->nominated = nominated;
  table.nominate(after, nominated);
}

void Scheduler::Impl::on_node(const Value& before, const Value& after) {
  if (!after.has_value()) {
    table.remove_node(object_name(before));
  } else if (table.put_node(after)) {
    help_at(before.has_value() ? QueueEvent::kNodeUpdate : QueueEvent::kNodeAdd, std::string(object_name(after)),
            Value());
  }
}

void Scheduler::Impl::on_namespace(const Value& after) {
  if (!table.counts().put_namespace(after)) return;
  queue.wake_if(QueueEvent::kNamespaceUpdate, [](const Candidates& candidates) { return candidates.has_hard_terms(); });
}

void Scheduler::Impl::wake() {
  if (wake_scheduled || !started || !queue.has_next()) return;
  wake_scheduled = true;
  executor.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->wake_scheduled = false;
      self->work();
    }
  });
}

void Scheduler::Impl::work() {
  for (int i = 0; i < kBatch && queue.has_next(); ++i) place(queue.take());
  count_pending();
  wake();
}

void Scheduler::Impl::count_pending() {
  metrics.pending(queue.active(), queue.backing_off(), queue.unschedulable(), gated.size());
}

// Somebody reads the metrics.
void Scheduler::Impl::count_cached() {
  size_t placed = 0;
  for (const auto& node : table.nodes()) placed += node.pods.size();
  metrics.cached(table.count(), placed, queue.assumed());
}

bool Scheduler::Impl::forget_gated(const ObjectKey& key) {
  const auto found = gated.find(key);
  if (found == gated.end()) return false;
  metrics.gated(found->second->name, -1);
  gated.erase(found);
  return true;
}

int Scheduler::Impl::choose_node(const PendingPtr& pod, const Value& object, const Profile& profile,
                                 const Value& volume_rules,
                                 std::shared_ptr<Candidates>& candidates, Clocked clocked) {
  PodClassKey fresh;
  candidates = classes.find(object, profile, volume_rules, fresh);
  if (!candidates) {
    const PodClass pod_class(std::move(fresh));
    const bool known = classes.seen_before(pod_class.key);
    if ((!known || !pod_class.pinned.empty()) && pod->nominated.empty() &&
        quick(pod_class, profile, table)) {
      // The rules of a pod that names its node are nobody else's.
      const auto& key = pod_class.key;
      const auto rules = pod_class.pinned.empty()
                             ? classes.rules_of(key, profile)
                             : std::make_shared<NodeRules>(key.node_selector, key.affinity,
                                                           profile.added_affinity, key.tolerations, key.volumes);
      const Instant begin = clocked == Clocked::kYes ? executor.now() : Instant();
      quick_filter(pod_class, table, *rules, profile, cursor, quick_found);
      const Instant filtered = clocked == Clocked::kYes ? executor.now() : Instant();
      const int node = quick_best(pod_class, table, *rules, profile, salt, quick_found);
      if (node >= 0) {
        if (clocked == Clocked::kYes) {
          metrics.extension_point(ExtensionPoint::kFilter, PointStatus::kSuccess, profile.name, filtered - begin);
          note_point(ExtensionPoint::kScore, PointStatus::kSuccess, object, filtered);
        }
        return node;
      }
    }
    candidates = classes.make(pod_class, profile);
  }
  // What was emptied for the pod comes first, as its own.
  if (!pod->nominated.empty()) {
    const int nominated = table.find(pod->nominated);
    if (nominated >= 0 && candidates->could_take(table, nominated)) return nominated;
  }
  if (clocked == Clocked::kNo) return candidates->best(table);
  const Instant begin = executor.now();
  candidates->refresh(table);
  const Instant filtered = executor.now();
  const int node = candidates->best(table);
  const auto status = node >= 0 ? PointStatus::kSuccess : PointStatus::kUnschedulable;
  metrics.extension_point(ExtensionPoint::kFilter, status, profile.name, filtered - begin);
  if (node >= 0) note_point(ExtensionPoint::kScore, status, object, filtered);
  return node;
}

void Scheduler::Impl::note_point(ExtensionPoint point, PointStatus status, const Value& pod, Instant since) {
  metrics.extension_point(point, status, profile_of(pod)->name, executor.now() - since);
}

void Scheduler::Impl::place(const PendingPtr& pod) {
  const Instant begin = executor.now();
  const Clocked clocked = cycle++ % kClockedEvery == 0 ? Clocked::kYes : Clocked::kNo;
  const Value object = pods().find(pod->key.namespace_, pod->key.name);
  const Profile* profile = is_mine(object) ? profile_of(object) : nullptr;
  if (!profile) {
    queue.remove(pod);
    return;
  }
  // Its own reservation must not be in its way.
  if (!pod->nominated.empty()) table.withdraw(object, pod->nominated);
  VolumeVerdict claims = volumes.of(object);
  if (!object[keys::kSpec][keys::kResourceClaims].empty()) claims.refusal = kNobodyAllocates;
  const Value volume_rules =
      claims.refusal.empty() ? claims.rules : refusing_volume_rules(claims.refusal);
  std::shared_ptr<Candidates> candidates;
  if (clocked == Clocked::kYes) note_point(ExtensionPoint::kPreFilter, PointStatus::kSuccess, object, begin);
  const int node = choose_node(pod, object, *profile, volume_rules, candidates, clocked);
  if (clocked == Clocked::kYes) metrics.algorithm(executor.now() - begin);
  if (node < 0) {
    if (!pod->nominated.empty()) table.nominate(object, pod->nominated);
    if (volume_rules.has_value()) claimants.insert(pod->key);
    no_room(pod, object, candidates, claims.refusal);
    metrics.attempt(profile->name, "unschedulable", executor.now() - begin);
    return;
  }
  const std::string target = table.node(node).name;
  pod->assumed = target;
  pod->assumed_index = node;
  pod->nominated.clear();
  table.add_pod(object, node);
  if (claims.undecided.empty()) {
    bind(pod, object, target, begin, clocked);
  } else {
    bind_claims(pod, object, claims.undecided, target, begin);
  }
  help_by(QueueEvent::kAssignedPodAdd, object);
  // What helped this one may help the next of its class.
  if (candidates) queue.wake(candidates->id(), pod->event);
  // When there were too many classes its siblings are parked under what was forgotten.
  if (pod->parked_as != 0 && (!candidates || candidates->id() != pod->parked_as)) queue.wake(pod->parked_as, pod->event);
}

void Scheduler::Impl::bind(const PendingPtr& pod, const Value& object, const std::string& node,
                           Instant begin, Clocked clocked) {
  const Instant sent = clocked == Clocked::kYes ? executor.now() : Instant();
  client.send(binding_request(object, node),
              [weak = weak_from_this(), pod, object, node, begin, sent, clocked](Result<ApiResponse> result) {
                const auto self = weak.lock();
                if (!self) return;
                if (clocked == Clocked::kYes) {
                  self->note_point(ExtensionPoint::kBind, result ? PointStatus::kSuccess : PointStatus::kError, object,
                                   sent);
                }
                self->metrics.attempt(self->profile_of(object)->name,
                                      result ? "scheduled" : "error", self->executor.now() - begin);
                self->on_bound(pod, object, node, result);
              });
}

void Scheduler::Impl::on_bound(const PendingPtr& pod, const Value& object, const std::string& node,
                               const Result<ApiResponse>& result) {
  if (result) {
    metrics.scheduled(executor.now() - pod->added, pod->attempts);
    events.record({reference_to_pod(object), "Normal", "Scheduled",
                   cat("Successfully assigned ", pod->key.text(), " to ", node)});
    return;
  }
  // The informer may have told already that the pod is gone, or somewhere else.
  if (queue.find(pod->key) != pod || pod->assumed != node) return;
  pod->assumed.clear();
  table.remove_pod(object, node);
  queue.back_off(pod, QueueEvent::kAttemptFailure);
  help_at(QueueEvent::kAssignedPodDelete, node, object);
}

Scheduler::Scheduler(Executor& executor, Client& client, InformerSet& informers,
                     EventRecorder& events, MetricRegistry& metrics, Rng rng,
                     SchedulerConfiguration configuration)
    : impl_(std::make_shared<Impl>(executor, client, informers, events, metrics, rng,
                                   std::move(configuration))) {
  const auto subscribe = [&](KindId kind, auto handler) {
    informers.of(kind).subscribe(
        [weak = std::weak_ptr(impl_), handler](const Value& before, const Value& after) {
          if (const auto impl = weak.lock()) handler(*impl, before, after);
        });
  };
  subscribe(kinds::kNamespaces, [](Impl& impl, const Value&, const Value& after) {
    if (after.has_value()) impl.on_namespace(after);
  });
  subscribe(kinds::kPoddisruptionbudgets, [](Impl& impl, const Value& before, const Value& after) {
    impl.budgets.put(before, after);
  });
  subscribe(
      kinds::kPersistentvolumeclaims,
      [](Impl& impl, const Value& before, const Value& after) { impl.on_claim(before, after); });
  subscribe(kinds::kPersistentvolumes, [](Impl& impl, const Value&, const Value& after) {
    if (after.has_value()) impl.on_volume(after);
  });
  subscribe(kinds::kStorageclasses, [](Impl& impl, const Value&, const Value& after) {
    if (after.has_value()) {
      impl.wake_claimants(QueueEvent::kStorageClassUpdate, [](const Value&) { return true; });
    }
  });
  subscribe(kinds::kCsinodes, [](Impl& impl, const Value&, const Value&) {
    impl.wake_claimants(QueueEvent::kCsiNodeUpdate, [](const Value&) { return true; });
  });
  subscribe(kinds::kNodes, [](Impl& impl, const Value& before, const Value& after) {
    impl.on_node(before, after);
  });
  subscribe(kinds::kPods, [](Impl& impl, const Value& before, const Value& after) {
    impl.on_pod(before, after);
  });
}

Scheduler::~Scheduler() = default;

void Scheduler::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) {
      impl->started = true;
      impl->arm_flush();
      impl->wake();
    }
  });
}

size_t Scheduler::pending() const {
  return impl_->queue.size();
}

}  // namespace minik::control
