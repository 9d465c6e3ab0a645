// The writing half of json.h. A list of five thousand pods is 25 MB, so this is written for speed: through a small
// buffer, runs of plain bytes at once, and the schema's own words from a table of what they look like between quotes.
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "control/object/json.h"
#include "control/object/symbols.h"

namespace minik::control {

namespace {

// Appends to a text in pieces of some size.
class Sink {
 public:
  explicit Sink(std::string& out) : out_(out) {}
  ~Sink() { flush(); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  size_t written() const { return out_.size() + used_; }
  // What has been written from there on.
  std::string_view since(size_t begin) {
    flush();
    return std::string_view(out_).substr(begin);
  }

  void put(char c) {
    if (used_ == kSize) flush();
    buffer_[used_++] = c;
  }
  void put(std::string_view text) {
    if (kSize - used_ < text.size()) {
      flush();
      if (text.size() > kSize) {
        out_.append(text);
        return;
      }
    }
    std::memcpy(buffer_ + used_, text.data(), text.size());
    used_ += text.size();
  }

 private:
  static constexpr size_t kSize = 4096;

  void flush() {
    out_.append(buffer_, used_);
    used_ = 0;
  }

  std::string& out_;
  size_t used_ = 0;
  char buffer_[kSize];
};

// Bytes that do not stand for themselves in a string: those that JSON forbids, those that HTML would take for its own,
// and the first of U+2028 and U+2029, which end lines in JavaScript. Go's encoder escapes the same.
constexpr std::array<bool, 256> kEscaped = [] {
  std::array<bool, 256> escaped{};
  for (size_t c = 0; c < 0x20; ++c) escaped[c] = true;
  for (const char c : {'"', '\\', '<', '>', '&', '\xe2'}) escaped[static_cast<unsigned char>(c)] = true;
  return escaped;
}();

// Writes the bytes at `text[at]` that kEscaped names, and returns how many they were.
size_t write_escaped(std::string_view text, size_t at, Sink& out) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto c = static_cast<unsigned char>(text[at]);
  switch (c) {
    case '"': out.put("\\\""); return 1;
    case '\\': out.put("\\\\"); return 1;
    case '\n': out.put("\\n"); return 1;
    case '\r': out.put("\\r"); return 1;
    case '\t': out.put("\\t"); return 1;
    case 0xe2: {
      const auto three = text.substr(at, 3);
      if (three == "\xe2\x80\xa8" || three == "\xe2\x80\xa9") {
        out.put(three.back() == '\xa8' ? "\\u2028" : "\\u2029");
        return 3;
      }
      out.put(text[at]);
      return 1;
    }
    default: {
      const char code[] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      out.put({code, sizeof code});
      return 1;
    }
  }
}

void write_text(std::string_view text, Sink& out) {
  out.put('"');
  size_t plain = 0, at = 0;
  while (at < text.size()) {
    if (!kEscaped[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    out.put(text.substr(plain, at - plain));
    at += write_escaped(text, at, out);
    plain = at;
  }
  out.put(text.substr(plain));
  out.put('"');
}

// Every symbol as it is written for a key, its colon included, by its number.
const std::vector<std::string>& written_symbols() {
  static const auto all = [] {
    std::vector<std::string> texts(symbol_count());
    for (uint32_t i = 0; i < texts.size(); ++i) {
      Sink out(texts[i]);
      write_text(symbol_text(i), out);
      out.put(':');
    }
    return texts;
  }();
  return all;
}

void write_number(double number, Sink& out) {
  if (!std::isfinite(number)) {
    out.put("null");  // JSON has no other way to say it
    return;
  }
  if (number == 0) {
    out.put('0');  // minus zero would come back as an integer, which has none
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
    out.put(text.substr(0, text.size() - 2));
    text.remove_prefix(text.size() - 1);
  }
  out.put(text);
}

using Parts = std::vector<JsonListWriter::Part>;
// A list's pods have some fifty parts each, most of them in common.
constexpr size_t kParts = 512;
constexpr size_t kPartBytesMax = 4096;

// With `indent` below 0 on one line, else so many steps deep.
class Writer {
 public:
  explicit Writer(std::string& out, Parts* parts = nullptr) : out_(out), parts_(parts) {}

  void write(const Value& value, int indent) {
    switch (value.type()) {
      case ValueType::kAbsent:
      case ValueType::kNull: out_.put("null"); break;
      case ValueType::kBool: out_.put(value.as_bool() ? "true" : "false"); break;
      case ValueType::kInt: {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, value.as_int()).ptr;
        out_.put({digits, static_cast<size_t>(end - digits)});
        break;
      }
      case ValueType::kDouble: write_number(value.as_double(), out_); break;
      case ValueType::kString: write_string(value); break;
      case ValueType::kArray:
      case ValueType::kMap: write_node(value, indent); break;
    }
  }

 private:
  static size_t number_of(const Value& symbol) { return symbol.identity() >> 3; }

  void write_string(const Value& text) {
    if (text.is_symbol()) {
      const std::string& written = symbols_[number_of(text)];
      out_.put({written.data(), written.size() - 1});
    } else {
      write_text(text.as_string(), out_);
    }
  }

  void write_key(const Value& key) {
    if (key.is_symbol()) {
      out_.put(symbols_[number_of(key)]);
    } else {
      write_text(key.as_string(), out_);
      out_.put(':');
    }
  }

  void write_node(const Value& node, int indent) {
    if (!parts_ || node.empty()) return write_parts(node, indent);
    const uintptr_t identity = node.identity();
    auto& part = (*parts_)[(identity >> 4 ^ identity >> 13) % kParts];
    if (part.node != identity) {
      part.node = identity;
      part.text.clear();
      return write_parts(node, indent);
    }
    if (!part.text.empty()) return out_.put(part.text);
    const size_t begin = out_.written();
    write_parts(node, indent);
    // Its own parts may have taken its place meanwhile.
    if (part.node == identity && out_.written() - begin <= kPartBytesMax) part.text = out_.since(begin);
  }

  void write_parts(const Value& node, int indent) { node.is_map() ? write_map(node, indent) : write_array(node, indent); }

  void write_array(const Value& array, int indent) {
    out_.put('[');
    bool first = true;
    for (const auto& item : array.items()) {
      if (!first) out_.put(',');
      first = false;
      new_line(indent + 1, indent);
      write(item, indent < 0 ? indent : indent + 1);
    }
    if (!first) new_line(indent, indent);
    out_.put(']');
  }

  void write_map(const Value& map, int indent) {
    out_.put('{');
    bool first = true;
    for (const auto& [key, item] : map.entries()) {
      if (!first) out_.put(',');
      first = false;
      new_line(indent + 1, indent);
      write_key(Value(key));
      if (indent >= 0) out_.put(' ');
      write(item, indent < 0 ? indent : indent + 1);
    }
    if (!first) new_line(indent, indent);
    out_.put('}');
  }

  void new_line(int depth, int indent) {
    if (indent < 0) return;
    out_.put('\n');
    for (int i = 0; i < depth; ++i) out_.put("  ");
  }

  Sink out_;
  Parts* const parts_;
  const std::vector<std::string>& symbols_ = written_symbols();
};

}  // namespace

void write_json(const Value& value, std::string& out) { Writer(out).write(value, -1); }

JsonListWriter::JsonListWriter() : parts_(kParts) {}

void JsonListWriter::write(const Value& value, std::string& out) { Writer(out, &parts_).write(value, -1); }

std::string to_json(const Value& value) {
  std::string out;
  write_json(value, out);
  return out;
}

std::string to_pretty_json(const Value& value) {
  std::string out;
  Writer(out).write(value, 0);
  out += '\n';
  return out;
}

}  // namespace minik::control
