#include "control/api/warnings.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "control/api/address_warnings.h"
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
    {"gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
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

// One volume's field is spelled otherwise in the messages.
std::string_view spelled(std::string_view volume_field) { return volume_field == "storageos" ? "storageOS" : volume_field; }

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

// A value that no label can have: no node is preferred for it.
void add_impossible_values(Warnings& warnings, const FieldPath& at, const Value& term) {
  const FieldPath expressions = at.field("matchExpressions");
  const auto items = term[keys::kMatchExpressions].items();
  for (size_t i = 0; i < items.size(); ++i) {
    const FieldPath here = expressions.index(i), values_at = here.field("values");
    const auto values = items[i][keys::kValues].items();
    for (size_t v = 0; v < values.size(); ++v) {
      for (const auto& problem : check_label_value(values[v].as_string())) {
        add(warnings, values_at.index(v), cat(values[v].as_string(), " is invalid, ", problem));
      }
    }
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
    const FieldPath preference = here.field("preference");
    add_node_terms(warnings, preference, liked[i].get("preference"));
    add_impossible_values(warnings, preference, liked[i].get("preference"));
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
      if (!port[keys::kHostIP].as_string().empty() && port[keys::kHostPort].as_int() == 0)
        warnings_.push_back(cat(text, ": hostIP set without hostPort: ", go_port(port)));
      auto& others = known_[{port[keys::kContainerPort].as_int(), port[keys::kProtocol].string()}];
      for (const auto& [where, other] : others) {
        if (const auto what = collision(port, other); !what.empty()) warnings_.push_back(cat(text, ": ", what, " port definition with ", where));
      }
      if (others.size() < kComparedMax) others.emplace_back(text, port);
    }
  }

 private:
  // As Go prints the port's struct.
  static std::string go_port(const Value& port) {
    return cat("{Name:", port[keys::kName].as_string(), " HostPort:0 ContainerPort:", port[keys::kContainerPort].as_int(), " Protocol:",
               port[keys::kProtocol].as_string(), " HostIP:", port[keys::kHostIP].as_string(), "}");
  }
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

// An annotation in the place of a profile. Where it says of a pod what the pod's own profile says, nothing is lost.
void add_old_apparmor(Warnings& warnings, const FieldPath& annotations_at, const Value& annotations, const Value& container,
                      const Value& pod_profile) {
  if (container[keys::kSecurityContext].get("appArmorProfile").has_value()) return;
  const std::string name = cat("container.apparmor.security.beta.kubernetes.io/", container[keys::kName].as_string());
  const std::string_view type = pod_profile[keys::kType].as_string();
  const std::string same = type == "RuntimeDefault" ? "runtime/default"
                           : type == "Unconfined"   ? "unconfined"
                                                    : cat("localhost/", pod_profile.get("localhostProfile").as_string());
  if (!type.empty() && annotations.get(name).as_string() == same) return;
  add_old_annotation(warnings, annotations_at, annotations, name, R"(deprecated since v1.30; use the "appArmorProfile" field instead)");
}

void add_containers(Warnings& warnings, const FieldPath& annotations_at, const FieldPath& spec_at, const Value& pod) {
  const bool is_template = spec_at.text() != "spec";
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
      add_old_apparmor(warnings, annotations_at, annotations, container, is_template ? Value() : spec[keys::kSecurityContext].get("appArmorProfile"));
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

// Files of a pod's projected volumes that would take the place of its token.
void add_hidden_tokens(Warnings& warnings, const FieldPath& volumes_at, const Value& spec) {
  const auto volumes = spec[keys::kVolumes].items();
  std::set<std::string_view> tokens;
  for (const auto& volume : volumes) {
    for (const auto& source : volume[keys::kProjected][keys::kSources].items()) {
      const Value& token = source[keys::kServiceAccountToken];
      if (token.is_map()) tokens.insert(token[keys::kPath].as_string());
    }
  }
  if (tokens.empty()) return;
  for (size_t i = 0; i < volumes.size(); ++i) {
    const FieldPath here = volumes_at.index(i), projected = here.field("projected"), sources_at = projected.field("sources");
    const auto check = [&](const Value& file, const FieldPath& at) {
      const std::string_view path = file[keys::kPath].as_string();
      if (tokens.contains(path)) add(warnings, at, cat("has duplicated path with ServiceAccountToken ", quoted(path)));
    };
    constexpr std::pair<std::string_view, std::string_view> kLists[] = {
        {"configMap", "configMap"}, {"secret", "secrets"}, {"downwardAPI", "downwardAPI"}};
    for (const auto& source : volumes[i][keys::kProjected][keys::kSources].items()) {
      for (const auto& [field, shown] : kLists) {
        const FieldPath list = sources_at.field(shown);
        const auto files = source.get(field)[keys::kItems].items();
        for (size_t j = 0; j < files.size(); ++j) check(files[j], list.index(j));
      }
      const Value& bundle = source.get("clusterTrustBundle");
      if (bundle.is_map()) check(bundle, sources_at.field("ClusterTrustBundle"));
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
      if (volumes[i].get(name).has_value()) add(warnings, here.field(spelled(name)), what);
    }
    const FieldPath claim = here.field("ephemeral.volumeClaimTemplate.spec");
    add_claim_spec(warnings, claim, volumes[i][keys::kEphemeral].get("volumeClaimTemplate")[keys::kSpec]);
  }
  add_hidden_tokens(warnings, volumes_at, spec);
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
  const FieldPath overhead = spec_at.field("overhead");
  for (const std::string_view resource : {"memory", "ephemeral-storage"}) add_fractions(warnings, overhead, spec.get("overhead"), resource);
  if (!spec[keys::kSecurityContext][keys::kSeccompProfile].has_value()) {
    add_old_annotation(warnings, annotations_at, annotations, "seccomp.security.alpha.kubernetes.io/pod",
                       R"(non-functional in v1.27+; use the "seccompProfile" field instead)");
  }
  add_containers(warnings, annotations_at, spec_at, pod);
  if (spec[keys::kTerminationGracePeriodSeconds].as_int() < 0) {
    add(warnings, spec_at.field("terminationGracePeriodSeconds"),
        "must be >= 0; negative values are invalid and will be treated as 1");
  }
  const FieldPath dns_at = spec_at.field("dnsConfig"), servers_at = dns_at.field("nameservers");
  const auto servers = spec.get("dnsConfig").get("nameservers").items();
  for (size_t i = 0; i < servers.size(); ++i) add_address_warnings(warnings, servers_at.index(i), servers[i].as_string());
  for (size_t i = 0; i < aliases.size(); ++i) {
    const FieldPath here = aliases_at.index(i);
    add_address_warnings(warnings, here.field("ip"), aliases[i][keys::kIp].as_string());
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
  const FieldPath spec_at("spec");
  const auto add_each = [&](std::string_view field, const auto& check) {
    const FieldPath list = spec_at.field(field);
    const auto items = spec.get(field).items();
    for (size_t i = 0; i < items.size(); ++i) check(warnings, list.index(i), items[i].as_string());
  };
  add_each("clusterIPs", add_address_warnings);
  const bool named = spec[keys::kType].as_string() == "ExternalName";
  const bool addresses = !spec.get("externalIPs").empty();
  if (!named && spec[keys::kClusterIP].as_string() == "None") {
    if (!spec.get("loadBalancerIP").as_string().empty()) warnings.emplace_back("spec.loadBalancerIP is ignored for headless services");
    if (addresses) warnings.emplace_back("spec.externalIPs is ignored for headless services");
    if (spec[keys::kSessionAffinity].as_string("None") != "None") warnings.emplace_back("spec.SessionAffinity is ignored for headless services");
  }
  add_each("externalIPs", add_address_warnings);
  add_address_warnings(warnings, spec_at.field("loadBalancerIP"), spec.get("loadBalancerIP").as_string());
  add_each("loadBalancerSourceRanges", add_range_warnings);
  if (named && addresses) warnings.emplace_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (!named && !spec[keys::kExternalName].as_string().empty())
    warnings.emplace_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
  if (spec.get("trafficDistribution").as_string() == "PreferClose")
    warnings.emplace_back(R"(spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone")");
}

void add_network_policy(Warnings& warnings, const Value& spec) {
  const FieldPath spec_at("spec");
  for (const auto& [direction, side] : {std::pair{"ingress", "from"}, std::pair{"egress", "to"}}) {
    const FieldPath rules_at = spec_at.field(direction);
    const auto rules = spec.get(direction).items();
    for (size_t r = 0; r < rules.size(); ++r) {
      const FieldPath rule = rules_at.index(r), peers_at = rule.field(side);
      const auto peers = rules[r].get(side).items();
      for (size_t p = 0; p < peers.size(); ++p) {
        const Value& block = peers[p].get("ipBlock");
        const FieldPath peer = peers_at.index(p), block_at = peer.field("ipBlock"), except_at = block_at.field("except");
        add_range_warnings(warnings, block_at.field("cidr"), block.get("cidr").as_string());
        const auto except = block.get("except").items();
        for (size_t e = 0; e < except.size(); ++e) add_range_warnings(warnings, except_at.index(e), except[e].as_string());
      }
    }
  }
}

void add_endpoint_slice(Warnings& warnings, const Value& slice) {
  if (slice[keys::kAddressType].as_string() == "FQDN") warnings.emplace_back("spec.addressType: FQDN endpoints are deprecated");
  const FieldPath list("endpoints");
  const auto endpoints = slice[keys::kEndpoints].items();
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const FieldPath here = list.index(i), addresses_at = here.field("addresses");
    const auto addresses = endpoints[i][keys::kAddresses].items();
    for (size_t a = 0; a < addresses.size(); ++a) add_address_warnings(warnings, addresses_at.index(a), addresses[a].as_string());
  }
}

void add_node(Warnings& warnings, const Value& spec) {
  if (spec.get("configSource").has_value()) warnings.emplace_back("spec.configSource: the feature is removed");
  if (!spec.get("externalID").as_string().empty())
    warnings.emplace_back("spec.externalID: this field is deprecated, and is unused by Kubernetes");
}

// Kinds that name nodes by old labels, outside of pods.
void add_node_labels(Warnings& warnings, const ResourceInfo& resource, const Value& object) {
  if (resource.id == kinds::kRuntimeclasses) {
    const FieldPath scheduling("scheduling");
    for (const auto& [label, value] : object.get("scheduling")[keys::kNodeSelector].entries()) {
      if (const auto old = old_label(label.text()); !old.empty()) add(warnings, scheduling.field("nodeSelector"), old);
    }
  } else if (resource.id == kinds::kStorageclasses) {
    const FieldPath list("allowedTopologies");
    const auto topologies = object.get("allowedTopologies").items();
    for (size_t i = 0; i < topologies.size(); ++i) {
      const FieldPath here = list.index(i), expressions_at = here.field("matchLabelExpressions");
      const auto expressions = topologies[i].get("matchLabelExpressions").items();
      for (size_t e = 0; e < expressions.size(); ++e) {
        const FieldPath at = expressions_at.index(e);
        if (const auto old = old_label(expressions[e][keys::kKey].as_string()); !old.empty()) add(warnings, at.field("key"), old);
      }
    }
  } else if (resource.id == kinds::kCsistoragecapacities) {
    const FieldPath topology("nodeTopology"), labels = topology.field("matchLabels");
    const Value& selector = object.get("nodeTopology");
    add_node_terms(warnings, topology, selector);
    for (const auto& [label, value] : selector[keys::kMatchLabels].entries()) {
      if (const auto old = old_label(label.text()); !old.empty()) add(warnings, labels.field(label.text()), old);
    }
  }
}

void add_volume(Warnings& warnings, const Value& spec) {
  const FieldPath spec_at("spec"), affinity = spec_at.field("nodeAffinity"), required = affinity.field("required"),
                  terms_at = required.field("nodeSelectorTerms");
  if (spec.get("persistentVolumeReclaimPolicy").as_string() == "Recycle") {
    add(warnings, spec_at.field("persistentVolumeReclaimPolicy"),
        "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.");
  }
  const auto terms = spec.get("nodeAffinity").get("required").get("nodeSelectorTerms").items();
  for (size_t i = 0; i < terms.size(); ++i) add_node_terms(warnings, terms_at.index(i), terms[i]);
  for (const std::string_view name : {"cephfs", "photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "rbd"}) {
    const auto old = std::ranges::find(kOldVolumes, name, &std::pair<std::string_view, std::string_view>::first);
    if (spec.get(name).has_value()) add(warnings, spec_at.field(spelled(name)), old->second);
  }
}

void add_job(Warnings& warnings, const FieldPath& at, const Value& spec) {
  constexpr int64_t kCompletionsMax = 100'000, kParallelismMax = 10'000;
  if (spec.get("completionMode").as_string() == "Indexed" && spec[keys::kCompletions].as_int() > kCompletionsMax &&
      spec[keys::kParallelism].as_int() > kParallelismMax) {
    add(warnings, at, "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes "
                      "might not be able to track completedIndexes when a big number of indexes fail");
  }
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
    if (resource.id == kinds::kJobs) add_job(warnings, spec_at, spec);
    add_template(warnings, "spec.template", spec[keys::kTemplate]);
  } else if (resource.id == kinds::kCronjobs) {
    const FieldPath job_at("spec.jobTemplate.spec");
    add_job(warnings, job_at, spec.get("jobTemplate")[keys::kSpec]);
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
    add_volume(warnings, spec);
  } else if (resource.id == kinds::kNetworkpolicies) {
    add_network_policy(warnings, spec);
  } else if (resource.id == kinds::kEndpointslices) {
    add_endpoint_slice(warnings, object);
  } else if (resource.id == kinds::kNodes) {
    add_node(warnings, spec);
  } else {
    add_node_labels(warnings, resource, object);
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
