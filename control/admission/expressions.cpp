#include "control/admission/expressions.h"

#include "control/base/text.h"
#include "control/cel/authorizer.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr size_t kParams = 4, kVariables = 5, kAuthorizer = 6;

Value kind_document(const ResourceInfo& resource) {
  return Value::map({{keys::kGroup, Value(resource.group)},
                     {keys::kVersion, Value(resource.version)},
                     {keys::kKind, Value(resource.kind)}});
}

Value resource_document(const ResourceInfo& resource) {
  return Value::map({{keys::kGroup, Value(resource.group)},
                     {keys::kVersion, Value(resource.version)},
                     {keys::kResource, Value(resource.plural)}});
}

// The fields of request_document().
cel::Type request_type() {
  using cel::Kind;
  const auto named = [](std::string name, std::string_view last) {
    return cel::Type::object(std::move(name), {{"group", Kind::kString}, {"version", Kind::kString}, {std::string(last), Kind::kString}});
  };
  const cel::Type kind = named("kubernetes.GroupVersionKind", "kind"), resource = named("kubernetes.GroupVersionResource", "resource");
  const cel::Type texts = cel::Type::list(Kind::kString);
  const cel::Type user = cel::Type::object("kubernetes.UserInfo", {{"username", Kind::kString},
                                                                   {"uid", Kind::kString},
                                                                   {"groups", texts},
                                                                   {"extra", cel::Type::map(Kind::kString, texts)}});
  return cel::Type::object("kubernetes.AdmissionRequest", {{"kind", kind},
                                                           {"resource", resource},
                                                           {"subResource", Kind::kString},
                                                           {"requestKind", kind},
                                                           {"requestResource", resource},
                                                           {"requestSubResource", Kind::kString},
                                                           {"name", Kind::kString},
                                                           {"namespace", Kind::kString},
                                                           {"operation", Kind::kString},
                                                           {"userInfo", user},
                                                           {"dryRun", Kind::kBool},
                                                           {"options", {}}});
}

Value request_document(const WriteAttributes& request, const ResourceInfo& as) {
  return Value::map({{keys::kKind, kind_document(as)},
                     {keys::kResource, resource_document(as)},
                     {"subResource", request.subresource},
                     {"requestKind", kind_document(*request.resource)},
                     {"requestResource", resource_document(*request.resource)},
                     {"requestSubResource", request.subresource},
                     {keys::kName, request.name},
                     {keys::kNamespace, request.namespace_},
                     {"operation", operation_name(request.operation)},
                     {keys::kUserInfo, user_document(request.user)},
                     {"dryRun", request.dry_run},
                     {"options", request.options}});
}

}  // namespace

const cel::Environment& admission_environment() {
  static const cel::Environment environment({{"object", {}},
                                             {"oldObject", {}},
                                             {"request", request_type()},
                                             {"namespaceObject", {}},
                                             {"params", {}},
                                             {"variables", {}},
                                             {"authorizer", cel::Kind::kAuthorizer}});
  return environment;
}

AdmissionBindings::AdmissionBindings(const WriteAttributes& request, const ResourceInfo& as, const Value& namespace_object) {
  const auto document = [](const Value& value) { return value.has_value() ? cel::Datum::document(value) : cel::Datum(); };
  values_ = {document(named_object(as, request.object)), document(named_object(as, request.old_object)),
             cel::Datum::document(request_document(request, as)), document(namespace_object), cel::Datum(),
             cel::Datum::map({}), cel::Datum::error("authorizer: nobody can be asked here")};
}

void AdmissionBindings::set_authorizer(const Authorizer& access, const WriteAttributes& request, const ResourceInfo& as) {
  cel::AccessQuestion about;
  about.group = as.group;
  about.resource = as.plural;
  about.subresource = request.subresource;
  about.namespace_ = request.namespace_;
  about.name = request.name;
  values_[kAuthorizer] = cel::authorizer(
      [&access, user = request.user](const cel::AccessQuestion& question) -> cel::AccessAnswer {
        UserInfo who = user;
        if (!question.account.empty()) {
          who = {cat("system:serviceaccount:", question.account_namespace, ":", question.account),
                 "",
                 {"system:serviceaccounts", cat("system:serviceaccounts:", question.account_namespace), "system:authenticated"},
                 {}};
        }
        Attributes wanted{question.verb, question.group, question.resource, question.subresource, question.namespace_, question.name};
        wanted.path = question.path;
        const Decision decision = access.decide(who, wanted);
        return {decision.allowed, decision.reason};
      },
      about);
}

void AdmissionBindings::set_params(const Value& params) {
  values_[kParams] = params.has_value() ? cel::Datum::document(params) : cel::Datum();
}

void AdmissionBindings::set_variables(std::vector<cel::Datum::Entry> variables) {
  values_[kVariables] = cel::Datum::map(std::move(variables));
}

Result<std::vector<CompiledCondition>> compile_conditions(const Value& conditions) {
  std::vector<CompiledCondition> compiled;
  for (const auto& condition : conditions.items()) {
    MINIK_ASSIGN(auto program, cel::Program::compile(condition.get("expression").as_string(), admission_environment(),
                                                     cel::Kind::kBool));
    compiled.push_back({condition[keys::kName].string(), std::move(program)});
  }
  return compiled;
}

Result<bool> conditions_hold(const std::vector<CompiledCondition>& conditions, const AdmissionBindings& bindings,
                             cel::Budget& budget) {
  std::string failed;
  for (const auto& condition : conditions) {
    const auto result = condition.program.evaluate(bindings.values(), budget);
    if (result && !result->is_true()) return false;
    if (!result) failed += cat(failed.empty() ? "" : ", ", result.error().message);
  }
  if (!failed.empty()) return Error(ErrorCode::kInternalError, failed);
  return true;
}

}  // namespace minik::control
