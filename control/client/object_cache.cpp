#include "control/client/object_cache.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "control/base/check.h"
#include "control/client/label_groups.h"
#include "control/object/keys.h"
#include "control/object/object_table.h"

namespace minik::control {

namespace {

// Names under each value, not objects: a new version of an object changes nothing where its values stay.
struct Index {
  using Names = std::set<std::pair<Key, Key>>;  // namespace and name
  std::string name;
  IndexFunction function;
  std::map<std::string, Names, std::less<>> members;
  std::vector<Key> old_values, new_values;  // of one change; members, so that a change allocates nothing

  void change(const Value& before, const Value& after) {
    old_values.clear();
    new_values.clear();
    if (before.has_value()) function(before, old_values);
    if (after.has_value()) function(after, new_values);
    if (old_values == new_values) return;
    for (const auto& value : old_values) {
      if (std::ranges::find(new_values, value) != new_values.end()) continue;
      const auto found = members.find(value.text());
      if (found == members.end()) continue;
      found->second.erase(name_of(before));
      if (found->second.empty()) members.erase(found);
    }
    for (const auto& value : new_values) members[std::string(value.text())].insert(name_of(after));
  }

  static std::pair<Key, Key> name_of(const Value& object) {
    const Value& metadata = object[keys::kMetadata];
    const Value& namespace_ = metadata[keys::kNamespace];
    return {namespace_.has_value() ? Key(namespace_) : Key(""), Key(metadata[keys::kName])};
  }
};

struct Tally {
  std::string name;
  TallyFunction function;
  std::map<std::string, std::vector<Tallied>, std::less<>> counts;

  void change(const Value& before, const Value& after) {
    const TallyEntry old = before.has_value() ? function(before) : TallyEntry{};
    const TallyEntry now = after.has_value() ? function(after) : TallyEntry{};
    if (old.under == now.under && old.trait == now.trait) return;
    if (old.under.has_value()) remove(old);
    if (now.under.has_value()) add(now);
  }

  void add(const TallyEntry& entry) {
    auto& tallied = counts[entry.under.string()];
    const auto found = std::ranges::find(tallied, entry.trait, &Tallied::trait);
    if (found != tallied.end()) {
      ++found->count;
    } else {
      tallied.push_back({entry.trait, 1});
    }
  }

  void remove(const TallyEntry& entry) {
    const auto tallied = counts.find(entry.under.as_string());
    const auto found = std::ranges::find(tallied->second, entry.trait, &Tallied::trait);
    if (--found->count > 0) return;
    tallied->second.erase(found);
    if (tallied->second.empty()) counts.erase(tallied);
  }
};

}  // namespace

struct ObjectCache::Impl {
  ObjectTable objects;
  std::vector<Index> indexes;
  std::vector<Tally> tallies;
  std::vector<std::pair<std::string, std::unique_ptr<CacheView>>> views;
  std::optional<LabelGroups> groups;

  void change(const Value& before, const Value& after) {
    for (auto& index : indexes) index.change(before, after);
    for (auto& tally : tallies) tally.change(before, after);
    for (auto& [name, view] : views) view->change(before, after);
    if (groups) groups->change(before, after);
  }
};

ObjectCache::ObjectCache(KindId kind) : kind_(kind), impl_(std::make_unique<Impl>()) {}

ObjectCache::~ObjectCache() = default;

void ObjectCache::add_index(std::string_view name, IndexFunction function) {
  for (const auto& index : impl_->indexes) {
    if (index.name == name) return;
  }
  impl_->indexes.push_back({std::string(name), std::move(function), {}, {}, {}});
  auto& index = impl_->indexes.back();
  impl_->objects.for_each([&](const Value& object) { index.change(Value(), object); });
}

const Value& ObjectCache::find(std::string_view namespace_, std::string_view name) const {
  return impl_->objects.find(namespace_, name);
}

size_t ObjectCache::size() const {
  return impl_->objects.size();
}

std::vector<Value> ObjectCache::list(std::string_view namespace_) const {
  std::vector<Value> all;
  impl_->objects.list(namespace_, all);
  return all;
}

void ObjectCache::for_each(const std::function<void(const Value&)>& visit) const {
  impl_->objects.for_each(visit);
}

std::vector<Value> ObjectCache::indexed(std::string_view name, std::string_view value) const {
  for (const auto& index : impl_->indexes) {
    if (index.name != name) continue;
    std::vector<Value> found;
    const auto members = index.members.find(value);
    if (members == index.members.end()) return found;
    found.reserve(members->second.size());
    for (const auto& [namespace_, object_name] : members->second) {
      found.push_back(impl_->objects.find(namespace_.text(), object_name.text()));
    }
    return found;
  }
  CHECK(false) << "no index " << name << " of kind " << kind_.value;
  return {};
}

void ObjectCache::group_by_labels() {
  if (impl_->groups) return;
  impl_->groups.emplace();
  impl_->objects.for_each([&](const Value& object) { impl_->groups->change(Value(), object); });
}

std::vector<Value> ObjectCache::selected(std::string_view namespace_, const LabelSelector& selector) const {
  CHECK(impl_->groups) << "objects of kind " << kind_.value << " are not grouped by labels";
  return impl_->groups->selected(namespace_, selector);
}

void ObjectCache::add_tally(std::string_view name, TallyFunction function) {
  if (std::ranges::find(impl_->tallies, name, &Tally::name) != impl_->tallies.end()) return;
  impl_->tallies.push_back({std::string(name), std::move(function), {}});
  auto& tally = impl_->tallies.back();
  impl_->objects.for_each([&](const Value& object) { tally.change(Value(), object); });
}

const std::vector<Tallied>& ObjectCache::tally(std::string_view name, std::string_view value) const {
  static const std::vector<Tallied> none;
  const auto tally = std::ranges::find(impl_->tallies, name, &Tally::name);
  CHECK(tally != impl_->tallies.end()) << "no tally " << name << " of kind " << kind_.value;
  const auto found = tally->counts.find(value);
  return found == tally->counts.end() ? none : found->second;
}

void ObjectCache::add_view(std::string_view name, std::unique_ptr<CacheView> view) {
  if (std::ranges::find(impl_->views, name, [](const auto& v) -> std::string_view { return v.first; }) != impl_->views.end())
    return;
  impl_->views.emplace_back(name, std::move(view));
}

CacheView& ObjectCache::view_named(std::string_view name) const {
  const auto found = std::ranges::find(impl_->views, name, [](const auto& v) -> std::string_view { return v.first; });
  CHECK(found != impl_->views.end()) << "no view " << name << " of kind " << kind_.value;
  return *found->second;
}

std::vector<std::string> ObjectCache::index_values(std::string_view name) const {
  const auto index = std::ranges::find(impl_->indexes, name, &Index::name);
  CHECK(index != impl_->indexes.end()) << "no index " << name << " of kind " << kind_.value;
  std::vector<std::string> values;
  for (const auto& [value, members] : index->members) values.push_back(value);
  return values;
}

Value ObjectCache::put(Value object) {
  Value before = impl_->objects.put(object);
  impl_->change(before, object);
  return before;
}

Value ObjectCache::erase(std::string_view namespace_, std::string_view name) {
  Value before = impl_->objects.erase(namespace_, name);
  if (before.has_value()) impl_->change(before, Value());
  return before;
}

void ObjectCache::clear() {
  impl_->objects.clear();
  for (auto& index : impl_->indexes) index.members.clear();
  for (auto& tally : impl_->tallies) tally.counts.clear();
  for (auto& [name, view] : impl_->views) view->clear();
  if (impl_->groups) impl_->groups->clear();
}

}  // namespace minik::control
