#include "control/apply/field_set.h"

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {

namespace {

Error no_fields(std::string_view element) {
  return Error(ErrorCode::kBadRequest,
               cat("managedFields: ", quoted(element), " is no path element: use f:, k:, v: or i:"));
}

bool is_element(std::string_view text) {
  if (text.size() < 2 || text[1] != ':') return false;
  const auto rest = text.substr(2);
  switch (text[0]) {
    case 'f': return true;
    case 'k': {
      const auto keys = parse_json(rest);
      return keys && keys->is_map();
    }
    case 'v': return parse_json(rest).ok();
    case 'i': return parse_int64(rest).has_value();
    default: return false;
  }
}

std::string scalar_text(const Value& value) {
  return value.is_string() ? quoted(value.as_string()) : to_json(value);
}

std::string readable(const std::string& element) {
  const auto rest = std::string_view(element).substr(2);
  if (element[0] == 'f') return cat(".", rest);
  if (element[0] == 'i') return cat("[", rest, "]");
  const auto value = parse_json(rest);
  if (element[0] == 'v') return cat("[=", value ? scalar_text(*value) : std::string(rest), "]");
  std::vector<std::string> keys;
  if (value) {
    for (const auto& [key, item] : value->entries()) keys.push_back(cat(key.text(), "=", scalar_text(item)));
  }
  return cat("[", join(keys, ","), "]");
}

}  // namespace

std::string FieldSet::field(std::string_view name) {
  return cat("f:", name);
}
std::string FieldSet::item_with_keys(const Value& keys) {
  return cat("k:", to_json(keys));
}
std::string FieldSet::item_of_value(const Value& value) {
  return cat("v:", to_json(value));
}

Result<FieldSet> FieldSet::from_fields_v1(const Value& fields) {
  if (!fields.is_map()) return Error(ErrorCode::kBadRequest, "managedFields: fieldsV1 must be an object");
  FieldSet set;
  for (const auto& [key, below] : fields.entries()) {
    if (key.text() == ".") {
      set.member_ = true;
      continue;
    }
    const std::string element(key.text());
    if (!is_element(element)) return no_fields(element);
    MINIK_ASSIGN(FieldSet child, from_fields_v1(below));
    if (below.empty()) child.member_ = true;
    if (!child.empty()) set.children_.emplace(element, std::move(child));
  }
  return set;
}

Value FieldSet::to_fields_v1() const {
  std::vector<MapEntry> entries;
  for (const auto& [element, child] : children_) {
    if (!child.empty()) entries.push_back({Key(element), child.to_fields_v1()});
  }
  if (member_ && !entries.empty()) entries.push_back({Key("."), Value::empty_map()});
  return Value::map(std::move(entries));
}

const FieldSet* FieldSet::find(std::string_view element) const {
  const auto found = children_.find(element);
  return found == children_.end() || found->second.empty() ? nullptr : &found->second;
}

void FieldSet::unite(const FieldSet& other) {
  member_ = member_ || other.member_;
  for (const auto& [element, child] : other.children_) {
    const auto [mine, is_new] = children_.try_emplace(element, child);
    if (!is_new) mine->second.unite(child);
  }
}

FieldSet FieldSet::intersected(const FieldSet& other) const {
  FieldSet result;
  result.member_ = member_ && other.member_;
  for (const auto& [element, child] : children_) {
    const auto theirs = other.children_.find(element);
    if (theirs == other.children_.end()) continue;
    FieldSet both = child.intersected(theirs->second);
    if (!both.empty()) result.children_.emplace(element, std::move(both));
  }
  return result;
}

FieldSet FieldSet::without(const FieldSet& other) const {
  if (other.empty()) return *this;
  FieldSet result;
  result.member_ = member_ && !other.member_;
  for (const auto& [element, child] : children_) {
    const auto theirs = other.children_.find(element);
    FieldSet rest = theirs == other.children_.end() ? child : child.without(theirs->second);
    if (!rest.empty()) result.children_.emplace(element, std::move(rest));
  }
  return result;
}

void FieldSet::collect(const std::string& prefix, std::vector<std::string>& paths) const {
  if (member_) paths.push_back(prefix);
  for (const auto& [element, child] : children_) child.collect(prefix + readable(element), paths);
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> paths;
  collect("", paths);
  return paths;
}

}  // namespace minik::control
