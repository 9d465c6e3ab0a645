#include "control/object/selector_text.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr std::string_view kSpecial = "=!(),><";
constexpr size_t kNameMax = 63, kPrefixMax = 253;

enum class Token : uint8_t { kEnd, kComma, kOpen, kClosed, kNot, kEqual, kDoubleEqual, kNotEqual, kGreater, kLess, kIn, kNotIn, kWord };

struct Lexeme {
  Token token = Token::kEnd;
  std::string_view text;
};

constexpr std::pair<std::string_view, Token> kTokens[] = {
    {",", Token::kComma}, {"(", Token::kOpen},         {")", Token::kClosed},   {"!", Token::kNot},     {"=", Token::kEqual}, {"==", Token::kDoubleEqual},
    {"!=", Token::kNotEqual}, {">", Token::kGreater}, {"<", Token::kLess}, {"in", Token::kIn}, {"notin", Token::kNotIn}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_special(char c) { return kSpecial.find(c) != std::string_view::npos; }
bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

Token token_of(std::string_view text) {
  const auto found = std::ranges::find(kTokens, text, &std::pair<std::string_view, Token>::first);
  return found == std::end(kTokens) ? Token::kWord : found->second;
}

Error bad(std::string what) { return Error(ErrorCode::kBadRequest, std::move(what)); }
Error unexpected(std::string_view found, std::string_view expected) { return bad(cat("found '", found, "', expected: ", expected)); }

// What a label's name and its value must be made of, where they are not empty.
bool is_name(std::string_view text) {
  const auto inside = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) && std::ranges::all_of(text, inside);
}

bool is_subdomain(std::string_view text) {
  if (text.size() > kPrefixMax) return false;
  return std::ranges::all_of(split(text, '.'), [](std::string_view part) {
    return !part.empty() && is_lower_or_digit(part.front()) && is_lower_or_digit(part.back()) &&
           std::ranges::all_of(part, [](char c) { return is_lower_or_digit(c) || c == '-'; });
  });
}

