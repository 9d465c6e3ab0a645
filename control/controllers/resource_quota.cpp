#include "control/controllers/resource_quota.h"

#include <memory>

#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/quota/ledger.h"
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
    const bool resized = !(before[keys::kSpec][keys::kContainers] == after[keys::kSpec][keys::kContainers]) ||
                         (changes_size(before) && !(before[keys::kStatus] == after[keys::kStatus]));
    return resized || is_pod_ended(before) != is_pod_ended(after) || is_deleting(before) != is_deleting(after);
  }
  if (kind == kinds::kPersistentvolumeclaims) {
    const auto given = [](const Value& claim) -> const Value& {
      return claim[keys::kStatus][keys::kAllocatedResources];
    };
    return !(before[keys::kSpec] == after[keys::kSpec]) || !(given(before) == given(after));
  }
  return kind == kinds::kServices && !(before[keys::kSpec] == after[keys::kSpec]);
}

KeysForChange freed(const ResourceInfo& resource, const std::shared_ptr<QuotaLedger>& ledger) {
  return [&resource, ledger](const Snapshot& snapshot, const Value& before, const Value& after,
                             std::vector<ObjectKey>& keys) {
    const ObjectCache& quotas = snapshot.cache(kinds::kResourcequotas);
    if (quotas.size() == 0) return;
    ledger->change(resource, before, after);
    if (!may_free(resource.id, before, after)) return;
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

Plan reconcile_quota(QuotaLedger& ledger, const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& quota = snapshot.find(kinds::kResourcequotas, key.namespace_, key.name);
  if (!quota.has_value() || is_deleting(quota)) return Plan::done();
  const auto visit_all = [&](KindId kind, std::string_view namespace_,
                             const std::function<void(const Value&)>& visit) {
    for (const auto& object : snapshot.list(kind, namespace_)) visit(object);
  };
  const Value& hard = limits_of(quota);
  const QuotaCount count = ledger.count(quota, hard, env.now, visit_all);
  const Value wanted_hard = hard.is_map() ? hard : Value::empty_map();
  const Value& told = quota[keys::kStatus];
  Plan plan;
  // Amounts are compared, not their texts: the server, which counts as well, may have written one in another unit.
  if (!told[keys::kUsed].is_map() || !(told[keys::kHard] == wanted_hard) || amounts_of(told[keys::kUsed]) != count.used) {
    const Value status = Value::map({{keys::kHard, wanted_hard}, {keys::kUsed, amounts_value(count.used)}});
    plan.update_status(kinds::kResourcequotas, quota.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  plan.look_again_after(kResync);
  if (count.next_end_of_grace) plan.look_again_after(*count.next_end_of_grace + milliseconds(1));
  return plan;
}

}  // namespace

ControllerSpec resource_quota_controller(const Schema& schema) {
  ControllerSpec spec;
  spec.name = "resourcequota-controller";
  spec.kind = kinds::kResourcequotas;
  const auto ledger = std::make_shared<QuotaLedger>(schema, CustomKinds::kAsStated);
  for (const KindId kind : quota_kinds(schema)) {
    const KeysForChange gone = freed(schema.resource(kind), ledger);
    if (kind != kinds::kResourcequotas) {
      spec.watches.push_back({kind, gone, {}});
      continue;
    }
    // Quotas may themselves be counted.
    spec.watches.push_back({kind,
                            [ledger, gone](const Snapshot& snapshot, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
                              if (after.is_absent()) ledger->forget(before);
                              quota_changed(snapshot, before, after, keys);
                              gone(snapshot, before, after, keys);
                            },
                            {}});
  }
  spec.decide = [ledger](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_quota(*ledger, snapshot, key, env);
  };
  return spec;
}

}  // namespace minik::control
