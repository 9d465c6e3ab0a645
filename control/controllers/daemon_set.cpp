#include "control/controllers/daemon_set.h"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>

#include "control/base/text.h"
#include "control/controllers/claims.h"
#include "control/controllers/daemon_pod.h"
#include "control/controllers/pods.h"
#include "control/controllers/revisions.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/schema/views/apps.h"

namespace minik::control {

namespace {

constexpr std::string_view kDaemonSetVersion = "apps/v1";
constexpr std::string_view kDaemonSetKind = "DaemonSet";
constexpr size_t kBurst = 250;  // creations and deletions of one reconcile, as Kubernetes
constexpr Duration kBackoffMin = seconds(1);
constexpr Duration kBackoffMax = seconds(15 * 60);

// One node that should or does have pods of the set, with the pods oldest first.
struct DaemonNode {
  bool exists = false;
  NodeVerdict verdict;
  std::vector<Value> pods;
};

struct DaemonRollout {
  const Value& set;
  WallTime now;
  const DaemonPod& daemon;
  Plan plan;
  std::string hash;
  int64_t min_ready;
  std::map<std::string, DaemonNode, std::less<>> nodes = {};
  std::vector<std::string> missing = {};  // nodes that get a pod
  std::vector<Value> surplus = {};        // pods that go

