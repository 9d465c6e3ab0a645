#include "control/scheduler/volume_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kConflict = "node(s) didn't match PersistentVolume's node affinity";
constexpr std::string_view kNoneFound = "node(s) didn't find available persistent volumes to bind";
constexpr std::string_view kNoZone = "node(s) had no available volume zone";
constexpr std::string_view kNoVolume =
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
constexpr std::string_view kTooMany = "node(s) exceed max volume count";
constexpr std::string_view kOnePodOnly =
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode";
constexpr std::string_view kZoneLabels[] = {
    "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region", "topology.kubernetes.io/zone"};

Value rule(std::string_view reason, Value terms) {
  return Value::map({{keys::kReason, reason}, {keys::kNodeSelectorTerms, std::move(terms)}});
}

Value requirement(std::string_view key, std::string_view op, Value values) {
  return Value::map({{keys::kKey, key}, {keys::kOperator, op}, {keys::kValues, std::move(values)}});
}

// Terms of the volume's required node affinity, or absent: it is everywhere.
const Value& affinity_terms(const Value& volume) {
  return volume[keys::kSpec][keys::kNodeAffinity][keys::kRequired][keys::kNodeSelectorTerms];
}

bool matches_any(const Value& terms, const Value& labels, std::string_view node) {
  return std::ranges::any_of(
      terms.items(), [&](const Value& term) { return matches_node_term(term, labels, node); });
}

bool is_on(const Value& volume, const Value& labels, std::string_view node) {
  const Value& terms = affinity_terms(volume);
  return !terms.is_array() || matches_any(terms, labels, node);
}

// A volume's zone label may name several, joined by "__"; nodes without any zone take all volumes.
void add_zone_rules(const Value& volume, std::vector<Value>& rules) {
  std::vector<Value> zoneless;
  for (const auto label : kZoneLabels)
    zoneless.push_back(requirement(label, "DoesNotExist", Value()));
  const Value nowhere = Value::map({{keys::kMatchExpressions, Value::array(std::move(zoneless))}});
  for (const auto label : kZoneLabels) {
    const Value& zones = volume[keys::kMetadata][keys::kLabels].get(label);
    if (!zones.is_string()) continue;
    std::vector<Value> names;
    for (const auto name : split(zones.as_string(), '_')) {
      if (!name.empty()) names.emplace_back(name);
    }
    const Value inside =
        Value::map({{keys::kMatchExpressions,
                     Value::array({requirement(label, "In", Value::array(std::move(names)))})}});
    rules.push_back(rule(kNoZone, Value::array({inside, nowhere})));
  }
}

Value topology_terms(const Value& storage_class) {
  std::vector<Value> terms;
  for (const auto& topology : storage_class[keys::kAllowedTopologies].items()) {
    std::vector<Value> all;
    for (const auto& label : topology[keys::kMatchLabelExpressions].items()) {
      all.push_back(requirement(label[keys::kKey].as_string(), "In", label[keys::kValues]));
    }
    terms.push_back(Value::map({{keys::kMatchExpressions, Value::array(std::move(all))}}));
  }
  return Value::array(std::move(terms));
}

ApiRequest update(KindId kind, Value object) {
  ApiRequest request;
  request.verb = Verb::kUpdate;
  request.kind = kind;
  request.namespace_ = object_namespace(object);
  request.name = object_name(object);
  request.body = std::move(object);
  return request;
}

}  // namespace

bool has_claims(const Value& pod) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kVolumes].items(), [](const Value& volume) {
    return volume[keys::kPersistentVolumeClaim].has_value() || volume[keys::kEphemeral].has_value();
  });
}

const Value& broken_volume_rule(const Value& rules, const Value& labels, std::string_view node) {
  for (const auto& one : rules.items()) {
    if (!matches_any(one[keys::kNodeSelectorTerms], labels, node)) return one;
  }
  return Value::absent();
}

Value refusing_volume_rules(const std::string& reason) {
  return Value::array({rule(reason, Value::empty_array())});
}

VolumeRules::VolumeRules(const ObjectCache& claims, const ObjectCache& volumes,
                         const ObjectCache& classes, const ObjectCache& pods, VolumeLimits limits,
                         std::function<bool(const Value& pod)> is_placed)
    : claims_(claims),
      volumes_(volumes),
      classes_(classes),
      pods_(pods),
      limits_(std::move(limits)),
      is_placed_(std::move(is_placed)) {}

VolumeVerdict VolumeRules::of(const Value& pod) const {
  VolumeVerdict verdict;
  if (!has_claims(pod)) return verdict;
  std::vector<Value> rules;
  if (auto full = limits_.full_for(pod); !full.empty()) {
    const Value elsewhere = Value::map(
        {{keys::kMatchFields,
          Value::array({requirement("metadata.name", "NotIn", Value::array(std::move(full)))})}});
    rules.push_back(rule(kTooMany, Value::array({elsewhere})));
  }
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    const std::string name = claim_of_volume(pod, volume);
    if (name.empty()) continue;
    const Value& claim = claims_.find(object_namespace(pod), name);
    const std::string quoted_name = quoted(name);
    if (!claim.has_value()) {
      verdict.refusal =
          volume[keys::kEphemeral].has_value()
              ? cat("waiting for ephemeral volume controller to create the persistentvolumeclaim ",
                    quoted_name)
              : cat("persistentvolumeclaim ", quoted_name, " not found");
    } else if (std::string why = why_not_for_pod(pod, volume, claim); !why.empty()) {
      verdict.refusal = std::move(why);
    } else if (claim[keys::kStatus][keys::kPhase].as_string() == "Lost") {
      verdict.refusal =
          cat("persistentvolumeclaim ", quoted_name, " bound to non-existent persistentvolume ",
              quoted(claim[keys::kSpec][keys::kVolumeName].as_string()));
    } else if (is_deleting(claim)) {
      verdict.refusal = cat("persistentvolumeclaim ", quoted_name, " is being deleted");
    } else {
      add_claim(pod, claim, verdict, rules);
    }
    if (!verdict.refusal.empty()) return verdict;
  }
  verdict.rules = Value::array(std::move(rules));
  return verdict;
}

