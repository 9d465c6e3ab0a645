#include "control/client/object_cache.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/object/keys.h"
#include "control/object/object_table.h"

namespace minik::control {

namespace {

struct Index {
  std::string name;
  IndexFunction function;
  std::map<std::string, ObjectTable, std::less<>> members;

  void change(const Value& before, const Value& after) {
    std::vector<Key> old_values, new_values;
    if (before.has_value()) function(before, old_values);
    if (after.has_value()) function(after, new_values);
    for (const auto& value : old_values) {
      if (std::ranges::find(new_values, value) != new_values.end()) continue;
      const auto found = members.find(value.text());
      if (found == members.end()) continue;
      found->second.erase(object_namespace(before), object_name(before));
      if (found->second.size() == 0) members.erase(found);
    }
    for (const auto& value : new_values) members[std::string(value.text())].put(after);
  }
};

}  // namespace

struct ObjectCache::Impl {
  ObjectTable objects;
  std::vector<Index> indexes;
};

ObjectCache::ObjectCache(KindId kind) : kind_(kind), impl_(std::make_unique<Impl>()) {
  add_index(kByController, [](const Value& object, std::vector<Key>& out) {
    const Value& owner = controller_of(object);
    if (owner.has_value()) out.emplace_back(owner[keys::kUid]);
  });
}

ObjectCache::~ObjectCache() = default;

void ObjectCache::add_index(std::string_view name, IndexFunction function) {
  for (const auto& index : impl_->indexes) {
    if (index.name == name) return;
  }
  impl_->indexes.push_back({std::string(name), std::move(function), {}});
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
    if (members != index.members.end()) members->second.list({}, found);
    return found;
  }
  CHECK(false) << "no index " << name << " of kind " << kind_.value;
  return {};
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
  for (auto& index : impl_->indexes) index.change(before, object);
  return before;
}

Value ObjectCache::erase(std::string_view namespace_, std::string_view name) {
  Value before = impl_->objects.erase(namespace_, name);
  if (before.has_value()) {
    for (auto& index : impl_->indexes) index.change(before, Value());
  }
  return before;
}

void ObjectCache::clear() {
  impl_->objects.clear();
  for (auto& index : impl_->indexes) index.members.clear();
}

}  // namespace minik::control
