#include "control/api/node_restriction.h"

#include <algorithm>
#include <set>

#include "control/access/node_authorizer.h"
#include "control/api/errors.h"
#include "control/api/pod_references.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/certificate_request.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

struct NodeRequest {
  const Store& store;
  const ResourceInfo& resource;
  const ApiRequest& request;
  const Value& object;
  const Value& old;
  std::string_view node;

  std::string name() const {
    const Value& known = object.has_value() ? object : old;
    return request.name.empty() ? std::string(object_name(known)) : request.name;
  }
  Error refuse(std::string_view why) const { return forbidden(resource, name(), why); }
  std::string by() const { return cat("node ", quoted(node)); }
};

std::string_view node_of(const Value& pod) { return pod[keys::kSpec][keys::kNodeName].as_string(); }

// A mirror pod shows what the agent runs by itself; nothing of the cluster's may come into its hands that way.
Status check_mirror_pod(const NodeRequest& asked) {
  const Value& pod = asked.object;
  const Value& spec = pod[keys::kSpec];
  if (!is_mirror_pod(pod)) {
    return asked.refuse(cat("pod does not have \"kubernetes.io/config.mirror\" annotation, ", asked.by(),
                            " can only create mirror pods"));
  }
  if (node_of(pod) != asked.node) return asked.refuse(cat(asked.by(), " can only create pods with spec.nodeName set to itself"));
  const auto owners = pod[keys::kMetadata][keys::kOwnerReferences].items();
  if (owners.size() > 1)
    return asked.refuse(cat(asked.by(), " can only create pods with a single owner reference set to itself"));
  const Value owner = owners.empty() ? Value() : owners[0];
  if (owner[keys::kApiVersion].as_string() != "v1" || owner[keys::kKind].as_string() != "Node" ||
      owner[keys::kName].as_string() != asked.node)
    return asked.refuse(cat(asked.by(), " can only create pods with an owner reference set to itself"));
  if (!owner[keys::kController].as_bool())
    return asked.refuse(cat(asked.by(), " can only create pods with a controller owner reference set to itself"));
  if (owner[keys::kBlockOwnerDeletion].as_bool())
    return asked.refuse(cat(asked.by(), " must not set blockOwnerDeletion on an owner reference"));
  const Value& node = asked.store.find(kinds::kNodes, "", asked.node);
  if (node.is_absent()) return Error(ErrorCode::kNotFound, cat("node ", quoted(asked.node), " not found"));
  if (owner[keys::kUid].as_string() != object_uid(node)) {
    return asked.refuse(cat("node ", asked.node, " UID mismatch: expected ", owner[keys::kUid].as_string(), " got ",
                            object_uid(node)));
  }
  const auto refers_to = [&](std::string_view what) {
    return asked.refuse(cat(asked.by(), " can not create pods that reference ", what));
  };
  if (!spec[keys::kServiceAccountName].as_string().empty()) return refers_to("a service account");
  if (names_secrets(spec)) return refers_to("secrets");
  if (names_config_maps(spec)) return refers_to("configmaps");
  for (const auto& volume : spec[keys::kVolumes].items()) {
    if (volume[keys::kPersistentVolumeClaim].is_map()) return refers_to("persistentvolumeclaims");
  }
  if (!spec[keys::kResourceClaims].empty()) return refers_to("resourceclaims");
  return {};
}

