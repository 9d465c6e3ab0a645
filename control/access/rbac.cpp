#include "control/access/rbac.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kMasters = "system:masters";
constexpr std::string_view kServiceAccount = "system:serviceaccount:";

bool has(const Value& list, std::string_view wanted) {
  return std::ranges::any_of(list.items(), [&](const Value& item) { return item.as_string() == wanted; });
}

bool has_or_all(const Value& list, std::string_view wanted) {
  return has(list, "*") || has(list, wanted);
}

bool covers_resource(const Value& resources, std::string_view resource, std::string_view subresource) {
  if (has(resources, "*")) return true;
  if (subresource.empty()) return has(resources, resource);
  return has(resources, cat(resource, "/", subresource)) || has(resources, cat("*/", subresource));
}

bool covers_path(const Value& urls, std::string_view path) {
  return std::ranges::any_of(urls.items(), [&](const Value& item) {
    const auto url = item.as_string();
    return url == "*" || url == path || (url.ends_with('*') && path.starts_with(url.substr(0, url.size() - 1)));
  });
}

bool is_subject(const UserInfo& user, const Value& subject, std::string_view namespace_) {
  const auto kind = subject[keys::kKind].as_string();
  const auto name = subject[keys::kName].as_string();
  if (kind == "User") return user.name == name;
  if (kind == "Group") return std::ranges::find(user.groups, name) != user.groups.end();
  if (kind != "ServiceAccount") return false;
  const auto home = subject[keys::kNamespace].as_string(namespace_);
  return !home.empty() && user.name == cat(kServiceAccount, home, ":", name);
}

std::string subject_text(const Value& subject) {
  const auto kind = subject[keys::kKind].as_string();
  const auto name = subject[keys::kName].as_string();
  const auto home = subject[keys::kNamespace].as_string();
  return kind == "ServiceAccount" ? cat(kind, " ", quoted(cat(home, "/", name))) : cat(kind, " ", quoted(name));
}

std::string binding_text(const Value& binding, bool cluster) {
  return cluster ? cat("ClusterRoleBinding ", quoted(object_name(binding)))
                 : cat("RoleBinding ", quoted(cat(object_name(binding), "/", object_namespace(binding))));
}

// A rule for each single right, so that rights which are spread over rules add up.
std::vector<Value> single_rights(const Value& rule) {
  const auto one = [](const Value& item) { return Value::array({item}); };
  std::vector<Value> rights;
  for (const auto& verb : rule[keys::kVerbs].items()) {
    for (const auto& url : rule[keys::kNonResourceURLs].items())
      rights.push_back(Value::map({{keys::kVerbs, one(verb)}, {keys::kNonResourceURLs, one(url)}}));
    for (const auto& group : rule[keys::kApiGroups].items()) {
      for (const auto& resource : rule[keys::kResources].items()) {
        const auto names = rule[keys::kResourceNames].items();
        for (size_t i = 0; i < std::max<size_t>(1, names.size()); ++i) {
          rights.push_back(Value::map({{keys::kVerbs, one(verb)},
                                       {keys::kApiGroups, one(group)},
                                       {keys::kResources, one(resource)},
                                       {keys::kResourceNames, names.empty() ? Value() : one(names[i])}}));
        }
      }
    }
  }
  return rights;
}

// Whether a rule gives this one right; a wildcard in the right is given by a wildcard only.
bool gives(const Value& rule, const Value& right) {
  const auto only = [&](const Key& key) {
    const auto items = right[key].items();
    return items.empty() ? std::string_view() : items[0].as_string();
  };
  if (!has_or_all(rule[keys::kVerbs], only(keys::kVerbs))) return false;
  if (!right[keys::kNonResourceURLs].empty())
    return covers_path(rule[keys::kNonResourceURLs], only(keys::kNonResourceURLs));
  const auto resource = only(keys::kResources);
  const size_t slash = resource.find('/');
  const auto subresource = slash == std::string_view::npos ? std::string_view() : resource.substr(slash + 1);
  const Value& names = rule[keys::kResourceNames];
  return has_or_all(rule[keys::kApiGroups], only(keys::kApiGroups)) &&
         covers_resource(rule[keys::kResources], resource.substr(0, slash), subresource) &&
         (names.empty() || (!right[keys::kResourceNames].empty() && has(names, only(keys::kResourceNames))));
}

}  // namespace

