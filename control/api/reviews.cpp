// The reviews: who somebody is, what he may do, and whom a token speaks for. Asked and answered at once, nothing is
// stored.
#include <algorithm>

#include "control/api/errors.h"
#include "control/api/subresources.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

Value texts(const std::vector<std::string>& list) {
  return list.empty() ? Value() : Value::array(std::vector<Value>(list.begin(), list.end()));
}

Value user_info(const UserInfo& user) {
  MapBuilder extra;
  for (const auto& [name, values] : user.extra) extra.set(Key(name), texts(values));
  return Value::map({{keys::kUsername, user.name.empty() ? Value() : Value(user.name)},
                     {keys::kUid, user.uid.empty() ? Value() : Value(user.uid)},
                     {keys::kGroups, texts(user.groups)},
                     {keys::kExtra, extra.empty() ? Value() : std::move(extra).build()}});
}

UserInfo subject_of(const Value& spec) {
  UserInfo subject{spec[keys::kUser].string(), spec[keys::kUid].string(), {}, {}};
  for (const auto& group : spec[keys::kGroups].items()) subject.groups.push_back(group.string());
  for (const auto& [name, values] : spec[keys::kExtra].entries()) {
    auto& [key, list] = subject.extra.emplace_back(std::string(name.text()), std::vector<std::string>());
    for (const auto& value : values.items()) list.push_back(value.string());
  }
  return subject;
}

// Resource rules and path rules apart, as SubjectRulesReviewStatus has them. What a node's agent may do cannot be
// said in rules: it depends on the pods there.
Value rules_status(const std::vector<Value>& rules, bool of_node) {
  std::vector<Value> resources, urls;
  for (const auto& rule : rules) (rule[keys::kNonResourceURLs].empty() ? resources : urls).push_back(rule);
  const Value why = of_node ? Value("node authorizer does not support user rule resolution") : Value();
  return Value::map({{keys::kResourceRules, Value::array(std::move(resources))},
                     {keys::kNonResourceRules, Value::array(std::move(urls))},
                     {keys::kIncomplete, of_node},
                     {keys::kEvaluationError, why}});
}

// The attributes point into the spec.
Attributes attributes_of(const Value& spec, std::string_view namespace_) {
  const Value& resource = spec[keys::kResourceAttributes];
  const Value& path = spec[keys::kNonResourceAttributes];
  if (path.has_value()) return {path[keys::kVerb].as_string(), "", "", "", "", "", path[keys::kPath].as_string()};
  return {resource[keys::kVerb].as_string(),     resource[keys::kGroup].as_string(),
          resource[keys::kResource].as_string(), resource[keys::kSubresource].as_string(),
          namespace_.empty() ? resource[keys::kNamespace].as_string() : namespace_,
          resource[keys::kName].as_string()};
}

ErrorCause mistake(std::string_view field, std::string_view bad, std::string_view why) {
  return {"FieldValueInvalid", cat("Invalid value: ", bad, ": ", why), std::string(field)};
}

std::string list_text(const std::vector<std::string>& list) {
  std::vector<std::string> all;
  for (const auto& item : list) all.push_back(quoted(item));
  return cat("[", join(all, " "), "]");
}

}  // namespace

bool Subresources::is_review(const ResourceInfo& resource) {
  return resource.group == "authorization.k8s.io" || resource.group == "authentication.k8s.io";
}

