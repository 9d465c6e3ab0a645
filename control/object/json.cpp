#include "control/object/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

#include "control/base/text.h"

namespace minik::control {

namespace {

// Receives Boost.JSON's events and keeps the finished values on a stack; a container's end folds
// what stands above its start into one value.
struct Handler {
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  using Code = boost::json::error_code;

  // A container that has begun and not ended: where its keys and values start on the stacks.
  struct Open {
    bool array;
    size_t keys;
    size_t values;
  };

  std::vector<Value> values;
  std::vector<Key> keys;
  std::vector<Open> open;
  std::string partial;
  std::vector<std::string>* duplicates = nullptr;

  bool push(Value value) {
    values.push_back(std::move(value));
    return true;
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    open.push_back({false, keys.size(), values.size()});
    return true;
  }
  bool on_array_begin(Code&) {
    open.push_back({true, keys.size(), values.size()});
    return true;
  }

  bool on_object_end(size_t n, Code&) {
    std::vector<MapEntry> entries;
    entries.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      entries.push_back(
          {std::move(keys[keys.size() - n + i]), std::move(values[values.size() - n + i])});
    }
    keys.erase(keys.end() - static_cast<ptrdiff_t>(n), keys.end());
    values.erase(values.end() - static_cast<ptrdiff_t>(n), values.end());
    std::vector<Key> names;
    if (duplicates && n > 1) {
      for (const auto& entry : entries) names.push_back(entry.key);
    }
    Value map = Value::map(std::move(entries));
    if (!names.empty() && map.size() != n) note_duplicates(std::move(names));
    open.pop_back();
    return push(std::move(map));
  }

  // Each name once, with the path of the map that holds it twice: the one that is ending now.
  void note_duplicates(std::vector<Key> names) {
    std::string path;
    for (size_t i = 0; i + 1 < open.size(); ++i) {
      const Open& inner = open[i + 1];
      if (open[i].array) {
        path += cat("[", inner.values - open[i].values, "]");
      } else {
        path += cat(path.empty() ? "" : ".", keys[inner.keys - 1].text());
      }
    }
    std::sort(names.begin(), names.end());
    for (size_t i = 1; i < names.size(); ++i) {
      const bool first = i == 1 || !(names[i - 2] == names[i]);
      if (names[i] == names[i - 1] && first) {
        duplicates->push_back(cat(path, path.empty() ? "" : ".", names[i].text()));
      }
    }
  }

  bool on_array_end(size_t n, Code&) {
    std::vector<Value> items(std::make_move_iterator(values.end() - static_cast<ptrdiff_t>(n)),
                             std::make_move_iterator(values.end()));
    values.erase(values.end() - static_cast<ptrdiff_t>(n), values.end());
    open.pop_back();
    return push(Value::array(std::move(items)));
  }

  bool on_key_part(boost::json::string_view text, size_t, Code&) {
    partial.append(text.data(), text.size());
    return true;
  }
  bool on_key(boost::json::string_view text, size_t, Code&) {
    if (partial.empty()) {
      keys.emplace_back(std::string_view(text.data(), text.size()));
    } else {
      partial.append(text.data(), text.size());
      keys.emplace_back(partial);
      partial.clear();
    }
    return true;
  }
  bool on_string_part(boost::json::string_view text, size_t, Code&) {
    partial.append(text.data(), text.size());
    return true;
  }
  bool on_string(boost::json::string_view text, size_t, Code&) {
    if (partial.empty()) return push(std::string_view(text.data(), text.size()));
    partial.append(text.data(), text.size());
    push(partial);
    partial.clear();
    return true;
  }
  bool on_number_part(boost::json::string_view, Code&) { return true; }
  bool on_int64(int64_t number, boost::json::string_view, Code&) { return push(number); }
  bool on_uint64(uint64_t number, boost::json::string_view, Code&) {
    return push(static_cast<double>(number));  // beyond int64, as Go's float64
  }
  // The parser's own doubles may be off in the last bit; the text comes in one piece, as it is
  // given.
  bool on_double(double number, boost::json::string_view text, Code&) {
    double exact = number;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exact);
    return push(error == std::errc() && end == text.data() + text.size() ? exact : number);
  }
  bool on_bool(bool b, Code&) { return push(b); }
  bool on_null(Code&) { return push(nullptr); }
  bool on_comment_part(boost::json::string_view, Code&) { return true; }
  bool on_comment(boost::json::string_view, Code&) { return true; }
};

std::string position_of(std::string_view text, size_t offset) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return cat("line ", line, ", column ", column);
}

}  // namespace

Result<Value> parse_json(std::string_view text, std::vector<std::string>* duplicate_fields) {
  boost::json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::json::basic_parser<Handler> parser(options);
  parser.handler().duplicates = duplicate_fields;
  boost::json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = boost::json::error::extra_data;
  if (!error && !parser.done()) error = boost::json::error::incomplete;
  if (error) {
    return Error(ErrorCode::kBadRequest,
                 cat("invalid JSON at ", position_of(text, used), ": ", error.message()));
  }
  return std::move(parser.handler().values.back());
}

}  // namespace minik::control
