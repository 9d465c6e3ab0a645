#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "control/base/text.h"
#include "control/cel/limits.h"
#include "control/cel/syntax.h"

namespace minik::control::cel {

namespace {

constexpr std::array<std::string_view, 17> kReserved = {
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

struct Operator {
  std::string_view symbol, function;
  int precedence;
};
constexpr std::array<Operator, 12> kOperators = {{{"==", "_==_", 1},
                                                  {"!=", "_!=_", 1},
                                                  {"<=", "_<=_", 1},
                                                  {">=", "_>=_", 1},
                                                  {"<", "_<_", 1},
                                                  {">", "_>_", 1},
                                                  {"in", "@in", 1},
                                                  {"+", "_+_", 2},
                                                  {"-", "_-_", 2},
                                                  {"*", "_*_", 3},
                                                  {"/", "_/_", 3},
                                                  {"%", "_%_", 3}}};
constexpr int kHighest = 3;

struct MacroForm {
  std::string_view name;
  Macro macro;
  size_t variables, arguments;
};
// exists_one has the second name existsOne; map and the transforms may filter first, hence two
// lengths.
constexpr std::array<MacroForm, 18> kMacros = {
    {{"all", Macro::kAll, 1, 2},
     {"all", Macro::kAll, 2, 3},
     {"exists", Macro::kExists, 1, 2},
     {"exists", Macro::kExists, 2, 3},
     {"exists_one", Macro::kExistsOne, 1, 2},
     {"existsOne", Macro::kExistsOne, 1, 2},
     {"existsOne", Macro::kExistsOne, 2, 3},
     {"exists_one", Macro::kExistsOne, 2, 3},
     {"map", Macro::kMap, 1, 2},
     {"map", Macro::kMap, 1, 3},
     {"filter", Macro::kFilter, 1, 2},
     {"transformList", Macro::kTransformList, 2, 3},
     {"transformList", Macro::kTransformList, 2, 4},
     {"transformMap", Macro::kTransformMap, 2, 3},
     {"transformMap", Macro::kTransformMap, 2, 4},
     {"transformMapEntry", Macro::kTransformMapEntry, 2, 3},
     {"optMap", Macro::kOptMap, 1, 2},
     {"optFlatMap", Macro::kOptFlatMap, 1, 2}}};

class Parser {
 public:
  Parser(std::string_view source, std::vector<Token> tokens) : tokens_(std::move(tokens)) {
    tree_.source = source;
  }

  Result<Tree> run() {
    MINIK_ASSIGN(tree_.root, expression());
    if (peek().kind != TokenKind::kEnd) return unexpected("the end of the expression");
    return std::move(tree_);
  }

 private:
  // Counts how deep the parser stands in itself; the depth of the tree is watched by add().
  struct Deeper {
    explicit Deeper(int& depth) : depth_(++depth) {}
    ~Deeper() { --depth_; }
    int& depth_;
  };

  const Token& peek() const { return tokens_[at_]; }
  bool is(std::string_view symbol) const {
    return peek().kind == TokenKind::kSymbol && peek().text == symbol;
  }
  bool take(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }
  Error error(uint32_t position, std::string_view message) const {
    return Error(ErrorCode::kInvalid, describe_error(tree_.source, position, message));
  }
  Error unexpected(std::string_view wanted) const {
    const std::string found = peek().kind == TokenKind::kEnd ? "the end" : quoted(peek().text);
    return error(peek().position,
                 cat("Syntax error: found ", found, " where ", wanted, " should be"));
  }
  Error too_deep() const {
    return error(peek().position,
                 cat("expression is nested deeper than ", kDepthMax, "; split it into several"));
  }
  Status expect(std::string_view symbol) {
    if (!take(symbol)) return unexpected(quoted(symbol));
    return {};
  }

  Node node(NodeKind kind, uint32_t position, std::string_view name = {},
            std::vector<NodeId> children = {}) const {
    Node made;
    made.kind = kind;
    made.position = position;
    made.name = name;
    made.children = std::move(children);
    return made;
  }
  Result<NodeId> add(Node made) {
    for (const NodeId child : made.children) {
      made.depth =
          std::max<uint16_t>(made.depth, static_cast<uint16_t>(tree_.nodes[child].depth + 1));
    }
    if (made.depth > kDepthMax) return too_deep();
    tree_.nodes.push_back(std::move(made));
    return static_cast<NodeId>(tree_.nodes.size() - 1);
  }
  Result<NodeId> call(uint32_t position, std::string_view name, std::vector<NodeId> children,
                      bool member = false) {
    Node made = node(NodeKind::kCall, position, name, std::move(children));
    made.member = member;
    return add(std::move(made));
  }
  Result<NodeId> constant(uint32_t position, Datum value) {
    Node made = node(NodeKind::kConstant, position);
    made.constant = std::move(value);
    return add(std::move(made));
  }

  Result<NodeId> expression() {
    const Deeper deeper(depth_);
    if (depth_ > kDepthMax) return too_deep();
    MINIK_ASSIGN(const NodeId condition, chain(NodeKind::kOr));
    const uint32_t position = peek().position;
    if (!take("?")) return condition;
    MINIK_ASSIGN(const NodeId yes, chain(NodeKind::kOr));
    MINIK_TRY(expect(":"));
    MINIK_ASSIGN(const NodeId no, expression());
    return add(node(NodeKind::kConditional, position, {}, {condition, yes, no}));
  }

  // a || b || c, each of a && b, as one node.
  Result<NodeId> chain(NodeKind kind) {
    const std::string_view symbol = kind == NodeKind::kOr ? "||" : "&&";
    const auto part = [&] { return kind == NodeKind::kOr ? chain(NodeKind::kAnd) : binary(1); };
    MINIK_ASSIGN(const NodeId first, part());
    if (!is(symbol)) return first;
    Node made = node(kind, peek().position, {}, {first});
    while (take(symbol)) {
      MINIK_ASSIGN(const NodeId next, part());
      made.children.push_back(next);
    }
    return add(std::move(made));
  }

  Result<NodeId> binary(int precedence) {
    if (precedence > kHighest) return unary();
    MINIK_ASSIGN(NodeId left, binary(precedence + 1));
    while (peek().kind == TokenKind::kSymbol || peek().kind == TokenKind::kIdentifier) {
      const auto found =
          std::ranges::find(kOperators, std::string_view(peek().text), &Operator::symbol);
      if (found == kOperators.end() || found->precedence != precedence) break;
      const uint32_t position = tokens_[at_++].position;
      MINIK_ASSIGN(const NodeId right, binary(precedence + 1));
      MINIK_ASSIGN(left, call(position, found->function, {left, right}));
    }
    return left;
  }

  Result<NodeId> unary() {
    const uint32_t position = peek().position;
    if (!is("!") && !is("-")) return postfix();
    const bool negation = is("-");
    size_t count = 0;
    const std::string_view symbol = negation ? "-" : "!";
    while (take(symbol)) ++count;
    const bool number = peek().kind == TokenKind::kInt || peek().kind == TokenKind::kDouble;
    if (negation && number && count % 2 == 1) {
      // The smallest int has no positive counterpart, so the sign belongs to the literal.
      negative_ = true;
      return postfix();
    }
    MINIK_ASSIGN(const NodeId operand, is("!") || is("-") ? nested_unary() : postfix());
    if (count % 2 == 0) return operand;
    return call(position, negation ? "-_" : "!_", {operand});
  }
  Result<NodeId> nested_unary() {
    const Deeper deeper(depth_);
    if (depth_ > kDepthMax) return too_deep();
    return unary();
  }

  Result<NodeId> postfix() {
    MINIK_ASSIGN(NodeId operand, primary());
    while (true) {
      const uint32_t position = peek().position;
      if (take(".")) {
        const bool optional = take("?");
        if (peek().kind != TokenKind::kIdentifier) return unexpected("a field name");
        const std::string name = tokens_[at_++].text;
        if (!optional && is("(")) {
          MINIK_ASSIGN(operand, member_call(operand, name));
          continue;
        }
        Node made = node(NodeKind::kSelect, position, name, {operand});
        made.optional = optional;
        MINIK_ASSIGN(operand, add(std::move(made)));
      } else if (take("[")) {
        const bool optional = take("?");
        MINIK_ASSIGN(const NodeId index, expression());
        MINIK_TRY(expect("]"));
        MINIK_ASSIGN(operand, call(position, optional ? "_[?_]" : "_[_]", {operand, index}));
      } else if (is("{")) {
        MINIK_ASSIGN(operand, object(qualified(operand), position));
      } else {
        return operand;
      }
    }
  }

  // "Object.spec" of nested selections; empty for anything else.
  std::string qualified(NodeId id) const {
    const Node& of = tree_[id];
    if (of.kind == NodeKind::kIdentifier) return of.name;
    if (of.kind != NodeKind::kSelect || of.optional) return {};
    const std::string head = qualified(of.children[0]);
    return head.empty() ? head : cat(head, ".", of.name);
  }

  // The checker knows which there are.
  Result<NodeId> object(const std::string& type_name, uint32_t position) {
    if (type_name.empty()) return unexpected("an operator");
    Node made = node(NodeKind::kObject, position, type_name);
    ++at_;
    return entries(std::move(made), [this]() -> Result<NodeId> {
      if (peek().kind != TokenKind::kIdentifier) return unexpected("a field name");
      const Token& field = tokens_[at_++];
      return constant(field.position, Datum::text(field.text));
    });
  }

  // `key: value` up to the closing brace, of a map or an object.
  template <typename ReadKey>
  Result<NodeId> entries(Node made, const ReadKey& read_key) {
    while (!take("}")) {
      made.optional_children.push_back(take("?"));
      MINIK_ASSIGN(const NodeId key, read_key());
      MINIK_TRY(expect(":"));
      MINIK_ASSIGN(const NodeId value, expression());
      made.children.push_back(key);
      made.children.push_back(value);
      if (!take(",") && !is("}")) return unexpected("\",\" or \"}\"");
    }
    return add(std::move(made));
  }

  Result<std::vector<NodeId>> arguments() {
    std::vector<NodeId> list;
    MINIK_TRY(expect("("));
    while (!take(")")) {
      MINIK_ASSIGN(const NodeId next, expression());
      list.push_back(next);
      if (!take(",") && !is(")")) return unexpected("\",\" or \")\"");
    }
    return list;
  }

  Result<NodeId> member_call(NodeId target, const std::string& name) {
    const uint32_t position = peek().position;
    MINIK_ASSIGN(auto list, arguments());
    for (const auto& form : kMacros) {
      if (form.name != name || form.arguments != list.size()) continue;
      Node made = node(NodeKind::kMacro, position, {}, {target});
      made.macro = form.macro;
      for (size_t i = 0; i < form.variables; ++i) {
        const Node& variable = tree_[list[i]];
        if (variable.kind != NodeKind::kIdentifier)
          return error(variable.position, "argument must be a simple name");
        (i == 0 ? made.name : made.second) = variable.name;
      }
      if (made.name == made.second) return error(position, "the two variables need two names");
      made.children.insert(made.children.end(),
                           list.begin() + static_cast<std::ptrdiff_t>(form.variables), list.end());
      return add(std::move(made));
    }
    list.insert(list.begin(), target);
    return call(position, name, std::move(list), true);
  }

  Result<NodeId> named() {
    const Token token = tokens_[at_++];
    if (token.text == "true" || token.text == "false")
      return constant(token.position, Datum::boolean(token.text == "true"));
    if (token.text == "null") return constant(token.position, Datum());
    if (token.text == "in" ||
        std::ranges::find(kReserved, std::string_view(token.text)) != kReserved.end()) {
      return error(token.position, cat("Syntax error: reserved identifier: ", token.text));
    }
    const uint32_t position = peek().position;
    if (!is("(")) return add(node(NodeKind::kIdentifier, token.position, token.text));
    MINIK_ASSIGN(auto list, arguments());
    if (token.text != "has" || list.size() != 1) return call(position, token.text, std::move(list));
    Node& field = tree_.nodes[list[0]];
    if (field.kind != NodeKind::kSelect)
      return error(
          position,
          "invalid argument to has() macro: it takes a field selection such as has(object.spec)");
    field.kind = NodeKind::kHas;
    return list[0];
  }

  Result<NodeId> primary() {
    const Token& token = peek();
    switch (token.kind) {
      case TokenKind::kInt:
      case TokenKind::kUint:
      case TokenKind::kDouble:
        return number();
      case TokenKind::kString:
        return constant(tokens_[at_++].position, Datum::text(token.text));
      case TokenKind::kBytes:
        return constant(tokens_[at_++].position, Datum::bytes(token.text));
      case TokenKind::kIdentifier:
        return named();
      default:
        break;
    }
    if (take(".")) {
      // A leading dot names something of the outermost scope, which is the only one.
      if (peek().kind != TokenKind::kIdentifier) return unexpected("a name");
      return named();
    }
    if (take("(")) {
      MINIK_ASSIGN(const NodeId inner, expression());
      MINIK_TRY(expect(")"));
      return inner;
    }
    if (is("[")) return list();
    if (is("{")) return map();
    return unexpected("an expression");
  }

  Result<NodeId> number() {
    const Token token = tokens_[at_++];
    const bool negative = std::exchange(negative_, false);
    const bool hex = token.text.size() > 2 && (token.text[1] == 'x' || token.text[1] == 'X');
    const char* begin = token.text.data() + (hex ? 2 : 0);
    const char* end = token.text.data() + token.text.size();
    if (token.kind == TokenKind::kDouble) {
      double d = 0;
      if (std::from_chars(begin, end, d).ec != std::errc{})
        return error(token.position, "invalid double literal");
      return constant(token.position, Datum::floating(negative ? -d : d));
    }
    uint64_t n = 0;
    const auto parsed = std::from_chars(begin, end, n, hex ? 16 : 10);
    if (token.kind == TokenKind::kUint) {
      if (parsed.ec != std::errc{}) return error(token.position, "invalid uint literal");
      return constant(token.position, Datum::unsigned_integer(n));
    }
    const uint64_t most = uint64_t{1} << 63;
    if (parsed.ec != std::errc{} || n > most - (negative ? 0 : 1))
      return error(token.position, "invalid int literal");
    return constant(token.position, Datum::integer(static_cast<int64_t>(negative ? 0 - n : n)));
  }

  Result<NodeId> list() {
    Node made = node(NodeKind::kList, tokens_[at_++].position);
    while (!take("]")) {
      made.optional_children.push_back(take("?"));
      MINIK_ASSIGN(const NodeId item, expression());
      made.children.push_back(item);
      if (!take(",") && !is("]")) return unexpected("\",\" or \"]\"");
    }
    return add(std::move(made));
  }

  Result<NodeId> map() {
    return entries(node(NodeKind::kMap, tokens_[at_++].position), [this] { return expression(); });
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  bool negative_ = false;
  Tree tree_;
};

}  // namespace

Result<Tree> parse(std::string_view source) {
  if (source.size() > kExpressionBytesMax) {
    return Error(ErrorCode::kInvalid,
                 cat("expression has ", source.size(), " bytes, more than the ",
                     kExpressionBytesMax, " that are allowed; split it into several"));
  }
  MINIK_ASSIGN(auto tokens, tokenize(source));
  return Parser(source, std::move(tokens)).run();
}

}  // namespace minik::control::cel