bool rule_allows(const Value& rule, const Attributes& wanted) {
  if (!has_or_all(rule[keys::kVerbs], wanted.verb)) return false;
  if (!wanted.path.empty()) return covers_path(rule[keys::kNonResourceURLs], wanted.path);
  const Value& names = rule[keys::kResourceNames];
  return has_or_all(rule[keys::kApiGroups], wanted.group) &&
         covers_resource(rule[keys::kResources], wanted.resource, wanted.subresource) &&
         (names.empty() || (!wanted.name.empty() && has(names, wanted.name)));
}

bool is_master(const UserInfo& user) {
  return std::ranges::find(user.groups, kMasters) != user.groups.end();
}

const Value& Rbac::role_of(const Value& role_ref, std::string_view namespace_) const {
  const bool cluster = role_ref[keys::kKind].as_string() == "ClusterRole";
  return cluster ? store_.find(kinds::kClusterroles, "", role_ref[keys::kName].as_string())
                 : store_.find(kinds::kRoles, namespace_, role_ref[keys::kName].as_string());
}

void Rbac::visit_rules(const UserInfo& user, std::string_view namespace_, const Visit& visit) const {
  bool done = false;
  const auto look = [&](const Value& binding, bool cluster) {
    if (done) return;
    const auto subjects = binding[keys::kSubjects].items();
    const auto subject = std::ranges::find_if(
        subjects, [&](const Value& s) { return is_subject(user, s, cluster ? std::string_view() : namespace_); });
    if (subject == subjects.end()) return;
    const Value& role = role_of(binding[keys::kRoleRef], namespace_);
    if (role.is_absent()) done = visit(role, binding, cluster, *subject);
    for (const auto& rule : role[keys::kRules].items()) done = done || visit(rule, binding, cluster, *subject);
  };
  // Lists, and not in the order of a hash table: what is answered names the binding.
  const auto everywhere = store_.list(kinds::kClusterrolebindings, "");
  for (const auto& binding : everywhere->objects) look(binding, true);
  if (namespace_.empty()) return;
  const auto local = store_.list(kinds::kRolebindings, namespace_);
  for (const auto& binding : local->objects) look(binding, false);
}

Decision Rbac::decide(const UserInfo& user, const Attributes& wanted) const {
  Decision decision;
  std::vector<std::string> missing_roles;
  visit_rules(user, wanted.namespace_, [&](const Value& rule, const Value& binding, bool cluster, const Value& subject) {
    const Value& role = binding[keys::kRoleRef];
    const auto kind = role[keys::kKind].as_string(), name = role[keys::kName].as_string();
    if (rule.is_absent())
      missing_roles.push_back(cat(to_lower(kind), ".rbac.authorization.k8s.io ", quoted(name), " not found"));
    if (rule.is_absent() || !rule_allows(rule, wanted)) return false;
    decision = {true, cat("RBAC: allowed by ", binding_text(binding, cluster), " of ", kind, " ", quoted(name), " to ",
                          subject_text(subject))};
    return true;
  });
  if (decision.allowed || missing_roles.empty()) return decision;
  const auto all = join(missing_roles, ", ");
  decision.reason = missing_roles.size() == 1 ? cat("RBAC: ", all) : cat("RBAC: [", all, "]");
  return decision;
}

std::vector<Value> Rbac::rules_of(const UserInfo& user, std::string_view namespace_) const {
  std::vector<Value> rules;
  if (is_master(user)) {
    const Value all = Value::array({"*"});
    rules.push_back(Value::map({{keys::kVerbs, all}, {keys::kApiGroups, all}, {keys::kResources, all}}));
    rules.push_back(Value::map({{keys::kVerbs, all}, {keys::kNonResourceURLs, all}}));
  }
  visit_rules(user, namespace_, [&](const Value& rule, const Value&, bool, const Value&) {
    if (rule.has_value()) rules.push_back(rule);
    return false;
  });
  return rules;
}

std::vector<Value> Rbac::missing(const UserInfo& user, std::string_view namespace_, const Value& rules) const {
  std::vector<Value> lacking;
  if (is_master(user)) return lacking;
  const auto own = rules_of(user, namespace_);
  for (const auto& rule : rules.items()) {
    for (const auto& right : single_rights(rule)) {
      if (!std::ranges::any_of(own, [&](const Value& mine) { return gives(mine, right); })) lacking.push_back(right);
    }
  }
  return lacking;
}

}  // namespace minik::control
