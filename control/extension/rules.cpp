#include "control/extension/rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/cel/syntax.h"
#include "control/extension/correlate.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

using cel::Datum;
using cel::Kind;
using NodeType = SchemaNode::Type;

constexpr size_t kMessageBytesMax = 5 * 1024;  // Kubernetes' MaxEvaluatedMessageExpressionSizeBytes

cel::Type text_type(const std::string& format) {
  if (format == "date" || format == "date-time" || format == "datetime") return Kind::kTimestamp;
  if (format == "duration") return Kind::kDuration;
  if (format == "byte") return Kind::kBytes;
  return Kind::kString;
}

cel::Type object_type(const SchemaNode& node, SchemaLevel level) {
  cel::Type::Fields fields;
  for (const auto& property : node.properties) {
    fields.emplace(std::string(property.key.text()), cel_type_of(*property.node, SchemaLevel::kBelow));
  }
  if (level == SchemaLevel::kRoot || node.embedded_resource) {
    fields.insert_or_assign("apiVersion", Kind::kString);
    fields.insert_or_assign("kind", Kind::kString);
    fields.insert_or_assign("metadata",
                            cel::Type::object("ObjectMeta", {{"name", Kind::kString}, {"generateName", Kind::kString}}));
  }
  return cel::Type::object("object", std::move(fields));
}

Datum text_datum(const SchemaNode& node, const Value& value) {
  const std::string_view text = value.as_string();
  switch (text_type(node.format).kind()) {
    case Kind::kTimestamp: {
      const auto time = parse_time(node.format == "date" ? cat(text, "T00:00:00Z") : std::string(text));
      if (!time) return Datum::error(cat("invalid date or time ", quoted(text)));
      constexpr int64_t kSecond = 1'000'000'000;
      int64_t whole = time->ns / kSecond, rest = time->ns % kSecond;
      if (rest < 0) {
        rest += kSecond;
        --whole;
      }
      return Datum::moment({whole, static_cast<int32_t>(rest)});
    }
    case Kind::kDuration: {
      const auto duration = parse_duration(text);
      return duration ? Datum::duration(*duration) : Datum::error(cat("invalid duration ", quoted(text)));
    }
    case Kind::kBytes: return Datum::bytes(from_base64(text).value_or(""));
    default: return Datum::document(value);
  }
}

bool names_old_self(std::string_view expression) {
  const auto tokens = cel::tokenize(expression);
  return tokens && std::ranges::any_of(*tokens, [](const cel::Token& token) {
           return token.kind == cel::TokenKind::kIdentifier && token.text == "oldSelf";
         });
}

std::string in_one_line(std::string_view text) { return std::string(trim(text)); }

class RuleWalk {
 public:
  explicit RuleWalk(FieldErrors& errors) : errors_(errors) {}

  void walk(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at);

 private:
  void ask(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at);
  // False: nothing more is to be asked.
  bool ask_one(const ValidationRule& rule, const SchemaNode& node, std::span<const Datum> bindings, bool forgiven,
               const FieldPath& at);
  std::string sentence_of(const ValidationRule& rule, std::span<const Datum> bindings);
  void complain(const ValidationRule& rule, const SchemaNode& node, const FieldPath& at, const std::string& sentence);
  void invalid(const SchemaNode& node, const FieldPath& at, std::string_view sentence) {
    errors_.invalid(at, Value(type_name(node.type)), sentence);
  }

  FieldErrors& errors_;
  uint64_t spent_ = 0;
  bool over_ = false;
};

void RuleWalk::walk(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at) {
  if (!node.has_rules || over_ || !value.has_value()) return;
  if (node.rules) ask(node, value, old, at);
  if (value.is_array() && node.items) {
    const auto items = value.items();
    for (size_t i = 0; i < items.size(); ++i) {
      const FieldPath here = at.index(i);
      walk(*node.items, items[i], old_item(node, items[i], old), here);
    }
  }
  for (const auto& [key, item] : value.entries()) {
    const SchemaNode* named = node.property(key);
    const SchemaNode* child = named ? named : node.additional.get();
    if (child == nullptr) continue;
    const FieldPath here = named ? at.field(key.text()) : at.key(key.text());
    walk(*child, item, old[key], here);
  }
}

void RuleWalk::ask(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at) {
  const bool had = old.has_value();
  const bool forgiven = had && value == old;
  const Datum self = datum_of(node, value);
  const Datum old_self = had ? datum_of(node, old) : Datum();
  for (const auto& rule : node.rules->rules) {
    if (rule.uses_old_self && !had && !rule.optional_old_self) continue;
    const Datum bindings[] = {
        self, rule.optional_old_self ? (had ? Datum::optional(old_self) : Datum::none()) : old_self};
    if (!ask_one(rule, node, bindings, forgiven && !rule.uses_old_self, at)) {
      over_ = true;
      return;
    }
  }
}

