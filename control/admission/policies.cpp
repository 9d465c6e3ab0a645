#include "control/admission/policies.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr size_t kMessageBytesMax = 5 * 1024, kAnnotationBytesMax = 10 * 1024;

Result<cel::Program> compile(const Value& expression, const cel::Type& wanted) {
  return cel::Program::compile(expression.as_string(), admission_environment(), wanted);
}

bool has_action(const Value& binding, std::string_view action) {
  const auto actions = binding[keys::kSpec].get("validationActions").items();
  return std::ranges::any_of(actions, [&](const Value& a) { return a.as_string() == action; });
}

ErrorCode code_of(std::string_view reason) {
  if (reason == "Unauthorized") return ErrorCode::kUnauthorized;
  if (reason == "Forbidden") return ErrorCode::kForbidden;
  if (reason == "RequestEntityTooLarge") return ErrorCode::kRequestEntityTooLarge;
  return ErrorCode::kInvalid;
}

}  // namespace

struct AdmissionPolicies::Compiled {
  struct Variable {
    std::string name;
    Result<cel::Program> program;
  };
  struct Validation {
    std::string expression, message, reason;
    Result<cel::Program> program;
    std::optional<cel::Program> message_program;
  };
  struct Annotation {
    std::string key, expression;
    Result<cel::Program> program;
  };
  Value source;  // the policy's spec, held so that its identity stays taken
  Result<std::vector<CompiledCondition>> conditions = std::vector<CompiledCondition>();
  std::vector<Variable> variables;
  std::vector<Validation> validations;
  std::vector<Annotation> annotations;
};

struct AdmissionPolicies::Decision {
  const Value* policy;
  const Value* binding;
  std::string message, reason;
  size_t expression = 0;  // which of the validations
};

AdmissionPolicies::AdmissionPolicies(const Store& store, const Schema& schema)
    : store_(store), schema_(schema), access_(store) {}
AdmissionPolicies::~AdmissionPolicies() = default;

bool AdmissionPolicies::empty() const {
  return store_.count(kinds::kValidatingadmissionpolicies) == 0 ||
         store_.count(kinds::kValidatingadmissionpolicybindings) == 0;
}

const AdmissionPolicies::Compiled& AdmissionPolicies::compiled(const Value& policy) {
  Compiled& known = compiled_[std::string(object_name(policy))];
  const Value& spec = policy[keys::kSpec];
  if (known.source.has_value() && known.source.same_node(spec)) return known;
  known = Compiled{};
  known.source = spec;
  known.conditions = compile_conditions(spec.get("matchConditions"));
  for (const auto& variable : spec.get("variables").items()) {
    known.variables.push_back({variable[keys::kName].string(), compile(variable.get("expression"), {})});
  }
  for (const auto& validation : spec.get("validations").items()) {
    Compiled::Validation one{validation.get("expression").string(), validation[keys::kMessage].string(),
                             validation[keys::kReason].string(), compile(validation.get("expression"), cel::Kind::kBool),
                             std::nullopt};
    if (!validation.get("messageExpression").as_string().empty()) {
      auto message = compile(validation.get("messageExpression"), cel::Kind::kString);
      if (message) one.message_program = *std::move(message);
    }
    known.validations.push_back(std::move(one));
  }
  for (const auto& annotation : spec.get("auditAnnotations").items()) {
    known.annotations.push_back({annotation.get("key").string(), annotation.get("valueExpression").string(),
                                 compile(annotation.get("valueExpression"), {})});
  }
  return known;
}

