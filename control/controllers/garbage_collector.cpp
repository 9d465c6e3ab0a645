#include "control/controllers/garbage_collector.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/controllers/garbage_judgement.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kOwnerUid = "owner-uid";
constexpr Duration kRetry = seconds(1);
// An owner of many that waits for them rests between two looks, so that a swarm that goes costs a few looks and not one
// for each of them: 6,000 pods, 60 ms.
constexpr Duration kRestForDependent = microseconds(10);
constexpr size_t kSwarm = 64;
constexpr size_t kRemembered = 10'000;  // owners that are gone, warnings given: forgotten, they are found out again

// What makes the collector look: owners, finalizers and the deletion mark; status never does.
bool concerns(const Value& before, const Value& after) {
  if (!before.has_value() || !after.has_value()) return true;
  const auto& a = before[keys::kMetadata];
  const auto& b = after[keys::kMetadata];
  return !(a[keys::kOwnerReferences] == b[keys::kOwnerReferences] &&
           a[keys::kFinalizers] == b[keys::kFinalizers] &&
           a[keys::kDeletionTimestamp] == b[keys::kDeletionTimestamp]);
}

}  // namespace

struct GarbageCollector::Impl : std::enable_shared_from_this<Impl> {
  struct Item {
    KindId kind;
    ObjectKey key;
    auto operator<=>(const Item&) const = default;
  };
  // A uid alone would not do: who says a wrong namespace must not condemn those that say the right one.
  struct OwnerAddress {
    Item item;
    std::string uid;
    auto operator<=>(const OwnerAddress&) const = default;
  };

  Impl(const Schema& s, Executor& e, Client& c, InformerSet& i, EventRecorder& r)
      : schema(s), executor(e), client(c), informers(i), events(r) {}

  const ObjectCache& cache(KindId kind) const { return informers.find(kind)->cache(); }

  void on_change(KindId kind, const Value& before, const Value& after) {
    if (!concerns(before, after)) return;
    const Value& object = after.has_value() ? after : before;
    const bool owns = !object[keys::kMetadata][keys::kOwnerReferences].empty();
    if (after.has_value() && (owns || is_deleting(after))) add({kind, key_of(after)});
    // Dependents hear of an owner's end, owners in foreground deletion of a dependent
    // that is gone or is theirs no longer.
    if (!after.has_value() || is_deleting(after)) add_dependents(object_uid(object));
    const bool let_go = after.has_value() && before.has_value() &&
                        !(before[keys::kMetadata][keys::kOwnerReferences] ==
                          after[keys::kMetadata][keys::kOwnerReferences]);
    if (after.has_value() && !let_go) return;
    for (const auto& owner : before[keys::kMetadata][keys::kOwnerReferences].items()) {
      if (const auto* resource = resource_of(owner))
        add({resource->id, owner_key(*resource, owner, object)});
    }
  }

  const ResourceInfo* resource_of(const Value& owner) const {
    const auto* resource =
        schema.find_kind(owner[keys::kApiVersion].as_string(), owner[keys::kKind].as_string());
    if (resource) resource = &schema.resource(resource->stored_as());
    return resource && informers.find(resource->id) ? resource : nullptr;
  }

  void watch(KindId kind) {
    watched.push_back(kind);
    Informer& informer = informers.of(kind);
    informer.cache().add_index(kOwnerUid, [](const Value& object, std::vector<Key>& out) {
      for (const auto& owner : object[keys::kMetadata][keys::kOwnerReferences].items()) {
        if (owner[keys::kUid].is_string()) out.emplace_back(owner[keys::kUid]);
      }
    });
    informer.subscribe([weak = weak_from_this(), kind](const Value& before, const Value& after) {
      if (const auto impl = weak.lock()) impl->on_change(kind, before, after);
    });
  }

  // A definition has changed: watch what is served now, and no more what is not.
  void follow_definitions() {
    const KindRegistry* registry = schema.registry();
    if (!registry || !started) return;
    std::set<KindId> now;
    for (const auto* resource : registry->stored()) now.insert(resource->id);
    for (const KindId kind : custom) {
      if (!now.contains(kind)) informers.of(kind).stop();
    }
    for (const KindId kind : now) {
      if (std::ranges::find(watched, kind) == watched.end()) watch(kind);
      if (Informer& informer = informers.of(kind); !informer.started()) informer.start();
    }
    custom = std::move(now);
  }