  int64_t desired() const {
    return std::ranges::count_if(nodes, [](const auto& n) { return n.second.verdict.should_run; });
  }
  bool is_new(const Value& pod) const { return revision_label_of(pod) == hash; }
  bool available(const Value& pod) const { return is_pod_available(pod, min_ready, now); }
};

struct Bounds {
  int64_t unavailable = 0;
  int64_t surge = 0;
};

Bounds bounds_of(const DaemonRollout& rollout) {
  const Value& strategy = rollout.set[keys::kSpec][keys::kUpdateStrategy];
  if (strategy[keys::kType].as_string() != "RollingUpdate") return {};
  const Value& rolling = strategy[keys::kRollingUpdate];
  const int64_t desired = rollout.desired();
  Bounds bounds{scaled(rolling[keys::kMaxUnavailable], desired, true),
                scaled(rolling[keys::kMaxSurge], desired, true)};
  if (bounds.unavailable == 0 && bounds.surge == 0) bounds.unavailable = 1;
  return bounds;
}

// Bound pods before those that wait, and older ones before younger.
auto seniority(const Value& pod) {
  return std::make_tuple(pod[keys::kSpec][keys::kNodeName].as_string().empty(),
                         pod[keys::kMetadata][keys::kCreationTimestamp].string(),
                         std::string(object_name(pod)));
}

// The pods of a node that run or may run; what has ended goes, the failed after a back-off.
std::vector<Value> living_pods(DaemonRollout& rollout, const std::string& node,
                               const std::vector<Value>& pods, FailedDaemonPods& failed) {
  std::vector<Value> living;
  const std::string uid(object_uid(rollout.set));
  for (const auto& pod : pods) {
    if (is_deleting(pod)) continue;
    const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
    if (phase == "Failed") {
      if (const Duration wait = failed.wait(uid, node, rollout.now); wait > Duration{}) {
        rollout.plan.look_again_after(wait);
        continue;
      }
      failed.count(uid, node, rollout.now);
    } else if (phase != "Succeeded") {
      living.push_back(pod);
      continue;
    }
    const bool bad = phase == "Failed";
    rollout.plan.note(
        typed(rollout.set, kDaemonSetVersion, kDaemonSetKind), bad ? "Warning" : "Normal",
        bad ? "FailedDaemonPod" : "SucceededDaemonPod",
        cat("Found ", bad ? "failed" : "succeeded", " daemon pod ", key_of(pod).text(), " on node ",
            node, ", will try to ", bad ? "kill" : "delete", " it"));
    rollout.surplus.push_back(pod);
  }
  return living;
}

// While a surge is on its way a node keeps the oldest pod of each revision, and the old one goes
// when it serves no more or the new one serves.
void thin_out_surge(DaemonRollout& rollout, const std::vector<Value>& living) {
  const Value* fresh = nullptr;
  const Value* old = nullptr;
  for (const auto& pod : living) {
    const Value*& kept = rollout.is_new(pod) ? fresh : old;
    if (kept) {
      rollout.surplus.push_back(pod);
    } else {
      kept = &pod;
    }
  }
  if (fresh && old && (!is_pod_ready(*old) || rollout.available(*fresh))) {
    rollout.surplus.push_back(*old);
  }
}

// One pod where one should be, none elsewhere.
void settle_nodes(DaemonRollout& rollout, bool surge, FailedDaemonPods& failed) {
  for (const auto& [name, node] : rollout.nodes) {
    if (!node.exists) {
      // What waits for a node that is gone never starts; what runs there is for pod clean-up.
      std::ranges::copy_if(node.pods, std::back_inserter(rollout.surplus), [](const Value& pod) {
        return pod[keys::kSpec][keys::kNodeName].as_string().empty() && !is_deleting(pod);
      });
    } else if (node.verdict.should_run && node.pods.empty()) {
      rollout.missing.push_back(name);
    } else if (node.verdict.may_stay) {
      const auto living = living_pods(rollout, name, node.pods, failed);
      if (surge) {
        // A surge never leaves a node without: the next one does not wait until the last is gone.
        if (living.empty() && node.verdict.should_run) rollout.missing.push_back(name);
        thin_out_surge(rollout, living);
      } else if (living.size() > 1) {
        rollout.surplus.insert(rollout.surplus.end(), living.begin() + 1, living.end());
      }
    } else {
      std::ranges::copy_if(node.pods, std::back_inserter(rollout.surplus),
                           [](const Value& pod) { return !is_deleting(pod); });
    }
  }
}

// The old and the new pod of a node during a roll-out; what is on its way out is neither, so that a
// node that is slow to let go holds nobody up. Not settled: there are two of a kind.
struct PodPair {
  bool settled = true;
  Value old_pod, new_pod;
};

PodPair pair_on(const DaemonRollout& rollout, const DaemonNode& node) {
  PodPair pair;
  for (const auto& pod : node.pods) {
    if (is_deleting(pod)) continue;
    Value& place = rollout.is_new(pod) ? pair.new_pod : pair.old_pod;
    if (place.has_value()) return {false, {}, {}};
    place = pod;
  }
  return pair;
}

void replace_in_place(DaemonRollout& rollout, int64_t unavailable_max) {
  int64_t unavailable = 0;
  std::vector<Value> healthy;
  for (const auto& [name, node] : rollout.nodes) {
    if (!node.verdict.should_run && node.pods.empty()) continue;
    const PodPair pair = pair_on(rollout, node);
    if (!pair.settled || pair.old_pod.has_value() == pair.new_pod.has_value()) {
      ++unavailable;
    } else if (pair.new_pod.has_value()) {
      if (!rollout.available(pair.new_pod)) ++unavailable;
    } else if (!rollout.available(pair.old_pod)) {
      ++unavailable;  // it serves nobody: replacing it costs nothing
      rollout.surplus.push_back(pair.old_pod);
    } else {
      healthy.push_back(pair.old_pod);
    }
  }
  const auto room = static_cast<size_t>(std::max<int64_t>(0, unavailable_max - unavailable));
  healthy.resize(std::min(healthy.size(), room));
  std::ranges::copy(healthy, std::back_inserter(rollout.surplus));
}

void replace_beside(DaemonRollout& rollout, int64_t surge_max) {
  int64_t surging = 0, serving = 0;
  std::vector<std::string> healthy;
  std::vector<Value> misplaced;  // they serve where the set may stay but should not run
  for (const auto& [name, node] : rollout.nodes) {
    if (node.pods.empty()) continue;
    const PodPair pair = pair_on(rollout, node);
    if (!pair.settled) {
      ++surging;
      continue;
    }
    const Value& elder = pair.old_pod.has_value() ? pair.old_pod : pair.new_pod;
    const bool served = elder.has_value() && rollout.available(elder);
    if (served) ++serving;
    if (!pair.old_pod.has_value()) continue;
    if (pair.new_pod.has_value()) {
      if (!rollout.available(pair.new_pod)) {
        ++surging;
      } else {
        rollout.surplus.push_back(pair.old_pod);
      }
    } else if (!node.verdict.should_run) {
      // It cannot have a successor here.
      (served ? misplaced : rollout.surplus).push_back(pair.old_pod);
    } else if (served) {
      healthy.push_back(name);
    } else {
      rollout.missing.push_back(name);
    }
  }
  // Who surges wants as many served as before: a misplaced pod goes when one serves in its stead.
  const auto spare = static_cast<size_t>(std::max<int64_t>(0, serving - rollout.desired()));
  misplaced.resize(std::min(misplaced.size(), spare));
  std::ranges::copy(misplaced, std::back_inserter(rollout.surplus));
  const auto room = static_cast<size_t>(std::max<int64_t>(0, surge_max - surging));
  healthy.resize(std::min(healthy.size(), room));
  std::ranges::copy(healthy, std::back_inserter(rollout.missing));
}

// Deletions first: where a quota refuses a pod, the plan ends with it.
void plan_pods(DaemonRollout& rollout) {
  const Value about = typed(rollout.set, kDaemonSetVersion, kDaemonSetKind);
  const Value owner = Value::array({controller_reference(rollout.set, kDaemonSetVersion, kDaemonSetKind)});
  for (size_t i = 0; i < std::min(rollout.surplus.size(), kBurst); ++i) {
    auto& write = rollout.plan.remove(kinds::kPods, rollout.surplus[i]);
    write.independent = true;
    write.event = EventNote{about, "Normal", "SuccessfulDelete",
                            cat("Deleted pod: ", object_name(rollout.surplus[i]))};
    write.failure_event = EventNote{about, "Warning", "FailedDelete", "Error deleting: %error%"};
  }
  for (size_t i = 0; i < std::min(rollout.missing.size(), kBurst); ++i) {
    const Value pod =
        rollout.daemon.on_node(rollout.missing[i])
            .with_at({keys::kMetadata, keys::kOwnerReferences}, owner)
            .with_at({keys::kMetadata, keys::kLabels, Key(kRevisionLabel)}, rollout.hash);
    auto& write = rollout.plan.create(kinds::kPods, pod);
    write.independent = true;
    write.event = EventNote{about, "Normal", "SuccessfulCreate", "Created pod: %name%"};
    write.failure_event = EventNote{about, "Warning", "FailedCreate", "Error creating: %error%"};
  }
}

Value new_status(DaemonRollout& rollout, int64_t collision_count) {
  int64_t desired = 0, current = 0, misscheduled = 0, ready = 0, updated = 0, available = 0;
  for (const auto& [name, node] : rollout.nodes) {
    if (!node.exists) continue;
    const bool scheduled = !node.pods.empty();
    if (!node.verdict.should_run) {
      if (scheduled) ++misscheduled;
      continue;
    }
    ++desired;
    if (!scheduled) continue;
    ++current;
    const Value& pod = node.pods.front();
    if (rollout.is_new(pod)) ++updated;
    if (!is_pod_ready(pod)) continue;
    ++ready;
    if (rollout.available(pod)) ++available;
  }
  const auto count = [](int64_t n) { return n == 0 ? Value() : Value(n); };
  MapBuilder status(rollout.set[keys::kStatus]);
  status.set(keys::kDesiredNumberScheduled, desired);
  status.set(keys::kCurrentNumberScheduled, current);
  status.set(keys::kNumberMisscheduled, misscheduled);
  status.set(keys::kNumberReady, ready);
  status.set(keys::kUpdatedNumberScheduled, count(updated));
  status.set(keys::kNumberAvailable, count(available));
  status.set(keys::kNumberUnavailable, count(desired - available));
  status.set(keys::kObservedGeneration, rollout.set[keys::kMetadata][keys::kGeneration]);
  if (collision_count > 0) status.set(keys::kCollisionCount, collision_count);
  return std::move(status).build();
}

// A ready pod becomes available by time alone.
void look_again_when_available(DaemonRollout& rollout) {
  if (rollout.min_ready == 0) return;
  for (const auto& [name, node] : rollout.nodes) {
    for (const auto& pod : node.pods) {
      if (!is_pod_ready(pod) || rollout.available(pod)) continue;
      const auto since = time_of(condition(pod, "Ready")[keys::kLastTransitionTime]);
      if (!since) continue;
      rollout.plan.look_again_after(*since + seconds(rollout.min_ready) - rollout.now +
                                    milliseconds(1));
    }
  }
}

void place_pods(DaemonRollout& rollout, const Snapshot& snapshot, const std::vector<Value>& pods) {
  for (const auto& node : snapshot.list(kinds::kNodes)) {
    auto& entry = rollout.nodes[std::string(object_name(node))];
    entry.exists = true;
    entry.verdict = rollout.daemon.judge(node);
  }
  for (const auto& pod : pods) {
    if (is_deleting(pod) && is_pod_ended(pod)) continue;
    const auto node = daemon_node_of(pod);
    if (!node.empty()) rollout.nodes[std::string(node)].pods.push_back(pod);
  }
  for (auto& [name, node] : rollout.nodes) std::ranges::sort(node.pods, {}, seniority);
}

// Revisions of one template become one: their pods take its label before they go.
void plan_twins(DaemonRollout& rollout, const RevisionHistory& history, std::vector<Value>& pods) {
  const Value label = rollout.hash;
  for (const auto& twin : history.twins) {
    const Value& old_label = twin[keys::kMetadata][keys::kLabels].get(kRevisionLabel);
    for (auto& pod : pods) {
      if (!(pod[keys::kMetadata][keys::kLabels].get(kRevisionLabel) == old_label)) continue;
      const Value patch =
          Value::map({{keys::kMetadata,
                       Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]},
                                   {keys::kLabels, Value::map({{kRevisionLabel, label}})}})}});
      rollout.plan.patch(kinds::kPods, key_of(pod), PatchType::kMerge, patch).on_error =
          OnError::kTolerateNotFound;
      pod = pod.with_at({keys::kMetadata, keys::kLabels, Key(kRevisionLabel)}, label);
    }
    rollout.plan.remove(kinds::kControllerrevisions, twin);
  }
}