Result<std::vector<Value>> AdmissionPolicies::params_of(const Value& policy, const Value& binding,
                                                        const WriteAttributes& request) const {
  const Value& kind = policy[keys::kSpec].get("paramKind");
  const Value& reference = binding[keys::kSpec].get("paramRef");
  if (!kind.is_map() || !reference.is_map()) return std::vector<Value>{Value()};
  const auto* resource = schema_.find_kind(kind[keys::kApiVersion].as_string(), kind[keys::kKind].as_string());
  if (!resource) {
    return Error(ErrorCode::kInternalError,
                 cat("failed to find resource referenced by paramKind: '", kind[keys::kApiVersion].as_string(), ", Kind=",
                     kind[keys::kKind].as_string(), "'"));
  }
  std::string home = reference[keys::kNamespace].string();
  if (home.empty() && resource->namespaced) home = request.namespace_;
  if (resource->namespaced && home.empty()) {
    return Error(ErrorCode::kInternalError, "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  }
  std::vector<Value> found;
  const std::string_view name = reference[keys::kName].as_string();
  if (!name.empty()) {
    const Value& one = store_.find(resource->id, resource->namespaced ? home : "", name);
    if (one.has_value()) found.push_back(named_object(*resource, one));
  } else {
    MINIK_ASSIGN(const auto selector, LabelSelector::from_object(reference.get("selector")));
    const auto all = store_.list(resource->id, resource->namespaced ? home : "");
    for (const auto& one : all->objects) {
      if (selector.matches(one[keys::kMetadata][keys::kLabels])) found.push_back(named_object(*resource, one));
    }
  }
  if (found.empty() && reference.get("parameterNotFoundAction").as_string() != "Allow") {
    return Error(ErrorCode::kInternalError, "no params found for policy binding with `Deny` parameterNotFoundAction");
  }
  return found;
}

void AdmissionPolicies::decide(const Value& policy, const Value& binding, const WriteAttributes& request,
                               const ResourceInfo& as, std::vector<Decision>& decisions, Notes& notes) {
  const bool fail = policy[keys::kSpec].get("failurePolicy").as_string("Fail") != "Ignore";
  size_t at = 0;
  const auto failed = [&](const std::string& message) {
    if (fail) decisions.push_back({&policy, &binding, message, "", at});
  };
  const Compiled& asked = compiled(policy);
  if (!asked.conditions) return failed(asked.conditions.error().message);
  const Value& home = request.namespace_.empty() ? Value::absent() : store_.find(kinds::kNamespaces, "", request.namespace_);
  AdmissionBindings bindings(request, as, named_object(schema_.resource(kinds::kNamespaces), home));
  bindings.set_authorizer(access_, request, as);
  const auto all_params = params_of(policy, binding, request);
  if (!all_params) return failed(cat("failed to configure binding: ", all_params.error().message));
  for (const auto& params : *all_params) {
    cel::Budget budget{cel::kCostBudget, 0};
    bindings.set_params(params);
    bindings.set_variables({});
    const auto holds = conditions_hold(*asked.conditions, bindings, budget);
    if (!holds) {
      failed(holds.error().message);
      continue;
    }
    if (!*holds) continue;
    std::vector<cel::Datum::Entry> variables;
    for (const auto& variable : asked.variables) {
      // An error stays with its variable: who does not name it does not meet it.
      auto value = variable.program ? variable.program->evaluate(bindings.values(), budget) : Result<cel::Datum>(variable.program.error());
      variables.push_back({cel::Datum::text(variable.name), value ? *std::move(value) : cel::Datum::error(value.error().message)});
      bindings.set_variables(variables);
    }
    for (at = 0; at < asked.validations.size(); ++at) {
      const Compiled::Validation& validation = asked.validations[at];
      const auto result = validation.program ? validation.program->evaluate(bindings.values(), budget)
                                             : Result<cel::Datum>(validation.program.error());
      if (!result) {
        failed(cat("expression '", validation.expression, "' resulted in error: ", result.error().message));
        continue;
      }
      if (result->is_true()) continue;
      std::string message(trim(validation.message));
      if (validation.message_program) {
        const auto made = validation.message_program->evaluate(bindings.values(), budget);
        if (made && made->kind() == cel::Kind::kString) {
          const std::string text(trim(made->as_text()));
          const bool fits = !text.empty() && text.size() <= kMessageBytesMax && text.find('\n') == std::string::npos;
          if (fits) message = text;
        }
      }
      if (message.empty()) message = cat("failed expression: ", trim(validation.expression));
      decisions.push_back({&policy, &binding, std::move(message), validation.reason, at});
    }
    at = 0;
    for (const auto& annotation : asked.annotations) {
      const auto value = annotation.program ? annotation.program->evaluate(bindings.values(), budget)
                                            : Result<cel::Datum>(annotation.program.error());
      if (!value || (value->kind() != cel::Kind::kString && value->kind() != cel::Kind::kNull)) {
        failed(cat("expression '", annotation.expression, "' resulted in error: ",
                   value ? cat("valueExpression '", annotation.expression, "' resulted in unsupported return type: ",
                               value->type_name(), ". Return type must be either string or null.")
                         : value.error().message));
        continue;
      }
      const std::string text(trim(value->kind() == cel::Kind::kNull ? std::string_view() : value->as_text()));
      if (text.empty()) continue;
      auto& values = notes[cat(object_name(policy), "/", annotation.key)];
      const std::string kept = text.substr(0, kAnnotationBytesMax);
      if (std::ranges::find(values, kept) == values.end()) values.push_back(kept);
    }
  }
}

namespace {

// The value of the annotation that tells of a rule that was not met where the binding wants an audit.
std::string failure_note(const Value& policy, const Value& binding, std::string_view message, size_t expression) {
  // In kube-apiserver's order of fields.
  return cat("[{\"message\":", to_json(Value(message)), ",\"policy\":", to_json(Value(object_name(policy))),
             ",\"binding\":", to_json(Value(object_name(binding))), ",\"expressionIndex\":", expression,
             ",\"validationActions\":", to_json(binding[keys::kSpec].get("validationActions")), "}]");
}

}  // namespace

Status AdmissionPolicies::check(const WriteAttributes& request, AdmissionRemarks& remarks) {
  if (empty() || is_beyond_admission(*request.resource)) return {};
  const FindNamespace find_namespace = [this](std::string_view name) -> const Value& {
    return store_.find(kinds::kNamespaces, "", name);
  };
  std::vector<Decision> decisions;
  Notes notes;
  const auto bindings = store_.list(kinds::kValidatingadmissionpolicybindings, "");
  for (const auto& binding : bindings->objects) {
    const Value& policy = store_.find(kinds::kValidatingadmissionpolicies, "", binding[keys::kSpec].get("policyName").as_string());
    if (!policy.has_value()) continue;
    const ResourceInfo* as = matching_kind(schema_, policy[keys::kSpec].get("matchConstraints"), request, find_namespace);
    const Value& narrowed = binding[keys::kSpec].get("matchResources");
    if (!as || (narrowed.is_map() && !matching_kind(schema_, narrowed, request, find_namespace))) continue;
    decide(policy, binding, request, *as, decisions, notes);
  }
  for (const auto& [key, values] : notes) remarks.annotations.try_emplace(key, join(values, ", "));
  const Decision* denied = nullptr;
  for (const auto& decision : decisions) {
    if (has_action(*decision.binding, "Warn")) {
      remarks.warnings.push_back(cat("Validation failed for ValidatingAdmissionPolicy '", object_name(*decision.policy),
                             "' with binding '", object_name(*decision.binding), "': ", decision.message));
    }
    if (has_action(*decision.binding, "Audit")) {
      remarks.annotations.try_emplace(
          "validation.policy.admission.k8s.io/validation_failure",
          failure_note(*decision.policy, *decision.binding, decision.message, decision.expression));
    }
    if (!denied && has_action(*decision.binding, "Deny")) denied = &decision;
  }
  if (!denied) return {};
  const std::string why = cat("ValidatingAdmissionPolicy '", object_name(*denied->policy), "' with binding '",
                              object_name(*denied->binding), "' denied request: ", denied->message);
  Error error(code_of(denied->reason),
              cat(request.resource->group_resource(), " ", quoted(request.name), " is forbidden: ", why));
  error.causes.push_back({"", why, ""});
  return error;
}

// ---- validation ----

namespace {

void check_expression(const Value& holder, std::string_view field, const cel::Type& wanted, const FieldPath& at,
                      FieldErrors& errors) {
  const FieldPath here = at.field(field);
  const Value& expression = holder.get(field);
  if (trim(expression.as_string()).empty()) return errors.required(here);
  if (auto program = compile(expression, wanted); !program) {
    errors.invalid(here, expression, cat("compilation failed: ", program.error().message));
  }
}

}  // namespace

void check_policy(const Value& policy, FieldErrors& errors) {
  const FieldPath spec_at("spec");
  const Value& spec = policy[keys::kSpec];
  const FieldPath constraints = spec_at.field("matchConstraints"), validations = spec_at.field("validations"),
                  variables = spec_at.field("variables"), conditions = spec_at.field("matchConditions"),
                  annotations = spec_at.field("auditAnnotations");
  const FieldPath rules = constraints.field("resourceRules");
  if (!spec.get("matchConstraints").is_map()) {
    errors.required(constraints);
  } else if (spec.get("matchConstraints").get("resourceRules").empty()) {
    errors.required(rules);
  }
  if (spec.get("validations").empty() && spec.get("auditAnnotations").empty()) {
    errors.required(validations, "validations or auditAnnotations must contain at least one item");
  }
  const auto each = [&](std::string_view list, const FieldPath& at, std::string_view field, const cel::Type& wanted) {
    for (size_t i = 0; i < spec.get(list).items().size(); ++i) {
      const FieldPath here = at.index(i);
      check_expression(spec.get(list).items()[i], field, wanted, here, errors);
    }
  };
  each("matchConditions", conditions, "expression", cel::Kind::kBool);
  each("variables", variables, "expression", {});
  each("validations", validations, "expression", cel::Kind::kBool);
  each("auditAnnotations", annotations, "valueExpression", {});
  constexpr std::string_view kReasons[] = {"Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"};
  for (size_t i = 0; i < spec.get("validations").items().size(); ++i) {
    const Value& validation = spec.get("validations").items()[i];
    const FieldPath here = validations.index(i);
    const FieldPath reason = here.field("reason");
    if (!validation.get("messageExpression").as_string().empty()) {
      check_expression(validation, "messageExpression", cel::Kind::kString, here, errors);
    }
    const std::string_view given = validation[keys::kReason].as_string();
    if (!given.empty() && std::ranges::find(kReasons, given) == std::end(kReasons)) {
      errors.not_supported(reason, Value(given), kReasons);
    }
  }
}

void check_policy_binding(const Value& binding, FieldErrors& errors) {
  const FieldPath spec_at("spec");
  const FieldPath actions = spec_at.field("validationActions"), reference = spec_at.field("paramRef");
  const Value& spec = binding[keys::kSpec];
  constexpr std::string_view kActions[] = {"Audit", "Deny", "Warn"};
  for (size_t i = 0; i < spec.get("validationActions").items().size(); ++i) {
    const Value& action = spec.get("validationActions").items()[i];
    const FieldPath here = actions.index(i);
    if (std::ranges::find(kActions, action.as_string()) == std::end(kActions)) errors.not_supported(here, action, kActions);
  }
  if (has_action(binding, "Deny") && has_action(binding, "Warn")) {
    errors.invalid(actions, spec.get("validationActions"), "must not contain both Deny and Warn (repeating the same validation "
                                                           "failure information in the API response and headers serves no purpose)");
  }
  const Value& given = spec.get("paramRef");
  if (!given.is_map()) return;
  const FieldPath name = reference.field("name"), action = reference.field("parameterNotFoundAction");
  if (given[keys::kName].as_string().empty() == !given.get("selector").is_map()) {
    errors.required(name, "exactly one of name or selector must be specified");
  }
  if (given.get("parameterNotFoundAction").as_string().empty()) errors.required(action);
}

}  // namespace minik::control
