#include "control/object/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr size_t kDepthMax = 128;

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

void write_string(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;
  const auto escape = [&](size_t at, std::string_view replacement, size_t length = 1) {
    out.append(text.substr(plain, at - plain));
    out.append(replacement);
    plain = at + length;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"') {
      escape(i, "\\\"");
    } else if (c == '\\') {
      escape(i, "\\\\");
    } else if (c < 0x20) {
      if (c == '\n') {
        escape(i, "\\n");
      } else if (c == '\r') {
        escape(i, "\\r");
      } else if (c == '\t') {
        escape(i, "\\t");
      } else {
        const char code[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
        escape(i, {code, sizeof code});
      }
    } else if (c == '<') {
      escape(i, "\\u003c");
    } else if (c == '>') {
      escape(i, "\\u003e");
    } else if (c == '&') {
      escape(i, "\\u0026");
    } else if (c == 0xe2 && text.substr(i, 3) == "\xe2\x80\xa8") {
      escape(i, "\\u2028", 3);
    } else if (c == 0xe2 && text.substr(i, 3) == "\xe2\x80\xa9") {
      escape(i, "\\u2029", 3);
    }
  }
  out.append(text.substr(plain));
  out += '"';
}

void write_number(double number, std::string& out) {
  if (!std::isfinite(number)) {
    out += "null";  // JSON has no other way to say it
    return;
  }
  if (number == 0) {
    out += '0';  // minus zero would come back as an integer, which has none
    return;
  }
  // As Go: digits up to 21 places, an exponent without leading zeros beyond.
  const double magnitude = std::abs(number);
  const bool exponent = magnitude < 1e-6 || magnitude >= 1e21;
  char digits[64];
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(digits, digits + sizeof digits, number, format).ptr;
  std::string_view text(digits, static_cast<size_t>(end - digits));
  const size_t sign = text.find_last_of("+-");
  if (exponent && text.size() - sign == 3 && text[sign + 1] == '0') {
    out.append(text.substr(0, text.size() - 2));
    text.remove_prefix(text.size() - 1);
  }
  out.append(text);
}

void write(const Value& value, std::string& out, int indent) {
  const auto new_line = [&](int depth) {
    if (indent < 0) return;
    out += '\n';
    out.append(static_cast<size_t>(depth) * 2, ' ');
  };
  const int inner = indent < 0 ? -1 : indent + 1;
  switch (value.type()) {
    case ValueType::kAbsent:
    case ValueType::kNull:
      out += "null";
      break;
    case ValueType::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case ValueType::kInt: {
      char digits[24];
      out.append(digits, std::to_chars(digits, digits + sizeof digits, value.as_int()).ptr);
      break;
    }
    case ValueType::kDouble:
      write_number(value.as_double(), out);
      break;
    case ValueType::kString:
      write_string(value.as_string(), out);
      break;
    case ValueType::kArray: {
      out += '[';
      bool first = true;
      for (const auto& item : value.items()) {
        if (!first) out += ',';
        first = false;
        new_line(indent + 1);
        write(item, out, inner);
      }
      if (!first) new_line(indent);
      out += ']';
      break;
    }
    case ValueType::kMap: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : value.entries()) {
        if (!first) out += ',';
        first = false;
        new_line(indent + 1);
        write_string(key.text(), out);
        out += indent < 0 ? ":" : ": ";
        write(item, out, inner);
      }
      if (!first) new_line(indent);
      out += '}';
      break;
    }
  }
}

}  // namespace

Result<Value> parse_json(std::string_view text, std::vector<std::string>* duplicate_fields) {
  boost::json::parse_options options;
  options.max_depth = kDepthMax;
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

void write_json(const Value& value, std::string& out) {
  write(value, out, -1);
}

std::string to_json(const Value& value) {
  std::string out;
  write_json(value, out);
  return out;
}

std::string to_pretty_json(const Value& value) {
  std::string out;
  write(value, out, 0);
  out += '\n';
  return out;
}

}  // namespace minik::control