void plan_clean_up(DaemonRollout& rollout, const RevisionHistory& history,
                   const std::vector<Value>& pods) {
  const auto limit = rollout.set[keys::kSpec][keys::kRevisionHistoryLimit].as_int(10);
  const int64_t surplus = static_cast<int64_t>(history.others.size()) - limit;
  if (surplus <= 0) return;
  std::set<std::string, std::less<>> live;
  for (const auto& pod : pods) live.emplace(revision_label_of(pod));
  plan_history_limit(rollout.plan, history, surplus, [&](const Value& revision) {
    return live.contains(revision_label_of(revision));
  });
}

}  // namespace

Duration FailedDaemonPods::wait(const std::string& set_uid, const std::string& node,
                                WallTime now) const {
  const auto found = failures_.find({set_uid, node});
  if (found == failures_.end()) return {};
  return std::max(Duration{}, found->second.last + found->second.backoff - now);
}

void FailedDaemonPods::count(const std::string& set_uid, const std::string& node, WallTime now) {
  // A node that went well for twice the longest back-off starts afresh.
  std::erase_if(failures_, [&](const auto& f) { return now - f.second.last > kBackoffMax * 2; });
  const auto [entry, first] = failures_.try_emplace({set_uid, node}, Failures{kBackoffMin, now});
  if (first) return;
  entry->second.backoff = std::min(entry->second.backoff * 2, kBackoffMax);
  entry->second.last = now;
}

