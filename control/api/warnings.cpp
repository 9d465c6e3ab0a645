#include "control/api/warnings.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"
#include "control/schema/names.h"

namespace minik::control {

namespace {

using Warnings = std::vector<std::string>;

constexpr std::pair<std::string_view, std::string_view> kOldNodeLabels[] = {
    {"beta.kubernetes.io/arch", R"(deprecated since v1.14; use "kubernetes.io/arch" instead)"},
    {"beta.kubernetes.io/os", R"(deprecated since v1.14; use "kubernetes.io/os" instead)"},
    {"failure-domain.beta.kubernetes.io/region", R"(deprecated since v1.17; use "topology.kubernetes.io/region" instead)"},
    {"failure-domain.beta.kubernetes.io/zone", R"(deprecated since v1.17; use "topology.kubernetes.io/zone" instead)"},
    {"beta.kubernetes.io/instance-type", R"(deprecated since v1.17; use "node.kubernetes.io/instance-type" instead)"},
};

constexpr std::pair<std::string_view, std::string_view> kOldPodAnnotations[] = {
    {"scheduler.alpha.kubernetes.io/critical-pod", R"(non-functional in v1.16+; use the "priorityClassName" field instead)"},
    {"security.alpha.kubernetes.io/sysctls", R"(non-functional in v1.11+; use the "sysctls" field instead)"},
    {"security.alpha.kubernetes.io/unsafe-sysctls", R"(non-functional in v1.11+; use the "sysctls" field instead)"},
};

constexpr std::pair<std::string_view, std::string_view> kOldVolumes[] = {
    {"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
    {"gitRepo", "deprecated in v1.11"},
    {"scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
    {"flocker", "deprecated in v1.22, non-functional in v1.25+"},
    {"storageos", "deprecated in v1.22, non-functional in v1.25+"},
    {"quobyte", "deprecated in v1.22, non-functional in v1.25+"},
    {"glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
    {"cephfs", "deprecated in v1.28, non-functional in v1.31+"},
    {"rbd", "deprecated in v1.28, non-functional in v1.31+"},
};

std::string_view old_label(std::string_view label) {
  const auto known = std::ranges::find(kOldNodeLabels, label, &std::pair<std::string_view, std::string_view>::first);
  return known == std::end(kOldNodeLabels) ? std::string_view() : known->second;
}

void add(Warnings& warnings, const FieldPath& at, std::string_view what) { warnings.push_back(cat(at.text(), ": ", what)); }

void add_old_annotation(Warnings& warnings, const FieldPath& annotations, const Value& given, std::string_view name,
                        std::string_view what) {
  if (given.get(name).has_value()) add(warnings, annotations.key(name), what);
}

// A part of a byte can neither be asked for nor be given.
void add_fractions(Warnings& warnings, const FieldPath& at, const Value& amounts, std::string_view resource) {
  const std::string_view text = amounts.get(resource).as_string();
  const auto amount = Quantity::parse(text);
  if (text.empty() || !amount || *amount == Quantity::of(amount->units())) return;
  add(warnings, at.key(resource), cat("fractional byte value ", quoted(text), " is invalid, must be an integer"));
}

void add_claim_spec(Warnings& warnings, const FieldPath& at, const Value& spec) {
  const FieldPath resources = at.field("resources");
  for (const std::string_view part : {"requests", "limits"}) {
    add_fractions(warnings, resources.field(part), spec[keys::kResources].get(part), "storage");
  }
}

void add_node_terms(Warnings& warnings, const FieldPath& at, const Value& term) {
  const FieldPath expressions = at.field("matchExpressions");
  const auto items = term[keys::kMatchExpressions].items();
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string_view label = items[i][keys::kKey].as_string();
    const FieldPath here = expressions.index(i);
    if (const auto old = old_label(label); !old.empty()) add(warnings, here.field("key"), cat(label, " is ", old));
  }
}

void add_affinity(Warnings& warnings, const FieldPath& spec_at, const Value& affinity) {
  const FieldPath at = spec_at.field("affinity"), node = at.field("nodeAffinity");
  constexpr std::string_view kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  constexpr std::string_view kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const FieldPath required = node.field(kRequired), terms = required.field("nodeSelectorTerms"), preferred = node.field(kPreferred);
  const Value& of_node = affinity.get("nodeAffinity");
  const auto wanted = of_node.get(kRequired).get("nodeSelectorTerms").items(), liked = of_node.get(kPreferred).items();
  for (size_t i = 0; i < wanted.size(); ++i) add_node_terms(warnings, terms.index(i), wanted[i]);
  for (size_t i = 0; i < liked.size(); ++i) {
    const FieldPath here = preferred.index(i);
    add_node_terms(warnings, here.field("preference"), liked[i].get("preference"));
  }
  for (const std::string_view kind : {"podAffinity", "podAntiAffinity"}) {
    const FieldPath of_pods = at.field(kind), must = of_pods.field(kRequired), may = of_pods.field(kPreferred);
    const auto check = [&warnings](const FieldPath& here, std::string_view field, const Value& term) {
      if (!term[keys::kLabelSelector].has_value()) add(warnings, here.field(field), "a null labelSelector results in matching no pod");
    };
    const auto musts = affinity.get(kind).get(kRequired).items(), mays = affinity.get(kind).get(kPreferred).items();
    for (size_t i = 0; i < musts.size(); ++i) check(must.index(i), "labelSelector", musts[i]);
    for (size_t i = 0; i < mays.size(); ++i) check(may.index(i), "podAffinityTerm.labelSelector", mays[i].get("podAffinityTerm"));
  }
}

// A variable that is set twice, unless its second value is made of the first.
void add_doubled_variables(Warnings& warnings, const FieldPath& container, const Value& variables) {
  const FieldPath at = container.field("env");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < variables.size(); ++i) {
    const Value& variable = variables.items()[i];
    const std::string_view name = variable[keys::kName].as_string(), value = variable[keys::kValue].as_string();
    if (seen.insert(name).second) continue;
    const std::string reference = cat("$(", name, ")");
    const bool builds_on_it = !variable[keys::kValueFrom].has_value() && value != reference && value.find(reference) != value.npos;
    if (builds_on_it) continue;
    add(warnings, at.index(i), cat("hides previous definition of ", quoted(name), ", which may be dropped when using apply"));
  }
}

// Ports of all containers of a pod, by number and protocol.
class PortWarnings {
 public:
  explicit PortWarnings(Warnings& warnings) : warnings_(warnings) {}

  void add_container(const FieldPath& container, const Value& ports) {
    // Each pair of equal ports is a warning: of a large body more than an answer carries, and than memory holds.
    constexpr size_t kWarningsMax = 200, kComparedMax = 16;
    const FieldPath at = container.field("ports");
    for (size_t i = 0; i < ports.size() && warnings_.size() < kWarningsMax; ++i) {
      const Value& port = ports.items()[i];
      const std::string text = at.index(i).text();
      auto& others = known_[{port[keys::kContainerPort].as_int(), port[keys::kProtocol].string()}];
      for (const auto& [where, other] : others) {
        if (const auto what = collision(port, other); !what.empty()) warnings_.push_back(cat(text, ": ", what, " port definition with ", where));
      }
      if (others.size() < kComparedMax) others.emplace_back(text, port);
    }
  }

 private:
  static std::string_view collision(const Value& a, const Value& b) {
    const std::string_view a_ip = a[keys::kHostIP].as_string(), b_ip = b[keys::kHostIP].as_string();
    const int64_t a_port = a[keys::kHostPort].as_int(), b_port = b[keys::kHostPort].as_int();
    if (a_ip == b_ip && a_port == b_port) return "duplicate";
    if (a_port == 0 || b_port == 0) return "overlapping";
    return a_port == b_port && a_ip.empty() != b_ip.empty() ? "dangerously ambiguous" : "";
  }

  Warnings& warnings_;
  std::map<std::pair<int64_t, std::string>, std::vector<std::pair<std::string, Value>>> known_;
};

void add_containers(Warnings& warnings, const FieldPath& annotations_at, const FieldPath& spec_at, const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  const Value& annotations = pod[keys::kMetadata][keys::kAnnotations];
  PortWarnings ports(warnings);
  for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    const FieldPath list_at = spec_at.field(list);
    const auto containers = spec.get(list).items();
    for (size_t i = 0; i < containers.size(); ++i) {
      const FieldPath at = list_at.index(i), resources = at.field("resources");
      const Value& container = containers[i];
      if (!container[keys::kSecurityContext][keys::kSeccompProfile].has_value()) {
        add_old_annotation(warnings, annotations_at, annotations,
                           cat("container.seccomp.security.alpha.kubernetes.io/", container[keys::kName].as_string()),
                           R"(non-functional in v1.27+; use the "seccompProfile" field instead)");
      }
      for (const std::string_view resource : {"memory", "ephemeral-storage"}) {
        for (const std::string_view part : {"limits", "requests"}) {
          add_fractions(warnings, resources.field(part), container[keys::kResources].get(part), resource);
        }
      }
      add_doubled_variables(warnings, at, container[keys::kEnv]);
      ports.add_container(at, container[keys::kPorts]);
    }
  }
}

// A pod, or the template of pods.
void add_pod(Warnings& warnings, const FieldPath& at, const Value& pod) {
  const FieldPath spec_at = at.field("spec"), annotations_at = at.field("metadata.annotations");
  const Value& spec = pod[keys::kSpec];
  const Value& annotations = pod[keys::kMetadata][keys::kAnnotations];
  const FieldPath selector = spec_at.field("nodeSelector");
  for (const auto& [label, value] : spec[keys::kNodeSelector].entries()) {
    if (const auto old = old_label(label.text()); !old.empty()) add(warnings, selector.key(label.text()), old);
  }
  add_affinity(warnings, spec_at, spec[keys::kAffinity]);
  const FieldPath spreads = spec_at.field("topologySpreadConstraints");
  const auto constraints = spec[keys::kTopologySpreadConstraints].items();
  for (size_t i = 0; i < constraints.size(); ++i) {
    const FieldPath here = spreads.index(i);
    const std::string_view label = constraints[i][keys::kTopologyKey].as_string();
    if (const auto old = old_label(label); !old.empty()) add(warnings, here.field("topologyKey"), cat(label, " is ", old));
    if (!constraints[i][keys::kLabelSelector].has_value())
      add(warnings, here.field("labelSelector"), "a null labelSelector results in matching no pod");
  }
  for (const auto& [name, what] : kOldPodAnnotations) add_old_annotation(warnings, annotations_at, annotations, name, what);
  const FieldPath volumes_at = spec_at.field("volumes");
  const auto volumes = spec[keys::kVolumes].items();
  for (size_t i = 0; i < volumes.size(); ++i) {
    const FieldPath here = volumes_at.index(i);
    for (const auto& [name, what] : kOldVolumes) {
      if (volumes[i].get(name).has_value()) add(warnings, here.field(name), what);
    }
    const FieldPath claim = here.field("ephemeral.volumeClaimTemplate.spec");
    add_claim_spec(warnings, claim, volumes[i][keys::kEphemeral].get("volumeClaimTemplate")[keys::kSpec]);
  }
  std::set<std::string_view> addresses, secrets;
  const FieldPath aliases_at = spec_at.field("hostAliases"), secrets_at = spec_at.field("imagePullSecrets");
  const auto aliases = spec.get("hostAliases").items(), pulls = spec[keys::kImagePullSecrets].items();
  for (size_t i = 0; i < aliases.size(); ++i) {
    const std::string_view ip = aliases[i][keys::kIp].as_string();
    const FieldPath here = aliases_at.index(i);
    if (!addresses.insert(ip).second) add(warnings, here.field("ip"), cat("duplicate ip ", quoted(ip)));
  }
  for (size_t i = 0; i < pulls.size(); ++i) {
    const std::string_view name = pulls[i][keys::kName].as_string();
    const FieldPath here = secrets_at.index(i);
    if (!secrets.insert(name).second) add(warnings, here.field("name"), cat("duplicate name ", quoted(name)));
    if (name.empty()) add(warnings, here.field("name"), "invalid empty name \"\"");
  }
  if (!spec[keys::kSecurityContext][keys::kSeccompProfile].has_value()) {
    add_old_annotation(warnings, annotations_at, annotations, "seccomp.security.alpha.kubernetes.io/pod",
                       R"(non-functional in v1.27+; use the "seccompProfile" field instead)");
  }
  add_containers(warnings, annotations_at, spec_at, pod);
  if (spec[keys::kTerminationGracePeriodSeconds].as_int() < 0) {
    add(warnings, spec_at.field("terminationGracePeriodSeconds"),
        "must be >= 0; negative values are invalid and will be treated as 1");
  }
}

void add_host_name(Warnings& warnings, const Value& object, std::string_view whose) {
  const auto name = object_name(object);
  if (check_dns_label(name).empty()) return;
  const bool dots = check_dns_subdomain(name).empty() && name.find('.') != name.npos;
  const auto problems = dots ? NameProblems{"must not contain dots"} : check_dns_label(name);
  warnings.push_back(cat("metadata.name: this is used in ", whose, ", which can result in surprising behavior; a DNS label is recommended: [",
                         join(problems, " "), "]"));
}

void add_template(Warnings& warnings, std::string_view path, const Value& pod) {
  const FieldPath at(path);
  if (pod.is_map()) add_pod(warnings, at, pod);
}

void add_service(Warnings& warnings, const Value& service) {
  constexpr std::string_view kHints = "service.kubernetes.io/topology-aware-hints";
  if (service[keys::kMetadata][keys::kAnnotations].get(kHints).has_value())
    warnings.push_back(cat("annotation ", kHints, " is deprecated, please use service.kubernetes.io/topology-mode instead"));
  const Value& spec = service[keys::kSpec];
  const bool named = spec[keys::kType].as_string() == "ExternalName";
  const bool addresses = !spec.get("externalIPs").empty();
  if (!named && spec[keys::kClusterIP].as_string() == "None") {
    if (!spec.get("loadBalancerIP").as_string().empty()) warnings.emplace_back("spec.loadBalancerIP is ignored for headless services");
    if (addresses) warnings.emplace_back("spec.externalIPs is ignored for headless services");
    if (spec[keys::kSessionAffinity].as_string("None") != "None") warnings.emplace_back("spec.SessionAffinity is ignored for headless services");
  }
  if (named && addresses) warnings.emplace_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (!named && !spec[keys::kExternalName].as_string().empty())
    warnings.emplace_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
}

// Of classes that stand in an annotation instead of a field.
void add_beta_class(Warnings& warnings, const Value& object) {
  const FieldPath annotations("metadata.annotations");
  add_old_annotation(warnings, annotations, object[keys::kMetadata][keys::kAnnotations], "volume.beta.kubernetes.io/storage-class",
                     R"(deprecated since v1.8; use "storageClassName" attribute instead)");
}

}  // namespace

std::vector<std::string> change_warnings(const ResourceInfo& resource, const Value& object) {
  Warnings warnings;
  const Value& spec = object[keys::kSpec];
  const FieldPath spec_at("spec");
  if (resource.id == kinds::kDeployments || resource.id == kinds::kReplicasets || resource.id == kinds::kDaemonsets ||
      resource.id == kinds::kStatefulsets || resource.id == kinds::kReplicationcontrollers || resource.id == kinds::kJobs) {
    add_template(warnings, "spec.template", spec[keys::kTemplate]);
  } else if (resource.id == kinds::kCronjobs) {
    add_template(warnings, "spec.jobTemplate.spec.template", spec.get("jobTemplate")[keys::kSpec][keys::kTemplate]);
  } else if (resource.id == kinds::kPodtemplates) {
    add_template(warnings, "template", object[keys::kTemplate]);
  } else if (resource.id == kinds::kServices) {
    add_service(warnings, object);
  } else if (resource.id == kinds::kPersistentvolumeclaims) {
    add_beta_class(warnings, object);
    add_claim_spec(warnings, spec_at, spec);
  } else if (resource.id == kinds::kPersistentvolumes) {
    add_beta_class(warnings, object);
    if (spec.get("persistentVolumeReclaimPolicy").as_string() == "Recycle") {
      add(warnings, spec_at.field("persistentVolumeReclaimPolicy"),
          "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.");
    }
  }
  if (resource.id == kinds::kStatefulsets) {
    const FieldPath templates = spec_at.field("volumeClaimTemplates");
    const auto claims = spec.get("volumeClaimTemplates").items();
    for (size_t i = 0; i < claims.size(); ++i) {
      const FieldPath here = templates.index(i);
      add_claim_spec(warnings, here.field("spec"), claims[i][keys::kSpec]);
    }
  }
  return warnings;
}

std::vector<std::string> object_warnings(const ResourceInfo& resource, const Value& object) {
  Warnings warnings;
  if (resource.id == kinds::kPods) {
    add_host_name(warnings, object, "the Pod's hostname");
    add_pod(warnings, FieldPath(), object);
  } else if (resource.id == kinds::kDeployments || resource.id == kinds::kReplicasets || resource.id == kinds::kReplicationcontrollers ||
             resource.id == kinds::kJobs || resource.id == kinds::kCronjobs) {
    add_host_name(warnings, object, "Pod names and hostnames");
  } else if (resource.id == kinds::kIngresses) {
    constexpr std::string_view kClass = "kubernetes.io/ingress.class";
    const bool annotated = object[keys::kMetadata][keys::kAnnotations].get(kClass).has_value();
    if (annotated && !object[keys::kSpec].get("ingressClassName").has_value())
      warnings.push_back(cat("annotation ", quoted(kClass), " is deprecated, please use 'spec.ingressClassName' instead"));
  } else if (resource.id == kinds::kServiceaccounts) {
    const FieldPath annotations("metadata.annotations");
    add_old_annotation(warnings, annotations, object[keys::kMetadata][keys::kAnnotations], "kubernetes.io/enforce-mountable-secrets",
                       "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets");
  }
  std::ranges::copy(change_warnings(resource, object), std::back_inserter(warnings));
  return warnings;
}

std::string_view kind_warning(const ResourceInfo& resource) {
  return resource.id == kinds::kEndpoints ? "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice" : "";
}

}  // namespace minik::control