bool RuleWalk::ask_one(const ValidationRule& rule, const SchemaNode& node, std::span<const Datum> bindings, bool forgiven,
                       const FieldPath& at) {
  cel::Budget budget;
  const auto result = rule.program.evaluate(bindings, budget);
  spent_ += budget.spent;
  if (spent_ > cel::kCostBudget) {
    invalid(node, at, "validation failed due to running out of cost budget, no further validation rules will be run");
    return false;
  }
  const std::string name = in_one_line(rule.message.empty() ? rule.rule : rule.message);
  if (!result && budget.spent >= budget.limit) {
    invalid(node, at, cat("'", result.error().message,
                          "': no further validation rules will be run due to call cost exceeds limit for rule: ", name));
    return false;
  }
  if (!result) {
    const std::string& why = result.error().message;
    invalid(node, at, why.starts_with("no such overload")
                          ? cat("'", why, "': call arguments did not match a supported operator, function or macro "
                                "signature for rule: ", name)
                          : cat(why, " evaluating rule: ", name));
    return true;
  }
  if (result->is_true() || forgiven) return true;
  complain(rule, node, at, sentence_of(rule, bindings));
  return true;
}

std::string RuleWalk::sentence_of(const ValidationRule& rule, std::span<const Datum> bindings) {
  if (rule.message_program) {
    cel::Budget budget;
    const auto result = rule.message_program->evaluate(bindings, budget);
    spent_ += budget.spent;
    if (result && result->kind() == Kind::kString) {
      std::string text = in_one_line(result->as_text());
      if (!text.empty() && text.size() <= kMessageBytesMax && text.find('\n') == std::string::npos) return text;
    }
  }
  return rule.message.empty() ? cat("failed rule: ", in_one_line(rule.rule)) : in_one_line(rule.message);
}

void RuleWalk::complain(const ValidationRule& rule, const SchemaNode& node, const FieldPath& at,
                        const std::string& sentence) {
  const FieldPath below = at.field(rule.field_path);
  const FieldPath& here = rule.field_path.empty() ? at : below;
  if (rule.reason == "FieldValueForbidden") {
    errors_.forbidden(here, sentence);
  } else if (rule.reason == "FieldValueRequired") {
    errors_.required(here, sentence);
  } else if (rule.reason == "FieldValueDuplicate") {
    errors_.duplicate(here, Value(type_name(node.type)));
  } else {
    invalid(node, here, sentence);
  }
}

}  // namespace

cel::Type cel_type_of(const SchemaNode& node, SchemaLevel level) {
  if (node.int_or_string) return {};
  switch (node.type) {
    case NodeType::kObject: {
      const bool resource = level == SchemaLevel::kRoot || node.embedded_resource;
      if (!node.properties.empty() || resource) return object_type(node, level);
      if (node.additional) return cel::Type::map(Kind::kString, cel_type_of(*node.additional, SchemaLevel::kBelow));
      return node.keeps_unknown() ? cel::Type() : object_type(node, level);
    }
    case NodeType::kArray:
      return cel::Type::list(node.items ? cel_type_of(*node.items, SchemaLevel::kBelow) : cel::Type());
    case NodeType::kString: return text_type(node.format);
    case NodeType::kInteger: return Kind::kInt;
    case NodeType::kNumber: return Kind::kDouble;
    case NodeType::kBoolean: return Kind::kBool;
    case NodeType::kAny: break;
  }
  return {};
}

Datum datum_of(const SchemaNode& node, const Value& value) {
  if (!node.converts || value.is_null()) return Datum::document(value);
  if (node.type == NodeType::kNumber && value.is_number()) return Datum::floating(value.as_double());
  if (value.is_string()) return text_datum(node, value);
  if (value.is_array() && node.items) {
    std::vector<Datum> items;
    for (const auto& item : value.items()) items.push_back(datum_of(*node.items, item));
    return Datum::list(std::move(items));
  }
  if (!value.is_map()) return Datum::document(value);
  std::vector<Datum::Entry> entries;
  for (const auto& [key, item] : value.entries()) {
    const SchemaNode* child = node.child(key);
    entries.push_back({Datum::text(key.text()), child ? datum_of(*child, item) : Datum::document(item)});
  }
  return Datum::map(std::move(entries));
}

Result<ValidationRule> compile_rule(const Value& rule, const cel::Type& self) {
  const std::string text = rule.get("rule").string();
  const bool optional = rule.get("optionalOldSelf").as_bool();
  const cel::Environment environment(
      {{"self", self}, {"oldSelf", optional ? cel::Type::optional(self) : self}});
  MINIK_ASSIGN(auto program, cel::Program::compile(text, environment, Kind::kBool));
  std::string path = rule.get("fieldPath").string();
  if (path.starts_with('.')) path.erase(0, 1);
  ValidationRule compiled{text,     rule.get("message").string(), rule.get("reason").string(), std::move(path),
                          optional, names_old_self(text),         std::move(program),          std::nullopt};
  const Value& message = rule.get("messageExpression");
  if (!message.as_string().empty()) {
    MINIK_ASSIGN(compiled.message_program, cel::Program::compile(message.as_string(), environment, Kind::kString));
  }
  return compiled;
}

std::unique_ptr<const ValidationRules> compile_rules(const Value& rules, const SchemaNode& node, SchemaLevel level) {
  if (rules.empty()) return nullptr;
  const cel::Type self = cel_type_of(node, level);
  auto compiled = std::make_unique<ValidationRules>();
  for (const auto& rule : rules.items()) {
    if (auto one = compile_rule(rule, self)) compiled->rules.push_back(*std::move(one));
  }
  if (compiled->rules.empty()) return nullptr;
  return compiled;
}

void check_rules(const SchemaNode& root, const Value& document, const Value& old, const FieldPath& at,
                 FieldErrors& errors) {
  RuleWalk(errors).walk(root, document, old, at);
}

}  // namespace minik::control
