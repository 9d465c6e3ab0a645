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

// Most content goes at once; what holds the namespace up for long is asked about less and less often.
constexpr Duration kLookAgainMin = seconds(1), kLookAgainMax = seconds(8);
constexpr int64_t kPatience = 8;  // a look after each so manieth part of the time that it has taken already
// So many objects of a kind are looked into for their finalizers; the others are counted.
constexpr int64_t kLookedInto = 500;

std::vector<KindId> content_kinds(const Schema& schema) {
  std::vector<KindId> found;
  for (const KindId kind : GarbageCollector::kinds_of(schema)) {
    if (schema.resource(kind).namespaced) found.push_back(kind);
  }
  return found;
}

// What is still there, in the words of the namespace's conditions, and what the server has refused.
struct Remaining {
  std::map<std::string, int64_t> resources, finalizers;
  std::vector<std::string> errors;

  bool nothing() const { return resources.empty() && errors.empty(); }

  template <typename Objects>
  void add(const ResourceInfo& resource, const Objects& content, int64_t more = 0) {
    resources[cat(resource.plural, ".", resource.group)] = static_cast<int64_t>(content.size()) + more;
    for (const auto& object : content) {
      for (const auto& name : object[keys::kMetadata][keys::kFinalizers].items())
        ++finalizers[name.string()];
    }
  }

  // The answer to a deletion, or to a list.
  void note_error(const Result<ApiResponse>& answer) {
    if (!answer) errors.push_back(answer.error().message);
  }
  void add_listed(const ResourceInfo& resource, const Result<ApiResponse>& answer) {
    note_error(answer);
    if (!answer || answer->object[keys::kItems].empty()) return;
    add(resource, answer->object[keys::kItems].items(),
        answer->object[keys::kMetadata][keys::kRemainingItemCount].as_int());
  }

  static std::string text(const std::map<std::string, int64_t>& counts, std::string_view between) {
    std::string all;
    for (const auto& [name, count] : counts) {
      all += cat(all.empty() ? "" : ", ", name, between, count, " resource instances");
    }
    return all;
  }
};

Value with_conditions(const Value& home, const Remaining& remaining, WallTime now) {
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
  auto errors = remaining.errors;
  std::ranges::sort(errors);
  set("NamespaceDeletionContentFailure", !errors.empty(),
      errors.empty() ? "ContentDeleted" : "ContentDeletionFailed",
      errors.empty() ? "All content successfully deleted, may be waiting on finalization"
                     : cat("Failed to delete all resource types, ", errors.size(), " remaining: ", join(errors, ", ")));
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
  return next;
}

Plan plan_status(const Value& home, const Remaining& remaining, WallTime now) {
  Plan plan;
  const Value next = with_conditions(home, remaining, now);
  if (!(next == home)) plan.update_status(kinds::kNamespaces, next).on_error = OnError::kTolerateNotFound;
  return plan;
}

// It cannot go yet: it says why, and is looked at again.
Plan plan_wait(const Value& home, const Remaining& remaining, WallTime now) {
  Plan plan = plan_status(home, remaining, now);
  const auto since = time_of(home[keys::kMetadata][keys::kDeletionTimestamp]);
  const Duration taken = since ? now - *since : Duration{};
  plan.look_again_after(std::clamp(taken / kPatience, kLookAgainMin, kLookAgainMax));
  return plan;
}

Plan plan_end(const Value& home) {
  std::vector<Value> finalizers;
  for (const auto& f : home[keys::kSpec][keys::kFinalizers].items()) {
    if (f.as_string() != "kubernetes") finalizers.push_back(f);
  }
  Plan plan;
  PlannedWrite write;
  write.request.verb = Verb::kUpdate;
  write.request.kind = kinds::kNamespaces;
  write.request.name = object_name(home);
  write.request.subresource = "finalize";
  write.request.body =
      home.with_at({keys::kSpec, keys::kFinalizers}, Value::array(std::move(finalizers)));
  write.on_error = OnError::kTolerateNotFound;
  plan.writes.push_back(std::move(write));
  return plan;
}

