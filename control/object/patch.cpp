#include "control/object/patch.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {

namespace {

constexpr size_t kPatchOperationsMax = 10'000;  // as kube-apiserver
// What all copy operations of a patch may add, in values: copies of copies double each time.
constexpr size_t kCopiedValuesMax = 100'000;

Error bad_patch(std::string message) {
  return Error(ErrorCode::kBadRequest, std::move(message));
}
// In the words of kube-apiserver, which says no more.
Error cannot_apply(std::string message) {
  return Error(ErrorCode::kInvalid, cat("the server rejected our request due to an error in our request: ", message));
}

Result<std::vector<std::string>> parse_pointer(std::string_view text) {
  std::vector<std::string> path;
  if (text.empty()) return path;
  if (text.front() != '/')
    return bad_patch(cat("JSON pointer ", quoted(text), " must start with /"));
  for (const auto part : split(text.substr(1), '/')) {
    std::string token;
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1')) {
        token += part[++i] == '0' ? '~' : '/';
      } else {
        token += part[i];
      }
    }
    path.push_back(std::move(token));
  }
  return path;
}

// One of `places` places in an array. RFC 6902 knows no negative index; in the patches of a kube-apiserver one counts
// from the end, -1 being the last place.
std::optional<size_t> array_index(std::string_view token, size_t places) {
  const auto index = parse_int64(token);
  if (!index || (token.size() > 1 && token.front() == '0')) return {};
  const auto count = static_cast<int64_t>(places);
  if (*index < -count || *index >= count) return {};
  return static_cast<size_t>(*index < 0 ? *index + count : *index);
}

enum class Edit : uint8_t { kAdd, kRemove, kReplace };

// The document with one place changed.
Result<Value> edit(const Value& node, std::span<const std::string> path, Edit what,
                   const Value& value) {
  if (path.empty()) {
    if (what == Edit::kRemove) return Value(nullptr);
    return value;
  }
  const std::string& token = path.front();
  const auto missing = [&] {
    return cannot_apply(cat("jsonpatch ", what == Edit::kRemove ? "remove" : "replace",
                            " operation does not apply: doc is missing key: ", token));
  };
  if (node.is_map()) {
    const Value& child = node.get(token);
    if (path.size() > 1) {
      if (child.is_absent()) {
        return cannot_apply(
            cat("jsonpatch operation does not apply: doc is missing path: ", token));
      }
      MINIK_ASSIGN(auto changed, edit(child, path.subspan(1), what, value));
      return node.with(token, std::move(changed));
    }
    if (what != Edit::kAdd && child.is_absent()) return missing();
    return node.with(token, what == Edit::kRemove ? Value() : value);
  }
  if (node.is_array()) {
    const bool insert = path.size() == 1 && what == Edit::kAdd;
    const auto index = insert && token == "-" ? node.size() : array_index(token, node.size() + (insert ? 1 : 0));
    if (!index) {
      return cannot_apply(cat("jsonpatch operation does not apply: invalid array index ", token));
    }
    std::vector<Value> items(node.items().begin(), node.items().end());
    const auto at = items.begin() + static_cast<ptrdiff_t>(*index);
    if (path.size() > 1) {
      MINIK_ASSIGN(*at, edit(*at, path.subspan(1), what, value));
    } else if (insert) {
      items.insert(at, value);
    } else if (what == Edit::kRemove) {
      items.erase(at);
    } else {
      *at = value;
    }
    return Value::array(std::move(items));
  }
  return cannot_apply(cat("jsonpatch operation does not apply: ", token, " is below a scalar"));
}

const Value* look_up(const Value& document, std::span<const std::string> path) {
  const Value* node = &document;
  for (const auto& token : path) {
    if (node->is_array()) {
      const auto index = array_index(token, node->size());
      if (!index) return nullptr;
      node = &node->items()[*index];
    } else {
      node = &node->get(token);
      if (node->is_absent()) return nullptr;
    }
  }
  return node;
}

