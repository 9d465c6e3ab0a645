#include "control/access/node_authorizer.h"

#include <algorithm>
#include <functional>
#include <initializer_list>

#include "control/access/bootstrap_roles.h"
#include "control/access/rbac.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

Decision no(std::string reason) { return {false, std::move(reason)}; }

bool names(const Value& reference, std::string_view name) { return reference[keys::kName].as_string() == name; }

// The sources of a volume itself and those that are projected into it.
bool any_source(const Value& pod, const std::function<bool(const Value&)>& found) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kVolumes].items(), [&](const Value& volume) {
    return found(volume) || std::ranges::any_of(volume[keys::kProjected][keys::kSources].items(), found);
  });
}

bool any_container(const Value& pod, const std::function<bool(const Value&)>& found) {
  const Value& spec = pod[keys::kSpec];
  return std::ranges::any_of(spec[keys::kInitContainers].items(), found) ||
         std::ranges::any_of(spec[keys::kContainers].items(), found) ||
         std::ranges::any_of(spec[keys::kEphemeralContainers].items(), found);
}

// A pod's environment by a key of a secret or config map, or by all of one.
bool in_environment(const Value& pod, const Key& by_key, const Key& whole, std::string_view name) {
  return any_container(pod, [&](const Value& container) {
    return std::ranges::any_of(container[keys::kEnv].items(),
                               [&](const Value& e) { return names(e[keys::kValueFrom][by_key], name); }) ||
           std::ranges::any_of(container[keys::kEnvFrom].items(), [&](const Value& e) { return names(e[whole], name); });
  });
}

bool uses_secret(const Value& pod, std::string_view name) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kImagePullSecrets].items(), [&](const Value& s) { return names(s, name); }) ||
         in_environment(pod, keys::kSecretKeyRef, keys::kSecretRef, name) || any_source(pod, [&](const Value& source) {
           return source[keys::kSecret][keys::kSecretName].as_string() == name || names(source[keys::kSecret], name);
         });
}

bool uses_config_map(const Value& pod, std::string_view name) {
  return in_environment(pod, keys::kConfigMapKeyRef, keys::kConfigMapRef, name) ||
         any_source(pod, [&](const Value& source) { return names(source[keys::kConfigMap], name); });
}

// A claim of its own for this pod has the pod's and the volume's name.
bool uses_claim(const Value& pod, std::string_view name) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kVolumes].items(), [&](const Value& volume) {
    return volume[keys::kPersistentVolumeClaim][keys::kClaimName].as_string() == name ||
           (volume[keys::kEphemeral].is_map() && cat(object_name(pod), "-", volume[keys::kName].as_string()) == name);
  });
}

}  // namespace

std::string_view node_name_of(const UserInfo& user) {
  constexpr std::string_view kPrefix = "system:node:";
  if (!user.name.starts_with(kPrefix) || std::ranges::find(user.groups, "system:nodes") == user.groups.end()) return {};
  return std::string_view(user.name).substr(kPrefix.size());
}

bool NodeAuthorizer::is_related(std::string_view node, const Attributes& wanted) const {
  bool related = false;
  store_.for_each(kinds::kPods, [&](const Value& pod) {
    if (related || pod[keys::kSpec][keys::kNodeName].as_string() != node) return;
    const auto namespace_ = object_namespace(pod);
    if (wanted.resource == "persistentvolumes") {
      const Value& volume = store_.find(kinds::kPersistentvolumes, "", wanted.name);
      const Value& claim = volume[keys::kSpec][keys::kClaimRef];
      related = claim[keys::kNamespace].as_string() == namespace_ && uses_claim(pod, claim[keys::kName].as_string());
      return;
    }
    if (namespace_ != wanted.namespace_) return;
    if (wanted.resource == "secrets") related = uses_secret(pod, wanted.name);
    if (wanted.resource == "configmaps") related = uses_config_map(pod, wanted.name);
    if (wanted.resource == "persistentvolumeclaims") related = uses_claim(pod, wanted.name);
    if (wanted.resource == "serviceaccounts") related = pod[keys::kSpec][keys::kServiceAccountName].as_string() == wanted.name;
  });
  return related;
}

Decision NodeAuthorizer::read_related(std::string_view node, const Attributes& wanted) const {
  if (wanted.name.empty()) return no("No Object name found");
  if (is_related(node, wanted)) return {true, {}};
  return no(cat("no relationship found between node '", node, "' and this object"));
}

