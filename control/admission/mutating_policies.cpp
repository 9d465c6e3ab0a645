#include "control/admission/mutating_policies.h"

#include <algorithm>
#include <iterator>

#include "control/apply/typed_document.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/patch.h"
#include "control/schema/custom_kind.h"
#include "control/schema/decode.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

using cel::Datum;
using cel::Kind;

// The types that an expression gives its objects must be the places where they stand: Object.spec below the field spec
// of an Object. Lists and maps have no name of their own.
void check_places(const Datum& made, const std::string& place, std::vector<std::string>& wrong) {
  if (made.kind() == Kind::kObject) {
    if (made.type_name() != place) {
      wrong.push_back(cat("unexpected type name ", quoted(made.type_name()), ", expected ", quoted(place),
                          ", which matches field name path from root Object type"));
    }
    for (size_t i = 0; i < made.size(); ++i) {
      const auto field = made.entry(i);
      check_places(field.value, cat(place, ".", field.key.as_text()), wrong);
    }
  } else if (made.kind() == Kind::kMap) {
    for (size_t i = 0; i < made.size(); ++i) check_places(made.entry(i).value, place, wrong);
  } else if (made.kind() == Kind::kList) {
    for (size_t i = 0; i < made.size(); ++i) check_places(made.item(i), place, wrong);
  }
}

Status check_places(const Datum& made) {
  std::vector<std::string> wrong;
  check_places(made, made.type_name(), wrong);
  if (wrong.empty()) return {};
  return Error(ErrorCode::kInvalid, cat("type mismatch: ", join(wrong, "\n")));
}

// `unknown field "spec.foo"` --> `.spec.foo: field not declared in schema`.
std::string undeclared(std::string_view complaint) {
  const size_t open = complaint.find('"'), close = complaint.rfind('"');
  if (open == close) return std::string(complaint);
  return cat(".", complaint.substr(open + 1, close - open - 1), ": field not declared in schema");
}

// A list of JSONPatch objects as a JSON patch.
Result<Value> json_patch(const Datum& made) {
  std::vector<Value> operations;
  for (size_t i = 0; i < made.size(); ++i) {
    const Datum operation = made.item(i);
    if (operation.kind() != Kind::kObject) {
      return Error(ErrorCode::kInvalid, "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
    }
    if (const auto value = operation.find(Datum::text("value")); value && value->kind() == Kind::kObject) {
      MINIK_TRY(check_places(*value));
    }
    auto document = operation.to_value();
    if (!document) return std::move(document).error().in("JSONPath valueExpression evaluated to a type that could not marshal to JSON");
    operations.push_back(*std::move(document));
  }
  return Value::array(std::move(operations));
}

// `binding` is absent where the policy itself cannot be asked.
std::string refusal(const Value& policy, const Value& binding, std::string_view why) {
  if (binding.is_absent()) return cat("policy ", quoted(object_name(policy)), " denied request: ", why);
  return cat("policy '", object_name(policy), "' with binding '", object_name(binding), "' denied request: ", why);
}

// Whether the first operation that cannot be applied is a test: then nobody is to blame, and nothing is changed.
bool fails_a_test(const Value& document, const Value& patch) {
  std::vector<Value> so_far;
  for (const auto& operation : patch.items()) {
    so_far.push_back(operation);
    if (!apply_json_patch(document, Value::array(so_far))) return operation.get("op").as_string() == "test";
  }
  return false;
}

}  // namespace

struct MutatingPolicies::Mutation {
  bool applies = false;  // an apply configuration, not a JSON patch
  std::string expression;
  Result<cel::Program> program;
};

struct MutatingPolicies::Compiled : CompiledPolicy {
  std::vector<Mutation> mutations = {};
};

const cel::Environment& mutation_environment() {
  static const cel::Environment environment(admission_environment().variables(), cel::ObjectForms::kMutations);
  return environment;
}