// Counts the values of a tree, and stops counting above `limit`; fails by limit for a tree too
// deep.
size_t count_values(const Value& value, size_t depth, size_t limit) {
  if (depth > kJsonDepthMax) return limit + 1;
  size_t count = 1;
  for (const auto& item : value.items()) {
    if (count > limit) return count;
    count += count_values(item, depth + 1, limit - count);
  }
  for (const auto& entry : value.entries()) {
    if (count > limit) return count;
    count += count_values(entry.value, depth + 1, limit - count);
  }
  return count;
}

Result<Value> apply_operation(const Value& document, const Value& operation, size_t& copies_left) {
  const auto op = operation.get("op").as_string();
  if (!operation.get("path").is_string()) return bad_patch("JSON patch operation without a path");
  MINIK_ASSIGN(const auto path, parse_pointer(operation.get("path").as_string()));
  const Value& value = operation.get("value");
  const bool needs_value = op == "add" || op == "replace" || op == "test";
  if (needs_value && value.is_absent())
    return bad_patch(cat("JSON patch ", op, " without a value"));
  if (path.size() > kJsonDepthMax) return bad_patch("JSON patch path is too deep");
  if (op == "add") return edit(document, path, Edit::kAdd, value);
  if (op == "replace") return edit(document, path, Edit::kReplace, value);
  if (op == "remove") return edit(document, path, Edit::kRemove, {});
  if (op == "test") {
    const Value* found = look_up(document, path);
    if (!found ? !value.is_null() : !(*found == value)) {
      return cannot_apply(cat("testing value ", operation.get("path").as_string(), " failed"));
    }
    return document;
  }
  if (op == "move" || op == "copy") {
    MINIK_ASSIGN(const auto from, parse_pointer(operation.get("from").as_string()));
    const Value* found = look_up(document, from);
    if (!found)
      return cannot_apply(cat("jsonpatch ", op, " operation does not apply: missing from"));
    const Value moved = *found;
    const size_t copied = count_values(moved, path.size(), copies_left);
    if (copied > copies_left) {
      return cannot_apply(
          cat("jsonpatch ", op, " operation does not apply: it would copy too much"));
    }
    copies_left -= copied;
    if (op == "copy") return edit(document, path, Edit::kAdd, moved);
    if (path.size() > from.size() && std::equal(from.begin(), from.end(), path.begin())) {
      return cannot_apply(
          "jsonpatch move operation does not apply: a value cannot move into itself");
    }
    MINIK_ASSIGN(const auto without, edit(document, from, Edit::kRemove, {}));
    return edit(without, path, Edit::kAdd, moved);
  }
  return cannot_apply(cat("unknown JSON patch operation ", quoted(op)));
}

// --- strategic merge ---

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";
constexpr std::string_view kOrder = "$setElementOrder/";

bool is_directive(std::string_view key) {
  return key == kDirective || key == kRetainKeys || key.starts_with(kDeletePrimitive) ||
         key.starts_with(kOrder);
}

// A patch's value where the document has nothing: its directives mean nothing and are left out.
Value strip_directives(const Value& patch) {
  if (patch.is_array()) {
    std::vector<Value> items;
    for (const auto& item : patch.items()) {
      if (item.is_map() && item.get(kDirective).as_string() == "delete") continue;
      if (item.is_map() && item.size() == 1 && item.contains(kDirective)) continue;
      items.push_back(strip_directives(item));
    }
    return Value::array(std::move(items));
  }
  if (!patch.is_map()) return patch;
  MapBuilder builder;
  for (const auto& [key, value] : patch.entries()) {
    if (is_directive(key.text()) || value.is_null()) continue;
    builder.set(key, strip_directives(value));
  }
  return std::move(builder).build();
}

// The items that an order names ($setElementOrder's, else the patch's own) stand in its order; the others, which only
// the live list has, keep theirs and their place before the first named item that they stood before. So an item that is
// new to the live list comes before those that the patch does not name.
class ListOrder {
 public:
  ListOrder(std::string_view merge_key, const Value& order, const Value& live)
      : merge_key_(merge_key), order_(order), live_(live) {}

