// Store: the current state of the cluster in memory, one log behind it, one sequence of revisions for
// everything.
//
//   put/erase --> visible to reads at once, staged --> commit() --> Log --durable--> watchers, replies
//
// The state is a table of immutable objects per kind; reads never touch the disk. A turn of the control
// thread stages any number of writes and commits them as one batch; the next turn may already read and
// write on top while the batch is on its way. Nothing leaves the process before it is durable: watchers
// are told, and when_durable() runs, only then, in revision order.
//
// Watch windows: the last events of each kind are kept in a ring that all watchers share; a watch from a
// revision that has left it is Expired. A watcher may register under an index value (pods by node): an
// event then reaches it only if the old or the new object has that value, at a cost that does not
// depend on the number of watchers. A window begins empty after a restart, but where the log knows when a kind
// changed last, a watch from then on goes on: a thousand informers come back without a list.
//
// What objects have in common is kept once (SubtreePool): what find() gives back equals what was put,
// and is not always the same node.
//
// Invariants: object.metadata.resourceVersion is the revision of its last write; revisions only grow;
// replaying a watch from a list's revision gives exactly the next list. One owner, control thread only.
// A failed commit calls on_fatal once; the store is then useless and its owner rebuilds from disk.
// It knows nothing of admission, validation or conflicts: those are control/api's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/object_ref.h"
#include "control/object/subtree_pool.h"
#include "control/object/value.h"
#include "control/store/log.h"

namespace minik::control {

struct StoreEvent {
  enum class Type : uint8_t { kAdded, kModified, kDeleted };
  Type type = Type::kAdded;
  Revision revision;
  Value object;    // for kDeleted: the last version, stamped with the revision of the deletion
  Value previous;  // absent for kAdded
};

// All objects of a kind (or of one namespace in it) at one revision, sorted by namespace and name.
struct ListSnapshot {
  Revision revision;
  std::vector<Value> objects;
};

struct StoreOptions {
  // Events kept per kind for watches that resume. Kubernetes' own window is 100 to 100,000 by load.
  size_t window_events_max = 10'000;
  // Lists kept for `continue`, over all kinds: each holds references to its objects.
  size_t list_snapshots_max = 64;
};

struct WatchFilter {
  std::string index;  // empty: every event of the kind
  std::string value;
};

struct StoreWatchId {
  uint64_t value = 0;
};

class Store {
 public:
  using FatalHandler = std::function<void(const Error&)>;
  using EventCallback = std::function<void(const StoreEvent&)>;
  // The index value of an object; empty: not under any value.
  using StoreIndex = std::string_view (*)(const Value& object);

  Store(Log& log, FatalHandler on_fatal, StoreOptions options = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Once, before anything else.
  void load(RecoveredState state);

  // --- reads ---
  const Value& find(KindId kind, std::string_view namespace_, std::string_view name) const;
  // Namespace "" is all of them (or the one of a cluster-scoped kind).
  std::shared_ptr<const ListSnapshot> list(KindId kind, std::string_view namespace_) const;
  // The list as it was at this revision: one that is remembered, or today's with the events of the watch window taken
  // back; Expired when the window begins later.
  Result<std::shared_ptr<const ListSnapshot>> list_at(KindId kind, std::string_view namespace_,
                                                      Revision revision) const;
  // What durable_revision() holds: what a watch from then on begins with, whatever is staged by now.
  Value find_durable(KindId kind, std::string_view namespace_, std::string_view name) const;
  std::shared_ptr<const ListSnapshot> list_durable(KindId kind, std::string_view namespace_) const;
  // Remembers a list for later pages.
  void keep(KindId kind, std::string_view namespace_, std::shared_ptr<const ListSnapshot> list);
  size_t count(KindId kind) const;
  size_t count() const;
  // Visits without copying or sorting, in no promised order; the store must not change meanwhile.
  void for_each(KindId kind, const std::function<void(const Value&)>& visit) const;
  Revision revision() const { return revision_; }          // of the last staged write
  Revision durable_revision() const { return durable_; }

  // Two kinds that are two forms of one: whoever names `form` means `kind`, which is what the log says.
  void alias(KindId form, KindId kind);
  // Objects of this kind have little in common and do not stay: looking for parts that they share with
  // others would cost more than it saves.
  void keep_unshared(KindId kind);

  // --- writes ---
  // What the next put or erase must be stamped with.
  Revision next_revision() const { return {revision_.value + 1}; }
  // Adds or replaces; metadata.resourceVersion must be next_revision().
  void put(KindId kind, Value object);
  // `last` is the object's final version, stamped with next_revision().
  void erase(KindId kind, Value last);
  // Hands what was staged to the log; without staged writes it does nothing.
  void commit();
  bool has_staged() const { return !staged_.empty(); }
  // Runs as soon as everything up to the current revision is durable: at once when it is already.
  void when_durable(std::function<void()> then);

  // --- watches ---
  void add_index(KindId kind, std::string_view name, StoreIndex index);
  // Calls back for each event after `from`: first what the window holds, from inside this call, then
  // as it becomes durable. The callback must not write to the store; it may unwatch.
  Result<StoreWatchId> watch(KindId kind, Revision from, WatchFilter filter, EventCallback callback);
  void unwatch(StoreWatchId id);
  size_t watch_count() const { return watch_places_.size(); }
  // Drops the window of every kind as a restart does: watches from before are Expired.
  void forget_windows();

 private:
  struct Table;
  struct StagedEvent {
    KindId kind;
    StoreEvent event;
  };
  struct WatchPlace {
    KindId kind;
    WatchFilter filter;
  };
  struct Waiter {
    Revision revision;
    std::function<void()> then;
  };

  KindId stored(KindId kind) const {
    return kind.value < forms_.size() && forms_[kind.value].value != 0 ? forms_[kind.value] : kind;
  }
  Table& table(KindId form);
  Revision window_start_after_load(KindId kind) const;
  const Table* find_table(KindId form) const;
  void stage(LogRecord::Kind what, KindId kind, StoreEvent event);
  void on_durable(Revision last, const Status& status);
  void release(Table& table, StoreEvent event);
  std::shared_ptr<const ListSnapshot> rewound(const Table& table, std::string_view namespace_, Revision revision) const;

  Log& log_;
  FatalHandler on_fatal_;
  StoreOptions options_;
  Revision revision_;
  Revision durable_;
  std::optional<LastChanges> last_changes_;  // as the log found them
  std::vector<std::unique_ptr<Table>> tables_;  // by KindId
  std::vector<KindId> forms_;                   // by KindId of a form: what it is a form of
  std::vector<LogRecord> staged_;
  std::deque<StagedEvent> unreleased_;
  std::deque<Waiter> waiters_;
  uint64_t next_watch_ = 1;
  std::map<uint64_t, WatchPlace> watch_places_;
  SubtreePool pool_;
  struct KeptList;
  mutable std::deque<KeptList> kept_lists_;
  std::shared_ptr<bool> alive_;
  bool failed_ = false;
};

}  // namespace minik::control