const cel::Type& apply_configuration_type() {
  static const cel::Type type = cel::Type::open_object("Object");
  return type;
}

const cel::Type& json_patch_list_type() {
  static const cel::Type type = cel::Type::list(cel::json_patch_type());
  return type;
}

MutatingPolicies::MutatingPolicies(const Store& store, const Schema& schema)
    : store_(store), schema_(schema), access_(store) {}
MutatingPolicies::~MutatingPolicies() = default;

bool MutatingPolicies::empty() const {
  return store_.count(kinds::kMutatingadmissionpolicies) == 0 || store_.count(kinds::kMutatingadmissionpolicybindings) == 0;
}

const MutatingPolicies::Compiled& MutatingPolicies::compiled(const Value& policy) {
  return compiled_.of(policy, mutation_environment(), [](const Value& spec, Compiled& made) {
    for (const auto& mutation : spec.get("mutations").items()) {
      const bool applies = mutation.get("patchType").as_string() == "ApplyConfiguration";
      const Value& expression = mutation.get(applies ? "applyConfiguration" : "jsonPatch").get("expression");
      made.mutations.push_back({applies, expression.string(),
                                cel::Program::compile(expression.as_string(), mutation_environment(),
                                                      applies ? apply_configuration_type() : json_patch_list_type())});
    }
  });
}

Result<Value> MutatingPolicies::applied(const Mutation& mutation, const Datum& made, const Value& document,
                                        const ResourceInfo& as) const {
  // What is sent to a subresource is of a kind of its own.
  const bool own_kind = document[keys::kKind].as_string() == as.kind;
  const TypeInfo* type = own_kind ? as.type
                                  : schema_.find_document(document[keys::kApiVersion].as_string(), document[keys::kKind].as_string());
  if (!mutation.applies) {
    MINIK_ASSIGN(const Value patch, json_patch(made));
    auto patched = apply_json_patch(document, patch);
    if (!patched && fails_a_test(document, patch)) return document;
    if (!patched) return std::move(patched).error().in("JSONPath");
    if (!own_kind || as.custom || !type) return patched;
    const auto decoded = decode(*type, *patched);
    if (!decoded) return Error(ErrorCode::kInternalError, cat("Internal error occurred: ", decoded.error().message));
    if (decoded->unknown_fields.empty()) return patched;
    return Error(ErrorCode::kInternalError,
                 cat("Internal error occurred: ", strict_decoding_sentence(decoded->unknown_fields)));
  }
  MINIK_TRY(check_places(made));
  MINIK_ASSIGN(Value config, made.to_value());
  config = config.with(keys::kApiVersion, document[keys::kApiVersion]).with(keys::kKind, document[keys::kKind]);
  if (!type) {
    return Error(ErrorCode::kServiceUnavailable,
                 cat("Resource kind ", document[keys::kApiVersion].as_string(), ", Kind=", document[keys::kKind].as_string(),
                     " not found. There can be a delay between when CustomResourceDefinitions are created and when they "
                     "are available."));
  }
  auto decoded = own_kind && as.custom ? as.custom->decode(config) : decode(*type, config);
  constexpr std::string_view kUntyped = "error applying patch: failed to convert patch object to typed object";
  if (!decoded) return std::move(decoded).error().in(kUntyped);
  if (!decoded->unknown_fields.empty()) {
    std::vector<std::string> names;
    for (const auto& complaint : decoded->unknown_fields) names.push_back(undeclared(complaint));
    return Error(ErrorCode::kInvalid, cat(kUntyped, ": ", join(names, "\n")));
  }
  if (const auto atomic = atomic_parts(*type, decoded->object); !atomic.empty()) {
    return Error(ErrorCode::kInvalid, cat("error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps "
                                          "or structs: ", join(atomic, ", ")));
  }
  auto both = merged(*type, document, decoded->object);
  if (!both) return std::move(both).error().in("error applying patch");
  return both;
}