  Value apply(const Value& list) const {
    std::vector<std::pair<size_t, Value>> named;
    std::vector<Value> others;
    for (const auto& item : list.items()) {
      if (const auto place = place_in(order_, item)) {
        named.emplace_back(*place, item);
      } else {
        others.push_back(item);
      }
    }
    std::ranges::stable_sort(named, {}, &std::pair<size_t, Value>::first);
    std::vector<Value> result;
    auto other = others.begin();
    for (auto& [place, item] : named) {
      const auto live_place = place_in(live_, item);
      for (; other != others.end() && live_place; ++other) {
        const auto place_of_other = place_in(live_, *other);
        if (!place_of_other || *place_of_other > *live_place) break;
        result.push_back(*other);
      }
      result.push_back(std::move(item));
    }
    result.insert(result.end(), other, others.end());
    return Value::array(std::move(result));
  }

 private:
  std::optional<size_t> place_in(const Value& list, const Value& item) const {
    const Value& id = merge_key_.empty() ? item : item.get(merge_key_);
    const auto items = list.items();  // none of what the live document has in a list's place
    for (size_t i = 0; i < items.size(); ++i) {
      const Value& candidate = items[i];
      if ((merge_key_.empty() ? candidate : candidate.get(merge_key_)) == id) return i;
    }
    return {};
  }

  std::string_view merge_key_;
  const Value& order_;
  const Value& live_;
};

class StrategicMerge {
 public:
  explicit StrategicMerge(const PatchSchema& schema) : schema_(schema) {}

  // A map of the document with a map of the patch.
  Result<Value> map(const Value& original, const Value& patch, const void* type) const {
    const auto directive = patch.get(kDirective).as_string();
    if (directive == "replace") return strip_directives(patch.without(kDirective));
    if (directive == "delete") return Value::empty_map();
    if (!directive.empty() && directive != "merge") {
      return bad_patch(cat("unknown patch directive ", quoted(directive)));
    }
    MapBuilder result(original);
    if (const Value& keep = patch.get(kRetainKeys); keep.is_array()) {
      for (const auto& [key, value] : patch.entries()) {
        if (!is_directive(key.text()) &&
            std::ranges::find(keep.items(), Value(key)) == keep.items().end()) {
          return bad_patch("$retainKeys must hold every field of the patch beside it");
        }
      }
      for (const auto& [key, value] : original.entries()) {
        const bool kept = std::ranges::any_of(keep.items(), [&, &name = key](const Value& k) {
          return k.as_string() == name.text();
        });
        if (!kept) result.erase(key);
      }
    }
    for (const auto& [key, value] : patch.entries()) {
      if (is_directive(key.text())) continue;
      if (value.is_null()) {
        result.erase(key);
        continue;
      }
      MINIK_ASSIGN(auto merged, field(result.get(key), value, key, type));
      result.set(key, std::move(merged));
    }
    MINIK_TRY(apply_list_directives(result, original, patch, type));
    return std::move(result).build();
  }

 private:
  // Removals from lists of scalars, and orders for lists: those that the patch merges as well as
  // those that it only deletes from or only reorders.
  Status apply_list_directives(MapBuilder& result, const Value& original, const Value& patch,
                               const void* type) const {
    for (const auto& [key, value] : patch.entries()) {
      if (!key.text().starts_with(kDeletePrimitive)) continue;
      if (!value.is_array()) return bad_patch(cat(key.text(), " must be a list"));
      const Key name(key.text().substr(kDeletePrimitive.size()));
      if (result.get(name).is_array()) result.set(name, without_items(result.get(name), value));
    }
    for (const auto& [key, order] : patch.entries()) {
      if (!key.text().starts_with(kOrder)) continue;
      if (!order.is_array()) return bad_patch(cat(key.text(), " must be a list"));
      const Key name(key.text().substr(kOrder.size()));
      const PatchRule rule = type ? schema_.rule(type, name) : PatchRule{};
      if (!rule.merge || !result.get(name).is_array()) continue;
      result.set(name, ListOrder(rule.merge_key, order, original[name]).apply(result.get(name)));
    }
    return {};
  }

