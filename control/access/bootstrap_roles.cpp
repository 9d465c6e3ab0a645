// The roles and bindings that Kubernetes has from the start. What admin, edit and view may do comes together by
// aggregation, so that others can add to it.
#include "control/access/bootstrap_roles.h"

#include <algorithm>

#include "control/access/controller_roles.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Words separated by spaces; "core" is the group without a name.
Value texts(std::string_view words) {
  std::vector<Value> list;
  for (const auto word : split(words, ' ')) list.emplace_back(word == "core" ? std::string_view() : word);
  return Value::array(std::move(list));
}

Value rule(std::string_view groups, std::string_view resources, std::string_view verbs, std::string_view names = {}) {
  return Value::map({{keys::kApiGroups, texts(groups)},
                     {keys::kResources, texts(resources)},
                     {keys::kVerbs, texts(verbs)},
                     {keys::kResourceNames, names.empty() ? Value() : texts(names)}});
}

Value paths(std::string_view urls, std::string_view verbs = "get") {
  return Value::map({{keys::kNonResourceURLs, texts(urls)}, {keys::kVerbs, texts(verbs)}});
}

Value metadata(std::string_view name, Value labels = Value::empty_map()) {
  return Value::map({{keys::kName, name},
                     {keys::kLabels, labels.with("kubernetes.io/bootstrapping", "rbac-defaults")},
                     {keys::kAnnotations, Value::map({{Key(kAutoUpdate), "true"}})}});
}

Value role(std::string_view name, std::vector<Value> rules, std::string_view aggregated_to = {}) {
  Value labels = Value::empty_map();
  if (!aggregated_to.empty())
    labels = labels.with(Key(cat("rbac.authorization.k8s.io/aggregate-to-", aggregated_to)), "true");
  return Value::map({{keys::kMetadata, metadata(name, labels)}, {keys::kRules, Value::array(std::move(rules))}});
}

// Of the roles that are marked for this one; edit is also marked for admin, and view for edit.
Value aggregate(std::string_view name, std::string_view aggregated_to = {}) {
  const Value marked = Value::map({{Key(cat("rbac.authorization.k8s.io/aggregate-to-", name)), "true"}});
  const Value selectors = Value::array({Value::map({{keys::kMatchLabels, marked}})});
  return role(name, {}, aggregated_to)
      .with(keys::kAggregationRule, Value::map({{keys::kClusterRoleSelectors, selectors}}))
      .without(keys::kRules);
}

using role_verbs::kRead;
constexpr std::string_view kWrite = "create delete deletecollection patch update";
constexpr std::string_view kAll = "create delete deletecollection get list patch update watch";
constexpr std::string_view kEventVerbs = "create patch update";
constexpr std::string_view kAppsWorkloads =
    "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";
constexpr std::string_view kClaims = "resourceclaims resourceclaimtemplates";

void add_roles_of_users(std::vector<Value>& roles) {
  roles.push_back(role("cluster-admin", {rule("*", "*", "*"), paths("*", "*")}));
  roles.push_back(aggregate("admin"));
  roles.push_back(aggregate("edit", "admin"));
  roles.push_back(aggregate("view", "edit"));
  roles.push_back(role("system:aggregate-to-admin",
                       {rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
                        rule("rbac.authorization.k8s.io", "rolebindings roles", kAll)},
                       "admin"));
  roles.push_back(role(
      "system:aggregate-to-edit",
      {rule("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", kRead),
       rule("core", "serviceaccounts", "impersonate"),
       rule("core", "pods pods/attach pods/exec pods/portforward pods/proxy", kWrite),
       rule("core", "pods/eviction", "create"),
       rule("core", "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale "
                    "secrets serviceaccounts services services/proxy", kWrite),
       rule("core", "serviceaccounts/token", "create"),
       rule("apps", cat(kAppsWorkloads, " deployments/rollback"), kWrite),
       rule("autoscaling", "horizontalpodautoscalers", kWrite), rule("batch", "cronjobs jobs", kWrite),
       rule("extensions", "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies "
                          "replicasets replicasets/scale replicationcontrollers/scale", kWrite),
       rule("policy", "poddisruptionbudgets", kWrite), rule("networking.k8s.io", "ingresses networkpolicies", kWrite),
       rule("coordination.k8s.io", "leases", kAll), rule("resource.k8s.io", kClaims, kWrite)},
      "edit"));
  roles.push_back(role(
      "system:aggregate-to-view",
      {rule("core", "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
                    "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status", kRead),
       rule("core", "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
                    "resourcequotas resourcequotas/status", kRead),
       rule("core", "namespaces", kRead), rule("discovery.k8s.io", "endpointslices", kRead),
       rule("apps", cat(kAppsWorkloads, " controllerrevisions daemonsets/status deployments/status replicasets/status "
                                        "statefulsets/status"), kRead),
       rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", kRead),
       rule("batch", "cronjobs cronjobs/status jobs jobs/status", kRead),
       rule("extensions", "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses "
                          "ingresses/status networkpolicies replicasets replicasets/scale replicasets/status "
                          "replicationcontrollers/scale", kRead),
       rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", kRead),
       rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", kRead),
       rule("resource.k8s.io", cat(kClaims, " resourceclaims/status"), kRead),
       rule("metrics.k8s.io", "nodes pods", kRead)},
      "view"));
}