Status check_pod(const NodeRequest& asked) {
  const auto& request = asked.request;
  const auto own = [&](const Value& pod, std::string_view what) -> Status {
    if (node_of(pod) == asked.node) return {};
    return asked.refuse(cat(asked.by(), " can only ", what, " for pods with spec.nodeName set to itself"));
  };
  if (request.subresource == "status") {
    MINIK_TRY(own(asked.old, "update pod status"));
    const auto changes = [&](const Key& part, const Key& field) { return asked.object[part][field] != asked.old[part][field]; };
    if (changes(keys::kMetadata, keys::kLabels)) return asked.refuse(cat(asked.by(), " cannot update labels through pod status"));
    if (changes(keys::kStatus, keys::kResourceClaimStatuses))
      return asked.refuse(cat(asked.by(), " cannot update resource claim statues"));
    return {};
  }
  if (request.subresource == "eviction") {
    if (node_of(asked.old) == asked.node) return {};
    return asked.refuse(cat("node ", asked.node, " can only evict pods with spec.nodeName set to itself"));
  }
  if (request.verb == Verb::kDelete || request.verb == Verb::kDeleteCollection) {
    if (node_of(asked.old) == asked.node) return {};
    return asked.refuse(cat(asked.by(), " can only delete pods with spec.nodeName set to itself"));
  }
  if (request.subresource.empty() && asked.old.is_absent()) return check_mirror_pod(asked);
  if (!request.subresource.empty()) {
    return asked.refuse(cat("unexpected pod subresource ", quoted(request.subresource), ", only 'status' and 'eviction' are allowed"));
  }
  return asked.refuse(cat("unexpected operation \"UPDATE\", ", asked.by(), " can only create and delete mirror pods"));
}

// Of a claim that one of its pods uses, an agent tells how far its volume has grown.
Status check_claim(const NodeRequest& asked) {
  if (asked.request.subresource != "status") return asked.refuse("may only update PVC status");
  const auto rest = [](const Value& claim) {
    Value status = claim[keys::kStatus];
    for (const auto* own : {"capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"}) status = status.without(Key(own));
    const Value metadata = claim[keys::kMetadata].without(keys::kResourceVersion).without(keys::kManagedFields);
    return claim.with(keys::kStatus, status).with(keys::kMetadata, metadata);
  };
  if (rest(asked.object) == rest(asked.old)) return {};
  return asked.refuse(cat(asked.by(), " is not allowed to update fields other than status.capacity and status.conditions"));
}

bool is_of(std::string_view space, std::string_view suffix) {
  return space == suffix || (space.ends_with(suffix) && space[space.size() - suffix.size() - 1] == '.');
}

// Labels in Kubernetes' own name space that an agent may set on its node.
bool may_label(std::string_view label) {
  static const std::set<std::string_view> kOwn = {
      "kubernetes.io/hostname",           "topology.kubernetes.io/zone",
      "topology.kubernetes.io/region",    "failure-domain.beta.kubernetes.io/zone",
      "failure-domain.beta.kubernetes.io/region", "kubernetes.io/os",
      "kubernetes.io/arch",               "beta.kubernetes.io/os",
      "beta.kubernetes.io/arch",          "beta.kubernetes.io/instance-type",
      "node.kubernetes.io/instance-type"};
  const size_t slash = label.find('/');
  if (slash == std::string_view::npos) return true;
  const auto space = label.substr(0, slash);
  if (is_of(space, "node-restriction.kubernetes.io")) return false;
  if (!is_of(space, "kubernetes.io") && !is_of(space, "k8s.io")) return true;
  return kOwn.contains(label) || is_of(space, "kubelet.kubernetes.io") || is_of(space, "node.kubernetes.io");
}

std::vector<std::string> forbidden_labels(const Value& now, const Value& before) {
  std::vector<std::string> names;
  const auto look = [&](const Value& some, const Value& others) {
    for (const auto& [key, value] : some.entries()) {
      if (others[key] == value || may_label(key.text())) continue;
      if (std::ranges::find(names, key.text()) == names.end()) names.emplace_back(key.text());
    }
  };
  look(now, before);
  look(before, now);
  std::ranges::sort(names);
  return names;
}

