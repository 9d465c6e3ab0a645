#include "control/cel/checker.h"

#include <algorithm>
#include <map>
#include <optional>

#include "control/base/text.h"
#include "control/cel/overloads.h"
#include "control/cel/regex.h"

namespace minik::control::cel {

namespace {

using Parameters = std::map<std::string, Type, std::less<>>;

// Whether a value of type `from` may stand where `to` is wanted; binds the parameters of `to`.
bool assignable(const Type& to, const Type& from, Parameters& parameters) {
  if (to.kind() == Kind::kParameter) {
    const auto [bound, is_new] = parameters.try_emplace(to.name(), from);
    if (is_new) return true;
    Parameters none;
    if (assignable(bound->second, from, none)) return true;
    if (!assignable(from, bound->second, none)) return false;
    bound->second = from;
    return true;
  }
  if (to.is_dyn() || from.is_dyn()) return true;
  if (from.kind() == Kind::kNull) {
    return to.kind() == Kind::kNull || to.kind() == Kind::kObject ||
           to.kind() == Kind::kTimestamp || to.kind() == Kind::kDuration ||
           to.kind() == Kind::kOptional;
  }
  if (to.kind() == Kind::kMap && from.kind() == Kind::kObject) return true;
  if (to.kind() != from.kind() || to.name() != from.name()) return false;
  return assignable(to.parameter_at(0), from.parameter_at(0), parameters) &&
         assignable(to.parameter_at(1), from.parameter_at(1), parameters);
}

Type substitute(const Type& type, const Parameters& parameters) {
  switch (type.kind()) {
    case Kind::kParameter: {
      const auto found = parameters.find(type.name());
      return found == parameters.end() ? Type() : found->second;
    }
    case Kind::kList:
      return Type::list(substitute(type.parameter_at(0), parameters));
    case Kind::kMap:
      return Type::map(substitute(type.parameter_at(0), parameters),
                       substitute(type.parameter_at(1), parameters));
    case Kind::kOptional:
      return Type::optional(substitute(type.parameter_at(0), parameters));
    default:
      return type;
  }
}

bool agree(const Type& a, const Type& b) {
  Parameters none;
  return assignable(a, b, none) || assignable(b, a, none);
}

// int of optional(int): what a field selection looks through.
const Type& inside(const Type& type) {
  return type.kind() == Kind::kOptional ? type.parameter_at(0) : type;
}

// Kubernetes' escapes of field names that are no identifiers: `__namespace__`, `__dot__`,
// `__dash__`.
std::string unescape_field(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
      {"__underscores__", "__"}, {"__dot__", "."}, {"__dash__", "-"}, {"__slash__", "/"}};
  std::string plain;
  bool escaped = false;
  while (!name.empty()) {
    size_t taken = 0;
    for (const auto& [escape, meaning] : kEscapes) {
      if (taken > 0 || !name.starts_with(escape)) continue;
      plain += meaning;
      taken = escape.size();
      escaped = true;
    }
    if (taken == 0) plain += name[taken++];
    name.remove_prefix(taken);
  }
  if (!escaped && plain.size() > 4 && plain.starts_with("__") && plain.ends_with("__")) {
    return plain.substr(2, plain.size() - 4);
  }
  return plain;
}

class Checker {
 public:
  Checker(Tree& tree, const Environment& environment) : tree_(tree), objects_(environment.objects()) {
    for (const auto& variable : environment.variables())
      scope_.push_back({variable.name, variable.type});
  }

  Status run(const Type& wanted) {
    tree_.variables = scope_.size();
    visit(tree_.root);
    const Type& found = tree_.nodes[tree_.root].type;
    Parameters none;
    if (errors_.empty() && !assignable(wanted, found, none)) {
      error(0,
            cat("expression must evaluate to ", wanted.text(), ", but is of type ", found.text()));
    }
    if (errors_.empty()) return {};
    return Error(ErrorCode::kInvalid, join(errors_, "\n"));
  }

 private:
  struct Name {
    std::string name;
    Type type;
  };

  void error(uint32_t position, std::string_view message) {
    constexpr size_t kErrorsMax = 20;
    if (errors_.size() < kErrorsMax)
      errors_.push_back(describe_error(tree_.source, position, message));
  }

