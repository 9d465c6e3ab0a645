#include "control/scheduler/volume_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
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

// All nodes but these, which is a rule's one term.
Value elsewhere(std::vector<Value> names) {
  return Value::array({Value::map(
      {{keys::kMatchFields, Value::array({requirement("metadata.name", "NotIn", Value::array(std::move(names)))})}})});
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
                         std::function<bool(const Value& pod)> is_placed, EachNode each_node)
    : claims_(claims),
      volumes_(volumes),
      classes_(classes),
      pods_(pods),
      limits_(std::move(limits)),
      is_placed_(std::move(is_placed)),
      each_node_(std::move(each_node)) {}

VolumeVerdict VolumeRules::of(const Value& pod) const {
  VolumeVerdict verdict;
  if (!has_claims(pod)) return verdict;
  std::vector<Value> rules;
  if (auto full = limits_.full_for(pod); !full.empty()) rules.push_back(rule(kTooMany, elsewhere(std::move(full))));
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
  if (auto names = nodes_short_of_volumes(verdict.undecided); !names.empty()) {
    rules.push_back(rule(kNoneFound, elsewhere(std::move(names))));
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
  const bool made_by_hand = storage_class[keys::kProvisioner].as_string() == kNoProvisioner;
  const Value& selected = annotation(claim, volume_notes::kSelectedNode);
  if (selected.has_value() && !made_by_hand) {
    // Its volume is being made there.
    const Value there = Value::map(
        {{keys::kMatchFields,
          Value::array({requirement("metadata.name", "In", Value::array({selected}))})}});
    rules.push_back(rule(kNoneFound, Value::array({there})));
    return;
  }
  if (!made_by_hand) {
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

bool VolumeRules::is_static(const Value& claim) const {
  return classes_.find("", storage_class_of(claim))[keys::kProvisioner].as_string() == kNoProvisioner;
}

// Smaller claims choose first, so that they leave the larger volumes to those that need them.
std::vector<VolumeRules::Wish> VolumeRules::wishes_of(const std::vector<Value>& undecided) const {
  std::vector<Wish> wishes;
  for (const auto& claim : undecided) {
    const bool being_made = annotation(claim, volume_notes::kSelectedNode).has_value() && !is_static(claim);
    if (!being_made) wishes.push_back({claim, free_volumes(claim)});
  }
  std::ranges::stable_sort(wishes, {}, [](const Wish& wish) {
    return Quantity::of_value(wish.claim[keys::kSpec][keys::kResources][keys::kRequests].get("storage"));
  });
  return wishes;
}

// The volume of each on this node, or absent: no two get the same.
std::vector<Value> VolumeRules::choose(const std::vector<Wish>& wishes, const Value& labels, std::string_view node) {
  std::vector<Value> chosen;
  for (const auto& wish : wishes) {
    std::vector<Value> volumes;
    std::ranges::copy_if(wish.free, std::back_inserter(volumes), [&](const Value& volume) {
      return std::ranges::find(chosen, volume) == chosen.end() && is_on(volume, labels, node);
    });
    chosen.push_back(best_volume(volumes, wish.claim, false));
  }
  return chosen;
}

// Nodes that have a volume for each of the claims that nobody makes volumes for, but not for all of them together.
std::vector<Value> VolumeRules::nodes_short_of_volumes(const std::vector<Value>& undecided) const {
  std::vector<Value> of_hand;
  std::ranges::copy_if(undecided, std::back_inserter(of_hand), [&](const Value& claim) { return is_static(claim); });
  if (of_hand.size() < 2) return {};
  std::vector<Value> names;
  const auto wishes = wishes_of(of_hand);
  each_node_([&](const std::string& name, const Value& labels) {
    const auto has_one = [&](const Wish& wish) {
      return std::ranges::any_of(wish.free, [&](const Value& volume) { return is_on(volume, labels, name); });
    };
    if (!std::ranges::all_of(wishes, has_one)) return;  // each claim's own rule says so
    const auto chosen = choose(wishes, labels, name);
    if (std::ranges::any_of(chosen, [](const Value& volume) { return volume.is_absent(); })) names.emplace_back(name);
  });
  return names;
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
  const auto wishes = wishes_of(undecided);
  const auto chosen = choose(wishes, labels, node);
  for (size_t i = 0; i < wishes.size(); ++i) {
    const Value& claim = wishes[i].claim;
    const Value& volume = chosen[i];
    if (!volume.has_value()) {
      if (is_static(claim)) continue;
      requests.push_back(update(kinds::kPersistentvolumeclaims,
                                with_annotation(claim, volume_notes::kSelectedNode, Value(node))));
      continue;
    }
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
