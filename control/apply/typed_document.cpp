#include "control/apply/typed_document.h"

#include <algorithm>
#include <optional>
#include <set>

#include "control/base/text.h"

namespace minik::control {

namespace {

// What the schema says of one place in a document.
struct Place {
  enum class Kind : uint8_t { kOneThing, kFields, kEntries, kKeyedItems, kValueItems, kFreeForm };
  Kind kind = Kind::kOneThing;
  const TypeInfo* type = nullptr;    // of an object, or of the items and entries below
  const FieldInfo* field = nullptr;  // null for the root and for items

  // An entry of a map or an item of a list of objects.
  static Place of_type(const TypeInfo* type) {
    if (!type || type->atomic || type->fields.empty()) return {};
    return {Kind::kFields, type, nullptr};
  }
  static Place of_field(const FieldInfo* field) {
    if (!field) return {};
    switch (field->shape) {
      case Shape::kSingle: return field->base == BaseType::kObject ? of_type(field->type) : Place{};
      case Shape::kMap:
        return field->atomic_map ? Place{} : Place{Kind::kEntries, field->type, field};
      case Shape::kList:
        if (field->list_type == ListType::kMap) return {Kind::kKeyedItems, field->type, field};
        if (field->list_type == ListType::kSet) return {Kind::kValueItems, nullptr, field};
        return {};
      case Shape::kMapOfLists: return {};
    }
    return {};
  }
  Place below(const Key& key) const {
    if (kind == Kind::kFreeForm) return *this;
    if (kind != Kind::kFields) return field && field->base == BaseType::kAny ? Place{Kind::kFreeForm} : of_type(type);
    const FieldInfo* info = type->field(key);
    const bool free = !info || (info->shape == Shape::kSingle && info->base == BaseType::kAny);
    return free && type->package == "custom" ? Place{Kind::kFreeForm} : of_field(info);
  }
  // What is not in the schema by its name is a thing of its own even where it has parts.
  bool is_entry(const Key& key) const {
    return kind == Kind::kEntries || kind == Kind::kFreeForm || (kind == Kind::kFields && !type->field(key));
  }
  Place item() const { return kind == Kind::kKeyedItems ? of_type(type) : Place{}; }
  bool is_map() const { return kind == Kind::kFields || kind == Kind::kEntries || kind == Kind::kFreeForm; }
  bool is_list() const { return kind == Kind::kKeyedItems || kind == Kind::kValueItems; }