void VolumeRules::add_claim(const Value& pod, const Value& claim, VolumeVerdict& verdict,
                            std::vector<Value>& rules) const {
  const auto modes = claim[keys::kSpec][keys::kAccessModes].items();
  if (std::ranges::find(modes, Value("ReadWriteOncePod")) != modes.end() &&
      used_by_another(pod, claim)) {
    rules.push_back(rule(kOnePodOnly, Value::empty_array()));
  }
  if (is_fully_bound(claim)) {
    const Value& volume = volumes_.find("", claim[keys::kSpec][keys::kVolumeName].as_string());
    if (!volume.has_value()) {
      rules.push_back(rule(kNoVolume, Value::empty_array()));
      return;
    }
    if (const Value& terms = affinity_terms(volume); terms.is_array()) {
      rules.push_back(rule(kConflict, terms));
    }
    add_zone_rules(volume, rules);
    return;
  }
  const Value& storage_class = classes_.find("", storage_class_of(claim));
  const bool named = !claim[keys::kSpec][keys::kVolumeName].as_string().empty();
  if (named || !waits_for_consumer(storage_class)) {
    verdict.refusal = "pod has unbound immediate PersistentVolumeClaims";
    return;
  }
  add_waiting(claim, storage_class, rules);
  const bool known = std::ranges::find(verdict.undecided, claim) != verdict.undecided.end();
  if (!known) verdict.undecided.push_back(claim);  // two volumes may name one claim
}

void VolumeRules::add_waiting(const Value& claim, const Value& storage_class,
                              std::vector<Value>& rules) const {
  const Value& selected = annotation(claim, volume_notes::kSelectedNode);
  if (selected.has_value()) {
    // Its volume is being made there.
    const Value there = Value::map(
        {{keys::kMatchFields,
          Value::array({requirement("metadata.name", "In", Value::array({selected}))})}});
    rules.push_back(rule(kNoneFound, Value::array({there})));
    return;
  }
  if (storage_class[keys::kProvisioner].as_string() != kNoProvisioner) {
    if (!storage_class[keys::kAllowedTopologies].empty()) {
      rules.push_back(rule(kNoneFound, topology_terms(storage_class)));
    }
    return;
  }
  std::vector<Value> terms;
  for (const auto& volume : free_volumes(claim)) {
    const Value& of_volume = affinity_terms(volume);
    if (!of_volume.is_array()) return;  // it is everywhere
    terms.insert(terms.end(), of_volume.items().begin(), of_volume.items().end());
  }
  rules.push_back(rule(kNoneFound, Value::array(std::move(terms))));
}

std::vector<Value> VolumeRules::free_volumes(const Value& claim) const {
  std::vector<Value> fitting;
  for (auto& volume : volumes_.list()) {
    if (best_volume({volume}, claim, false).has_value()) fitting.push_back(std::move(volume));
  }
  return fitting;
}

bool VolumeRules::used_by_another(const Value& pod, const Value& claim) const {
  const std::string name(object_name(claim));
  return std::ranges::any_of(pods_.list(object_namespace(pod)), [&](const Value& other) {
    if (object_uid(other) == object_uid(pod) || !has_claims(other) || !is_placed_(other))
      return false;
    return std::ranges::count(claims_of_pod(other), name) > 0;
  });
}

std::vector<ApiRequest> VolumeRules::requests_for(const std::vector<Value>& undecided,
                                                  const Value& labels,
                                                  const std::string& node) const {
  std::vector<ApiRequest> requests;
  std::vector<Value> taken;
  for (const auto& claim : undecided) {
    if (annotation(claim, volume_notes::kSelectedNode).has_value()) continue;
    auto volumes = free_volumes(claim);
    std::erase_if(volumes, [&](const Value& volume) {
      return !is_on(volume, labels, node) || std::ranges::find(taken, volume) != taken.end();
    });
    const Value volume = best_volume(volumes, claim, false);
    if (!volume.has_value()) {
      requests.push_back(update(kinds::kPersistentvolumeclaims,
                                with_annotation(claim, volume_notes::kSelectedNode, Value(node))));
      continue;
    }
    taken.push_back(volume);
    if (volume[keys::kSpec][keys::kClaimRef].has_value())
      continue;  // reserved for it: the binder's
    const Value& metadata = claim[keys::kMetadata];
    const Value reference =
        Value::map({{keys::kKind, "PersistentVolumeClaim"},
                    {keys::kApiVersion, "v1"},
                    {keys::kNamespace, metadata[keys::kNamespace]},
                    {keys::kName, metadata[keys::kName]},
                    {keys::kUid, metadata[keys::kUid]},
                    {keys::kResourceVersion, metadata[keys::kResourceVersion]}});
    requests.push_back(
        update(kinds::kPersistentvolumes,
               with_annotation(volume.with_at({keys::kSpec, keys::kClaimRef}, reference),
                               volume_notes::kBoundByController, "yes")));
  }
  return requests;
}

bool VolumeRules::all_bound(const Value& pod) const {
  return std::ranges::all_of(claims_of_pod(pod), [&](const std::string& name) {
    return is_fully_bound(claims_.find(object_namespace(pod), name));
  });
}

}  // namespace minik::control
