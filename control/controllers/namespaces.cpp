#include "control/controllers/namespaces.h"

#include "control/controllers/garbage_collector.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kLookAgain = seconds(1);

std::vector<KindId> content_kinds(const Schema& schema) {
  std::vector<KindId> found;
  for (const KindId kind : GarbageCollector::kinds_of(schema)) {
    if (schema.resource(kind).namespaced) found.push_back(kind);
  }
  return found;
}

}  // namespace

Plan reconcile_namespace(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& home = snapshot.find(kinds::kNamespaces, "", key.name);
  Plan plan;
  if (!home.has_value() || !is_deleting(home)) return plan;
  bool left = false;
  for (const KindId kind : content_kinds(schema)) {
    const auto content = snapshot.list(kind, key.name);
    if (content.empty()) continue;
    left = true;
    bool asked = true;  // once everything is on its way out, asking again changes nothing
    for (const auto& object : content) asked &= is_deleting(object);
    if (asked) continue;
    PlannedWrite write;
    write.request.verb = Verb::kDeleteCollection;
    write.request.kind = kind;
    write.request.namespace_ = key.name;
    write.request.options.propagation = PropagationPolicy::kBackground;
    plan.writes.push_back(std::move(write));
  }
  if (left) {
    plan.look_again_after(kLookAgain);
    return plan;
  }
  // Events and Leases are not watched, so they are cleared without looking.
  for (const KindId kind : {kinds::kEvents, kinds::kLeases}) {
    PlannedWrite write;
    write.request.verb = Verb::kDeleteCollection;
    write.request.kind = kind;
    write.request.namespace_ = key.name;
    plan.writes.push_back(std::move(write));
  }
  std::vector<Value> finalizers;
  for (const auto& f : home[keys::kSpec][keys::kFinalizers].items()) {
    if (f.as_string() != "kubernetes") finalizers.push_back(f);
  }
  PlannedWrite write;
  write.request.verb = Verb::kUpdate;
  write.request.kind = kinds::kNamespaces;
  write.request.name = key.name;
  write.request.subresource = "finalize";
  write.request.body = home.with_at({keys::kSpec, keys::kFinalizers}, Value::array(std::move(finalizers)));
  write.on_error = OnError::kTolerateNotFound;
  plan.writes.push_back(std::move(write));
  return plan;
}

ControllerSpec namespace_controller(const Schema& schema) {
  ControllerSpec spec;
  spec.name = "namespace-controller";
  spec.kind = kinds::kNamespaces;
  spec.watches = {{kinds::kNamespaces, own_key(), {}}};
  for (const KindId kind : content_kinds(schema)) spec.watches.push_back({kind, nullptr, {}});
  spec.decide = [&schema](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_namespace(schema, snapshot, key, env);
  };
  return spec;
}

}  // namespace minik::control