// What is wrong with a key or a value; empty: nothing.
std::string problem_of_key(std::string_view key) {
  std::string_view name = key;
  if (const size_t slash = key.find('/'); slash != std::string_view::npos) {
    if (!is_subdomain(key.substr(0, slash)))
      return "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
             "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
             "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    name.remove_prefix(slash + 1);
  }
  if (name.size() > kNameMax) return cat("name part must be no more than ", kNameMax, " bytes");
  if (is_name(name)) return {};
  return "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
         "'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

std::string problem_of_value(std::string_view value) {
  if (value.size() > kNameMax) return cat("must be no more than ", kNameMax, " bytes");
  if (value.empty() || is_name(value)) return {};
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
         "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
         "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) { next_ = scan(); }

  Result<std::vector<SelectorTerm>> parse() {
    std::vector<SelectorTerm> terms;
    if (peek_value().token == Token::kEnd) return terms;
    while (true) {
      const Lexeme first = peek_value();
      if (first.token != Token::kWord && first.token != Token::kNot) {
        return terms.empty() ? unexpected(first.text, "!, identifier, or 'end of string'") : unexpected(first.text, "identifier after ','");
      }
      auto term = parse_requirement();
      if (!term) return bad(cat("unable to parse requirement: ", term.error().message));
      terms.push_back(*std::move(term));
      const Lexeme after = take_value();
      if (after.token == Token::kEnd) return terms;
      if (after.token != Token::kComma) return unexpected(after.text, "',' or 'end of string'");
    }
  }

 private:
  Lexeme scan() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    if (rest_.empty()) return {};
    size_t length = 1;
    if (!is_special(rest_.front())) {
      while (length < rest_.size() && !is_space(rest_[length]) && !is_special(rest_[length])) ++length;
    } else if (length < rest_.size() && is_special(rest_[1]) && token_of(rest_.substr(0, 2)) != Token::kWord) {
      length = 2;
    }
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return {token_of(text), text};
  }

  Lexeme take() { return std::exchange(next_, scan()); }
  // Where no operator may stand, "in" and "notin" are words.
  Lexeme peek_value() const {
    const bool word = next_.token == Token::kIn || next_.token == Token::kNotIn;
    return word ? Lexeme{Token::kWord, next_.text} : next_;
  }
  Lexeme take_value() {
    const Lexeme lexeme = peek_value();
    take();
    return lexeme;
  }

  Result<SelectorTerm> parse_requirement() {
    SelectorTerm term;
    Lexeme key = take_value();
    if (key.token == Token::kNot) {
      term.op = SelectorOperator::kNotExists;
      key = take_value();
    }
    if (key.token != Token::kWord) return unexpected(key.text, "identifier");
    if (const auto problem = problem_of_key(key.text); !problem.empty()) return bad(cat("<nil>: Invalid value: ", quoted(key.text), ": ", problem));
    term.key = key.text;
    if (term.op == SelectorOperator::kNotExists) return term;
    if (const Token token = peek_value().token; token == Token::kEnd || token == Token::kComma) return term;
    MINIK_ASSIGN(term.op, parse_operator());
    const bool several = op_is_of_set_;
    auto values = several ? parse_values() : parse_value();
    if (!values) return std::move(values).error();
    term.values.assign(values->begin(), values->end());
    return checked(std::move(term), several);
  }

  Result<SelectorOperator> parse_operator() {
    const Lexeme op = take();
    op_is_of_set_ = op.token == Token::kIn || op.token == Token::kNotIn;
    switch (op.token) {
      case Token::kIn:
      case Token::kEqual:
      case Token::kDoubleEqual: return SelectorOperator::kIn;
      case Token::kNotIn:
      case Token::kNotEqual: return SelectorOperator::kNotIn;
      case Token::kGreater: return SelectorOperator::kGreater;
      case Token::kLess: return SelectorOperator::kLess;
      default: return unexpected(op.text, "in, notin, =, ==, !=, gt, lt");
    }
  }

  Result<std::set<std::string, std::less<>>> parse_value() {
    const Token token = peek_value().token;
    if (token == Token::kEnd || token == Token::kComma) return std::set<std::string, std::less<>>{""};
    const Lexeme value = take_value();
    if (value.token != Token::kWord) return unexpected(value.text, "identifier");
    return std::set<std::string, std::less<>>{std::string(value.text)};
  }

  // "(a,b)"; where a value is missing it is the empty one.
  Result<std::set<std::string, std::less<>>> parse_values() {
    const Lexeme open = take_value();
    if (open.token != Token::kOpen) return bad(cat("found '", open.text, "' expected: '('"));
    std::set<std::string, std::less<>> values;
    if (peek_value().token == Token::kClosed) {
      take();
      return values;
    }
    for (bool first = true;; first = false) {
      Lexeme lexeme = peek_value();
      if (lexeme.token == Token::kWord) {
        values.emplace(lexeme.text);
        take();
        lexeme = peek_value();
      } else if (lexeme.token == Token::kComma || (lexeme.token == Token::kClosed && !first)) {
        values.emplace();
      } else {
        return unexpected(lexeme.text, first ? "',', ')' or identifier" : "',', or identifier");
      }
      if (lexeme.token != Token::kComma && lexeme.token != Token::kClosed) return unexpected(lexeme.text, "',' or ')'");
      take();
      if (lexeme.token == Token::kClosed) return values;
    }
  }

  static Result<SelectorTerm> checked(SelectorTerm term, bool several) {
    if (several && term.values.empty()) return bad("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
    const bool compares = term.op == SelectorOperator::kGreater || term.op == SelectorOperator::kLess;
    for (size_t i = 0; i < term.values.size(); ++i) {
      const std::string& value = term.values[i];
      if (compares && !parse_int64(value)) {
        return bad(cat("values[", i, "]: Invalid value: ", quoted(value), ": for 'Gt', 'Lt' operators, the value must be an integer"));
      }
      const auto problem = problem_of_value(value);
      if (!problem.empty()) return bad(cat("values[", i, "][", term.key, "]: Invalid value: ", quoted(value), ": ", problem));
    }
    return term;
  }

  std::string_view rest_;
  Lexeme next_;
  bool op_is_of_set_ = false;
};

}  // namespace

Result<std::vector<SelectorTerm>> parse_selector_text(std::string_view text) { return Parser(text).parse(); }

}  // namespace minik::control