  static ObjectKey owner_key(const ResourceInfo& resource, const Value& owner,
                             const Value& object) {
    return {resource.namespaced ? std::string(object_namespace(object)) : std::string(),
            owner[keys::kName].string()};
  }

  void add_dependents(std::string_view uid) {
    for (const KindId kind : watched) {
      for (const auto& object : cache(kind).indexed(kOwnerUid, uid)) add({kind, key_of(object)});
    }
  }

  void add(Item item) {
    queue.insert(std::move(item));
    if (scheduled || !started) return;
    scheduled = true;
    executor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->work();
    });
  }

  void work() {
    scheduled = false;
    for (const auto& item : std::exchange(queue, {})) {
      if (resting.contains(item)) continue;  // looked at when it has rested
      if (busy.contains(item)) {
        again.insert(item);  // looked at when its request is answered
        continue;
      }
      const Value object = cache(item.kind).find(item.key.namespace_, item.key.name);
      if (!object.has_value()) continue;
      if (is_deleting(object) && has_finalizer_named(object, kOrphanFinalizer)) {
        orphan_dependents(item, object);
      } else if (is_deleting(object) && has_finalizer_named(object, kForegroundFinalizer)) {
        finish_foreground(item, object);
      }
      if (!is_deleting(object) || !has_finalizer_named(object, kForegroundFinalizer))
        check_owners(item, object);
    }
  }

  // Where a reference points to; none: nowhere that exists.
  std::optional<OwnerAddress> address_of(const Value& object, const Value& owner) const {
    const auto* resource = resource_of(owner);
    if (!resource || (resource->namespaced && object_namespace(object).empty())) return std::nullopt;
    return OwnerAddress{{resource->id, owner_key(*resource, owner, object)}, owner[keys::kUid].string()};
  }

  OwnerWorth worth_of(const Value& object, const Value& owner) const {
    const auto address = address_of(object, owner);
    if (!address) return OwnerWorth::kInvalid;  // never deleted on a guess
    const ObjectKey& key = address->item.key;
    const Value& known = cache(address->item.kind).find(key.namespace_, key.name);
    if (known.has_value() && object_uid(known) == address->uid) {
      return waits_for_dependents(known) ? OwnerWorth::kWaits : OwnerWorth::kSolid;
    }
    return gone.contains(*address) ? OwnerWorth::kGone : OwnerWorth::kUnknown;
  }

  static bool waits_for_dependents(const Value& object) {
    return is_deleting(object) && has_finalizer_named(object, kForegroundFinalizer);
  }

  Dependents dependents_of(const Value& object) const {
    auto found = Dependents::kNone;
    for (const KindId kind : watched) {
      for (const auto& dependent : cache(kind).indexed(kOwnerUid, object_uid(object))) {
        if (waits_for_dependents(dependent)) return Dependents::kWaiting;
        found = Dependents::kSome;
      }
    }
    return found;
  }

  void check_owners(const Item& item, const Value& object) {
    warn_of_owners_in_namespaces(item, object);
    const auto decision = decide_garbage(
        object, [&](const Value& owner) { return worth_of(object, owner); }, [&] { return dependents_of(object); });
    switch (decision.action) {
      case GarbageDecision::Action::kNothing:
        return;
      case GarbageDecision::Action::kAsk:
        return ask_for_owner(item, object, decision.owner);
      case GarbageDecision::Action::kSetOwners:
        return set_owners(item, object, decision.owners);
      case GarbageDecision::Action::kRemove:
        return remove(item, object, decision.policy);
    }
  }

  void set_owners(const Item& item, const Value& object, const Value& owners) {
    const Value patch = Value::map(
        {{keys::kMetadata,
          Value::map({{keys::kUid, object[keys::kMetadata][keys::kUid]},
                      {keys::kResourceVersion, object[keys::kMetadata][keys::kResourceVersion]},
                      {keys::kOwnerReferences, owners}})}});
    Plan plan;
    send(item, plan.patch(item.kind, item.key, PatchType::kMerge, patch).request);
  }

  // One question for each owner, however many objects wait for the answer.
  void ask_for_owner(const Item& item, const Value& object, const Value& owner) {
    const OwnerAddress address = *address_of(object, owner);
    auto& waiting = asking[address];
    waiting.push_back(item);
    if (waiting.size() > 1) return;
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = address.item.kind;
    request.namespace_ = address.item.key.namespace_;
    request.name = address.item.key.name;
    client.send(std::move(request), [weak = weak_from_this(), item, object, owner, address](const Result<ApiResponse>& r) {
      const auto self = weak.lock();
      if (!self) return;
      const auto waiting_items = std::exchange(self->asking[address], {});
      self->asking.erase(address);
      // Of a kind that is served no more nobody can tell, whatever the answer.
      const bool is_gone = self->address_of(object, owner) &&
                           (r ? object_uid(r->object) != address.uid : r.error().code == ErrorCode::kNotFound);
      if (is_gone) {
        self->remember_gone(address);
        self->warn_of_stranger(item, object, owner);
      }
      for (const auto& other : waiting_items) {
        // Not gone: alive and only unknown here, or the API did not answer.
        is_gone ? self->add(other) : self->later(other);
      }
    });
  }

  // A cluster-wide object cannot have an owner in a namespace. It stays, and this says why; once.
  void warn_of_owners_in_namespaces(const Item& item, const Value& object) {
    if (!object_namespace(object).empty()) return;
    for (const auto& owner : object[keys::kMetadata][keys::kOwnerReferences].items()) {
      const auto* resource = resource_of(owner);
      if (!resource || !resource->namespaced) continue;
      if (warned.size() >= kRemembered) warned.clear();
      if (warned.emplace(object_uid(object), owner[keys::kUid].as_string()).second) warn_of_stranger(item, object, owner);
    }
  }

  // An owner that lives in another namespace is none: an object in a namespace will be deleted, and this says why.
  void warn_of_stranger(const Item& item, const Value& object, const Value& owner) {
    const ResourceInfo& resource = *resource_of(owner);
    if (!resource.namespaced) return;
    bool lives = false;
    cache(resource.id).for_each([&](const Value& other) { lives |= object_uid(other) == owner[keys::kUid].as_string(); });
    if (!lives) return;
    const ResourceInfo& own = schema.resource(item.kind);
    events.record(
        {typed(object, own.api_version, own.kind), "Warning", "OwnerRefInvalidNamespace",
         cat("ownerRef [", owner[keys::kApiVersion].as_string(), "/",
             owner[keys::kKind].as_string(), ", namespace: ", object_namespace(object),
             ", name: ", owner[keys::kName].as_string(), ", uid: ", owner[keys::kUid].as_string(),
             "] does not exist in namespace ", quoted(object_namespace(object)))});
  }

  void remember_gone(const OwnerAddress& address) {
    if (gone.size() >= kRemembered) gone.clear();
    gone.insert(address);
  }

  void later(const Item& item) {
    executor.after(kRetry, [weak = weak_from_this(), item] {
      if (const auto self = weak.lock()) self->add(item);
    });
  }

  void send(const Item& item, ApiRequest request) {
    busy.insert(item);
    client.send(std::move(request),
                [weak = weak_from_this(), item](const Result<ApiResponse>& result) {
                  const auto self = weak.lock();
                  if (!self) return;
                  self->busy.erase(item);
                  if (!result && result.error().code != ErrorCode::kNotFound) self->later(item);
                  if (self->again.erase(item) > 0) self->add(item);
                });
  }

  // This version of it: a newer one may have found another owner.
  void remove(const Item& item, const Value& object, PropagationPolicy policy) {
    Plan plan;
    auto& request = plan.remove(item.kind, object, policy).request;
    request.options.preconditions.resource_version = object[keys::kMetadata][keys::kResourceVersion].as_string();
    send(item, request);
  }

  void drop_finalizer(const Item& item, const Value& object, std::string_view name) {
    std::vector<Value> rest;
    for (const auto& f : object[keys::kMetadata][keys::kFinalizers].items()) {
      if (f.as_string() != name) rest.push_back(f);
    }
    const Value patch = Value::map(
        {{keys::kMetadata,
          Value::map(
              {{keys::kFinalizers, rest.empty() ? Value(nullptr) : Value::array(std::move(rest))},
               {keys::kResourceVersion, object[keys::kMetadata][keys::kResourceVersion]}})}});
    Plan plan;
    send(item, plan.patch(item.kind, item.key, PatchType::kMerge, patch).request);
  }

  void finish_foreground(const Item& item, const Value& object) {
    bool blocked = false;
    size_t left = 0;
    for (const KindId kind : watched) {
      for (const auto& dependent : cache(kind).indexed(kOwnerUid, object_uid(object))) {
        ++left;
        if (!is_deleting(dependent)) add({kind, key_of(dependent)});
        blocked |= blocks_deletion(dependent, object);
      }
    }
    if (!blocked) return drop_finalizer(item, object, kForegroundFinalizer);
    if (left < kSwarm) return;
    resting.insert(item);
    executor.after(kRestForDependent * static_cast<int64_t>(left), [weak = weak_from_this(), item] {
      const auto self = weak.lock();
      if (!self) return;
      self->resting.erase(item);
      self->add(item);
    });
  }

  void orphan_dependents(const Item& item, const Value& object) {
    bool left = false;
    for (const KindId kind : watched) {
      for (const auto& dependent : cache(kind).indexed(kOwnerUid, object_uid(object))) {
        left = true;
        std::vector<Value> rest;
        for (const auto& owner : dependent[keys::kMetadata][keys::kOwnerReferences].items()) {
          if (!(owner[keys::kUid] == object[keys::kMetadata][keys::kUid])) rest.push_back(owner);
        }
        const Value patch = Value::map(
            {{keys::kMetadata,
              Value::map({{keys::kUid, dependent[keys::kMetadata][keys::kUid]},
                          {keys::kOwnerReferences,
                           rest.empty() ? Value(nullptr) : Value::array(std::move(rest))}})}});
        Plan plan;
        send({kind, key_of(dependent)},
             plan.patch(kind, key_of(dependent), PatchType::kMerge, patch).request);
      }
    }
    if (left) {
      later(item);
    } else {
      drop_finalizer(item, object, kOrphanFinalizer);
    }
  }

  const Schema& schema;
  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& events;
  std::vector<KindId> watched;
  std::set<KindId> custom;  // those of them that are defined at run time and served now
  std::set<Item> queue;    // to be looked at
  std::set<Item> busy;     // a request for it is on its way
  std::set<Item> again;    // of these: there is news
  std::set<Item> resting;  // owners that wait for many dependents
  std::map<OwnerAddress, std::vector<Item>> asking;
  std::set<OwnerAddress> gone;
  std::set<std::pair<std::string, std::string>> warned;  // the uids of an object and of its owner
  bool scheduled = false, started = false;
};

