#include <array>

#include "control/base/text.h"
#include "control/cel/syntax.h"
#include "control/base/utf8.h"

namespace minik::control::cel {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    for (skip_space(); at_ < source_.size(); skip_space()) {
      start_ = at_;
      MINIK_TRY(next());
    }
    start_ = at_;
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  char peek(size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  void add(TokenKind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), static_cast<uint32_t>(start_)});
  }
  Error error(size_t position, std::string_view message) const {
    return Error(ErrorCode::kInvalid, describe_error(source_, static_cast<uint32_t>(position),
                                                     cat("Syntax error: ", message)));
  }

  void skip_space() {
    while (at_ < source_.size()) {
      if (source_.substr(at_, 2) == "//") {
        const auto end = source_.find('\n', at_);
        at_ = end == std::string_view::npos ? source_.size() : end;
      } else if (std::string_view(" \t\n\r\f").find(source_[at_]) != std::string_view::npos) {
        ++at_;
      } else {
        return;
      }
    }
  }

  Status next() {
    // r, b and their pairs start a literal only right before a quote.
    size_t prefix = 0;
    while (prefix < 2 && std::string_view("rRbB").find(peek(prefix)) != std::string_view::npos &&
           peek(prefix) != '\0')
      ++prefix;
    if (peek(prefix) == '"' || peek(prefix) == '\'') {
      bool raw = false, bytes = false;
      for (size_t i = 0; i < prefix; ++i) (peek(i) == 'r' || peek(i) == 'R' ? raw : bytes) = true;
      if (prefix < 2 || (raw && bytes)) {
        at_ += prefix;
        return literal(raw, bytes);
      }
    }
    if (is_letter(peek())) {
      while (is_letter(peek()) || is_digit(peek())) ++at_;
      add(TokenKind::kIdentifier, source_.substr(start_, at_ - start_));
      return {};
    }
    if (is_digit(peek()) || (peek() == '.' && is_digit(peek(1)))) return number();
    static constexpr std::array<std::string_view, 6> kPairs = {"&&", "||", "==", "!=", "<=", ">="};
    for (const auto pair : kPairs) {
      if (source_.substr(at_, 2) == pair) return symbol(2);
    }
    if (std::string_view("+-*/%!<>?:.,()[]{}").find(peek()) != std::string_view::npos &&
        peek() != '\0')
      return symbol(1);
    return error(at_, cat("token recognition error at: ",
                          quoted(source_.substr(at_, character_bytes(source_, at_)))));
  }

  Status symbol(size_t bytes) {
    add(TokenKind::kSymbol, source_.substr(at_, bytes));
    at_ += bytes;
    return {};
  }

  Status number() {
    TokenKind kind = TokenKind::kInt;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X') && hex_digit(peek(2)) >= 0) {
      at_ += 2;
      while (hex_digit(peek()) >= 0) ++at_;
    } else {
      while (is_digit(peek())) ++at_;
      if (peek() == '.' && is_digit(peek(1))) {
        kind = TokenKind::kDouble;
        ++at_;
        while (is_digit(peek())) ++at_;
      }
      const size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
        kind = TokenKind::kDouble;
        at_ += 1 + sign;
        while (is_digit(peek())) ++at_;
      }
    }
    const auto text = source_.substr(start_, at_ - start_);
    if (kind == TokenKind::kInt && (peek() == 'u' || peek() == 'U')) {
      kind = TokenKind::kUint;
      ++at_;
    }
    if (is_letter(peek()) || is_digit(peek()))
      return error(start_, cat("a number ends in ", quoted(source_.substr(at_, 1))));
    add(kind, text);
    return {};
  }

  Status literal(bool raw, bool bytes) {
    const char quote = peek();
    const std::string triple(3, quote);
    const bool is_triple = source_.substr(at_, 3) == triple;
    const std::string_view end =
        is_triple ? std::string_view(triple) : std::string_view(triple).substr(0, 1);
    at_ += end.size();
    std::string content;
    while (source_.substr(at_, end.size()) != end) {
      if (at_ >= source_.size() || (!is_triple && (peek() == '\n' || peek() == '\r'))) {
        return error(start_, "the literal has no closing quote");
      }
      if (peek() != '\\' || raw) {
        content += source_[at_++];
      } else {
        MINIK_TRY(escape(bytes, content));
      }
    }
    at_ += end.size();
    if (!bytes && !is_utf8(content)) return error(start_, "the literal is not valid UTF-8");
    add(bytes ? TokenKind::kBytes : TokenKind::kString, content);
    return {};
  }

  Status escape(bool bytes, std::string& content) {
    const size_t begin = at_++;
    const char c = peek();
    static constexpr std::string_view kNames = "abfnrtv\\?\"'`",
                                      kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
    if (const auto found = kNames.find(c); found != std::string_view::npos && c != '\0') {
      content += kMeanings[found];
      ++at_;
      return {};
    }
    const size_t digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 3;
    const bool octal = c >= '0' && c <= '3';
    if (!octal && digits == 3)
      return error(begin,
                   "unknown escape; known are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\\" \\' \\` "
                   "\\x \\u \\U and octal");
    if (bytes && (c == 'u' || c == 'U'))
      return error(begin, "bytes have no \\u escape; write the bytes with \\x");
    if (!octal) ++at_;
    uint32_t code = 0;
    for (size_t i = 0; i < digits; ++i, ++at_) {
      const int digit = hex_digit(peek());
      if (digit < 0 || (octal && digit > 7)) return error(begin, "the escape needs more digits");
      code = code * (octal ? 8 : 16) + static_cast<uint32_t>(digit);
    }
    if (bytes) {
      content += static_cast<char>(code);
    } else if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      return error(begin, "the escape is no Unicode character");
    } else {
      append_character(content, code);
    }
    return {};
  }

  std::string_view source_;
  size_t at_ = 0, start_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(source).run();
}

std::string describe_error(std::string_view source, uint32_t position, std::string_view message) {
  const std::string_view before = source.substr(0, position);
  size_t line = 1;
  for (const char c : before) line += c == '\n' ? 1 : 0;
  const auto newline = before.rfind('\n');
  const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  const size_t column = character_count(before.substr(begin));
  const std::string_view text = source.substr(begin, source.find('\n', begin) - begin);
  return cat("ERROR: <input>:", line, ":", column + 1, ": ", message, "\n | ", text, "\n | ",
             std::string(column, '.'), "^");
}

}  // namespace minik::control::cel
