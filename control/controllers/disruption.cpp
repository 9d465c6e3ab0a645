#include "control/controllers/disruption.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"
#include "control/schema/schema.h"

namespace minik::control {

namespace {

// How long a granted eviction may take until its pod counts as healthy again.
constexpr Duration kDeletionTimeout = seconds(120);

bool is_percent_of(const Value& value) {
  return value.has_value() && !value.is_int();
}

struct Scale {
  std::string uid;
  int64_t replicas = 0;
};

// What the server said of owners that no cache shows, by the uid that their pods know.
using ToldScales = std::map<std::string, Result<Scale>>;

// The owner named by the reference, or absent when it is gone or a namesake.
const Value& owner_by(const Snapshot& snapshot, KindId kind, std::string_view namespace_,
                      const Value& reference) {
  const Value& owner = snapshot.find(kind, namespace_, reference[keys::kName].as_string());
  return owner.has_value() && object_uid(owner) == reference[keys::kUid].as_string()
             ? owner
             : Value::absent();
}

// What the topmost known owner of a pod wants; a set of a Deployment speaks through its Deployment.
std::optional<Scale> cached_scale(const Snapshot& snapshot, const Value& pod) {
  const auto namespace_ = object_namespace(pod);
  const Value reference = controller_of(pod);
  const auto group = split(reference[keys::kApiVersion].as_string(), '/').front();
  const auto kind = reference[keys::kKind].as_string();
  Value owner;
  if (group == "apps" && kind == "ReplicaSet") {
    owner = owner_by(snapshot, kinds::kReplicasets, namespace_, reference);
    if (owner.has_value() && controller_of(owner)[keys::kKind].as_string() == "Deployment") {
      const Value& above =
          owner_by(snapshot, kinds::kDeployments, namespace_, controller_of(owner));
      if (above.has_value()) owner = above;
    }
  } else if (group == "apps" && kind == "StatefulSet") {
    owner = owner_by(snapshot, kinds::kStatefulsets, namespace_, reference);
  } else if (group == "v1" && kind == "ReplicationController") {
    owner = owner_by(snapshot, kinds::kReplicationcontrollers, namespace_, reference);
  }
  if (!owner.has_value()) return std::nullopt;
  return Scale{std::string(object_uid(owner)), owner[keys::kSpec][keys::kReplicas].as_int(1)};
}

const ResourceInfo* resource_of(const Schema& schema, const Value& reference) {
  return schema.find_kind(reference[keys::kApiVersion].as_string(), reference[keys::kKind].as_string());
}

// An error where nobody can say how many pods there should be.
Result<Scale> scale_of(const Schema& schema, const Snapshot& snapshot, const ToldScales& told, const Value& pod) {
  if (auto scale = cached_scale(snapshot, pod)) return *std::move(scale);
  const Value& reference = controller_of(pod);
  const auto answer = told.find(reference[keys::kUid].string());
  if (answer != told.end() && (answer->second || answer->second.error().code != ErrorCode::kNotFound)) return answer->second;
  const auto* resource = resource_of(schema, reference);
  if (resource && !resource->subresource("scale")) {
    return Error(ErrorCode::kNotFound, cat(resource->group_resource(), " does not implement the scale subresource"));
  }
  return Error(ErrorCode::kNotFound, cat("found no controllers for pod ", quoted(object_name(pod))));
}

// Owners of the pods that have a scale which only the server can tell, and has not told.
std::vector<Value> owners_to_ask(const Schema& schema, const Snapshot& snapshot, const ToldScales& told,
                                 const std::vector<Value>& pods) {
  std::map<std::string, Value> owners;
  for (const auto& pod : pods) {
    const Value& reference = controller_of(pod);
    const auto* resource = resource_of(schema, reference);
    if (!resource || resource->id.value < KindRegistry::kFirst || !resource->subresource("scale")) continue;
    const std::string uid = reference[keys::kUid].string();
    if (!told.contains(uid) && !cached_scale(snapshot, pod)) owners.emplace(uid, reference);
  }
  std::vector<Value> references;
  for (auto& [uid, reference] : owners) references.push_back(std::move(reference));
  return references;
}

struct Expectation {
  int64_t pods = 0, healthy = 0;
  bool unmanaged = false;  // some pod has no controller
};

// An error where a pod's controller does not say how many there should be.
Result<Expectation> expectation(const Schema& schema, const Snapshot& snapshot, const ToldScales& told, const Value& budget,
                                const std::vector<Value>& pods) {
  const Value& spec = budget[keys::kSpec];
  const Value& least = spec[keys::kMinAvailable];
  Expectation expected;
  if (least.is_int()) {
    expected.pods = static_cast<int64_t>(pods.size());
    expected.healthy = least.as_int();
    return expected;
  }
  std::map<std::string, int64_t> wanted;  // by the owner's uid: each counts once
  for (const auto& pod : pods) {
    if (!controller_of(pod).has_value()) {
      expected.unmanaged = true;
      continue;
    }
    MINIK_ASSIGN(const Scale scale, scale_of(schema, snapshot, told, pod));
    wanted[scale.uid] = scale.replicas;
  }
  for (const auto& [uid, replicas] : wanted) expected.pods += replicas;
  if (is_percent_of(least)) {
    expected.healthy = scaled(least, expected.pods, true);
  } else if (const Value& most = spec[keys::kMaxUnavailable]; most.has_value()) {
    expected.healthy = std::max<int64_t>(0, expected.pods - scaled(most, expected.pods, true));
  }
  return expected;
}

// Evictions that were granted and have not yet reached their pod; `next` is when the first runs
// out.
Value still_disrupted(const Value& budget, const std::vector<Value>& pods, WallTime now, Plan& plan,
                      std::optional<Duration>& next) {
  const Value& noted = budget[keys::kStatus][keys::kDisruptedPods];
  MapBuilder kept;
  for (const auto& pod : pods) {
    const auto since = time_of(noted.get(object_name(pod)));
    if (!since || is_deleting(pod)) continue;
    if (*since + kDeletionTimeout <= now) {
      plan.note(typed(pod, "v1", "Pod"), "Warning", "NotDeleted",
                cat("Pod was expected by PDB ", key_of(budget).text(), " to be deleted but it wasn't"));
      continue;
    }
    kept.set(Key(object_name(pod)), noted.get(object_name(pod)));
    const Duration left = *since + kDeletionTimeout - now;
    next = next ? std::min(*next, left) : left;
  }
  return std::move(kept).build();
}

void wake_selecting(const Snapshot& snapshot, const Value& pod, std::vector<ObjectKey>& keys) {
  if (!pod.has_value()) return;
  for (const auto& budget : snapshot.list(kinds::kPoddisruptionbudgets, object_namespace(pod))) {
    const auto selector = LabelSelector::from_object(budget[keys::kSpec][keys::kSelector]);
    if (selector && selector->matches(pod[keys::kMetadata][keys::kLabels])) {
      keys.push_back(key_of(budget));
    }
  }
}

// A changed scale concerns the budgets that select what the owner's template makes.
KeysForChange scale_changes() {
  return [](const Snapshot& snapshot, const Value& before, const Value& after,
            std::vector<ObjectKey>& keys) {
    if (before.has_value() && after.has_value() &&
        before[keys::kSpec][keys::kReplicas] == after[keys::kSpec][keys::kReplicas]) {
      return;
    }
    const Value& owner = after.has_value() ? after : before;
    const Value& metadata = owner[keys::kSpec][keys::kTemplate][keys::kMetadata];
    wake_selecting(snapshot,
                   owner.with_at({keys::kMetadata, keys::kLabels}, metadata[keys::kLabels]), keys);
  };
}

// As Go prints the selector.
std::string printed_selector(const Value& selector) {
  std::string labels, requirements;
  for (const auto& [name, value] : selector[keys::kMatchLabels].entries()) {
    labels += cat(name.text(), ": ", value.as_string(), ",");
  }
  for (const auto& requirement : selector[keys::kMatchExpressions].items()) {
    std::string values;
    for (const auto& value : requirement[keys::kValues].items()) {
      values += cat(values.empty() ? "" : " ", value.as_string());
    }
    requirements += cat("LabelSelectorRequirement{Key:", requirement[keys::kKey].as_string(),
                        ",Operator:", requirement[keys::kOperator].as_string(), ",Values:[", values, "],},");
  }
  return cat("&LabelSelector{MatchLabels:map[string]string{", labels,
             "},MatchExpressions:[]LabelSelectorRequirement{", requirements, "},}");
}

Value with_verdict(const Value& budget, bool allowed, std::string_view reason, const std::string& message,
                   WallTime now) {
  return with_condition(budget,
                        Value::map({{keys::kType, "DisruptionAllowed"},
                                    {keys::kStatus, allowed ? "True" : "False"},
                                    {keys::kReason, reason},
                                    {keys::kMessage, message},
                                    {keys::kObservedGeneration, budget[keys::kMetadata][keys::kGeneration]}}),
                        now);
}

// What two budgets guard cannot be evicted at all. Told when one of them is new or changed, not with every pod.
void note_rivals(Plan& plan, const Snapshot& snapshot, const Value& budget, const std::vector<Value>& pods) {
  const auto budgets = snapshot.list(kinds::kPoddisruptionbudgets, object_namespace(budget));
  if (budgets.size() < 2) return;
  std::vector<std::pair<std::string_view, LabelSelector>> guards;
  for (const auto& other : budgets) {
    auto selector = LabelSelector::from_object(other[keys::kSpec][keys::kSelector]);
    if (selector) guards.emplace_back(object_name(other), *std::move(selector));
  }
  std::ranges::sort(guards, {}, [](const auto& guard) { return guard.first; });
  for (const auto& pod : pods) {
    const auto matches = [&](const auto& guard) { return guard.second.matches(pod[keys::kMetadata][keys::kLabels]); };
    if (std::ranges::count_if(guards, matches) < 2) continue;
    plan.note(typed(pod, "v1", "Pod"), "Warning", "MultiplePodDisruptionBudgets",
              cat("Pod ", quoted(object_namespace(pod)), "/", quoted(object_name(pod)),
                  " matches multiple PodDisruptionBudgets.  Chose ",
                  quoted(std::ranges::find_if(guards, matches)->first), " arbitrarily."));
  }
}

// Where nobody knows how many pods there should be, none may go.
Plan plan_failure(const Value& budget, const std::string& error, WallTime now) {
  Plan plan;
  const Value next = with_verdict(budget, false, "SyncFailed", error, now)
                         .with_at({keys::kStatus, keys::kDisruptionsAllowed}, int64_t{0});
  if (next == budget) return plan;
  plan.update_status(kinds::kPoddisruptionbudgets, next).on_error = OnError::kTolerateNotFound;
  plan.note(typed(budget, "policy/v1", "PodDisruptionBudget"), "Warning", "CalculateExpectedPodCountFailed",
            cat("Failed to calculate the number of expected pods: ", error));
  return plan;
}

Plan reconcile_disruption_budget(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key, Env& env,
                                 const ToldScales& told);

Plan ask_for_scales(const Schema& schema, const ObjectKey& key, const std::vector<Value>& owners, const ToldScales& told) {
  Plan plan;
  for (const auto& owner : owners) {
    PlannedWrite question;
    question.request.verb = Verb::kGet;
    question.request.kind = resource_of(schema, owner)->id;
    question.request.namespace_ = key.namespace_;
    question.request.name = owner[keys::kName].string();
    question.request.subresource = "scale";
    question.independent = true;
    plan.writes.push_back(std::move(question));
  }
  plan.then = [&schema, key, owners, told](const Snapshot& snapshot, Env& env, const Plan::Answers& answers) {
    ToldScales more = told;
    for (size_t i = 0; i < owners.size(); ++i) {
      const std::string uid = owners[i][keys::kUid].string();
      if (!answers[i]) {
        more.emplace(uid, answers[i].error());
      } else if (object_uid(answers[i]->object) != uid) {
        more.emplace(uid, Error(ErrorCode::kNotFound, "it is another of its name"));
      } else {
        more.emplace(uid, Scale{uid, answers[i]->object[keys::kSpec][keys::kReplicas].as_int()});
      }
    }
    return reconcile_disruption_budget(schema, snapshot, key, env, more);
  };
  return plan;
}

Plan reconcile_disruption_budget(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key, Env& env,
                                 const ToldScales& told) {
  const Value& budget = snapshot.find(kinds::kPoddisruptionbudgets, key.namespace_, key.name);
  if (!budget.has_value() || is_deleting(budget)) return Plan::done();
  const auto selector = LabelSelector::from_object(budget[keys::kSpec][keys::kSelector]);
  if (!selector) return Plan::done();  // validation keeps such a budget out
  const std::vector<Value> pods = snapshot.selected(kinds::kPods, key.namespace_, *selector);

  // Where a number of pods is the rule nobody need say how many there should be.
  if (!budget[keys::kSpec][keys::kMinAvailable].is_int()) {
    const auto unknown = owners_to_ask(schema, snapshot, told, pods);
    if (!unknown.empty()) return ask_for_scales(schema, key, unknown, told);
  }
  Plan plan;
  std::optional<Duration> look_again;
  const auto known = expectation(schema, snapshot, told, budget, pods);
  if (!known) return plan_failure(budget, known.error().message, env.now);
  const Expectation& expected = *known;
  const Value disrupted = still_disrupted(budget, pods, env.now, plan, look_again);
  const auto healthy = std::ranges::count_if(pods, [&](const Value& pod) {
    return !is_deleting(pod) && !disrupted.contains(object_name(pod)) && is_pod_ready(pod);
  });
  const int64_t allowed = expected.pods <= 0 ? 0 : std::max<int64_t>(0, healthy - expected.healthy);

  const Value& generation = budget[keys::kMetadata][keys::kGeneration];
  const Value judged =
      with_verdict(budget, allowed > 0, allowed > 0 ? "SufficientPods" : "InsufficientPods", "", env.now);
  MapBuilder status(judged[keys::kStatus]);
  status.set(keys::kCurrentHealthy, static_cast<int64_t>(healthy));
  status.set(keys::kDesiredHealthy, expected.healthy);
  status.set(keys::kExpectedPods, expected.pods);
  status.set(keys::kDisruptionsAllowed, allowed);
  status.set(keys::kDisruptedPods, disrupted.empty() ? Value() : disrupted);
  status.set(keys::kObservedGeneration, generation);
  const Value next = std::move(status).build();
  if (!(next == budget[keys::kStatus])) {
    plan.update_status(kinds::kPoddisruptionbudgets, budget.with(keys::kStatus, next)).on_error =
        OnError::kTolerateNotFound;
    // Events go with a change only: a settled world is silent.
    const Value about = typed(budget, "policy/v1", "PodDisruptionBudget");
    if (!(budget[keys::kStatus][keys::kObservedGeneration] == generation)) note_rivals(plan, snapshot, budget, pods);
    if (pods.empty()) plan.note(about, "Normal", "NoPods", "No matching pods found");
    if (expected.unmanaged) {
      plan.note(about, "Warning", "UnmanagedPods",
                cat("Pods selected by this PodDisruptionBudget (selector: ",
                    printed_selector(budget[keys::kSpec][keys::kSelector]),
                    ") were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, "
                    "which may result in undefined behavior. To account for these pods please set "
                    "\".spec.minAvailable\" field of the PDB to an integer value."));
    }
  }
  if (look_again) plan.look_again_after(*look_again + milliseconds(1));
  return plan;
}

}  // namespace

ControllerSpec disruption_controller(const Schema& schema) {
  ControllerSpec spec;
  spec.name = "disruption-controller";
  spec.kind = kinds::kPoddisruptionbudgets;
  const KeysForChange pod_changes = [](const Snapshot& snapshot, const Value& before,
                                       const Value& after, std::vector<ObjectKey>& keys) {
    wake_selecting(snapshot, before, keys);
    wake_selecting(snapshot, after, keys);
  };
  spec.watches = {{kinds::kPoddisruptionbudgets, own_key(), {}},
                  {kinds::kPods, pod_changes, {}, {}, true},
                  {kinds::kDeployments, scale_changes(), {}},
                  {kinds::kReplicasets, scale_changes(), {}},
                  {kinds::kStatefulsets, scale_changes(), {}},
                  {kinds::kReplicationcontrollers, scale_changes(), {}}};
  spec.decide = [&schema](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_disruption_budget(schema, snapshot, key, env, {});
  };
  return spec;
}

}  // namespace minik::control
