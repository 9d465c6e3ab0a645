#include "control/store/store.h"

#include <algorithm>
#include <map>
#include <utility>

#include "control/base/check.h"
#include "control/object/keys.h"
#include "control/object/object_table.h"

namespace minik::control {

namespace {

struct Watcher {
  uint64_t id;
  Revision from;  // one that begins while a batch is told knows already what is left of the batch
  // Shared, so that a callback that unwatches does not destroy itself while it runs.
  std::shared_ptr<const Store::EventCallback> callback;
};

void drop_watcher(std::vector<Watcher>& watchers, uint64_t id) {
  std::erase_if(watchers, [id](const Watcher& w) { return w.id == id; });
}

}  // namespace

struct Store::Table {
  explicit Table(KindId k) : kind(k) {}
  bool unshared = false;

  struct Index {
    std::string name;
    StoreIndex function;
    std::map<std::string, std::vector<Watcher>, std::less<>> watchers;
  };

  Index& index(std::string_view name) {
    const auto found = std::ranges::find(indexes, name, &Index::name);
    CHECK(found != indexes.end()) << "no index " << name;
    return *found;
  }

  KindId kind;
  ObjectTable objects;
  std::deque<StoreEvent> window;
  Revision window_start;  // events after this revision are all in the window
  std::vector<Watcher> watchers;
  std::vector<Index> indexes;
};

struct Store::KeptList {
  KindId kind;
  std::string namespace_;
  std::shared_ptr<const ListSnapshot> list;
};

Store::Store(Log& log, FatalHandler on_fatal, StoreOptions options)
    : log_(log),
      on_fatal_(std::move(on_fatal)),
      options_(options),
      alive_(std::make_shared<bool>(true)) {}

Store::~Store() { *alive_ = false; }

void Store::load(RecoveredState state) {
  CHECK(revision_.value == 0 && count() == 0) << "load() comes first";
  for (auto& record : state.objects) {
    table(record.kind).objects.put(pool_.share(std::exchange(record.object, {})));
  }
  revision_ = durable_ = state.last;
  last_changes_ = std::move(state.last_changes);
  for (auto& t : tables_) {
    if (t) t->window_start = window_start_after_load(t->kind);
  }
}

void Store::alias(KindId form, KindId kind) {
  if (form.value >= forms_.size()) forms_.resize(form.value + size_t{1});
  forms_[form.value] = kind;
  table(kind);
}

Store::Table& Store::table(KindId form) {
  const KindId kind = stored(form);
  if (kind.value >= tables_.size()) tables_.resize(kind.value + size_t{1});
  auto& slot = tables_[kind.value];
  if (!slot) {
    slot = std::make_unique<Table>(kind);
    slot->window_start = window_start_after_load(kind);
  }
  return *slot;
}

// A table that nobody needed until now belongs to a kind that has not changed since either.
Revision Store::window_start_after_load(KindId kind) const {
  if (!last_changes_) return durable_;
  const auto known = last_changes_->of.find(kind);
  return known == last_changes_->of.end() ? last_changes_->others : known->second;
}

const Store::Table* Store::find_table(KindId form) const {
  const KindId kind = stored(form);
  return kind.value < tables_.size() ? tables_[kind.value].get() : nullptr;
}

const Value& Store::find(KindId kind, std::string_view namespace_, std::string_view name) const {
  const Table* t = find_table(kind);
  return t ? t->objects.find(namespace_, name) : Value::absent();
}

std::shared_ptr<const ListSnapshot> Store::list(KindId kind, std::string_view namespace_) const {
  auto snapshot = std::make_shared<ListSnapshot>();
  snapshot->revision = revision_;
  if (const Table* t = find_table(kind)) t->objects.list(namespace_, snapshot->objects);
  return snapshot;
}

Result<std::shared_ptr<const ListSnapshot>> Store::list_at(KindId kind, std::string_view namespace_,
                                                           Revision revision) const {
  if (revision == revision_) return list(kind, namespace_);
  for (const auto& kept : kept_lists_) {
    if (kept.kind == kind && kept.namespace_ == namespace_ && kept.list->revision == revision) {
      return kept.list;
    }
  }
  const Table* t = find_table(kind);
  if (t != nullptr && t->window_start <= revision && revision < revision_) return rewound(*t, namespace_, revision);
  return Error(ErrorCode::kExpired,
               "The provided continue parameter is too old to display a consistent list result. "
               "You must start a new list without the continue parameter.");
}

// The list of today with everything that has happened since taken back, newest first.
std::shared_ptr<const ListSnapshot> Store::rewound(const Table& t, std::string_view namespace_, Revision revision) const {
  std::map<std::pair<std::string, std::string>, Value> objects;
  const auto place = [](const Value& object) {
    return std::pair(std::string(object_namespace(object)), std::string(object_name(object)));
  };
  const auto today = list(t.kind, namespace_);
  for (const auto& object : today->objects) objects.emplace(place(object), object);
  const auto take_back = [&](const StoreEvent& event) {
    if (!namespace_.empty() && object_namespace(event.object) != namespace_) return;
    if (event.previous.is_absent()) {
      objects.erase(place(event.object));
    } else {
      objects.insert_or_assign(place(event.object), event.previous);
    }
  };
  for (auto staged = unreleased_.rbegin(); staged != unreleased_.rend(); ++staged) {
    if (staged->kind == t.kind && staged->event.revision > revision) take_back(staged->event);
  }
  for (auto event = t.window.rbegin(); event != t.window.rend() && event->revision > revision; ++event) take_back(*event);
  auto snapshot = std::make_shared<ListSnapshot>();
  snapshot->revision = revision;
  for (auto& [key, object] : objects) snapshot->objects.push_back(std::move(object));
  return snapshot;
}

Value Store::find_durable(KindId kind, std::string_view namespace_, std::string_view name) const {
  const Table* t = find_table(kind);
  if (!t) return {};
  const Value& newest = t->objects.find(namespace_, name);
  if (newest.has_value() ? object_revision(newest) <= durable_ : unreleased_.empty()) return newest;
  for (const auto& [of, event] : unreleased_) {
    const bool same = of == t->kind && object_name(event.object) == name && object_namespace(event.object) == namespace_;
    if (same && event.revision > durable_) return event.previous;
  }
  return newest;
}

std::shared_ptr<const ListSnapshot> Store::list_durable(KindId kind, std::string_view namespace_) const {
  auto newest = std::make_shared<ListSnapshot>();
  newest->revision = durable_;
  const Table* t = find_table(kind);
  if (!t) return newest;
  t->objects.list(namespace_, newest->objects);
  // The first of an object's changes that are not durable yet knows the version that is; absent: there was none.
  using Place = std::pair<std::string_view, std::string_view>;
  const auto place = [](const Value& object) { return Place(object_namespace(object), object_name(object)); };
  std::map<Place, Value> before;
  for (const auto& [of, event] : unreleased_) {
    const bool meant = of == t->kind && (namespace_.empty() || object_namespace(event.object) == namespace_);
    if (meant && event.revision > durable_) before.try_emplace(place(event.object), event.previous);
  }
  if (before.empty()) return newest;
  std::vector<Value> objects;
  objects.reserve(newest->objects.size() + before.size());
  auto next = before.begin();
  const auto add_until = [&](const Place* end) {
    for (; next != before.end() && (!end || next->first < *end); ++next) {
      if (next->second.has_value()) objects.push_back(next->second);
    }
  };
  for (auto& object : newest->objects) {
    const Place here = place(object);
    add_until(&here);
    const bool changed = next != before.end() && next->first == here;
    if (!changed) objects.push_back(std::move(object));
  }
  add_until(nullptr);
  newest->objects = std::move(objects);
  return newest;
}

void Store::keep(KindId kind, std::string_view namespace_,
                 std::shared_ptr<const ListSnapshot> list) {
  for (const auto& kept : kept_lists_) {
    if (kept.list == list) return;
  }
  if (kept_lists_.size() == options_.list_snapshots_max) kept_lists_.pop_front();
  kept_lists_.push_back({kind, std::string(namespace_), std::move(list)});
}

size_t Store::count(KindId kind) const {
  const Table* t = find_table(kind);
  return t ? t->objects.size() : 0;
}

size_t Store::count() const {
  size_t total = 0;
  for (const auto& t : tables_) total += t ? t->objects.size() : 0;
  return total;
}

void Store::for_each(KindId kind, const std::function<void(const Value&)>& visit) const {
  if (const Table* t = find_table(kind)) t->objects.for_each(visit);
}

void Store::put(KindId kind, Value object) {
  CHECK(object_revision(object) == next_revision())
      << object_revision(object).value << " is not " << next_revision().value;
  Table& t = table(kind);
  if (!t.unshared)
    object = pool_.share(object, t.objects.find(object_namespace(object), object_name(object)));
  Value previous = t.objects.put(object);
  const auto type = previous.is_absent() ? StoreEvent::Type::kAdded : StoreEvent::Type::kModified;
  stage(LogRecord::Kind::kPut, t.kind,
        {type, next_revision(), std::move(object), std::move(previous)});
}

void Store::erase(KindId kind, Value last) {
  CHECK(object_revision(last) == next_revision());
  Table& t = table(kind);
  Value previous = t.objects.erase(object_namespace(last), object_name(last));
  CHECK(!previous.is_absent()) << "erase of unknown " << key_of(last).text();
  stage(LogRecord::Kind::kDelete, t.kind,
        {StoreEvent::Type::kDeleted, next_revision(), std::move(last), std::move(previous)});
}

void Store::stage(LogRecord::Kind what, KindId kind, StoreEvent event) {
  CHECK(!failed_) << "write to a store whose log has failed";
  revision_ = event.revision;
  const Revision previous =
      event.previous.is_absent() ? Revision{} : object_revision(event.previous);
  staged_.push_back({what, kind, event.revision, event.object, previous});
  unreleased_.push_back({kind, std::move(event)});
}

void Store::commit() {
  if (staged_.empty()) return;
  const Revision last = staged_.back().revision;
  log_.append(std::exchange(staged_, {}), [this, alive = alive_, last](Status status) {
    if (*alive) on_durable(last, status);
  });
}

void Store::on_durable(Revision last, const Status& status) {
  if (failed_) return;
  if (!status.ok()) {
    failed_ = true;
    on_fatal_(status.error());
    return;
  }
  durable_ = last;
  const auto alive = alive_;  // a callback may destroy the store, as a crash does
  while (*alive && !unreleased_.empty() && unreleased_.front().event.revision <= durable_) {
    StagedEvent staged = std::move(unreleased_.front());
    unreleased_.pop_front();
    release(table(staged.kind), std::move(staged.event));
  }
  while (*alive && !waiters_.empty() && waiters_.front().revision <= durable_) {
    const auto then = std::move(waiters_.front().then);
    waiters_.pop_front();
    then();
  }
}

void Store::when_durable(std::function<void()> then) {
  if (durable_ == revision_) {
    then();
  } else {
    waiters_.push_back({revision_, std::move(then)});
  }
}

void Store::release(Table& t, StoreEvent event) {
  if (t.window.size() == options_.window_events_max) {
    t.window_start = t.window.front().revision;
    t.window.pop_front();
  }
  t.window.push_back(std::move(event));
  // By copy: a callback may start a watch, which may grow the window.
  const StoreEvent told = t.window.back();
  const auto tell = [&](const std::vector<Watcher>& watchers) {
    if (watchers.empty()) return;
    const std::vector<Watcher> now = watchers;
    for (const auto& watcher : now) {
      if (told.revision > watcher.from) (*watcher.callback)(told);
    }
  };
  tell(t.watchers);
  for (auto& index : t.indexes) {
    if (index.watchers.empty()) continue;
    const std::string_view value = index.function(told.object);
    const std::string_view before = index.function(told.previous);
    for (const auto which : {value, before}) {
      const auto found = index.watchers.find(which);
      if (!which.empty() && found != index.watchers.end()) tell(found->second);
      if (value == before) break;
    }
  }
}

void Store::keep_unshared(KindId kind) {
  table(kind).unshared = true;
}

void Store::add_index(KindId kind, std::string_view name, StoreIndex function) {
  auto& indexes = table(kind).indexes;
  if (std::ranges::find(indexes, name, &Table::Index::name) == indexes.end()) {
    indexes.push_back({std::string(name), function, {}});
  }
}

Result<StoreWatchId> Store::watch(KindId kind, Revision from, WatchFilter filter,
                                  EventCallback callback) {
  Table& t = table(kind);
  if (from < t.window_start) {
    return Error(ErrorCode::kExpired,
                 cat("too old resource version: ", from.value, " (", t.window_start.value, ")"));
  }
  const uint64_t id = next_watch_++;
  auto shared = std::make_shared<const EventCallback>(std::move(callback));
  const StoreIndex function = filter.index.empty() ? nullptr : t.index(filter.index).function;
  const auto first = std::upper_bound(
      t.window.begin(), t.window.end(), from,
      [](Revision revision, const StoreEvent& event) { return revision < event.revision; });
  for (auto event = first; event != t.window.end(); ++event) {
    if (function && function(event->object) != filter.value &&
        function(event->previous) != filter.value) {
      continue;
    }
    (*shared)(*event);
  }
  auto& watchers = function ? t.index(filter.index).watchers[filter.value] : t.watchers;
  watchers.push_back({id, from, std::move(shared)});
  watch_places_.emplace(id, WatchPlace{kind, std::move(filter)});
  return StoreWatchId{id};
}

void Store::unwatch(StoreWatchId id) {
  const auto found = watch_places_.find(id.value);
  if (found == watch_places_.end()) return;
  const WatchPlace place = std::move(found->second);
  watch_places_.erase(found);
  Table& t = table(place.kind);
  if (place.filter.index.empty()) {
    drop_watcher(t.watchers, id.value);
    return;
  }
  auto& by_value = t.index(place.filter.index).watchers;
  const auto value = by_value.find(place.filter.value);
  drop_watcher(value->second, id.value);
  if (value->second.empty()) by_value.erase(value);
}

void Store::forget_windows() {
  for (auto& t : tables_) {
    if (!t) continue;
    t->window.clear();
    t->window_start = durable_;
  }
}

}  // namespace minik::control
