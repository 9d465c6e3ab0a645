#include "control/object/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "control/base/text.h"
#include "control/base/utf8.h"
#include "control/object/json.h"

namespace minik::control {

namespace {

constexpr int kYamlDepthMax = 100;
// Values after the expansion of aliases: without aliases a text of n bytes has fewer than n, so
// only a billion laughs ends here.
constexpr size_t kNodesSpare = 10'000;

struct Reader {
  YamlDocument& document;
  std::string name;
  size_t nodes_max;
  size_t nodes = 0;

  Error at(const YAML::Node& node, std::string_view what) const {
    return Error(ErrorCode::kBadRequest, cat(name, ":", node.Mark().line + 1, ": ", what));
  }

  Result<Value> read(const YAML::Node& node, const std::string& path, int depth) {
    if (depth > kYamlDepthMax) return at(node, "nested too deeply");
    if (++nodes > nodes_max) return at(node, "too many values (do aliases expand without end?)");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Value(nullptr);
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence: {
        std::vector<Value> items;
        for (size_t i = 0; i < node.size(); ++i) {
          const std::string child = cat(path, "[", i, "]");
          document.lines[child] = node[i].Mark().line + 1;
          MINIK_ASSIGN(auto item, read(node[i], child, depth + 1));
          items.push_back(std::move(item));
        }
        return Value::array(std::move(items));
      }
      case YAML::NodeType::Map:
        return map(node, path, depth);
    }
    return Value(nullptr);
  }

  Result<Value> map(const YAML::Node& node, const std::string& path, int depth) {
    MapBuilder builder;
    std::vector<YAML::Node> merged;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return at(entry.first, "a key must be a scalar");
      const std::string key = entry.first.Scalar();
      if (key == "<<" && entry.second.IsMap()) {
        merged.push_back(entry.second);
        continue;
      }
      if (key == "<<" && entry.second.IsSequence()) {
        for (const auto& one : entry.second) {
          if (!one.IsMap()) return at(one, "a merge key takes maps");
          merged.push_back(one);
        }
        continue;
      }
      const std::string child = path.empty() ? key : cat(path, ".", key);
      if (!builder.get(key).is_absent()) {
        return at(entry.first, cat("key ", quoted(key), " is given twice"));
      }
      document.lines[child] = entry.first.Mark().line + 1;
      MINIK_ASSIGN(auto value, read(entry.second, child, depth + 1));
      builder.set(key, std::move(value));
    }
    // What stands in the map itself wins over what it merges in, and an earlier source over a
    // later.
    for (const auto& source : merged) {
      if (depth + 1 > kYamlDepthMax) return at(source, "nested too deeply");
      MINIK_ASSIGN(const auto values, map(source, path, depth + 1));
      for (const auto& [key, value] : values.entries()) {
        if (builder.get(key).is_absent()) builder.set(key, value);
      }
    }
    return std::move(builder).build();
  }

  static Value scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return Value(text);
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
      return Value(nullptr);
    for (const auto* word : {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (text == word) return Value(true);
    }
    for (const auto* word : {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (text == word) return Value(false);
    }
    if (const auto number = integer(text)) return Value(*number);
    if (const auto number = real(text)) return Value(*number);
    return Value(text);
  }

  static std::optional<int64_t> integer(std::string_view text) {
    bool negative = false;
    if (text.front() == '-' || text.front() == '+') {
      negative = text.front() == '-';
      text.remove_prefix(1);
    }
    int base = 10;
    if (text.starts_with("0x")) {
      base = 16;
    } else if (text.starts_with("0o")) {
      base = 8;
    } else if (text.starts_with("0b")) {
      base = 2;
    } else if (text.size() > 1 && text.front() == '0') {
      base = 8;  // YAML 1.1: 0644
      text.remove_prefix(1);
    }
    if (base != 10 && text.size() > 2 && (text[1] == 'x' || text[1] == 'o' || text[1] == 'b'))
      text.remove_prefix(2);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
        text.front() == '-')
      return {};
    return negative ? -number : number;
  }

  static std::optional<double> real(std::string_view text) {
    if (text.find_first_of("0123456789") == std::string_view::npos ||
        text.find_first_not_of("+-.0123456789eE") != std::string_view::npos)
      return {};
    // Digits alone come here when they are too large for an integer; behind a 0 they are octal, or nothing.
    const bool digits_alone = text.find_first_of(".eE") == std::string_view::npos;
    if (digits_alone && text[text.find_first_not_of("+-")] == '0') return {};
    if (text.front() == '+') text.remove_prefix(1);
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return number;
  }
};

// All that a block or a plain scalar can hold as it is; the rest needs the escapes of double quotes.
bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\n';
  });
}

