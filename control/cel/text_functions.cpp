// Functions of text: CEL's own, the `strings` extension as Kubernetes enables it, and regular
// expressions. Places in a text count characters, not bytes.
#include <algorithm>
#include <charconv>

#include "control/base/text.h"
#include "control/cel/limits.h"
#include "control/cel/overloads.h"
#include "control/cel/regex.h"
#include "control/base/utf8.h"

namespace minik::control::cel {

namespace {

Datum out_of_range(int64_t index) {
  return Datum::error(cat("index out of range: ", index));
}
Datum too_long() {
  return Datum::error(cat("the text would be longer than ", kMadeTextBytesMax, " bytes"));
}

Datum contains(const Call& c) {
  return Datum::boolean(c[0].as_text().find(c[1].as_text()) != std::string_view::npos);
}

Datum char_at(const Call& c) {
  const auto text = c[0].as_text();
  const int64_t index = c[1].as_int();
  if (index < 0 || static_cast<size_t>(index) > character_count(text)) return out_of_range(index);
  const size_t at = character_offset(text, static_cast<size_t>(index));
  return Datum::text(at == text.size() ? std::string_view()
                                       : text.substr(at, character_bytes(text, at)));
}

Datum index_of(const Call& c) {
  const auto text = c[0].as_text();
  size_t from = 0;
  if (c.arguments.size() == 3) {
    const int64_t start = c[2].as_int();
    if (start < 0 || static_cast<size_t>(start) > character_count(text)) return out_of_range(start);
    from = character_offset(text, static_cast<size_t>(start));
  }
  const auto found = text.find(c[1].as_text(), from);
  if (found == std::string_view::npos) return Datum::integer(-1);
  return Datum::integer(static_cast<int64_t>(character_count(text.substr(0, found))));
}

Datum last_index_of(const Call& c) {
  const auto text = c[0].as_text();
  size_t from = std::string_view::npos;
  if (c.arguments.size() == 3) {
    const int64_t last = c[2].as_int();
    if (last < 0 || static_cast<size_t>(last) > character_count(text)) return out_of_range(last);
    from = character_offset(text, static_cast<size_t>(last));
  }
  const auto found = text.rfind(c[1].as_text(), from);
  if (found == std::string_view::npos) return Datum::integer(-1);
  return Datum::integer(static_cast<int64_t>(character_count(text.substr(0, found))));
}

Datum join_list(const Call& c) {
  const auto separator = c.arguments.size() == 2 ? c[1].as_text() : std::string_view();
  std::string joined;
  for (size_t i = 0; i < c[0].size(); ++i) {
    const Datum item = c[0].item(i);
    if (item.kind() != Kind::kString) return Datum::error("no such overload");
    if (i > 0) joined += separator;
    joined += item.as_text();
    if (joined.size() > kMadeTextBytesMax) return too_long();
  }
  return Datum::text(joined);
}

// An empty separator parts all characters, as Go's strings.Split does.
Datum split_text(const Call& c) {
  std::string_view rest = c[0].as_text();
  const auto separator = c[1].as_text();
  const int64_t limit = c.arguments.size() == 3 ? c[2].as_int() : -1;
  std::vector<Datum> parts;
  if (limit == 0) return Datum::list({});
  if (separator.empty() && rest.empty()) return Datum::list({});
  while (limit < 0 || parts.size() + 1 < static_cast<size_t>(limit)) {
    const size_t at = separator.empty() ? character_bytes(rest, 0) : rest.find(separator);
    if (at == std::string_view::npos || (separator.empty() && at >= rest.size())) break;
    parts.push_back(Datum::text(rest.substr(0, at)));
    rest.remove_prefix(at + separator.size());
  }
  parts.push_back(Datum::text(rest));
  return Datum::list(std::move(parts));
}

Datum replace(const Call& c) {
  const auto text = c[0].as_text(), old = c[1].as_text(), by = c[2].as_text();
  int64_t left = c.arguments.size() == 4 ? c[3].as_int() : -1;
  std::string made;
  size_t at = 0;
  while (left != 0) {
    const auto found = text.find(old, at);
    if (found == std::string_view::npos) break;
    made += text.substr(at, found - at);
    made += by;
    at = found + old.size();
    if (left > 0) --left;
    if (made.size() > kMadeTextBytesMax) return too_long();
    if (old.empty()) {
      // An empty text stands before each character and at the end.
      if (at >= text.size()) break;
      const size_t bytes = character_bytes(text, at);
      made += text.substr(at, bytes);
      at += bytes;
    }
  }
  if (at < text.size()) made += text.substr(at);
  return Datum::text(made);
}

Datum substring(const Call& c) {
  const auto text = c[0].as_text();
  const auto size = static_cast<int64_t>(character_count(text));
  const int64_t begin = c[1].as_int(), end = c.arguments.size() == 3 ? c[2].as_int() : size;
  if (begin < 0 || begin > size) return out_of_range(begin);
  if (end < 0 || end > size) return out_of_range(end);
  if (begin > end)
    return Datum::error(cat("invalid substring range. start: ", begin, ", end: ", end));
  const size_t from = character_offset(text, static_cast<size_t>(begin));
  return Datum::text(text.substr(from, character_offset(text, static_cast<size_t>(end)) - from));
}

template <char first, char last, int shift>
Datum change_case(const Call& c) {
  std::string text(c[0].as_text());
  for (char& letter : text) {
    if (letter >= first && letter <= last) letter = static_cast<char>(letter + shift);
  }
  return Datum::text(text);
}

Datum trim_text(const Call& c) {
  std::string_view text = c[0].as_text();
  // Unicode's White_Space, which Go trims.
  const auto space_bytes = [](std::string_view t, size_t at) -> size_t {
    static constexpr std::string_view kWide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
                                                 "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
                                                 "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (std::string_view(" \t\n\v\f\r").find(t[at]) != std::string_view::npos) return 1;
    for (const auto wide : kWide) {
      if (t.substr(at, wide.size()) == wide) return wide.size();
    }
    const bool quad = t.size() - at >= 3 && t.substr(at, 2) == "\xe2\x80" &&
                      static_cast<uint8_t>(t[at + 2]) >= 0x80 &&
                      static_cast<uint8_t>(t[at + 2]) <= 0x8a;
    return quad ? 3 : 0;
  };
  while (!text.empty() && space_bytes(text, 0) > 0) text.remove_prefix(space_bytes(text, 0));
  size_t end = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = space_bytes(text, at);
    at += bytes > 0 ? bytes : character_bytes(text, at);
    if (bytes == 0) end = at;
  }
  return Datum::text(text.substr(0, end));
}

Datum reverse_text(const Call& c) {
  const auto text = c[0].as_text();
  std::string reversed(text.size(), '\0');
  for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
    bytes = character_bytes(text, at);
    text.copy(reversed.data() + (text.size() - at - bytes), bytes, at);
  }
  return Datum::text(reversed);
}