Decision NodeAuthorizer::decide_pod(std::string_view node, const Attributes& wanted) const {
  if (wanted.subresource == "status") return {is_one_of(wanted.verb, {"update", "patch"}), {}};
  if (wanted.subresource == "eviction") return {wanted.verb == "create", {}};
  if (!wanted.subresource.empty()) return no("");
  if (is_one_of(wanted.verb, {"create", "delete"})) return {true, {}};  // of which pods is the business of admission
  if (wanted.verb == "get") {
    const Value& pod = store_.find(kinds::kPods, wanted.namespace_, wanted.name);
    if (pod[keys::kSpec][keys::kNodeName].as_string() == node) return {true, {}};
    return no(cat("no relationship found between node '", node, "' and this object"));
  }
  if (is_one_of(wanted.verb, {"list", "watch"})) {
    const auto own = cat("spec.nodeName=", node);
    for (const auto part : split(wanted.field_selector, ',')) {
      if (part == own) return {true, {}};
    }
    return no("can only list/watch pods with spec.nodeName field selector");
  }
  return no("");
}

Decision NodeAuthorizer::decide(const UserInfo& user, const Attributes& wanted) const {
  const auto node = node_name_of(user);
  if (node.empty()) return {};
  const auto resource = wanted.resource;
  if (wanted.group.empty() && is_one_of(resource, {"secrets", "configmaps"})) {
    if (!is_one_of(wanted.verb, {"get", "list", "watch"})) return no("can only read resources of this type");
    if (!wanted.subresource.empty()) return no("cannot read subresource");
    if (wanted.namespace_.empty()) return no("can only read namespaced object of this type");
    return read_related(node, wanted);
  }
  if (wanted.group.empty() && is_one_of(resource, {"persistentvolumeclaims", "persistentvolumes"})) {
    const bool status = resource == "persistentvolumeclaims" && wanted.subresource == "status";
    if (status && !is_one_of(wanted.verb, {"update", "patch"})) return no("can only get/update/patch this type");
    if (!status && wanted.verb != "get") return no("can only get individual resources of this type");
    if (!status && !wanted.subresource.empty()) return no("cannot get subresource");
    return read_related(node, wanted);
  }
  if (wanted.group.empty() && resource == "serviceaccounts") {
    // The accounts of its pods, for whoever gives it credentials for pulling images.
    if (wanted.verb == "get" && wanted.subresource.empty()) return read_related(node, wanted);
    if (wanted.verb != "create" || wanted.name.empty()) return no("can only create tokens for individual service accounts");
    if (wanted.subresource != "token") return no("can only create token subresource of serviceaccount");
    return read_related(node, wanted);
  }
  if (wanted.group.empty() && resource == "pods") return decide_pod(node, wanted);
  if (wanted.group.empty() && resource == "nodes") {
    if (wanted.subresource == "status") return {is_one_of(wanted.verb, {"update", "patch"}), {}};
    if (is_one_of(wanted.verb, {"create", "update", "patch"})) return {wanted.subresource.empty(), {}};
    if (!is_one_of(wanted.verb, {"get", "list", "watch"}) || !wanted.subresource.empty()) return no("");
    if (wanted.name == node) return {true, {}};
    if (wanted.name.empty()) return no(cat("node '", node, "' cannot read all nodes, only its own Node object"));
    return no(cat("node '", node, "' cannot read '", wanted.name, "', only its own Node object"));
  }
  const bool lease = wanted.group == "coordination.k8s.io" && resource == "leases";
  if (lease || (wanted.group == "storage.k8s.io" && resource == "csinodes")) {
    const std::string_view what = lease ? "node lease" : "CSINode";
    if (!is_one_of(wanted.verb, {"get", "create", "update", "patch", "delete"}))
      return no(cat("can only get, create, update, patch, or delete a ", what));
    if (lease && wanted.namespace_ != "kube-node-lease")
      return no("can only access leases in the \"kube-node-lease\" system namespace");
    if (wanted.verb != "create" && wanted.name != node)
      return no(cat("can only access ", what, " with the same name as the requesting node"));
    return {true, {}};
  }
  static const Value kRules = [] {
    for (const auto& role : bootstrap_cluster_roles()) {
      if (object_name(role) == "system:node") return role[keys::kRules];
    }
    return Value();
  }();
  return {std::ranges::any_of(kRules.items(), [&](const Value& rule) { return rule_allows(rule, wanted); }), {}};
}

}  // namespace minik::control