// What everybody may read, and what those who watch over a cluster may.
void add_roles_of_readers(std::vector<Value>& roles) {
  roles.push_back(role("system:discovery", {paths("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz "
                                                  "/version /version/")}));
  roles.push_back(role("system:public-info-viewer", {paths("/healthz /livez /readyz /version /version/")}));
  roles.push_back(role("system:basic-user",
                       {rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
                        rule("authentication.k8s.io", "selfsubjectreviews", "create")}));
  roles.push_back(role("system:monitoring",
                       {paths("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")}));
  roles.push_back(role("system:service-account-issuer-discovery",
                       {paths("/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks "
                              "/openid/v1/jwks/")}));
  roles.push_back(role("system:heapster", {rule("core", "events namespaces nodes pods", kRead),
                                           rule("extensions", "deployments", kRead)}));
  roles.push_back(role("system:auth-delegator", {rule("authentication.k8s.io", "tokenreviews", "create"),
                                                 rule("authorization.k8s.io", "subjectaccessreviews", "create")}));
}

void add_roles_of_nodes(std::vector<Value>& roles) {
  roles.push_back(role(
      "system:node",
      {rule("authentication.k8s.io", "tokenreviews", "create"),
       rule("authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews", "create"),
       rule("core", "services", kRead), rule("core", "nodes", "create get list watch"),
       rule("core", "nodes/status", "patch update"), rule("core", "nodes", "patch update"),
       rule("core", "events", kEventVerbs), rule("core", "pods", kRead), rule("core", "pods", "create delete"),
       rule("core", "pods/status", "patch update"), rule("core", "pods/eviction", "create"),
       rule("core", "configmaps secrets", kRead), rule("core", "persistentvolumeclaims persistentvolumes", "get"),
       rule("core", "endpoints", "get"),
       rule("certificates.k8s.io", "certificatesigningrequests", "create get list watch"),
       rule("coordination.k8s.io", "leases", "create delete get patch update"),
       rule("storage.k8s.io", "volumeattachments", "get"), rule("core", "serviceaccounts/token", "create"),
       rule("core", "persistentvolumeclaims/status", "get patch update"),
       rule("storage.k8s.io", "csidrivers", kRead), rule("storage.k8s.io", "csinodes", "create delete get patch update"),
       rule("node.k8s.io", "runtimeclasses", kRead), rule("resource.k8s.io", "resourceclaims", "get"),
       rule("resource.k8s.io", "resourceslices", "deletecollection"), rule("core", "serviceaccounts", "get")}));
  roles.push_back(role("system:node-bootstrapper",
                       {rule("certificates.k8s.io", "certificatesigningrequests", "create get list watch")}));
  roles.push_back(role("system:node-problem-detector",
                       {rule("core", "nodes", "get"), rule("core", "nodes/status", "patch"),
                        rule("core events.k8s.io", "events", kEventVerbs)}));
  roles.push_back(role("system:node-proxier",
                       {rule("core", "endpoints services", "list watch"), rule("core", "nodes", kRead),
                        rule("core events.k8s.io", "events", kEventVerbs),
                        rule("networking.k8s.io", "servicecidrs", "list watch"),
                        rule("discovery.k8s.io", "endpointslices", "list watch")}));
  roles.push_back(role("system:kubelet-api-admin",
                       {rule("core", "nodes", kRead), rule("core", "nodes", "proxy"),
                        rule("core", "nodes/log nodes/metrics nodes/proxy nodes/stats", "*"),
                        rule("core", "nodes/configz nodes/healthz nodes/pods", "*")}));
}