PlannedWrite& add_write(Plan& plan, Verb verb, KindId kind, std::string_view name) {
  PlannedWrite write;
  write.request.verb = verb;
  write.request.kind = kind;
  write.request.namespace_ = name;
  plan.writes.push_back(std::move(write));
  return plan.writes.back();
}

void delete_all(Plan& plan, KindId kind, std::string_view name) {
  auto& write = add_write(plan, Verb::kDeleteCollection, kind, name);
  write.request.options.propagation = PropagationPolicy::kBackground;
  write.independent = true;
}

PlannedWrite& list_some(Plan& plan, KindId kind, std::string_view name) {
  auto& write = add_write(plan, Verb::kList, kind, name);
  write.request.options.limit = kLookedInto;
  return write;
}

// Once everything is on its way out, asking again changes nothing.
bool all_are_going(const std::vector<Value>& objects) { return std::ranges::all_of(objects, is_deleting); }

// The pods are gone. What one kind refuses keeps no other from going.
Plan plan_content(const Schema& schema, const Snapshot& snapshot, const Value& home) {
  const auto name = object_name(home);
  Plan plan;
  Remaining known;
  for (const KindId kind : content_kinds(schema)) {
    const auto content = snapshot.list(kind, name);
    if (content.empty()) continue;
    known.add(schema.resource(kind), content);
    if (!all_are_going(content)) delete_all(plan, kind, name);
  }
  // Of what no cache shows the server says whether it is there: custom kinds, and in the end all others, since the
  // caches may not know yet what was created last, and Events are in none.
  std::vector<KindId> unseen;
  if (known.nothing()) {
    unseen = content_kinds(schema);
    unseen.push_back(kinds::kEvents);
  }
  if (const KindRegistry* registry = schema.registry()) {
    for (const auto* resource : registry->stored()) {
      if (resource->namespaced) unseen.push_back(resource->id);
    }
  }
  for (const KindId kind : unseen) delete_all(plan, kind, name);
  const size_t deletions = plan.writes.size();
  // The first list waits for the last deletion.
  for (const KindId kind : unseen) list_some(plan, kind, name).independent = kind != unseen.front();
  plan.then = [&schema, home, known, unseen, deletions](const Snapshot&, Env& env, const Plan::Answers& answers) {
    Remaining remaining = known;
    for (size_t i = 0; i < deletions; ++i) remaining.note_error(answers[i]);
    for (size_t i = 0; i < unseen.size(); ++i) {
      remaining.add_listed(schema.resource(unseen[i]), answers[deletions + i]);
    }
    return remaining.nothing() ? plan_end(home) : plan_wait(home, remaining, env.now);
  };
  return plan;
}

}  // namespace

Plan reconcile_namespace(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& home = snapshot.find(kinds::kNamespaces, "", key.name);
  Plan plan;
  if (!home.has_value() || !is_deleting(home)) return plan;
  // What is left is somebody else's finalizer, who is told that the namespace is empty.
  const auto waits_for_us = [](const Value& finalizer) { return finalizer.as_string() == "kubernetes"; };
  if (std::ranges::none_of(home[keys::kSpec][keys::kFinalizers].items(), waits_for_us)) return plan_status(home, {}, env.now);
  // Pods go first: what guards them and what they lean on (policies, secrets, claims) outlives them.
  const auto pods = snapshot.list(kinds::kPods, key.name);
  if (!all_are_going(pods)) delete_all(plan, kinds::kPods, key.name);
  // The server is asked: a cache that lags must not let anything go before the last pod.
  if (pods.empty()) list_some(plan, kinds::kPods, key.name);
  plan.then = [&schema, home, pods](const Snapshot& later, Env& then, const Plan::Answers& answers) {
    const ResourceInfo& resource = schema.resource(kinds::kPods);
    Remaining remaining;
    if (pods.empty()) {
      remaining.add_listed(resource, answers[0]);
      if (remaining.nothing()) return plan_content(schema, later, home);
    } else {
      for (const auto& answer : answers) remaining.note_error(answer);
      remaining.add(resource, pods);
    }
    return plan_wait(home, remaining, then.now);
  };
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