Result<Value> MutatingPolicies::mutate(const WriteAttributes& request, MutationRounds& rounds, const Redecode& redecode) {
  WriteAttributes now = request;
  if (empty()) return now.object;
  const auto changed = [&rounds] {
    rounds.due.insert(rounds.applied.begin(), rounds.applied.end());
    rounds.applied.clear();
  };
  if (rounds.second && !(rounds.left == now.object)) changed();
  // Policies that are not configured well come first: kube-apiserver finds them before it asks any.
  std::vector<ErrorCause> unasked, refusals;
  for (const auto& bound : bound_policies(store_, schema_, kinds::kMutatingadmissionpolicies,
                                          kinds::kMutatingadmissionpolicybindings, request)) {
    const Value& spec = bound.policy[keys::kSpec];
    const bool fail = spec.get("failurePolicy").as_string("Fail") != "Ignore";
    const auto failed = [&](const std::string& message) {
      if (fail) refusals.push_back({"", refusal(bound.policy, bound.binding, message), ""});
    };
    const Compiled& asked = compiled(bound.policy);
    const auto all_params = params_of(store_, schema_, bound, request);
    if (!all_params) {
      const auto [blamed, why] = unconfigured(bound, all_params.error());
      if (fail) unasked.push_back({"", refusal(bound.policy, blamed, why), ""});
      continue;
    }
    if (!asked.conditions) {
      failed(asked.conditions.error().message);
      continue;
    }
    const Value home = namespace_of(store_, schema_, request);
    const auto bindings_of = [&](const Value& params) {
      AdmissionBindings bindings(now, *bound.as, home);
      bindings.set_authorizer(access_, now, *bound.as);
      bindings.set_params(params);
      return bindings;
    };
    for (const auto& params : *all_params) {
      cel::Budget conditions_budget{cel::kCostBudget, 0};
      const auto holds = conditions_hold(*asked.conditions, bindings_of(params), conditions_budget);
      if (!holds) failed(holds.error().message);
      if (!holds || !*holds) continue;
      const std::string key = cat(object_name(bound.policy), "/", object_name(bound.binding), "/", object_namespace(params), "/",
                                  object_name(params));
      if (rounds.second && !rounds.due.contains(key)) continue;
      const Value before = now.object;
      for (const auto& mutation : asked.mutations) {
        if (!now.object.has_value()) break;  // a deletion: there is nothing to change
        cel::Budget budget{cel::kCostBudget, 0};
        AdmissionBindings bindings = bindings_of(params);
        bind_variables(asked.variables, bindings, budget);
        const auto made = mutation.program ? mutation.program->evaluate(bindings.values(), budget)
                                           : Result<Datum>(mutation.program.error());
        if (!made) {
          failed(cat("expression '", mutation.expression, "' resulted in error: ", made.error().message));
          continue;
        }
        const auto document = applied(mutation, *made, named_object(*bound.as, now.object), *bound.as);
        if (!document) {
          // What is not the policy's to excuse: the result is no object, or its kind is not known.
          const ErrorCode code = document.error().code;
          if (code == ErrorCode::kServiceUnavailable || code == ErrorCode::kInternalError) return document.error();
          failed(document.error().message);
          continue;
        }
        MINIK_ASSIGN(now.object, redecode(*document));
      }
      if (!(before == now.object)) changed();
      if (spec.get("reinvocationPolicy").as_string() == "IfNeeded") rounds.applied.push_back(key);
    }
  }
  rounds.left = now.object;
  // The first one gives its reason to all: a policy that cannot be asked forbids.
  const ErrorCode reason = unasked.empty() ? ErrorCode::kInvalid : ErrorCode::kForbidden;
  std::ranges::move(refusals, std::back_inserter(unasked));
  if (unasked.empty()) return now.object;
  Error error(reason, unasked[0].message);
  error.http = code_http(ErrorCode::kForbidden);  // whatever the reason
  error.causes = std::move(unasked);
  return error;
}

}  // namespace minik::control