bool plain_is_safe(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;  // at a line's begin they part documents
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`=~").find(text.front()) != std::string_view::npos) {
    const bool dash_word = text.front() == '-' && text.size() > 1 && text[1] != ' ';
    if (!dash_word) return false;
  }
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos ||
      text.back() == ':')
    return false;
  if (!printable(text) || text.find('\n') != std::string_view::npos) return false;
  YAML::Node probe(std::string{text});
  // One letter reads as a boolean in YAML 1.1, so it is quoted for those who still read that.
  constexpr std::string_view kLetters = "yYnN";
  if (text.size() == 1 && kLetters.find(text.front()) != std::string_view::npos) return false;
  return Reader::scalar(probe).is_string();
}

void write(const Value& value, std::string& out, size_t indent, bool in_list);

// On one line, as a key must be.
void write_inline(std::string_view text, std::string& out) {
  if (plain_is_safe(text)) {
    out += text;
  } else {
    // JSON's double quotes are YAML's; the HTML escapes of write_json are valid in them, too.
    out += to_json(Value(text));
  }
}

void write_text(std::string_view text, std::string& out, size_t indent) {
  // A block's lines are told from what follows by their indentation, so that a whole document cannot be one.
  const bool block = indent > 0 && text.find('\n') != std::string_view::npos && printable(text) && text.front() != ' ' &&
                     text.front() != '\n';
  if (!block) return write_inline(text, out);
  const bool ends = text.back() == '\n';
  const bool more = text.size() > 1 && ends && text[text.size() - 2] == '\n';
  out += ends ? (more ? "|+" : "|") : "|-";
  auto lines = split(text, '\n');
  if (ends) lines.pop_back();
  for (const auto line : lines) {
    out += '\n';
    if (!line.empty()) out.append(indent, ' ').append(line);
  }
}

void write_scalar(const Value& value, std::string& out, size_t indent) {
  if (value.is_string()) {
    write_text(value.as_string(), out, indent);
  } else {
    out += to_json(value);
  }
}

// A reader looks for the colon of a key in 1,024 characters; a longer one must say that it is a key.
void write_key(std::string_view text, std::string& out, size_t indent) {
  constexpr size_t kImplicitMax = 1000;
  const size_t begin = out.size();
  write_inline(text, out);
  if (out.size() - begin > kImplicitMax) {
    out.insert(begin, "? ");
    out += '\n';
    out.append(indent, ' ');
  }
  out += ':';
}

void write_entry(const Value& value, std::string& out, size_t indent) {
  if (value.is_map() && !value.empty()) {
    out += '\n';
    write(value, out, indent + 2, false);
  } else if (value.is_array() && !value.empty()) {
    out += '\n';
    write(value, out, indent, false);  // lists stand at their key's own depth, as kubectl prints
  } else {
    out += ' ';
    write_scalar(value, out, indent + 2);
    out += '\n';
  }
}

void write(const Value& value, std::string& out, size_t indent, bool in_list) {
  if (value.is_map() && !value.empty()) {
    bool first = true;
    for (const auto& [key, item] : value.entries()) {
      if (!(first && in_list)) out.append(indent, ' ');
      first = false;
      write_key(key.text(), out, indent);
      write_entry(item, out, indent);
    }
  } else if (value.is_array() && !value.empty()) {
    bool first = true;
    for (const auto& item : value.items()) {
      if (!(first && in_list)) out.append(indent, ' ');
      first = false;
      out += "- ";
      if ((item.is_map() || item.is_array()) && !item.empty()) {
        write(item, out, indent + 2, true);
      } else {
        write_scalar(item, out, indent + 2);
        out += '\n';
      }
    }
  } else {
    write_scalar(value, out, indent);
    out += '\n';
  }
}

// yaml-cpp makes documents without end of a text that has a "," where a node must begin: this handler, which listens to
// nothing else, ends that before any document is kept.
class Progress final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (mark.pos == last_) throw YAML::ParserException(mark, "no value can begin here");
    last_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  int last_ = -1;
};

void check_progress(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Progress progress;
  while (parser.HandleNextDocument(progress)) {
  }
}

// Of what people get wrong most often.
std::string_view remedy(std::string_view text, int line, std::string_view message) {
  if (message.find("flow") != std::string_view::npos) return "; a bracket is not closed, or a text between brackets needs quotes";
  for (; line > 0 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const size_t first = text.find_first_not_of(" \t");
  const bool has_tab = text.substr(0, first).find('\t') != std::string_view::npos;
  return has_tab ? "; the line is indented by a tab, and YAML takes spaces" : "";
}

}  // namespace

Result<std::vector<YamlDocument>> parse_yaml(std::string_view text, std::string_view name) {
  if (const size_t bad = utf8_prefix(text); bad < text.size()) {
    const auto line = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(bad), '\n') + 1;
    return Error(ErrorCode::kBadRequest, cat(name, ":", line, ": YAML must be UTF-8"));
  }
  std::vector<YamlDocument> documents;
  try {
    const std::string owned(text);
    check_progress(owned);
    for (const auto& root : YAML::LoadAll(owned)) {
      if (!root.IsDefined() || root.IsNull()) continue;
      YamlDocument document;
      document.line = root.Mark().line + 1;
      Reader reader{document, std::string(name), text.size() + kNodesSpare};
      MINIK_ASSIGN(document.value, reader.read(root, "", 0));
      if (document.value.is_null()) continue;  // as a tag or an anchor on nothing is
      documents.push_back(std::move(document));
    }
  } catch (const YAML::Exception& error) {
    // It may quote the first byte of a character.
    const std::string_view message = std::string_view(error.msg).substr(0, utf8_prefix(error.msg));
    return Error(ErrorCode::kBadRequest, cat(name, ":", error.mark.line + 1, ": ", message, remedy(text, error.mark.line, message)));
  }
  return documents;
}

std::string to_yaml(const Value& value) {
  std::string out;
  write(value, out, 0, false);
  return out;
}

}  // namespace minik::control