// Of the three kinds that ask whether somebody may do something.
Status Subresources::check_access_review() const {
  const Value& spec = request_.body[keys::kSpec];
  const Value& resource = spec[keys::kResourceAttributes];
  const Value& path = spec[keys::kNonResourceAttributes];
  const bool local = resource_.kind == "LocalSubjectAccessReview", self = resource_.kind == "SelfSubjectAccessReview";
  std::vector<ErrorCause> mistakes;
  if (local && path.has_value()) {
    mistakes.push_back(mistake("spec.nonResourceAttributes", "{}", "disallowed on this kind of request"));
  } else if (resource.has_value() && path.has_value()) {
    mistakes.push_back(mistake("spec.nonResourceAttributes", "{}", "cannot be specified in combination with resourceAttributes"));
  } else if (!resource.has_value() && !path.has_value()) {
    mistakes.push_back(mistake("spec.resourceAttributes", "null",
                               "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
  }
  if (!self && spec[keys::kUser].as_string().empty() && spec[keys::kGroups].empty())
    mistakes.push_back(mistake("spec.user", "\"\"", "at least one of user or group must be specified"));
  const auto namespace_ = resource[keys::kNamespace].as_string();
  if (local && namespace_ != request_.namespace_)
    mistakes.push_back(mistake("spec.resourceAttributes.namespace", quoted(namespace_), "must match metadata.namespace"));
  if (mistakes.empty()) return {};
  return invalid(resource_, "", std::move(mistakes));
}

// What is wrong with a token is told as a status: the review itself has succeeded.
Result<Value> Subresources::token_status() const {
  const Value& spec = request_.body[keys::kSpec];
  const auto token = spec[keys::kToken].as_string();
  if (token.empty()) return Error(ErrorCode::kBadRequest, "token is required for TokenReview in authentication");
  const auto refused = [](std::string_view why) { return Value::map({{keys::kUser, Value::empty_map()}, {keys::kError, why}}); };
  const auto& options = server_.options_;
  if (!options.verify_token) return refused("invalid bearer token");
  const auto identity = options.verify_token(token);
  if (!identity) return refused(cat("[invalid bearer token, ", identity.error().message, "]"));
  if (identity->bond) {
    const Status bound = server_.check_bound(*identity->bond);
    if (!bound.ok()) return refused(cat("[invalid bearer token, ", bound.error().message, "]"));
  }
  std::vector<std::string> wanted;
  for (const auto& audience : spec[keys::kAudiences].items()) wanted.push_back(audience.string());
  if (wanted.empty()) wanted.push_back(options.api_audience);
  const auto meant_for = identity->audiences.empty() ? std::vector<std::string>{options.api_audience} : identity->audiences;
  std::vector<std::string> audiences;
  for (const auto& audience : wanted) {
    if (std::ranges::find(meant_for, audience) != meant_for.end()) audiences.push_back(audience);
  }
  if (audiences.empty()) {
    return refused(cat("[invalid bearer token, token audiences ", list_text(meant_for),
                       " is invalid for the target audiences ", list_text(wanted), "]"));
  }
  return Value::map({{keys::kAuthenticated, true}, {keys::kUser, user_info(identity->user)}, {keys::kAudiences, texts(audiences)}});
}

Result<ApiResponse> Subresources::review() {
  const Value& spec = request_.body[keys::kSpec];
  const Value base = request_.body.with(keys::kApiVersion, resource_.api_version).with(keys::kKind, resource_.kind);
  const auto answer = [&](Value status) { return ApiResponse{base.with(keys::kStatus, std::move(status)), true, false, {}}; };
  if (resource_.kind == "SelfSubjectReview") return answer(Value::map({{keys::kUserInfo, user_info(request_.user)}}));
  if (resource_.kind == "TokenReview") {
    MINIK_ASSIGN(auto status, token_status());
    return answer(std::move(status));
  }
  if (resource_.kind == "SelfSubjectRulesReview") {
    const auto namespace_ = spec[keys::kNamespace].as_string();
    if (namespace_.empty()) return Error(ErrorCode::kBadRequest, "no namespace on request");
    return answer(rules_status(server_.access_.rbac().rules_of(request_.user, namespace_), !node_name_of(request_.user).empty()));
  }
  MINIK_TRY(check_access_review());
  const bool self = resource_.kind == "SelfSubjectAccessReview", local = resource_.kind == "LocalSubjectAccessReview";
  const Decision decision = server_.access_.decide(
      self ? request_.user : subject_of(spec), attributes_of(spec, local ? std::string_view(request_.namespace_) : ""));
  return answer(Value::map({{keys::kAllowed, decision.allowed},
                            {keys::kReason, decision.reason.empty() ? Value() : Value(decision.reason)}}));
}

}  // namespace minik::control