  void visit(NodeId id) {
    Node& node = tree_.nodes[id];
    switch (node.kind) {
      case NodeKind::kConstant:
        node.type = node.constant.kind();
        return;
      case NodeKind::kIdentifier:
        return identifier(node);
      case NodeKind::kSelect:
      case NodeKind::kHas:
        return select(node);
      case NodeKind::kCall:
        return call(node);
      case NodeKind::kAnd:
      case NodeKind::kOr:
        for (const NodeId child : node.children)
          condition(child, node.kind == NodeKind::kAnd ? "_&&_" : "_||_");
        node.type = Kind::kBool;
        return;
      case NodeKind::kConditional:
        return conditional(node);
      case NodeKind::kList:
        return list(node);
      case NodeKind::kMap:
        return map(node);
      case NodeKind::kObject:
        return object(node);
      case NodeKind::kMacro:
        return macro(node);
    }
  }

  const Type& type_after_visit(NodeId id) {
    visit(id);
    return tree_.nodes[id].type;
  }

  void condition(NodeId id, std::string_view where) {
    const Type& type = type_after_visit(id);
    if (!agree(Kind::kBool, type)) {
      error(tree_.nodes[id].position,
            cat("expected type 'bool' but found '", type.text(), "' in '", where, "'"));
    }
  }

  // The index of a variable; the innermost of a name counts.
  std::optional<uint32_t> find(std::string_view name) const {
    for (size_t i = scope_.size(); i-- > 0;) {
      if (scope_[i].name == name) return static_cast<uint32_t>(i);
    }
    return std::nullopt;
  }

  // "a.b.c" of nested selections; empty for anything else.
  std::string qualified(const Node& node) const {
    if (node.kind == NodeKind::kIdentifier) return node.name;
    if (node.kind != NodeKind::kSelect || node.optional) return {};
    const std::string head = qualified(tree_.nodes[node.children[0]]);
    return head.empty() ? head : cat(head, ".", node.name);
  }
  bool root_is_variable(const Node& node) const {
    if (node.kind == NodeKind::kSelect) return root_is_variable(tree_.nodes[node.children[0]]);
    return node.kind != NodeKind::kIdentifier || find(node.name).has_value();
  }

  void become_constant_type(Node& node, std::string_view type_name) {
    node.kind = NodeKind::kConstant;
    node.children.clear();
    node.constant = Datum::type(type_name);
    node.type = Kind::kType;
  }

  void identifier(Node& node) {
    if (const auto found = find(node.name)) {
      node.slot = *found;
      node.type = scope_[*found].type;
      return;
    }
    if (const auto type = find_type_name(node.name); !type.empty())
      return become_constant_type(node, type);
    std::vector<std::string> names;
    for (const auto& known : scope_) names.push_back(known.name);
    error(node.position, cat("undeclared reference to '", node.name, "' (in container '')",
                             names.empty() ? "" : cat("; known here: ", join(names, ", "))));
  }

  void select(Node& node) {
    if (!root_is_variable(tree_.nodes[node.children[0]])) {
      const auto type = find_type_name(qualified(node));
      if (!type.empty()) return become_constant_type(node, type);
    }
    const Type target = type_after_visit(node.children[0]);
    const Type& from = inside(target);
    Type field;
    if (from.kind() == Kind::kObject && !from.is_open_object()) {
      node.name = unescape_field(node.name);
      if (const Type* declared = from.field(node.name)) {
        field = *declared;
      } else {
        error(node.position, cat("undefined field '", node.name, "'"));
      }
    } else if (from.kind() == Kind::kMap) {
      field = from.parameter_at(1);
    } else if (from.kind() == Kind::kAuthorizer && node.name == "requestResource") {
      field = Kind::kResourceCheck;
    } else if (!from.is_dyn() && !from.is_open_object()) {
      error(node.position, cat("type '", target.text(), "' does not support field selection"));
    }
    if (node.kind == NodeKind::kHas) {
      node.type = Kind::kBool;
    } else {
      const bool optional = node.optional || target.kind() == Kind::kOptional;
      node.type = optional ? Type::optional(field) : field;
    }
  }

  void call(Node& node) {
    // `sets.contains(a, b)` parses as a method of `sets`; where no such variable is, the name is
    // whole.
    if (node.member) {
      const Node& target = tree_.nodes[node.children[0]];
      const std::string head = root_is_variable(target) ? std::string() : qualified(target);
      const std::string whole = cat(head, ".", node.name);
      if (!head.empty() && !find_overloads(whole, false).empty()) {
        node.name = whole;
        node.member = false;
        node.children.erase(node.children.begin());
      }
    }
    std::vector<Type> types;
    for (const NodeId child : node.children) {
      // The arguments of format() are the one list whose items may differ.
      if (node.member && node.name == "format" && tree_.nodes[child].kind == NodeKind::kList)
        mixed_ = child;
      types.push_back(type_after_visit(child));
    }
    auto known = find_overloads(node.name, node.member);
    if (objects_ == ObjectForms::kNone && node.name.starts_with("jsonpatch.")) known = {};
    if (known.empty()) {
      const bool other = !find_overloads(node.name, !node.member).empty();
      return error(node.position,
                   cat("undeclared reference to '", node.name, "' (in container '')",
                       !other        ? ""
                       : node.member ? "; it is a function, not a method"
                                     : "; it is a method: value." + node.name + "(…)"));
    }
    std::optional<Type> result;
    for (const auto& overload : known) {
      Parameters parameters;
      if (!fits(overload, types, parameters)) continue;
      node.overloads.push_back(&overload);
      Type type = substitute(overload.result, parameters);
      result = !result || *result == type ? type : Type();
    }
    if (!result) return no_overload(node, types);
    node.type = *result;
    compile_pattern(node);
    check_literal(node);
  }

