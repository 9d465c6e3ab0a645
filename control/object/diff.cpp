#include "control/object/diff.h"

#include <algorithm>
#include <string>

#include "control/base/text.h"

namespace minik::control {

namespace {

// A patch of more is no help to a reader, and apply_json_patch has a limit of its own.
constexpr size_t kDiffOperationsMax = 1'000;

// RFC 6901: a name inside a pointer.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

class Differ {
 public:
  void compare(const Value& from, const Value& to, const std::string& path) {
    if (from == to) return;
    if (from.is_map() && to.is_map()) {
      compare_maps(from, to, path);
    } else if (from.is_array() && to.is_array()) {
      compare_arrays(from.items(), to.items(), path);
    } else {
      add("replace", path, to);
    }
  }
  Value patch(const Value& to) && {
    if (operations_.size() > kDiffOperationsMax) {
      operations_.clear();
      add("replace", "", to);
    }
    return Value::array(std::move(operations_));
  }

 private:
  void add(std::string_view what, const std::string& path, const Value& value) {
    operations_.push_back(Value::map({{"op", what}, {"path", path}, {"value", value.is_absent() ? Value(nullptr) : value}}));
  }
  void remove(const std::string& path) { operations_.push_back(Value::map({{"op", "remove"}, {"path", path}})); }

  void compare_maps(const Value& from, const Value& to, const std::string& path) {
    for (const auto& [key, value] : from.entries()) {
      const std::string child = cat(path, "/", escaped(key.text()));
      if (const Value& other = to[key]; other.is_absent()) {
        remove(child);
      } else {
        compare(value, other, child);
      }
    }
    for (const auto& [key, value] : to.entries()) {
      if (from[key].is_absent()) add("add", cat(path, "/", escaped(key.text())), value);
    }
  }

  void compare_arrays(std::span<const Value> from, std::span<const Value> to, const std::string& path) {
    const size_t shorter = std::min(from.size(), to.size());
    size_t front = 0, back = 0;
    while (front < shorter && from[front] == to[front]) ++front;
    while (back < shorter - front && from[from.size() - 1 - back] == to[to.size() - 1 - back]) ++back;
    const size_t old_count = from.size() - front - back, new_count = to.size() - front - back;
    const size_t both = std::min(old_count, new_count);
    for (size_t i = 0; i < both; ++i) compare(from[front + i], to[front + i], cat(path, "/", front + i));
    // From the last on, so that the places of those before stay what they are.
    for (size_t i = old_count; i > both; --i) remove(cat(path, "/", front + i - 1));
    for (size_t i = both; i < new_count; ++i) add("add", cat(path, "/", front + i), to[front + i]);
  }

  std::vector<Value> operations_;
};

}  // namespace

Value make_json_patch(const Value& from, const Value& to) {
  Differ differ;
  differ.compare(from, to, "");
  return std::move(differ).patch(to);
}

}  // namespace minik::control