// One clause of format(): the letter, and what stands between it and the '%'.
std::optional<std::string> format_one(char letter, int precision, const Datum& value) {
  const auto number = [&](int base, bool upper) -> std::optional<std::string> {
    char buffer[72];
    std::to_chars_result end{};
    if (value.kind() == Kind::kInt)
      end = std::to_chars(buffer, buffer + sizeof buffer, value.as_int(), base);
    else if (value.kind() == Kind::kUint)
      end = std::to_chars(buffer, buffer + sizeof buffer, value.as_uint(), base);
    else
      return std::nullopt;
    std::string text(buffer, end.ptr);
    if (upper)
      std::ranges::transform(text, text.begin(),
                             [](char ch) { return ch >= 'a' ? static_cast<char>(ch - 32) : ch; });
    return text;
  };
  switch (letter) {
    case 's':
      return value.kind() == Kind::kString ? std::string(value.as_text())
             : value.kind() == Kind::kType ? std::string(value.as_text())
                                           : value.display();
    case 'd':
      return number(10, false);
    case 'o':
      return number(8, false);
    case 'b':
      if (value.kind() == Kind::kBool) return value.is_true() ? "1" : "0";
      return number(2, false);
    case 'x':
    case 'X':
      if (value.kind() == Kind::kString || value.kind() == Kind::kBytes) {
        std::string hex = to_hex(value.as_text());
        if (letter == 'X')
          std::ranges::transform(hex, hex.begin(), [](char ch) {
            return ch >= 'a' ? static_cast<char>(ch - 32) : ch;
          });
        return hex;
      }
      return number(16, letter == 'X');
    case 'f':
    case 'e': {
      if (!value.is_number()) return std::nullopt;
      const double d = value.kind() == Kind::kDouble ? value.as_double()
                       : value.kind() == Kind::kInt  ? static_cast<double>(value.as_int())
                                                     : static_cast<double>(value.as_uint());
      char buffer[512];
      const auto form = letter == 'f' ? std::chars_format::fixed : std::chars_format::scientific;
      const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, form, precision);
      return std::string(buffer, end.ptr);
    }
    default:
      return std::nullopt;
  }
}

Datum format(const Call& c) {
  const auto text = c[0].as_text();
  std::string made;
  size_t next = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      made += text[at];
      continue;
    }
    if (++at < text.size() && text[at] == '%') {
      made += '%';
      continue;
    }
    int precision = 6;
    if (at < text.size() && text[at] == '.') {
      for (precision = 0, ++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        precision = std::min(100, precision * 10 + (text[at] - '0'));
      }
    }
    if (at >= text.size())
      return Datum::error("could not parse formatting clause: unexpected end of format string");
    if (next >= c[1].size()) return Datum::error(cat("index ", next, " out of range"));
    const auto part = format_one(text[at], precision, c[1].item(next++));
    if (!part)
      return Datum::error(cat("formatting clause %", text[at], " does not take this argument"));
    made += *part;
    if (made.size() > kMadeTextBytesMax) return too_long();
  }
  return Datum::text(made);
}