Plan reconcile_daemon_set(const Snapshot& snapshot, const ObjectKey& key, Env& env,
                          FailedDaemonPods& failed) {
  const Value& set = snapshot.find(kinds::kDaemonsets, key.namespace_, key.name);
  if (!set.has_value() || is_deleting(set)) return Plan::done();
  const auto selector = LabelSelector::from_object(set[keys::kSpec][keys::kSelector]);
  if (!selector) return Plan::done();  // validation keeps such a set out
  const Claimant claimant{set, kDaemonSetVersion, kDaemonSetKind, *selector};
  Plan plan;
  const RevisionHistory history = plan_history(plan, snapshot, claimant, kRevisionLabel);
  const DaemonPod daemon(set);
  DaemonRollout rollout{.set = set,
                        .now = env.now,
                        .daemon = daemon,
                        .plan = std::move(plan),
                        .hash = std::string(revision_label_of(history.latest)),
                        .min_ready = set[keys::kSpec][keys::kMinReadySeconds].as_int()};
  auto pods = snapshot.owned_by(kinds::kPods, object_uid(set));
  plan_claims(
      rollout.plan, snapshot, kinds::kPods, claimant,
      [](const Value& pod) { return !is_deleting(pod); }, pods);
  plan_twins(rollout, history, pods);
  place_pods(rollout, snapshot, pods);
  const Value status = new_status(rollout, history.collision_count);
  if (!(status == set[keys::kStatus])) {
    rollout.plan.update_status(kinds::kDaemonsets, set.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  const Bounds bounds = bounds_of(rollout);
  settle_nodes(rollout, bounds.surge > 0, failed);
  // The roll-out goes on when every node has what it should have.
  if (rollout.missing.empty() && rollout.surplus.empty()) {
    if (bounds.surge > 0) {
      replace_beside(rollout, bounds.surge);
    } else if (bounds.unavailable > 0) {
      replace_in_place(rollout, bounds.unavailable);
    }
  }
  plan_pods(rollout);
  plan_clean_up(rollout, history, pods);
  look_again_when_available(rollout);
  return std::move(rollout.plan);
}

namespace {

// A node concerns a set when its verdict on the node changes; a heartbeat concerns none.
void sets_of_node(const Snapshot& snapshot, const Value& before, const Value& after,
                  std::vector<ObjectKey>& keys) {
  const auto shape = [](const Value& node) {
    return std::make_tuple(node[keys::kMetadata][keys::kLabels], node[keys::kSpec][keys::kTaints]);
  };
  const bool existed = before.has_value(), exists = after.has_value();
  if (existed && exists && shape(before) == shape(after)) return;
  for (const auto& set : snapshot.list(kinds::kDaemonsets)) {
    const DaemonPod daemon(set);
    const NodeVerdict was = existed ? daemon.judge(before) : NodeVerdict{};
    const NodeVerdict is = exists ? daemon.judge(after) : NodeVerdict{};
    if (!(was == is)) keys.push_back(key_of(set));
  }
}

}  // namespace

ControllerSpec daemon_set_controller() {
  ControllerSpec spec;
  spec.name = "daemonset-controller";
  spec.kind = kinds::kDaemonsets;
  const auto claims = claimant_keys(kinds::kDaemonsets, std::string(kDaemonSetKind));
  const std::pair orphans{std::string(kOrphans), orphans_by_namespace()};
  spec.watches = {{kinds::kDaemonsets, own_key(), {}},
                  {kinds::kPods, claims, {orphans}},
                  {kinds::kControllerrevisions, claims, {orphans}},
                  {kinds::kNodes, sets_of_node, {}}};
  spec.decide = [failed = std::make_shared<FailedDaemonPods>()](const Snapshot& snapshot,
                                                                const ObjectKey& key, Env& env) {
    return reconcile_daemon_set(snapshot, key, env, *failed);
  };
  return spec;
}

}  // namespace minik::control