  static bool fits(const Overload& overload, const std::vector<Type>& types,
                   Parameters& parameters) {
    if (overload.arguments.size() != types.size()) return false;
    for (size_t i = 0; i < types.size(); ++i) {
      if (!assignable(overload.arguments[i], types[i], parameters)) return false;
    }
    return true;
  }

  void no_overload(const Node& node, const std::vector<Type>& types) {
    if (!errors_.empty() && types.empty()) return;
    std::vector<std::string> names;
    for (const auto& type : types) names.push_back(type.text());
    std::string receiver;
    if (node.member) {
      receiver = names.front() + ".";
      names.erase(names.begin());
    }
    error(node.position, cat("found no matching overload for '", node.name, "' applied to '",
                             receiver, "(", join(names, ", "), ")'"));
  }

  void compile_pattern(Node& node) {
    if (node.overloads.front()->cost != Cost::kPattern) return;
    const Node& pattern = tree_.nodes[node.children[1]];
    if (pattern.kind != NodeKind::kConstant || pattern.constant.kind() != Kind::kString) return;
    auto regex = Regex::compile(pattern.constant.as_text());
    if (!regex)
      return error(pattern.position, cat("invalid matches argument: ", regex.error().message));
    node.regex = *std::move(regex);
  }

  // A duration or moment that stands in the expression as text is read once before anything runs.
  void check_literal(const Node& node) {
    if (node.member || node.children.size() != 1 || (node.name != "duration" && node.name != "timestamp")) return;
    const Node& text = tree_.nodes[node.children[0]];
    if (text.kind != NodeKind::kConstant || text.constant.kind() != Kind::kString) return;
    const Datum read = node.overloads.front()->function({{&text.constant, 1}});
    if (read.is_error()) error(text.position, cat("invalid ", node.name, " argument: ", read.as_text()));
  }

  void conditional(Node& node) {
    condition(node.children[0], "_?_:_");
    const Type yes = type_after_visit(node.children[1]), no = type_after_visit(node.children[2]);
    if (!agree(yes, no)) {
      error(node.position, cat("found no matching overload for '_?_:_' applied to '(bool, ",
                               yes.text(), ", ", no.text(), ")'"));
    }
    node.type = yes.is_dyn() || no.is_dyn() ? Type() : yes.kind() == Kind::kNull ? no : yes;
  }

  // The common type of the items of a literal; Kubernetes demands that there is one.
  void merge(Type& common, bool first, const Type& item, uint32_t position) {
    if (first) {
      common = item;
    } else if (!agree(common, item)) {
      error(position, cat("expected type '", common.text(), "' but found '", item.text(), "'"));
    } else if (item.is_dyn()) {
      common = Type();
    }
  }
  const Type& unwrapped(NodeId id, bool optional) {
    const Type& type = type_after_visit(id);
    if (!optional) return type;
    if (!agree(Type::optional({}), type)) {
      error(tree_.nodes[id].position,
            cat("expected type 'optional_type' but found '", type.text(), "'"));
    }
    return inside(type);
  }

  void list(Node& node) {
    const bool mixed = mixed_ && &tree_.nodes[*mixed_] == &node;
    Type common;
    for (size_t i = 0; i < node.children.size(); ++i) {
      const Type item = unwrapped(node.children[i], node.optional_children[i]);
      if (!mixed) merge(common, i == 0, item, tree_.nodes[node.children[i]].position);
    }
    node.type = Type::list(common);
  }

