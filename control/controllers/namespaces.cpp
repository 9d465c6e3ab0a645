#include "control/controllers/namespaces.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/garbage_collector.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kind_registry.h"
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

// What is still there, in the words of the namespace's conditions.
struct Remaining {
  std::map<std::string, size_t> resources, finalizers;

  void add(const ResourceInfo& resource, const std::vector<Value>& content) {
    resources[cat(resource.plural, ".", resource.group)] = content.size();
    for (const auto& object : content) {
      for (const auto& name : object[keys::kMetadata][keys::kFinalizers].items())
        ++finalizers[name.string()];
    }
  }

  static std::string text(const std::map<std::string, size_t>& counts, std::string_view between) {
    std::string all;
    for (const auto& [name, count] : counts) {
      all += cat(all.empty() ? "" : ", ", name, between, count, " resource instances");
    }
    return all;
  }
};

void plan_status(Plan& plan, const Value& home, const Remaining& remaining, WallTime now) {
  Value next = home;
  const auto set = [&](std::string_view type, bool value, std::string_view reason,
                       std::string message) {
    next = with_condition(next,
                          Value::map({{keys::kType, type},
                                      {keys::kStatus, value ? "True" : "False"},
                                      {keys::kReason, reason},
                                      {keys::kMessage, std::move(message)}}),
                          now);
  };
  set("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
      "All resources successfully discovered");
  set("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
      "All legacy kube types successfully parsed");
  set("NamespaceDeletionContentFailure", false, "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization");
  const std::string resources = Remaining::text(remaining.resources, " has ");
  set("NamespaceContentRemaining", !resources.empty(),
      resources.empty() ? "ContentRemoved" : "SomeResourcesRemain",
      resources.empty() ? "All content successfully removed"
                        : cat("Some resources are remaining: ", resources));
  const std::string finalizers = Remaining::text(remaining.finalizers, " in ");
  set("NamespaceFinalizersRemaining", !finalizers.empty(),
      finalizers.empty() ? "ContentHasNoFinalizers" : "SomeFinalizersRemain",
      finalizers.empty()
          ? "All content-preserving finalizers finished"
          : cat("Some content in the namespace has finalizers remaining: ", finalizers));
  if (!(next == home))
    plan.update_status(kinds::kNamespaces, next).on_error = OnError::kTolerateNotFound;
}

// The server is asked: a cache that lags must not let anything go before the last pod.
void expect_no_pods(Plan& plan, std::string_view name) {
  PlannedWrite look;
  look.request.verb = Verb::kList;
  look.request.kind = kinds::kPods;
  look.request.namespace_ = name;
  look.request.options.limit = 1;
  look.expect_empty = true;
  plan.writes.push_back(std::move(look));
}

}  // namespace

Plan reconcile_namespace(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key,
                         Env& env) {
  const Value& home = snapshot.find(kinds::kNamespaces, "", key.name);
  Plan plan;
  if (!home.has_value() || !is_deleting(home)) return plan;
  bool left = false;
  Remaining remaining;
  // Pods go first: what guards them and what they lean on (policies, secrets, claims) outlives them.
  const bool has_pods = !snapshot.list(kinds::kPods, key.name).empty();
  for (const KindId kind : content_kinds(schema)) {
    if (has_pods && kind != kinds::kPods) continue;
    const auto content = snapshot.list(kind, key.name);
    if (content.empty()) continue;
    left = true;
    remaining.add(schema.resource(kind), content);
    bool asked = true;  // once everything is on its way out, asking again changes nothing
    for (const auto& object : content) asked &= is_deleting(object);
    if (asked) continue;
    if (!has_pods && plan.writes.empty()) expect_no_pods(plan, key.name);
    PlannedWrite write;
    write.request.verb = Verb::kDeleteCollection;
    write.request.kind = kind;
    write.request.namespace_ = key.name;
    write.request.options.propagation = PropagationPolicy::kBackground;
    plan.writes.push_back(std::move(write));
  }
  if (left) {
    plan_status(plan, home, remaining, env.now);
    plan.look_again_after(kLookAgain);
    return plan;
  }
  const auto names = home[keys::kSpec][keys::kFinalizers].items();
  const bool waits_for_us = std::ranges::any_of(names, [](const Value& f) { return f.as_string() == "kubernetes"; });
  if (!waits_for_us) {
    plan_status(plan, home, {}, env.now);  // somebody else's finalizer holds it, who is told that it is empty
    return plan;
  }
  // The caches may not know yet what was created last, and Events and custom kinds are not watched:
  // everything is deleted once more without looking, and the server is asked whether something is
  // left.
  expect_no_pods(plan, key.name);
  auto kinds_here = content_kinds(schema);
  kinds_here.push_back(kinds::kEvents);
  if (const KindRegistry* registry = schema.registry()) {
    for (const auto* resource : registry->stored()) {
      if (resource->namespaced) kinds_here.push_back(resource->id);
    }
  }
  for (const Verb verb : {Verb::kDeleteCollection, Verb::kList}) {
    for (const KindId kind : kinds_here) {
      PlannedWrite write;
      write.request.verb = verb;
      write.request.kind = kind;
      write.request.namespace_ = key.name;
      if (verb == Verb::kList) {
        write.request.options.limit = 1;
        write.expect_empty = true;
      } else {
        write.request.options.propagation = PropagationPolicy::kBackground;
      }
      // The first list waits for the last deletion.
      write.independent = !(verb == Verb::kList && kind == kinds_here.front());
      plan.writes.push_back(std::move(write));
    }
  }
  std::vector<Value> finalizers;
  for (const auto& f : names) {
    if (f.as_string() != "kubernetes") finalizers.push_back(f);
  }
  PlannedWrite write;
  write.request.verb = Verb::kUpdate;
  write.request.kind = kinds::kNamespaces;
  write.request.name = key.name;
  write.request.subresource = "finalize";
  write.request.body =
      home.with_at({keys::kSpec, keys::kFinalizers}, Value::array(std::move(finalizers)));
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
