#include "control/object/object_table.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <string>

#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/text_hash.h"

namespace minik::control {

namespace {

// Lookups come with a string_view and must not build a Key (which allocates for long names).
struct NameHash {
  using is_transparent = void;
  using is_avalanching = void;
  size_t operator()(const Key& key) const { return (*this)(key.text()); }
  size_t operator()(std::string_view text) const { return text_hash(text); }
};

struct NameEqual {
  using is_transparent = void;
  bool operator()(const Key& a, const Key& b) const { return a == b; }
  bool operator()(std::string_view a, const Key& b) const { return a == b.text(); }
  bool operator()(const Key& a, std::string_view b) const { return a.text() == b; }
};

}  // namespace

struct ObjectTable::Shard {
  boost::unordered_flat_map<Key, Value, NameHash, NameEqual> objects;
  // Names in order; empty while stale. Kept beside the table so that repeated lists cost a walk.
  mutable std::vector<Key> order;

  const std::vector<Key>& sorted() const {
    if (order.size() != objects.size()) {
      order.clear();
      order.reserve(objects.size());
      for (const auto& [name, object] : objects) order.push_back(name);
      std::sort(order.begin(), order.end());
    }
    return order;
  }
};

struct ObjectTable::Shards {
  std::map<std::string, Shard, std::less<>> by_namespace;
};

ObjectTable::ObjectTable() : shards_(std::make_unique<Shards>()) {}
ObjectTable::~ObjectTable() = default;
ObjectTable::ObjectTable(ObjectTable&&) noexcept = default;
ObjectTable& ObjectTable::operator=(ObjectTable&&) noexcept = default;

const Value& ObjectTable::find(std::string_view namespace_, std::string_view name) const {
  const auto shard = shards_->by_namespace.find(namespace_);
  if (shard == shards_->by_namespace.end()) return Value::absent();
  const auto found = shard->second.objects.find(name);
  return found == shard->second.objects.end() ? Value::absent() : found->second;
}

Value ObjectTable::put(Value object) {
  const auto& metadata = object[keys::kMetadata];
  const std::string_view namespace_ = metadata[keys::kNamespace].as_string();
  auto shard = shards_->by_namespace.find(namespace_);
  if (shard == shards_->by_namespace.end()) {
    shard = shards_->by_namespace.emplace(std::string(namespace_), Shard{}).first;
  }
  auto& objects = shard->second.objects;
  const auto found = objects.find(metadata[keys::kName].as_string());
  if (found != objects.end()) return std::exchange(found->second, std::move(object));
  Key name(metadata[keys::kName]);
  objects.emplace(std::move(name), std::move(object));
  shard->second.order.clear();
  ++size_;
  return {};
}

Value ObjectTable::erase(std::string_view namespace_, std::string_view name) {
  const auto shard = shards_->by_namespace.find(namespace_);
  if (shard == shards_->by_namespace.end()) return {};
  auto& objects = shard->second.objects;
  const auto found = objects.find(name);
  if (found == objects.end()) return {};
  Value gone = std::move(found->second);
  objects.erase(found);
  shard->second.order.clear();
  --size_;
  if (objects.empty()) shards_->by_namespace.erase(shard);
  return gone;
}

void ObjectTable::clear() {
  shards_->by_namespace.clear();
  size_ = 0;
}

void ObjectTable::list(std::string_view namespace_, std::vector<Value>& out) const {
  const auto append = [&](const Shard& shard) {
    out.reserve(out.size() + shard.objects.size());
    for (const auto& name : shard.sorted()) out.push_back(shard.objects.find(name)->second);
  };
  if (namespace_.empty()) {
    for (const auto& [name, shard] : shards_->by_namespace) append(shard);
    return;
  }
  const auto shard = shards_->by_namespace.find(namespace_);
  if (shard != shards_->by_namespace.end()) append(shard->second);
}

void ObjectTable::for_each(const std::function<void(const Value&)>& visit) const {
  for (const auto& [namespace_, shard] : shards_->by_namespace) {
    for (const auto& [name, object] : shard.objects) visit(object);
  }
}

}  // namespace minik::control
