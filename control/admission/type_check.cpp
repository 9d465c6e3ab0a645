#include "control/admission/type_check.h"

#include <algorithm>

#include "control/admission/expressions.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr size_t kKindsMax = 10;  // are looked at, as in Kubernetes

using Enclosing = std::vector<const TypeInfo*>;

cel::Type object_type(const TypeInfo& type, Enclosing& enclosing);

cel::Type element_type(const FieldInfo& field, Enclosing& enclosing) {
  switch (field.base) {
    case BaseType::kString:
    case BaseType::kQuantity: return cel::Kind::kString;
    case BaseType::kInt32:
    case BaseType::kInt64: return cel::Kind::kInt;
    case BaseType::kBool: return cel::Kind::kBool;
    case BaseType::kDouble: return cel::Kind::kDouble;
    case BaseType::kBytes: return cel::Kind::kBytes;
    case BaseType::kTime:
    case BaseType::kMicroTime: return cel::Kind::kTimestamp;
    case BaseType::kIntOrString:
    case BaseType::kAny: return {};
    case BaseType::kObject: return field.type && !field.type->fields.empty() ? object_type(*field.type, enclosing) : cel::Type();
  }
  return {};
}

cel::Type field_type(const FieldInfo& field, Enclosing& enclosing) {
  cel::Type element = element_type(field, enclosing);
  switch (field.shape) {
    case Shape::kSingle: return element;
    case Shape::kList: return cel::Type::list(std::move(element));
    case Shape::kMap: return cel::Type::map(cel::Kind::kString, std::move(element));
    case Shape::kMapOfLists: return cel::Type::map(cel::Kind::kString, cel::Type::list(std::move(element)));
  }
  return {};
}

cel::Type object_type(const TypeInfo& type, Enclosing& enclosing) {
  if (std::ranges::find(enclosing, &type) != enclosing.end()) return {};
  enclosing.push_back(&type);
  cel::Type::Fields fields;
  for (const auto& field : type.fields) fields.emplace(std::string(field.name), field_type(field, enclosing));
  enclosing.pop_back();
  return cel::Type::object(std::string(type.name), std::move(fields));
}

// The kinds that the rules name, each once, in order.
std::vector<const ResourceInfo*> named_kinds(const Schema& schema, const Value& rules) {
  std::vector<const ResourceInfo*> kinds;
  const auto vague = [](const Value& list) {
    return std::ranges::any_of(list.items(), [](const Value& item) { return item.as_string().find_first_of("*/") != std::string_view::npos; });
  };
  for (const auto& rule : rules.items()) {
    const Value &groups = rule.get("apiGroups"), &versions = rule.get("apiVersions"), &resources = rule.get("resources");
    if (vague(groups) || vague(versions) || vague(resources)) continue;
    for (const auto& group : groups.items()) {
      for (const auto& version : versions.items()) {
        for (const auto& plural : resources.items()) {
          const auto* found = schema.find(group.as_string(), version.as_string(), plural.as_string());
          if (found && found->type && std::ranges::find(kinds, found) == kinds.end()) kinds.push_back(found);
        }
      }
    }
  }
  std::ranges::sort(kinds, {}, [](const ResourceInfo* kind) { return std::tuple(kind->group, kind->version, kind->kind); });
  if (kinds.size() > kKindsMax) kinds.resize(kKindsMax);
  return kinds;
}

// What is known where `object` is of this kind: types of the object, of parameters and of variables.
cel::Environment environment_of(const Schema& schema, const Value& spec, const ResourceInfo& kind) {
  const cel::Type object = document_type(*kind.type);
  const Value& params = spec.get("paramKind");
  const auto* params_kind = schema.find_kind(params[keys::kApiVersion].as_string(), params[keys::kKind].as_string());
  std::vector<cel::Variable> known = admission_environment().variables();
  cel::Variable* variables = nullptr;
  for (auto& variable : known) {
    if (variable.name == "object" || variable.name == "oldObject") variable.type = object;
    if (variable.name == "params" && params_kind && params_kind->type) variable.type = document_type(*params_kind->type);
    if (variable.name == "variables") variables = &variable;
  }
  cel::Type::Fields declared;
  for (const auto& variable : spec.get("variables").items()) {
    variables->type = cel::Type::object("kubernetes.variables", declared);
    const auto program = cel::Program::compile(variable.get("expression").as_string(), cel::Environment(known));
    declared.insert_or_assign(variable[keys::kName].string(), program ? program->type() : cel::Type());
  }
  variables->type = cel::Type::object("kubernetes.variables", std::move(declared));
  return cel::Environment(std::move(known));
}

}  // namespace

cel::Type document_type(const TypeInfo& type) {
  Enclosing enclosing;
  cel::Type::Fields fields{{"apiVersion", cel::Kind::kString}, {"kind", cel::Kind::kString}};
  enclosing.push_back(&type);
  for (const auto& field : type.fields) fields.insert_or_assign(std::string(field.name), field_type(field, enclosing));
  return cel::Type::object(std::string(type.name), std::move(fields));
}

Value type_checking(const Schema& schema, const Value& policy) {
  const Value& spec = policy[keys::kSpec];
  std::vector<std::pair<const ResourceInfo*, cel::Environment>> kinds;
  for (const auto* kind : named_kinds(schema, spec.get("matchConstraints").get("resourceRules"))) {
    kinds.emplace_back(kind, environment_of(schema, spec, *kind));
  }
  std::vector<Value> warnings;
  const auto check = [&](const Value& expression, std::string place) {
    if (expression.as_string().empty()) return;
    std::vector<std::string> found;
    for (const auto& [kind, environment] : kinds) {
      const auto program = cel::Program::compile(expression.as_string(), environment);
      if (!program) found.push_back(cat(kind->api_version, ", Kind=", kind->kind, ": ", program.error().message));
    }
    if (!found.empty()) warnings.push_back(Value::map({{"fieldRef", std::move(place)}, {"warning", join(found, "\n")}}));
  };
  const auto validations = spec.get("validations").items();
  for (size_t i = 0; i < validations.size(); ++i) {
    check(validations[i].get("expression"), cat("spec.validations[", i, "].expression"));
    check(validations[i].get("messageExpression"), cat("spec.validations[", i, "].messageExpression"));
  }
  if (warnings.empty()) return Value::empty_map();
  return Value::map({{"expressionWarnings", Value::array(std::move(warnings))}});
}

}  // namespace minik::control