// Calls `use` with the pattern of the second argument, compiled beforehand where it is a constant.
template <typename Use>
Datum with_pattern(const Call& c, Use use) {
  if (c.regex != nullptr) return use(*c.regex);
  const auto compiled = Regex::compile(c[1].as_text());
  return compiled ? use(**compiled) : Datum::error(compiled.error().message);
}

Datum matches(const Call& c) {
  return with_pattern(
      c, [&](const Regex& regex) { return Datum::boolean(regex.matches(c[0].as_text())); });
}

Datum find(const Call& c) {
  return with_pattern(c, [&](const Regex& regex) {
    return Datum::text(regex.find(c[0].as_text(), 0).value_or(""));
  });
}

Datum find_all(const Call& c) {
  const auto text = c[0].as_text();
  const int64_t limit = c.arguments.size() == 3 ? c[2].as_int() : -1;
  return with_pattern(c, [&](const Regex& regex) {
    std::vector<Datum> all;
    size_t from = 0;
    // An empty match right behind the last one does not count, as in Go.
    size_t last_end = std::string_view::npos;
    while (limit < 0 || all.size() < static_cast<size_t>(limit)) {
      const auto found = regex.find(text, from);
      if (!found) break;
      const auto begin = static_cast<size_t>(found->data() - text.data());
      if (!found->empty() || begin != last_end) all.push_back(Datum::text(*found));
      last_end = begin + found->size();
      if (last_end >= text.size() && found->empty()) break;
      from = found->empty() ? last_end + character_bytes(text, last_end) : last_end;
    }
    return Datum::list(std::move(all));
  });
}

// A key as a step of a JSON pointer.
Datum escape_key(const Call& c) {
  std::string escaped;
  for (const char letter : c[0].as_text()) {
    if (letter == '~') {
      escaped += "~0";
    } else if (letter == '/') {
      escaped += "~1";
    } else {
      escaped += letter;
    }
  }
  return Datum::text(escaped);
}

constexpr OverloadText kTextFunctions[] = {
    {"string.contains(string) -> bool", contains, Cost::kProduct},
    {"string.startsWith(string) -> bool",
     [](const Call& c) { return Datum::boolean(c[0].as_text().starts_with(c[1].as_text())); },
     Cost::kReceiver},
    {"string.endsWith(string) -> bool",
     [](const Call& c) { return Datum::boolean(c[0].as_text().ends_with(c[1].as_text())); },
     Cost::kReceiver},
    {"string.matches(string) -> bool", matches, Cost::kPattern},
    {"matches(string, string) -> bool", matches, Cost::kPattern},
    {"string.find(string) -> string", find, Cost::kPattern},
    {"string.findAll(string) -> list<string>", find_all, Cost::kPattern},
    {"string.findAll(string, int) -> list<string>", find_all, Cost::kPattern},
    {"string.charAt(int) -> string", char_at, Cost::kTraverse},
    {"string.indexOf(string) -> int", index_of, Cost::kProduct},
    {"string.indexOf(string, int) -> int", index_of, Cost::kProduct},
    {"string.lastIndexOf(string) -> int", last_index_of, Cost::kProduct},
    {"string.lastIndexOf(string, int) -> int", last_index_of, Cost::kProduct},
    {"list<string>.join() -> string", join_list, Cost::kMakes},
    {"list<string>.join(string) -> string", join_list, Cost::kMakes},
    {"string.split(string) -> list<string>", split_text, Cost::kMakes},
    {"string.split(string, int) -> list<string>", split_text, Cost::kMakes},
    {"string.replace(string, string) -> string", replace, Cost::kMakes},
    {"string.replace(string, string, int) -> string", replace, Cost::kMakes},
    {"string.substring(int) -> string", substring, Cost::kTraverse},
    {"string.substring(int, int) -> string", substring, Cost::kTraverse},
    {"string.lowerAscii() -> string", change_case<'A', 'Z', 32>, Cost::kTraverse},
    {"string.upperAscii() -> string", change_case<'a', 'z', -32>, Cost::kTraverse},
    {"string.trim() -> string", trim_text, Cost::kTraverse},
    {"string.reverse() -> string", reverse_text, Cost::kTraverse},
    {"string.format(list<dyn>) -> string", format, Cost::kMakes},
    {"jsonpatch.escapeKey(string) -> string", escape_key, Cost::kMakes},
    {"strings.quote(string) -> string",
     [](const Call& c) { return Datum::text(quoted(c[0].as_text())); }, Cost::kMakes},
};

}  // namespace

std::span<const OverloadText> text_functions() {
  return kTextFunctions;
}

}  // namespace minik::control::cel