  void map(Node& node) {
    Type keys, values;
    for (size_t i = 0; i < node.children.size(); i += 2) {
      const NodeId key = node.children[i], value = node.children[i + 1];
      const Type key_type = type_after_visit(key);
      const Kind kind = key_type.kind();
      if (!key_type.is_dyn() && kind != Kind::kString && kind != Kind::kInt &&
          kind != Kind::kUint && kind != Kind::kBool) {
        error(tree_.nodes[key].position, cat("a map key cannot be of type ", key_type.text()));
      }
      merge(keys, i == 0, key_type, tree_.nodes[key].position);
      const Type value_type = unwrapped(value, node.optional_children[i / 2]);
      merge(values, i == 0, value_type, tree_.nodes[value].position);
    }
    node.type = Type::map(keys, values);
  }

  void object(Node& node) {
    const bool is_patch = node.name == "JSONPatch";
    const bool is_object = node.name == "Object" || node.name.starts_with("Object.");
    if (objects_ == ObjectForms::kNone) {
      error(node.position, "messages cannot be made here: there is no protocol buffer type; write a map {'field': value}");
    } else if (!is_patch && !is_object) {
      error(node.position, cat("undeclared reference to '", node.name, "' (in container '')"));
    }
    node.type = is_patch ? json_patch_type() : Type::open_object(node.name);
    for (size_t i = 0; i < node.children.size(); i += 2) {
      const Node& key = tree_.nodes[node.children[i]];
      const std::string name(key.constant.as_text());
      const Type given = unwrapped(node.children[i + 1], node.optional_children[i / 2]);
      if (!is_patch) continue;
      const Type* declared = node.type.field(name);
      if (declared == nullptr) {
        error(key.position, cat("undefined field '", name, "'"));
      } else if (!agree(*declared, given)) {
        error(tree_.nodes[node.children[i + 1]].position, cat("expected type of field '", name, "' is '", declared->text(),
                                                              "' but provided type is '", given.text(), "'"));
      }
    }
  }

  void macro(Node& node) {
    const Type range = type_after_visit(node.children[0]);
    Type first, second;
    const bool is_optional = node.macro == Macro::kOptMap || node.macro == Macro::kOptFlatMap;
    if (is_optional) {
      if (!agree(Type::optional({}), range))
        error(node.position, cat("optMap needs an optional, not '", range.text(), "'"));
      first = range.parameter_at(0);
    } else if (range.kind() == Kind::kList) {
      first = node.second.empty() ? range.parameter_at(0) : Type(Kind::kInt);
      second = range.parameter_at(0);
    } else if (range.kind() == Kind::kMap) {
      first = range.parameter_at(0);
      second = range.parameter_at(1);
    } else if (range.kind() == Kind::kObject) {
      first = Kind::kString;
    } else if (!range.is_dyn()) {
      error(tree_.nodes[node.children[0]].position,
            cat("expression of type '", range.text(),
                "' cannot be range of a comprehension (must be list, map, or dynamic)"));
    }
    node.slot = static_cast<uint32_t>(scope_.size());
    scope_.push_back({node.name, first});
    scope_.push_back({node.second, second});
    macro_body(node, range);
    scope_.resize(node.slot);
  }

  void macro_body(Node& node, const Type& range) {
    const NodeId body = node.children.back();
    if (node.children.size() == 3) condition(node.children[1], "filter");
    switch (node.macro) {
      case Macro::kAll:
      case Macro::kExists:
      case Macro::kExistsOne:
        condition(body, "macro");
        node.type = Kind::kBool;
        return;
      case Macro::kFilter:
        condition(body, "filter");
        node.type = range.kind() == Kind::kList ? range : Type::list(scope_[node.slot].type);
        return;
      case Macro::kMap:
      case Macro::kTransformList:
        node.type = Type::list(type_after_visit(body));
        return;
      case Macro::kTransformMap: {
        const Type key = scope_[node.slot].type;
        node.type = Type::map(key, type_after_visit(body));
        return;
      }
      case Macro::kTransformMapEntry: {
        const Type& entry = type_after_visit(body);
        if (!agree(Type::map({}, {}), entry))
          error(tree_.nodes[body].position, "transformMapEntry needs a map with one entry");
        node.type = entry.kind() == Kind::kMap ? entry : Type::map({}, {});
        return;
      }
      case Macro::kOptMap:
        node.type = Type::optional(type_after_visit(body));
        return;
      case Macro::kOptFlatMap:
        node.type = type_after_visit(body);
        if (!agree(Type::optional({}), node.type))
          error(tree_.nodes[body].position,
                "optFlatMap needs an expression that yields an optional");
        return;
    }
  }

  Tree& tree_;
  ObjectForms objects_;
  std::vector<Name> scope_;
  std::optional<NodeId> mixed_;
  std::vector<std::string> errors_;
};

}  // namespace

Status check(Tree& tree, const Environment& environment, const Type& wanted) {
  return Checker(tree, environment).run(wanted);
}

}  // namespace minik::control::cel
