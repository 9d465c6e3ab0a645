#include "control/admission/policy_validation.h"

#include <algorithm>
#include <set>

#include "control/admission/expressions.h"
#include "control/admission/match_validation.h"
#include "control/admission/mutating_policies.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/names.h"

namespace minik::control {

namespace {

constexpr size_t kPolicyAnnotationsMax = 20, kAnnotationExpressionBytesMax = 5 * 1024;

// What the expressions of one policy may name: params only where it has a kind of them, and variables as far as they
// have been declared.
class PolicyNames {
 public:
  PolicyNames(const Value& spec, cel::ObjectForms objects) : objects_(objects) {
    for (const auto& known : admission_environment().variables()) {
      if (known.name != "params" || spec.get("paramKind").is_map()) names_.push_back(known);
    }
  }

  // Checks the declarations one after the other.
  void declare(const Value& variables, const FieldPath& at, FieldErrors& errors) {
    for (size_t i = 0; i < variables.items().size(); ++i) {
      const FieldPath here = at.index(i);
      const FieldPath name_at = here.field("name");
      const Value& variable = variables.items()[i];
      const std::string name = variable[keys::kName].string();
      if (!name.empty() && !is_identifier(name)) errors.invalid(name_at, Value(name), "name is not a valid CEL identifier");
      check_expression(variable, "expression", environment(), {}, here, errors);
      const auto program = cel::Program::compile(variable.get("expression").as_string(), environment());
      declared_.insert_or_assign(name, program ? program->type() : cel::Type());
    }
  }

  cel::Environment environment() const { return environment_without({}); }
  // Messages are made without a question to the authorizer.
  cel::Environment environment_without(std::string_view hidden) const {
    std::vector<cel::Variable> known;
    for (const auto& name : names_) {
      if (name.name == hidden) continue;
      const bool variables = name.name == "variables";
      known.push_back(variables ? cel::Variable{name.name, cel::Type::object("kubernetes.variables", declared_)} : name);
    }
    return cel::Environment(std::move(known), objects_);
  }

 private:
  static bool is_identifier(std::string_view name) {
    // A reserved word does not compile.
    const auto part = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
    if (!std::ranges::all_of(name, part) || (name[0] >= '0' && name[0] <= '9')) return false;
    return cel::Program::compile(name, cel::Environment({{std::string(name), {}}})).ok();
  }