  // How an item is found in its list.
  std::string element_of(const Value& item) const {
    if (kind == Kind::kValueItems) return FieldSet::item_of_value(item);
    MapBuilder keys;
    for (const auto name : field->list_keys) {
      if (name.empty()) break;
      const Key key(name);
      const FieldInfo* info = type ? type->field(key) : nullptr;
      const Value& given = item[key];
      keys.set(key, given.has_value() || !info ? given : info->default_value);
    }
    return FieldSet::item_with_keys(std::move(keys).build());
  }
};

bool is_nothing(const Value& value) {
  return value.is_null() || ((value.is_map() || value.is_array()) && value.empty());
}

// The items of a list by the element that finds them.
Result<std::vector<std::pair<std::string, Value>>> items_of(const Place& place, const Value& list) {
  std::vector<std::pair<std::string, Value>> items;
  std::set<std::string> seen;
  for (const auto& item : list.items()) {
    std::string element = place.element_of(item);
    if (!seen.insert(element).second) {
      return Error(ErrorCode::kInvalid, cat("failed to create typed patch object: ", place.field->name,
                                            ": duplicate entries for key ", element.substr(2)));
    }
    items.emplace_back(std::move(element), item);
  }
  return items;
}

Status collect(const Place& place, const Value& value, bool new_maps, FieldSet& set) {
  if (place.is_map() && value.is_map()) {
    if (new_maps && place.kind != Place::Kind::kFields) set.insert();
    for (const auto& [key, item] : value.entries()) {
      auto& child = set.at(FieldSet::field(key.text()));
      if (is_nothing(item) || place.is_entry(key)) child.insert();
      if (!is_nothing(item)) MINIK_TRY(collect(place.below(key), item, new_maps, child));
    }
  } else if (place.is_list() && value.is_array()) {
    MINIK_ASSIGN(const auto items, items_of(place, value));
    for (const auto& [element, item] : items) {
      auto& child = set.at(element);
      child.insert();
      if (place.item().is_map()) MINIK_TRY(collect(place.item(), item, new_maps, child));
    }
  } else {
    set.insert();
  }
  return {};
}

Result<Value> merge(const Place& place, const Value& live, const Value& config);

Result<Value> merge_lists(const Place& place, const Value& live, const Value& config) {
  MINIK_ASSIGN(const auto ours, items_of(place, live));
  MINIK_ASSIGN(const auto theirs, items_of(place, config));
  const auto find = [](const auto& items, const std::string& element) {
    return std::ranges::find(items, element, &std::pair<std::string, Value>::first);
  };
  std::vector<Value> result;
  std::set<std::string> placed;
  size_t i = 0, j = 0;
  while (i < ours.size() || j < theirs.size()) {
    if (i < ours.size() && placed.contains(ours[i].first)) {
      ++i;
    } else if (i < ours.size() && find(theirs, ours[i].first) == theirs.end()) {
      result.push_back(ours[i++].second);
    } else if (j < theirs.size()) {
      const auto& [element, item] = theirs[j++];
      const auto known = find(ours, element);
      MINIK_ASSIGN(auto both, known == ours.end() ? Result<Value>(item) : merge(place.item(), known->second, item));
      result.push_back(std::move(both));
      placed.insert(element);
    }
  }
  return Value::array(std::move(result));
}

Result<Value> merge(const Place& place, const Value& live, const Value& config) {
  if (place.is_map() && live.is_map() && config.is_map()) {
    MapBuilder result(live);
    for (const auto& [key, item] : config.entries()) {
      MINIK_ASSIGN(auto both, merge(place.below(key), live[key], item));
      result.set(key, std::move(both));
    }
    return std::move(result).build();
  }
  if (place.is_list() && live.is_array() && config.is_array()) return merge_lists(place, live, config);
  return config;
}

Value remove(const Place& place, const Value& value, const FieldSet& fields, const FieldSet* keep) {
  // Whether the thing itself goes; what somebody else owns a part of stays, without the parts that go.
  const auto goes = [](const FieldSet& there, const FieldSet* kept) { return there.is_member() && !kept; };
  if (place.is_map() && value.is_map()) {
    MapBuilder result(value);
    for (const auto& [element, there] : fields.children()) {
      const Key key(std::string_view(element).substr(2));
      const Value& item = value[key];
      if (item.is_absent()) continue;
      const FieldSet* kept = keep ? keep->find(element) : nullptr;
      // A field that has a name in the schema is no member of its own where it has parts, but it goes with them: what
      // defaults have added to a probe would be no probe.
      const bool emptied = place.kind == Place::Kind::kFields && place.type->field(key) && !kept;
      result.set(key, emptied || goes(there, kept) ? Value() : remove(place.below(key), item, there, kept));
    }
    return std::move(result).build();
  }
  if (place.is_list() && value.is_array()) {
    std::vector<Value> items;
    for (const auto& item : value.items()) {
      const std::string element = place.element_of(item);
      const FieldSet* there = fields.find(element);
      const FieldSet* kept = keep ? keep->find(element) : nullptr;
      if (there && goes(*there, kept)) continue;
      items.push_back(there ? remove(place.item(), item, *there, kept) : item);
    }
    return items.empty() ? Value() : Value::array(std::move(items));
  }
  return value;
}

void modifications(const Place& place, const Value& before, const Value& after, FieldSet& modified) {
  if (before == after) return;
  if (place.is_map() && before.is_map() && after.is_map()) {
    for (const auto& [key, item] : after.entries()) {
      const Value& old = before[key];
      if (old.has_value()) modifications(place.below(key), old, item, modified.at(FieldSet::field(key.text())));
    }
  } else if (place.is_list() && before.is_array() && after.is_array()) {
    if (place.kind == Place::Kind::kValueItems) return;  // an item is there or not
    for (const auto& item : after.items()) {
      const std::string element = place.element_of(item);
      for (const auto& old : before.items()) {
        if (place.element_of(old) == element) modifications(place.item(), old, item, modified.at(element));
      }
    }
  } else {
    modified.insert();
  }
}

void find_atomics(const Place& place, const Value& value, const std::string& path, std::vector<std::string>& found) {
  const bool parts = (place.is_map() && value.is_map()) || (place.is_list() && value.is_array());
  if (!parts) {
    if (value.is_map() || value.is_array()) found.push_back(path);
    return;
  }
  for (const auto& [key, item] : value.entries()) find_atomics(place.below(key), item, cat(path, ".", key.text()), found);
  for (size_t i = 0; i < value.items().size(); ++i) {
    find_atomics(place.item(), value.items()[i], cat(path, "[", i, "]"), found);
  }
}

// The same set without elements below which there is nothing.
FieldSet pruned(const FieldSet& set) {
  return set.united({}).intersected(set);
}

}  // namespace

std::string path_by_keys(const TypeInfo& type, const Value& document, std::string_view path) {
  std::string text;
  Place place = Place::of_type(&type);
  Value at = document;
  while (!path.empty()) {
    if (path[0] == '[') {
      const size_t close = std::min(path.find(']'), path.size() - 1);
      const auto index = parse_int64(path.substr(1, close - 1));
      const bool known = index && *index >= 0 && static_cast<size_t>(*index) < at.size();
      const Value item = known ? at.items()[static_cast<size_t>(*index)] : Value();
      FieldSet element;
      if (known && place.is_list()) element.at(place.element_of(item)).insert();
      text += element.empty() ? std::string(path.substr(0, close + 1)) : element.paths()[0];
      place = place.item(), at = item;
      path.remove_prefix(close + 1);
      continue;
    }
    if (path[0] == '.') path.remove_prefix(1);
    const auto name = path.substr(0, path.find_first_of(".["));
    text += cat(".", name);
    place = place.is_map() ? place.below(Key(name)) : Place{};
    at = at.get(name);
    path.remove_prefix(name.size());
  }
  return text;
}

Result<FieldSet> field_set_of(const TypeInfo& type, const Value& document, bool new_maps) {
  FieldSet set;
  MINIK_TRY(collect(Place::of_type(&type), document, new_maps, set));
  return pruned(set);
}

Result<Value> merged(const TypeInfo& type, const Value& live, const Value& config) {
  return merge(Place::of_type(&type), live, config);
}

std::vector<std::string> atomic_parts(const TypeInfo& type, const Value& document) {
  std::vector<std::string> found;
  find_atomics(Place::of_type(&type), document, "", found);
  return found;
}

Value without_fields(const TypeInfo& type, const Value& document, const FieldSet& fields, const FieldSet& keep) {
  return remove(Place::of_type(&type), document, fields, &keep);
}

Differences differences(const TypeInfo& type, const Value& earlier, const Value& after) {
  const Value before = earlier.is_absent() ? Value::empty_map() : earlier;
  // A stored object whose lists have twins (an older server took them) is compared as far as it can be.
  const auto set_of = [&](const Value& document) {
    FieldSet set;
    (void)collect(Place::of_type(&type), document, true, set).ok();
    return pruned(set);
  };
  const FieldSet old = set_of(before), now = set_of(after);
  FieldSet modified;
  modifications(Place::of_type(&type), before, after, modified);
  return {now.without(old), old.without(now), pruned(modified)};
}

}  // namespace minik::control
