// The reviews: who somebody is, and what he may do. Asked and answered at once, nothing is stored.
#include "control/access/rbac.h"
#include "control/api/subresources.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

Value texts(const std::vector<std::string>& list) {
  return Value::array(std::vector<Value>(list.begin(), list.end()));
}

Value user_info(const UserInfo& user) {
  MapBuilder extra;
  for (const auto& [name, values] : user.extra) extra.set(Key(name), texts(values));
  return Value::map({{keys::kUsername, user.name},
                     {keys::kUid, user.uid.empty() ? Value() : Value(user.uid)},
                     {keys::kGroups, texts(user.groups)},
                     {keys::kExtra, extra.empty() ? Value() : std::move(extra).build()}});
}

// Resource rules and path rules apart, as SubjectRulesReviewStatus has them.
Value rules_status(const std::vector<Value>& rules) {
  std::vector<Value> resources, urls;
  for (const auto& rule : rules) (rule[keys::kNonResourceURLs].empty() ? resources : urls).push_back(rule);
  return Value::map({{keys::kResourceRules, Value::array(std::move(resources))},
                     {keys::kNonResourceRules, Value::array(std::move(urls))},
                     {keys::kIncomplete, false}});
}

// The attributes point into the spec.
Attributes attributes_of(const Value& spec, std::string_view namespace_) {
  const Value& resource = spec[keys::kResourceAttributes];
  const Value& path = spec[keys::kNonResourceAttributes];
  if (path.has_value()) return {path[keys::kVerb].as_string(), "", "", "", "", "", path[keys::kPath].as_string()};
  return {resource[keys::kVerb].as_string(),        resource[keys::kGroup].as_string(),
          resource[keys::kResource].as_string(),    resource[keys::kSubresource].as_string(),
          namespace_.empty() ? resource[keys::kNamespace].as_string() : namespace_,
          resource[keys::kName].as_string(),        ""};
}

}  // namespace

bool Subresources::is_review(const ResourceInfo& resource) {
  return resource.group == "authorization.k8s.io" || resource.group == "authentication.k8s.io";
}

Result<ApiResponse> Subresources::review() {
  const Value& spec = request_.body[keys::kSpec];
  const Value base = request_.body.with(keys::kApiVersion, resource_.api_version).with(keys::kKind, resource_.kind);
  const auto answer = [&](Value status) {
    return ApiResponse{base.with(keys::kStatus, std::move(status)), true, false, {}};
  };
  if (resource_.kind == "SelfSubjectReview") return answer(Value::map({{keys::kUserInfo, user_info(request_.user)}}));
  if (resource_.kind == "SelfSubjectRulesReview") {
    return answer(rules_status(server_.access_.rules_of(request_.user, spec[keys::kNamespace].as_string())));
  }
  UserInfo subject = request_.user;
  if (resource_.kind == "SubjectAccessReview" || resource_.kind == "LocalSubjectAccessReview") {
    subject = UserInfo{spec[keys::kUser].string(), spec[keys::kUid].string(), {}, {}};
    for (const auto& group : spec[keys::kGroups].items()) subject.groups.push_back(group.string());
    if (subject.name.empty() && subject.groups.empty()) {
      return Error(ErrorCode::kInvalid, "at least one of spec.user and spec.groups must be given");
    }
  } else if (resource_.kind != "SelfSubjectAccessReview") {
    return Error(ErrorCode::kMethodNotAllowed, cat(resource_.kind, " is not there yet"));
  }
  if (spec[keys::kResourceAttributes].has_value() == spec[keys::kNonResourceAttributes].has_value()) {
    return Error(ErrorCode::kInvalid,
                 "exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be given");
  }
  const bool local = resource_.kind == "LocalSubjectAccessReview";
  const auto why = server_.access_.allows(subject, attributes_of(spec, local ? std::string_view(request_.namespace_) : ""));
  return answer(Value::map({{keys::kAllowed, why.has_value()},
                            {keys::kReason, why && !why->empty() ? Value(*why) : Value()}}));
}

}  // namespace minik::control