Status check_node(const NodeRequest& asked) {
  const std::string name = asked.name();
  if (name != asked.node) return asked.refuse(cat(asked.by(), " is not allowed to modify node ", quoted(name)));
  if (!asked.object.has_value()) return {};
  const Value& labels = asked.object[keys::kMetadata][keys::kLabels];
  const auto names = forbidden_labels(labels, asked.old[keys::kMetadata][keys::kLabels]);
  if (!names.empty()) {
    return asked.refuse(cat(asked.old.is_absent() ? cat(asked.by(), " is not allowed to set the following labels: ")
                                                  : std::string("is not allowed to modify labels: "), join(names, ", ")));
  }
  if (asked.old.is_absent()) return {};
  if (!(asked.object[keys::kSpec][keys::kTaints] == asked.old[keys::kSpec][keys::kTaints]))
    return asked.refuse(cat(asked.by(), " is not allowed to modify taints"));
  if (!(asked.object[keys::kMetadata][keys::kOwnerReferences] == asked.old[keys::kMetadata][keys::kOwnerReferences]))
    return asked.refuse(cat(asked.by(), " is not allowed to modify ownerReferences"));
  return {};
}

Status check_token(const NodeRequest& asked) {
  const Value& bound = asked.request.body[keys::kSpec][keys::kBoundObjectRef];
  if (bound[keys::kApiVersion].as_string() != "v1" || bound[keys::kKind].as_string() != "Pod" ||
      bound[keys::kName].as_string().empty())
    return asked.refuse("node requested token not bound to a pod");
  if (bound[keys::kUid].as_string().empty()) return asked.refuse("node requested token with a pod binding without a uid");
  const Value& pod = asked.store.find(kinds::kPods, asked.request.namespace_, bound[keys::kName].as_string());
  if (pod.is_absent()) return Error(ErrorCode::kNotFound, cat("pod ", quoted(bound[keys::kName].as_string()), " not found"));
  if (object_uid(pod) != bound[keys::kUid].as_string()) {
    return asked.refuse(cat("the UID in the bound object reference (", bound[keys::kUid].as_string(),
                            ") does not match the UID in record. The object might have been deleted and then recreated"));
  }
  if (node_of(pod) != asked.node) return asked.refuse("node requested token bound to a pod scheduled on a different node");
  return {};
}

// Of a certificate for node agents the name is what the API server and other agents go by.
Status check_certificate(const NodeRequest& asked) {
  const Value& spec = asked.object[keys::kSpec];
  const std::string_view signer = spec[keys::kSignerName].as_string();
  if (signer != "kubernetes.io/kubelet-serving" && signer != "kubernetes.io/kube-apiserver-client-kubelet") return {};
  const auto pem = from_base64(spec[keys::kRequest].as_string());
  const auto subject = read_certificate_subject(pem ? *pem : "");
  if (!subject) return asked.refuse(cat("unable to parse csr: ", subject.error().message));
  const std::string wanted = cat("system:node:", asked.node);
  // Of several names readers take the first or the last.
  if (subject->common_names == std::vector{wanted}) return {};
  return asked.refuse(cat("can only create a node CSR with CN=", wanted));
}

}  // namespace

Status check_node_restriction(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                              const Value& object, const Value& old) {
  const auto node = node_name_of(request.user);
  if (node.empty()) return {};
  const NodeRequest asked{store, resource, request, object, old, node};
  if (resource.id == kinds::kPods) return check_pod(asked);
  if (resource.id == kinds::kNodes) return check_node(asked);
  if (resource.id == kinds::kPersistentvolumeclaims) return check_claim(asked);
  if (resource.id == kinds::kServiceaccounts && request.subresource == "token") return check_token(asked);
  if (resource.id == kinds::kCertificatesigningrequests && request.subresource.empty() && old.is_absent())
    return check_certificate(asked);
  const bool lease = resource.id == kinds::kLeases;
  if (lease || resource.id == kinds::kCsinodes) {
    if (lease && request.namespace_ != "kube-node-lease")
      return asked.refuse("can only access leases in the \"kube-node-lease\" system namespace");
    if (asked.name() != node) {
      return asked.refuse(cat("can only access ", lease ? "node lease" : "CSINode", " with the same name as the requesting node"));
    }
  }
  return {};
}

}  // namespace minik::control
