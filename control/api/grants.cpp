#include "control/api/grants.h"

#include <algorithm>
#include <map>

#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

std::string list_text(const Value& list) {
  std::vector<std::string> items;
  for (const auto& item : list.items()) items.push_back(quoted(item.as_string()));
  return cat("[", join(items, " "), "]");
}

std::string rule_text(const Value& rule) {
  std::vector<std::string> parts;
  for (const auto& [title, key] :
       {std::pair{"APIGroups", keys::kApiGroups}, std::pair{"Resources", keys::kResources},
        std::pair{"ResourceNames", keys::kResourceNames}, std::pair{"NonResourceURLs", keys::kNonResourceURLs},
        std::pair{"Verbs", keys::kVerbs}}) {
    if (!rule[key].empty()) parts.push_back(cat(title, ":", list_text(rule[key])));
  }
  return cat("{", join(parts, ", "), "}");
}

// Verbs of one resource together, as Kubernetes tells them.
std::vector<std::string> rule_texts(const std::vector<Value>& rights) {
  std::map<std::string, std::pair<Value, std::vector<Value>>> verbs_of;  // by all else that a right says
  for (const auto& right : rights) {
    auto& [rest, verbs] = verbs_of[rule_text(right.without(keys::kVerbs))];
    rest = right;
    for (const auto& verb : right[keys::kVerbs].items()) {
      if (std::ranges::find(verbs, verb) == verbs.end()) verbs.push_back(verb);
    }
  }
  std::vector<std::string> texts;
  for (const auto& [text, group] : verbs_of) texts.push_back(rule_text(group.first.with(keys::kVerbs, Value::array(group.second))));
  return texts;
}

Error not_held(const ResourceInfo& resource, const UserInfo& user, const Value& object, const std::vector<Value>& rules) {
  std::vector<std::string> groups;
  for (const auto& group : user.groups) groups.push_back(quoted(group));
  return forbidden(resource, object_name(object),
                   cat("user ", quoted(user.name), " (groups=[", join(groups, " "),
                       "]) is attempting to grant RBAC permissions not currently held:\n",
                       join(rule_texts(rules), "\n")));
}

Status may_write_role(const Authorizer& access, const UserInfo& user, const ResourceInfo& resource, const Value& object,
                      const Value& old) {
  const bool same = old.has_value() && old[keys::kRules] == object[keys::kRules] &&
                    old[keys::kAggregationRule] == object[keys::kAggregationRule];
  const auto namespace_ = object_namespace(object);
  const Attributes escalate{"escalate", resource.group, resource.plural, "", namespace_, object_name(object), ""};
  if (same || access.allows(user, escalate)) return {};
  // What an aggregate will say is not known yet, so it needs all.
  const Value all = Value::array({"*"});
  const Value everything = Value::array(
      {Value::map({{keys::kVerbs, all}, {keys::kApiGroups, all}, {keys::kResources, all}})});
  const bool aggregates = object[keys::kAggregationRule].has_value();
  const auto lacking = access.rbac().missing(user, namespace_, aggregates ? everything : object[keys::kRules]);
  if (lacking.empty()) return {};
  return not_held(resource, user, object, lacking);
}

Status may_write_binding(const Authorizer& access, const UserInfo& user, const ResourceInfo& resource, const Value& object,
                         const Value& old) {
  const Value& role = object[keys::kRoleRef];
  if (old.has_value() && old[keys::kSubjects] == object[keys::kSubjects] && old[keys::kRoleRef] == role) return {};
  const bool cluster = role[keys::kKind].as_string() == "ClusterRole";
  const auto namespace_ = object_namespace(object);
  const Attributes bind{"bind",     resource.group, cluster ? "clusterroles" : "roles", "",
                        namespace_, role[keys::kName].as_string(), ""};
  if (access.allows(user, bind)) return {};
  const Value& named = access.rbac().role_of(role, namespace_);
  if (named.is_absent()) {
    return Error(ErrorCode::kNotFound, cat(cluster ? "clusterroles" : "roles", ".rbac.authorization.k8s.io ",
                                           quoted(role[keys::kName].as_string()), " not found"));
  }
  const auto lacking = access.rbac().missing(user, namespace_, named[keys::kRules]);
  if (lacking.empty()) return {};
  return not_held(resource, user, object, lacking);
}

}  // namespace

Status may_grant(const Authorizer& access, const UserInfo& user, const ResourceInfo& resource, const Value& object,
                 const Value& old) {
  if (is_master(user)) return {};
  if (resource.id == kinds::kRoles || resource.id == kinds::kClusterroles)
    return may_write_role(access, user, resource, object, old);
  if (resource.id == kinds::kRolebindings || resource.id == kinds::kClusterrolebindings)
    return may_write_binding(access, user, resource, object, old);
  return {};
}

}  // namespace minik::control