void add_roles_of_components(std::vector<Value>& roles) {
  roles.push_back(role("system:kube-aggregator", {rule("core", "endpoints services", kRead)}));
  roles.push_back(role("system:kube-dns", {rule("core", "endpoints services", "list watch")}));
  roles.push_back(role("system:persistent-volume-provisioner",
                       {rule("core", "persistentvolumes", "create delete get list watch"),
                        rule("core", "persistentvolumeclaims", "get list update watch"),
                        rule("storage.k8s.io", "storageclasses", kRead), rule("core", "events", "watch"),
                        rule("core events.k8s.io", "events", kEventVerbs)}));
  roles.push_back(role("system:volume-scheduler",
                       {rule("core", "persistentvolumes", "get list patch update watch"),
                        rule("storage.k8s.io", "storageclasses", kRead),
                        rule("core", "persistentvolumeclaims", "get list patch update watch")}));
  roles.push_back(role(
      "system:kube-controller-manager",
      {rule("core events.k8s.io", "events", kEventVerbs), rule("coordination.k8s.io", "leases", "create"),
       rule("coordination.k8s.io", "leases", "get update", "kube-controller-manager"),
       rule("core", "secrets serviceaccounts", "create"), rule("core", "secrets", "delete"),
       rule("core", "configmaps namespaces secrets serviceaccounts", "get"),
       rule("core", "secrets serviceaccounts", "update"), rule("authentication.k8s.io", "tokenreviews", "create"),
       rule("authorization.k8s.io", "subjectaccessreviews", "create"), rule("*", "*", "list watch"),
       rule("core", "serviceaccounts/token", "create")}));
  roles.push_back(role(
      "system:kube-scheduler",
      {rule("core events.k8s.io", "events", kEventVerbs), rule("coordination.k8s.io", "leases", "create"),
       rule("coordination.k8s.io", "leases", "get list update watch", "kube-scheduler"),
       rule("core", "nodes", kRead), rule("core", "pods", "delete get list watch"),
       rule("core", "bindings pods/binding", "create"), rule("core", "pods/status", "patch update"),
       rule("core", "replicationcontrollers services", kRead), rule("apps extensions", "replicasets", kRead),
       rule("apps", "statefulsets", kRead), rule("policy", "poddisruptionbudgets", kRead),
       rule("core", "persistentvolumeclaims persistentvolumes", kRead),
       rule("authentication.k8s.io", "tokenreviews", "create"),
       rule("authorization.k8s.io", "subjectaccessreviews", "create"), rule("storage.k8s.io", "csinodes", kRead),
       rule("storage.k8s.io", "volumeattachments", kRead), rule("core", "namespaces", kRead),
       rule("storage.k8s.io", "csidrivers", kRead), rule("storage.k8s.io", "csistoragecapacities", kRead),
       rule("resource.k8s.io", "deviceclasses", kRead),
       rule("resource.k8s.io", "resourceclaims", "get list patch update watch"),
       rule("resource.k8s.io", "resourceclaims/status", "get list patch update watch"),
       rule("core", "pods/finalizers", "get list patch update watch"),
       rule("resource.k8s.io", "resourceslices", kRead)}));
}

void add_roles_of_certificates(std::vector<Value>& roles) {
  constexpr std::string_view kPrefix = "system:certificates.k8s.io:";
  for (const std::string_view client : {"nodeclient", "selfnodeclient"}) {
    roles.push_back(role(cat(kPrefix, "certificatesigningrequests:", client),
                         {rule("certificates.k8s.io", cat("certificatesigningrequests/", client), "create")}));
  }
  for (const std::string_view signer :
       {"kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown"}) {
    roles.push_back(role(cat(kPrefix, signer, "-approver"),
                         {rule("certificates.k8s.io", "signers", "approve", cat("kubernetes.io/", signer))}));
  }
}

constexpr std::string_view kOfController = "system:controller:";

std::vector<Value> rules_of(std::span<const RoleRule> data) {
  std::vector<Value> rules;
  for (const auto& r : data) rules.push_back(rule(r.groups, r.resources, r.verbs, r.names));
  return rules;
}