std::vector<KindId> GarbageCollector::kinds_of(const Schema& schema) {
  std::vector<KindId> all;
  for (const auto& resource : schema.resources()) {
    const bool plain =
        resource.has_verb("list") && resource.has_verb("delete") && resource.has_verb("create");
    // Of kinds with two served forms the store has one.
    const bool alias = resource.id == kinds::kEventsEvents ||
                       resource.id == kinds::kAutoscalingV1Horizontalpodautoscalers;
    if (plain && !alias && resource.id != kinds::kEvents) all.push_back(resource.id);
  }
  return all;
}

GarbageCollector::GarbageCollector(const Schema& schema, Executor& executor, Client& client,
                                   InformerSet& informers, EventRecorder& events)
    : impl_(std::make_shared<Impl>(schema, executor, client, informers, events)) {
  for (const KindId kind : kinds_of(schema)) impl_->watch(kind);
  informers.of(kinds::kCustomresourcedefinitions)
      .subscribe([weak = std::weak_ptr(impl_)](const Value&, const Value&) {
        if (const auto impl = weak.lock()) impl->follow_definitions();
      });
}

GarbageCollector::~GarbageCollector() = default;

void GarbageCollector::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) {
      impl->started = true;
      impl->follow_definitions();
      impl->executor.post([weak] {
        if (const auto self = weak.lock()) self->work();
      });
    }
  });
}

}  // namespace minik::control
