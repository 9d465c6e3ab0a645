#include "control/admission/policies.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
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

struct AdmissionPolicies::Compiled : CompiledPolicy {
  struct Validation {
    std::string expression, message, reason;
    Result<cel::Program> program;
    std::optional<cel::Program> message_program;
  };
  struct Annotation {
    std::string key, expression;
    Result<cel::Program> program;
  };
  std::vector<Validation> validations = {};
  std::vector<Annotation> annotations = {};
};

struct AdmissionPolicies::Decision {
  Value policy, binding;  // the binding is absent where the policy itself cannot be asked
  std::string message, reason;
  size_t expression = 0;  // which of the validations
  bool unconditional = false;  // denies, whatever the binding wants done about rules that are not met
};

AdmissionPolicies::AdmissionPolicies(const Store& store, const Schema& schema)
    : store_(store), schema_(schema), access_(store) {}
AdmissionPolicies::~AdmissionPolicies() = default;

bool AdmissionPolicies::empty() const {
  return store_.count(kinds::kValidatingadmissionpolicies) == 0 ||
         store_.count(kinds::kValidatingadmissionpolicybindings) == 0;
}

const AdmissionPolicies::Compiled& AdmissionPolicies::compiled(const Value& policy) {
  return compiled_.of(policy, admission_environment(), [](const Value& spec, Compiled& made) {
    for (const auto& validation : spec.get("validations").items()) {
      Compiled::Validation one{validation.get("expression").string(), validation[keys::kMessage].string(),
                               validation[keys::kReason].string(), compile(validation.get("expression"), cel::Kind::kBool),
                               std::nullopt};
      if (!validation.get("messageExpression").as_string().empty()) {
        auto message = compile(validation.get("messageExpression"), cel::Kind::kString);
        if (message) one.message_program = *std::move(message);
      }
      made.validations.push_back(std::move(one));
    }
    for (const auto& annotation : spec.get("auditAnnotations").items()) {
      made.annotations.push_back({annotation.get("key").string(), annotation.get("valueExpression").string(),
                                  compile(annotation.get("valueExpression"), {})});
    }
  });
}

void AdmissionPolicies::decide(const BoundPolicy& bound, const WriteAttributes& request, std::vector<Decision>& decisions,
                               Notes& notes) {
  const Value &policy = bound.policy, &binding = bound.binding;
  const ResourceInfo* as = bound.as;
  const bool fail = policy[keys::kSpec].get("failurePolicy").as_string("Fail") != "Ignore";
  size_t at = 0;
  const auto failed = [&](const std::string& message) {
    if (fail) decisions.push_back({policy, binding, message, "", at});
  };
  const Compiled& asked = compiled(policy);
  if (!asked.conditions) return failed(asked.conditions.error().message);
  AdmissionBindings bindings(request, *as, namespace_of(store_, schema_, request));
  bindings.set_authorizer(access_, request, *as);
  const auto all_params = params_of(store_, schema_, bound, request);
  if (!all_params) {
    const auto [blamed, why] = unconfigured(bound, all_params.error());
    if (fail) decisions.push_back({policy, blamed, why, "", at, true});
    return;
  }
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
    bind_variables(asked.variables, bindings, budget);
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
      decisions.push_back({policy, binding, std::move(message), validation.reason, at});
    }
    at = 0;
    for (const auto& annotation : asked.annotations) {
      const auto value = annotation.program ? annotation.program->evaluate(bindings.values(), budget)
                                            : Result<cel::Datum>(annotation.program.error());
      if (!value || (value->kind() != cel::Kind::kString && value->kind() != cel::Kind::kNull)) {
        const std::string why = value ? cat("valueExpression '", annotation.expression, "' resulted in unsupported return type: ",
                                            value->type_name(), ". Return type must be either string or null.")
                                      : value.error().message;
        if (fail) {
          decisions.push_back({policy, binding, cat("expression '", annotation.expression, "' resulted in error: ", why), "", at, true});
        }
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
  std::vector<Decision> decisions;
  Notes notes;
  for (const auto& bound : bound_policies(store_, schema_, kinds::kValidatingadmissionpolicies,
                                          kinds::kValidatingadmissionpolicybindings, request)) {
    decide(bound, request, decisions, notes);
  }
  for (const auto& [key, values] : notes) remarks.annotations.try_emplace(key, join(values, ", "));
  const Decision* denied = nullptr;
  for (const auto& decision : decisions) {
    if (!denied && decision.unconditional) denied = &decision;
    if (decision.unconditional) continue;
    if (has_action(decision.binding, "Warn")) {
      remarks.warnings.push_back(cat("Validation failed for ValidatingAdmissionPolicy '", object_name(decision.policy),
                             "' with binding '", object_name(decision.binding), "': ", decision.message));
    }
    if (has_action(decision.binding, "Audit")) {
      remarks.annotations.try_emplace(
          "validation.policy.admission.k8s.io/validation_failure",
          failure_note(decision.policy, decision.binding, decision.message, decision.expression));
    }
    if (!denied && has_action(decision.binding, "Deny")) denied = &decision;
  }
  if (!denied) return {};
  const std::string by = denied->binding.has_value() ? cat(" with binding '", object_name(denied->binding), "'") : std::string();
  const std::string why = cat("ValidatingAdmissionPolicy '", object_name(denied->policy), "'", by, " denied request: ", denied->message);
  Error error(code_of(denied->reason),
              cat(request.resource->group_resource(), " ", quoted(request.name), " is forbidden: ", why));
  error.causes.push_back({"", why, ""});
  return error;
}

}  // namespace minik::control