  std::vector<cel::Variable> names_;
  cel::Type::Fields declared_;
  cel::ObjectForms objects_;
};

void check_param_kind(const Value& kind, const FieldPath& at, FieldErrors& errors) {
  if (!kind.is_map()) return;
  const FieldPath version_at = at.field("apiVersion"), kind_at = at.field("kind");
  const std::string_view version = kind[keys::kApiVersion].as_string(), name = kind[keys::kKind].as_string();
  if (version.empty()) {
    errors.required(version_at);
  } else if (std::ranges::count(version, '/') > 1) {
    errors.invalid(version_at, Value(version), cat("unexpected GroupVersion string: ", version));
  } else {
    const size_t slash = version.find('/');
    const std::string_view group = slash == std::string_view::npos ? "" : version.substr(0, slash);
    const std::string_view own = slash == std::string_view::npos ? version : version.substr(slash + 1);
    if (!group.empty()) errors.invalid_each(version_at, Value(group), check_dns_subdomain(group));
    if (own.empty()) {
      errors.invalid(version_at, Value(version), "version must be specified");
    } else {
      errors.invalid_each(version_at, Value(own), check_dns_1035_label(own));
    }
  }
  if (name.empty()) return errors.required(kind_at);
  if (const auto problems = check_dns_1035_label(to_lower(name)); !problems.empty()) {
    errors.invalid(kind_at, Value(name), cat("may have mixed case, but should otherwise match: ", join(problems, ",")));
  }
}

// What both kinds of policies have: constraints, conditions, parameters, variables.
PolicyNames check_common(const Value& spec, RuleOperations operations, cel::ObjectForms objects, const FieldPath& at,
                         FieldErrors& errors) {
  const FieldPath constraints = at.field("matchConstraints"), variables = at.field("variables"),
                  conditions = at.field("matchConditions"), params = at.field("paramKind");
  const FieldPath rules = constraints.field("resourceRules");
  PolicyNames names(spec, objects);
  check_param_kind(spec.get("paramKind"), params, errors);
  if (!spec.get("matchConstraints").is_map()) {
    errors.required(constraints);
  } else {
    check_match_resources(spec.get("matchConstraints"), operations, constraints, errors);
    if (spec.get("matchConstraints").get("resourceRules").empty()) errors.required(rules);
  }
  check_match_conditions(spec.get("matchConditions"), names.environment_without("variables"), conditions, errors);
  names.declare(spec.get("variables"), variables, errors);
  return names;
}

void check_validation(const Value& validation, const PolicyNames& names, const FieldPath& at, FieldErrors& errors) {
  const FieldPath reason = at.field("reason"), message = at.field("message");
  check_expression(validation, "expression", names.environment(), cel::Kind::kBool, at, errors);
  check_expression(validation, "messageExpression", names.environment_without("authorizer"), cel::Kind::kString, at, errors);
  const std::string_view text = validation[keys::kMessage].as_string();
  if (!text.empty() && trim(text).empty()) {
    errors.invalid(message, Value(text), "message must be non-empty if specified");
  } else if (trim(text).find_first_of("\n\r") != std::string_view::npos) {
    errors.invalid(message, Value(text), "message must not contain line breaks");
  }
  constexpr std::string_view kReasons[] = {"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"};
  if (!validation[keys::kReason].as_string().empty()) check_one_of(validation[keys::kReason], kReasons, reason, errors);
}

void check_annotations(const Value& policy, const PolicyNames& names, const FieldPath& at, FieldErrors& errors) {
  const Value& annotations = policy[keys::kSpec].get("auditAnnotations");
  if (annotations.items().size() > kPolicyAnnotationsMax) {
    errors.invalid(at, annotations, cat("must not have more than ", kPolicyAnnotationsMax, " auditAnnotations"));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < annotations.items().size(); ++i) {
    const FieldPath here = at.index(i);
    const FieldPath key_at = here.field("key"), expression_at = here.field("valueExpression");
    const Value& key = annotations.items()[i].get("key");
    const std::string whole = cat(object_name(policy), "/", key.as_string());
    if (!key.as_string().empty()) errors.invalid_each(key_at, Value(whole), check_qualified_name(whole));
    if (!seen.insert(key.string()).second) errors.duplicate(key_at, key);
    if (trim(annotations.items()[i].get("valueExpression").as_string()).size() > kAnnotationExpressionBytesMax) {
      errors.required(expression_at, cat("must not exceed ", kAnnotationExpressionBytesMax, " bytes in length"));
      continue;
    }
    check_expression(annotations.items()[i], "valueExpression", names.environment(), {}, here, errors);
    const Value& expression = annotations.items()[i].get("valueExpression");
    const auto program = cel::Program::compile(expression.as_string(), names.environment());
    if (!program) continue;  // said already
    const cel::Kind kind = program->type().kind();
    if (kind != cel::Kind::kString && kind != cel::Kind::kNull && kind != cel::Kind::kDyn)
      errors.invalid(expression_at, expression, "compilation failed: must evaluate to one of [string null_type]");
  }
}

void check_patch(const Value& mutation, std::string_view wanted, std::string_view other, const PolicyNames& names,
                 const cel::Type& type, const FieldPath& at, FieldErrors& errors) {
  const bool applies = wanted == "applyConfiguration";
  const std::string_view type_name = applies ? "ApplyConfiguration" : "JSONPatch";
  const FieldPath here = at.field(wanted), other_at = at.field(other);
  const FieldPath expression = here.field("expression");
  if (!mutation.get(wanted).is_map()) {
    errors.required(here, cat("must be specified when patchType is ", type_name));
  } else if (trim(mutation.get(wanted).get("expression").as_string()).empty()) {
    errors.required(expression, "expression is not specified");
  } else {
    check_expression(mutation.get(wanted), "expression", names.environment(), type, here, errors);
  }
  if (mutation.get(other).is_map()) {
    errors.invalid(other_at, Value(cat("{", other, "}")), cat("must not be specified when patchType is ", type_name));
  }
}

void check_param_ref(const Value& reference, const FieldPath& at, FieldErrors& errors) {
  if (!reference.is_map()) return;
  const FieldPath name_at = at.field("name"), selector_at = at.field("selector"), action_at = at.field("parameterNotFoundAction");
  const Value& name = reference[keys::kName];
  const bool named = !name.as_string().empty(), selects = reference.get("selector").is_map();
  if (named) errors.invalid_each(name_at, name, check_path_segment(name.as_string()));
  if (named && selects) {
    errors.forbidden(name_at, "name and selector are mutually exclusive");
    errors.forbidden(selector_at, "name and selector are mutually exclusive");
  }
  if (!named && !selects) errors.required(at, "one of name or selector must be specified");
  constexpr std::string_view kActions[] = {"Deny", "Allow"};
  check_one_of(reference.get("parameterNotFoundAction"), kActions, action_at, errors);
}

void check_binding(const Value& spec, RuleOperations operations, const FieldPath& at, FieldErrors& errors) {
  const FieldPath name_at = at.field("policyName"), reference = at.field("paramRef"), match = at.field("matchResources");
  const Value& name = spec.get("policyName");
  if (!name.as_string().empty()) errors.invalid_each(name_at, name, check_dns_subdomain(name.as_string()));
  check_param_ref(spec.get("paramRef"), reference, errors);
  check_match_resources(spec.get("matchResources"), operations, match, errors);
}

}  // namespace

void check_validating_policy(const Value& policy, FieldErrors& errors) {
  const FieldPath at("spec");
  const FieldPath validations = at.field("validations"), annotations = at.field("auditAnnotations");
  const Value& spec = policy[keys::kSpec];
  const PolicyNames names = check_common(spec, RuleOperations::kAll, cel::ObjectForms::kNone, at, errors);
  if (spec.get("validations").empty() && spec.get("auditAnnotations").empty()) {
    constexpr std::string_view kOne = "validations or auditAnnotations must contain at least one item";
    errors.required(validations, kOne);
    errors.required(annotations, kOne);
  }
  for (size_t i = 0; i < spec.get("validations").items().size(); ++i) {
    const FieldPath here = validations.index(i);
    check_validation(spec.get("validations").items()[i], names, here, errors);
  }
  check_annotations(policy, names, annotations, errors);
}

void check_validating_binding(const Value& binding, FieldErrors& errors) {
  const FieldPath at("spec");
  const FieldPath actions_at = at.field("validationActions");
  const Value& actions = binding[keys::kSpec].get("validationActions");
  check_binding(binding[keys::kSpec], RuleOperations::kAll, at, errors);
  constexpr std::string_view kActions[] = {"Audit", "Deny", "Warn"};
  std::set<std::string, std::less<>> seen;
  for (size_t i = 0; i < actions.items().size(); ++i) {
    const FieldPath here = actions_at.index(i);
    check_one_of(actions.items()[i], kActions, here, errors);
    if (!seen.insert(actions.items()[i].string()).second) errors.duplicate(here, actions.items()[i]);
  }
  if (seen.contains("Deny") && seen.contains("Warn")) {
    errors.invalid(actions_at, actions, "must not contain both Deny and Warn (repeating the same validation failure "
                                        "information in the API response and headers serves no purpose)");
  }
}

void check_mutating_policy(const Value& policy, FieldErrors& errors) {
  const FieldPath at("spec");
  const FieldPath mutations = at.field("mutations"), again_at = at.field("reinvocationPolicy");
  const Value& spec = policy[keys::kSpec];
  const PolicyNames names = check_common(spec, RuleOperations::kNoDelete, cel::ObjectForms::kMutations, at, errors);
  if (spec.get("mutations").empty()) errors.required(mutations, "mutations must contain at least one item");
  for (size_t i = 0; i < spec.get("mutations").items().size(); ++i) {
    const Value& mutation = spec.get("mutations").items()[i];
    const FieldPath here = mutations.index(i);
    const FieldPath type_at = here.field("patchType");
    const std::string_view type = mutation.get("patchType").as_string();
    constexpr std::string_view kTypes[] = {"ApplyConfiguration", "JSONPatch"};
    if (type == "ApplyConfiguration") {
      check_patch(mutation, "applyConfiguration", "jsonPatch", names, apply_configuration_type(), here, errors);
    } else if (type == "JSONPatch") {
      check_patch(mutation, "jsonPatch", "applyConfiguration", names, json_patch_list_type(), here, errors);
    } else if (!type.empty()) {  // which the schema requires
      errors.not_supported(type_at, Value(type), kTypes);
    }
  }
  constexpr std::string_view kAgain[] = {"Never", "IfNeeded"};
  check_one_of(spec.get("reinvocationPolicy"), kAgain, again_at, errors);
}

void check_mutating_binding(const Value& binding, FieldErrors& errors) {
  const FieldPath at("spec");
  const FieldPath name_at = at.field("policyName");
  const Value& spec = binding[keys::kSpec];
  if (spec.get("policyName").as_string().empty()) errors.required(name_at);
  check_binding(spec, RuleOperations::kNoDelete, at, errors);
}

}  // namespace minik::control