Value subject(std::string_view kind, std::string_view name) {
  return Value::map({{keys::kKind, kind}, {keys::kApiGroup, "rbac.authorization.k8s.io"}, {keys::kName, name}});
}

Value account(std::string_view name) {
  return Value::map({{keys::kKind, "ServiceAccount"}, {keys::kNamespace, "kube-system"}, {keys::kName, name}});
}

Value binding(std::string_view name, std::string_view role_name, std::vector<Value> subjects) {
  return Value::map({{keys::kMetadata, metadata(name)},
                     {keys::kRoleRef, Value::map({{keys::kApiGroup, "rbac.authorization.k8s.io"},
                                                  {keys::kKind, "ClusterRole"},
                                                  {keys::kName, role_name}})},
                     {keys::kSubjects, subjects.empty() ? Value() : Value::array(std::move(subjects))}});
}

}  // namespace

std::vector<Value> bootstrap_cluster_roles() {
  std::vector<Value> roles;
  add_roles_of_users(roles);
  add_roles_of_readers(roles);
  add_roles_of_nodes(roles);
  add_roles_of_components(roles);
  add_roles_of_certificates(roles);
  for (const auto& controller : controller_roles()) {
    roles.push_back(role(cat(kOfController, controller.name), rules_of(controller.rules)));
  }
  return roles;
}

std::vector<Value> bootstrap_cluster_role_bindings() {
  const auto groups = [](std::string_view name, std::vector<Value> subjects) { return binding(name, name, std::move(subjects)); };
  const Value everybody = subject("Group", "system:authenticated"), anonymous = subject("Group", "system:unauthenticated");
  std::vector<Value> bindings = {
      groups("cluster-admin", {subject("Group", "system:masters")}),
      groups("system:monitoring", {subject("Group", "system:monitoring")}),
      groups("system:discovery", {everybody}),
      groups("system:basic-user", {everybody}),
      groups("system:public-info-viewer", {everybody, anonymous}),
      groups("system:node-proxier", {subject("User", "system:kube-proxy")}),
      groups("system:kube-controller-manager", {subject("User", "system:kube-controller-manager")}),
      groups("system:kube-dns", {account("kube-dns")}),
      groups("system:kube-scheduler", {subject("User", "system:kube-scheduler")}),
      groups("system:volume-scheduler", {subject("User", "system:kube-scheduler")}),
      groups("system:service-account-issuer-discovery", {subject("Group", "system:serviceaccounts")}),
      // Nodes have their rights from the node authorizer, which knows which objects are theirs.
      groups("system:node", {})};
  for (const auto& controller : controller_roles()) {
    bindings.push_back(groups(cat(kOfController, controller.name), {account(controller.name)}));
  }
  return bindings;
}

std::vector<Value> bootstrap_roles() {
  std::vector<Value> roles;
  for (const auto& data : namespace_roles()) {
    roles.push_back(role(data.name, rules_of(data.rules)).with_at({keys::kMetadata, keys::kNamespace}, data.namespace_));
  }
  return roles;
}

std::vector<Value> bootstrap_role_bindings() {
  std::vector<Value> bindings;
  for (const auto& data : namespace_roles()) {
    std::vector<Value> subjects;
    for (const auto user : split(data.users, ' ')) {
      if (!user.empty()) subjects.push_back(subject("User", user));
    }
    if (!data.account.empty()) subjects.push_back(account(data.account));
    bindings.push_back(binding(data.binding.empty() ? data.name : data.binding, data.name, std::move(subjects))
                           .with_at({keys::kMetadata, keys::kNamespace}, data.namespace_)
                           .with_at({keys::kRoleRef, keys::kKind}, "Role"));
  }
  return bindings;
}

Value reconciled(const Value& wanted, const Value& stored) {
  if (stored[keys::kMetadata][keys::kAnnotations].get(kAutoUpdate).as_string() == "false") return stored;
  const auto& list = wanted[keys::kRoleRef].has_value() ? keys::kSubjects : keys::kRules;
  if (wanted[keys::kAggregationRule].has_value() || stored[keys::kRoleRef] != wanted[keys::kRoleRef]) return stored;
  std::vector<Value> all(stored[list].items().begin(), stored[list].items().end());
  for (const auto& item : wanted[list].items()) {
    if (std::ranges::find(all, item) == all.end()) all.push_back(item);
  }
  return all.size() == stored[list].size() ? stored : stored.with(list, Value::array(std::move(all)));
}

}  // namespace minik::control
