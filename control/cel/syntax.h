// The form of an expression: tokens and the tree that the parser makes of them.
//
// A tree is a vector of nodes that name each other by index, so it is copied and released without
// recursion. Chains of && and of || are one node with many children. Macros (has, all, exists, map,
// …) are nodes of their own instead of being expanded into folds: they are faster so, and their
// errors name what was written.
//
// parse() bounds length and depth, hence all recursion over the tree; its errors read as cel-go's,
// with line and column. Pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/cel/datum.h"
#include "control/cel/type.h"

namespace minik::control::cel {

struct Overload;
class Regex;

enum class TokenKind : uint8_t {
  kIdentifier,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kSymbol,
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a string or bytes literal: its decoded content
  uint32_t position = 0;
};

// The last token is kEnd.
Result<std::vector<Token>> tokenize(std::string_view source);

using NodeId = uint32_t;

enum class NodeKind : uint8_t {
  kConstant,    // constant
  kIdentifier,  // name
  kSelect,      // children[0].name; a.?name when optional
  kHas,         // has(children[0].name)
  kCall,        // name(children…), with member the first child is the receiver
  kAnd,
  kOr,           // children…
  kConditional,  // children[0] ? children[1] : children[2]
  kList,         // children…; optional_children says which came as ?x
  kMap,          // key, value, key, value, …
  kObject,       // name{field: value, …}, as a map whose keys are constants
  kMacro         // macro, over children[0]
};

enum class Macro : uint8_t {
  kAll,
  kExists,
  kExistsOne,
  kMap,
  kFilter,
  kTransformList,
  kTransformMap,
  kTransformMapEntry,
  kOptMap,
  kOptFlatMap
};

struct Node {
  NodeKind kind = NodeKind::kConstant;
  bool member = false, optional = false;
  Macro macro = Macro::kAll;
  uint16_t depth = 1;
  uint32_t position = 0;         // of the byte that errors point at
  std::string name;              // also the first variable of a macro
  std::string second;            // the second variable of a macro with two
  std::vector<NodeId> children;  // of a macro: range, [filter,] body
  std::vector<bool> optional_children;
  Datum constant;

  // Filled by the checker.
  Type type;
  uint32_t slot = 0;  // of an identifier, and of a macro's first variable (the second is the next)
  std::vector<const Overload*> overloads;
  std::shared_ptr<const Regex> regex;  // of a constant pattern
};

struct Tree {
  std::string source;
  std::vector<Node> nodes;
  NodeId root = 0;
  size_t variables = 0;  // of the environment; the checker says

  const Node& operator[](NodeId id) const { return nodes[id]; }
};

Result<Tree> parse(std::string_view source);

// "ERROR: <input>:1:5: message" and the line with a mark below it, as cel-go prints an error.
std::string describe_error(std::string_view source, uint32_t position, std::string_view message);

}  // namespace minik::control::cel
