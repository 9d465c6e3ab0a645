// The roles and bindings that Kubernetes has from the start, as far as there is something here that they are
// about. What admin, edit and view may do comes together by aggregation, so that others can add to it.
#include "control/access/rbac.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

Value texts(std::string_view words) {
  std::vector<Value> list;
  for (const auto word : split(words, ' ')) list.emplace_back(word == "core" ? std::string_view() : word);
  return Value::array(std::move(list));
}

Value rule(std::string_view groups, std::string_view resources, std::string_view verbs) {
  return Value::map({{keys::kApiGroups, texts(groups)}, {keys::kResources, texts(resources)}, {keys::kVerbs, texts(verbs)}});
}

Value paths(std::string_view urls) {
  return Value::map({{keys::kNonResourceURLs, texts(urls)}, {keys::kVerbs, texts("get")}});
}

Value bootstrapping() {
  return Value::map({{"kubernetes.io/bootstrapping", "rbac-defaults"}});
}

Value role(std::string_view name, std::vector<Value> rules, std::string_view aggregated_to = {}) {
  Value labels = bootstrapping();
  if (!aggregated_to.empty())
    labels = labels.with(Key(cat("rbac.authorization.k8s.io/aggregate-to-", aggregated_to)), "true");
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, name}, {keys::kLabels, labels}})},
                     {keys::kRules, Value::array(std::move(rules))}});
}

// Of the roles that are marked for this one; edit is also marked for admin, and view for edit.
Value aggregate(std::string_view name, std::string_view aggregated_to = {}) {
  const Value marked = Value::map({{Key(cat("rbac.authorization.k8s.io/aggregate-to-", name)), "true"}});
  const Value selectors = Value::array({Value::map({{keys::kMatchLabels, marked}})});
  return role(name, {}, aggregated_to)
      .with(keys::kAggregationRule, Value::map({{keys::kClusterRoleSelectors, selectors}}))
      .without(keys::kRules);
}

constexpr std::string_view kRead = "get list watch";
constexpr std::string_view kWrite = "create delete deletecollection patch update";
constexpr std::string_view kCoreWorkloads =
    "configmaps endpoints persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale serviceaccounts services";
constexpr std::string_view kAppsWorkloads =
    "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";

Value binding(std::string_view name, std::string_view role_name, std::vector<std::string_view> groups) {
  std::vector<Value> subjects;
  for (const auto group : groups) {
    subjects.push_back(Value::map(
        {{keys::kKind, "Group"}, {keys::kApiGroup, "rbac.authorization.k8s.io"}, {keys::kName, group}}));
  }
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, name}, {keys::kLabels, bootstrapping()}})},
                     {keys::kRoleRef, Value::map({{keys::kApiGroup, "rbac.authorization.k8s.io"},
                                                  {keys::kKind, "ClusterRole"},
                                                  {keys::kName, role_name}})},
                     {keys::kSubjects, Value::array(std::move(subjects))}});
}

}  // namespace

std::vector<Value> bootstrap_cluster_roles() {
  std::vector<Value> roles;
  roles.push_back(role("cluster-admin", {rule("*", "*", "*"),
                                         Value::map({{keys::kNonResourceURLs, texts("*")}, {keys::kVerbs, texts("*")}})}));
  roles.push_back(aggregate("admin"));
  roles.push_back(aggregate("edit", "admin"));
  roles.push_back(aggregate("view", "edit"));
  roles.push_back(role("system:aggregate-to-admin",
                       {rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
                        rule("rbac.authorization.k8s.io", "rolebindings roles", cat(kWrite, " ", kRead))},
                       "admin"));
  roles.push_back(role(
      "system:aggregate-to-edit",
      {rule("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", kRead),
       rule("core", "serviceaccounts", "impersonate"),
       rule("core", "pods pods/attach pods/exec pods/portforward pods/proxy", kWrite),
       rule("core", "pods/eviction serviceaccounts/token", "create"),
       rule("core", cat(kCoreWorkloads, " events secrets services/proxy"), kWrite),
       rule("apps", cat(kAppsWorkloads, " deployments/rollback"), kWrite),
       rule("autoscaling", "horizontalpodautoscalers", kWrite), rule("batch", "cronjobs jobs", kWrite),
       rule("networking.k8s.io", "ingresses networkpolicies", kWrite), rule("policy", "poddisruptionbudgets", kWrite),
       rule("coordination.k8s.io", "leases", cat(kWrite, " ", kRead))},
      "edit"));
  roles.push_back(role(
      "system:aggregate-to-view",
      {rule("core", cat(kCoreWorkloads, " persistentvolumeclaims/status services/status"), kRead),
       rule("core",
            "bindings events limitranges namespaces namespaces/status pods/log pods/status "
            "replicationcontrollers/status resourcequotas resourcequotas/status",
            kRead),
       rule("discovery.k8s.io", "endpointslices", kRead),
       rule("apps", cat(kAppsWorkloads, " controllerrevisions daemonsets/status deployments/status replicasets/status "
                                        "statefulsets/status"), kRead),
       rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", kRead),
       rule("batch", "cronjobs cronjobs/status jobs jobs/status", kRead),
       rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", kRead),
       rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", kRead),
       rule("metrics.k8s.io", "nodes pods", kRead)},
      "view"));
  constexpr std::string_view kDiscovery = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/";
  roles.push_back(role("system:discovery", {paths(kDiscovery)}));
  roles.push_back(role("system:public-info-viewer", {paths("/healthz /livez /readyz /version /version/")}));
  roles.push_back(role("system:basic-user",
                       {rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
                        rule("authentication.k8s.io", "selfsubjectreviews", "create")}));
  roles.push_back(role("system:monitoring", {paths("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")}));
  roles.push_back(role("system:service-account-issuer-discovery",
                       {paths("/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/")}));
  return roles;
}

std::vector<Value> bootstrap_cluster_role_bindings() {
  constexpr std::string_view kEverybody = "system:authenticated", kAnonymous = "system:unauthenticated";
  return {binding("cluster-admin", "cluster-admin", {"system:masters"}),
          binding("system:discovery", "system:discovery", {kEverybody}),
          binding("system:basic-user", "system:basic-user", {kEverybody}),
          binding("system:public-info-viewer", "system:public-info-viewer", {kEverybody, kAnonymous}),
          binding("system:monitoring", "system:monitoring", {"system:monitoring"}),
          binding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery",
                  {"system:serviceaccounts"})};
}

}  // namespace minik::control