  Result<Value> field(const Value& original, const Value& patch, const Key& key,
                      const void* type) const {
    const PatchRule rule = type ? schema_.rule(type, key) : PatchRule{};
    if (patch.is_map()) {
      if (!original.is_map()) return strip_directives(patch);
      return map(original, patch, rule.type);
    }
    if (!patch.is_array() || !rule.merge) return strip_directives(patch);
    if (rule.merge_key.empty()) return union_of(original, patch);
    return keyed_list(original, patch, rule);
  }

  static Value union_of(const Value& original, const Value& patch) {
    std::vector<Value> items(original.items().begin(), original.items().end());
    for (const auto& item : patch.items()) {
      if (std::ranges::find(items, item) == items.end()) items.push_back(item);
    }
    return ListOrder({}, patch, original).apply(Value::array(std::move(items)));
  }

  static Value without_items(const Value& list, const Value& gone) {
    std::vector<Value> items;
    for (const auto& item : list.items()) {
      if (std::ranges::find(gone.items(), item) == gone.items().end()) items.push_back(item);
    }
    return Value::array(std::move(items));
  }

  Result<Value> keyed_list(const Value& original, const Value& patch, const PatchRule& rule) const {
    std::vector<Value> items(original.items().begin(), original.items().end());
    for (const auto& item : patch.items()) {
      if (item.get(kDirective).as_string() == "replace") {
        return strip_directives(patch);  // the list is replaced by what stands beside the directive
      }
    }
    for (const auto& item : patch.items()) {
      const Value& id = item.get(rule.merge_key);
      if (!item.is_map() || id.is_absent()) {
        return bad_patch(
            cat("map: ", to_json(item), " does not contain declared merge key: ", rule.merge_key));
      }
      const auto found =
          std::ranges::find_if(items, [&](const Value& v) { return v.get(rule.merge_key) == id; });
      if (item.get(kDirective).as_string() == "delete") {
        if (found != items.end()) items.erase(found);
      } else if (found == items.end()) {
        items.push_back(strip_directives(item));
      } else {
        MINIK_ASSIGN(*found, map(*found, item, rule.type));
      }
    }
    return ListOrder(rule.merge_key, patch, original).apply(Value::array(std::move(items)));
  }

  const PatchSchema& schema_;
};

}  // namespace

Result<Value> apply_json_patch(const Value& document, const Value& patch) {
  if (!patch.is_array()) return bad_patch("a JSON patch is a list of operations");
  if (patch.size() > kPatchOperationsMax) {
    return Error(ErrorCode::kRequestEntityTooLarge,
                 cat("The allowed maximum operations in a JSON patch is ", kPatchOperationsMax, ", got ",
                     patch.size()));
  }
  Value result = document;
  size_t copies_left = kCopiedValuesMax;
  for (const auto& operation : patch.items()) {
    MINIK_ASSIGN(result, apply_operation(result, operation, copies_left));
  }
  return result;
}

Value apply_merge_patch(const Value& document, const Value& patch) {
  if (!patch.is_map()) return patch;
  MapBuilder result(document);
  for (const auto& [key, value] : patch.entries()) {
    result.set(key, value.is_null() ? Value() : apply_merge_patch(result.get(key), value));
  }
  return std::move(result).build();
}

Result<Value> apply_strategic_merge_patch(const Value& document, const Value& patch,
                                          const PatchSchema& schema, const void* type) {
  if (!patch.is_map()) return bad_patch("a strategic merge patch is an object");
  return StrategicMerge(schema).map(document, patch, type);
}

Value make_merge_patch(const Value& from, const Value& to) {
  MapBuilder patch;
  for (const auto& [key, value] : from.entries()) {
    if (to[key].is_absent()) patch.set(key, nullptr);
  }
  for (const auto& [key, value] : to.entries()) {
    const Value& old = from[key];
    if (old == value) continue;
    patch.set(key, old.is_map() && value.is_map() ? make_merge_patch(old, value) : value);
  }
  return std::move(patch).build();
}

}  // namespace minik::control
