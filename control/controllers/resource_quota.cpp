#include "control/controllers/resource_quota.h"

#include <algorithm>

#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/quota/usage.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kResync = minutes(5);

const Value& limits_of(const Value& quota) {
  return quota[keys::kSpec][keys::kHard];
}

// Whether less may be used after this change. What is more has been charged by the API server.
bool may_free(KindId kind, const Value& before, const Value& after) {
  if (before.is_absent()) return false;
  if (after.is_absent()) return true;
  if (kind == kinds::kPods) {
    return is_pod_ended(before) != is_pod_ended(after) || is_deleting(before) != is_deleting(after);
  }
  if (kind == kinds::kPersistentvolumeclaims) {
    const auto given = [](const Value& claim) -> const Value& {
      return claim[keys::kStatus][keys::kAllocatedResources];
    };
    return !(before[keys::kSpec] == after[keys::kSpec]) || !(given(before) == given(after));
  }
  return kind == kinds::kServices && !(before[keys::kSpec] == after[keys::kSpec]);
}

KeysForChange freed(const ResourceInfo& resource) {
  return [&resource](const Snapshot& snapshot, const Value& before, const Value& after,
                     std::vector<ObjectKey>& keys) {
    const ObjectCache& quotas = snapshot.cache(kinds::kResourcequotas);
    if (quotas.size() == 0 || !may_free(resource.id, before, after)) return;
    for (const auto& quota : snapshot.list(kinds::kResourcequotas, object_namespace(before))) {
      if (quota_concerns(quota, limits_of(quota), resource, before)) keys.push_back(key_of(quota));
    }
  };
}

// A quota that is new or limits something else; each charge changes it too, and needs no recount.
void quota_changed(const Snapshot&, const Value& before, const Value& after,
                   std::vector<ObjectKey>& keys) {
  if (after.is_absent()) return;
  if (before.is_absent() || !(before[keys::kSpec] == after[keys::kSpec])) {
    keys.push_back(key_of(after));
  }
}

constexpr std::string_view kLeaving = "leaving";  // pods that are being deleted, by namespace

void leaving_in(const Value& pod, std::vector<Key>& out) {
  if (is_deleting(pod)) out.emplace_back(pod[keys::kMetadata][keys::kNamespace]);
}

// When the next pod runs out of its grace, and with it of what it is charged for.
std::optional<Duration> next_end_of_grace(const std::vector<Value>& leaving_pods, WallTime now) {
  std::optional<Duration> next;
  for (const auto& pod : leaving_pods) {
    const Value& metadata = pod[keys::kMetadata];
    const auto leaving = time_of(metadata[keys::kDeletionTimestamp]);
    if (!leaving) continue;
    const int64_t grace = metadata[keys::kDeletionGracePeriodSeconds].as_int();
    const Duration left = *leaving + seconds(grace) - now;
    if (left >= Duration{} && (!next || left < *next)) next = left;
  }
  return next;
}

Plan reconcile_quota(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key,
                     Env& env) {
  const Value& quota = snapshot.find(kinds::kResourcequotas, key.namespace_, key.name);
  if (!quota.has_value() || is_deleting(quota)) return Plan::done();
  const auto visit_all = [&](KindId kind, std::string_view namespace_,
                             const std::function<void(const Value&)>& visit) {
    for (const auto& object : snapshot.list(kind, namespace_)) visit(object);
  };
  const Value& hard = limits_of(quota);
  const Value status =
      Value::map({{keys::kHard, hard.is_map() ? hard : Value::empty_map()},
                  {keys::kUsed, counted_usage(schema, quota, hard, env.now, CustomKinds::kAsStated, visit_all)}});
  Plan plan;
  if (!(status == quota[keys::kStatus])) {
    plan.update_status(kinds::kResourcequotas, quota.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  plan.look_again_after(kResync);
  const bool counts_pods = std::ranges::any_of(hard.entries(), [&](const MapEntry& entry) {
    return quota_counts(schema.resource(kinds::kPods), entry.key.text());
  });
  if (counts_pods) {
    const auto next = next_end_of_grace(snapshot.indexed(kinds::kPods, kLeaving, key.namespace_), env.now);
    if (next) plan.look_again_after(*next + milliseconds(1));
  }
  return plan;
}

}  // namespace

ControllerSpec resource_quota_controller(const Schema& schema) {
  ControllerSpec spec;
  spec.name = "resourcequota-controller";
  spec.kind = kinds::kResourcequotas;
  for (const KindId kind : quota_kinds(schema)) {
    if (kind != kinds::kResourcequotas) {
      auto& watched = spec.watches.emplace_back(WatchedKind{kind, freed(schema.resource(kind)), {}});
      if (kind == kinds::kPods) watched.indexes.emplace_back(kLeaving, leaving_in);
      continue;
    }
    // Quotas may themselves be counted.
    spec.watches.push_back(
        {kind,
         [gone = freed(schema.resource(kind))](const Snapshot& snapshot, const Value& before,
                                               const Value& after, std::vector<ObjectKey>& keys) {
           quota_changed(snapshot, before, after, keys);
           gone(snapshot, before, after, keys);
         },
         {}});
  }
  spec.decide = [&schema](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_quota(schema, snapshot, key, env);
  };
  return spec;
}

}  // namespace minik::control
