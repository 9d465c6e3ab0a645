#include "control/scheduler/pod_class.h"

#include <algorithm>

#include "control/object/keys.h"

namespace minik::control {

namespace {

const Key& required_key() {
  static const Key key = keys::kRequiredDuringSchedulingIgnoredDuringExecution;
  return key;
}
const Key& preferred_key() {
  static const Key key = keys::kPreferredDuringSchedulingIgnoredDuringExecution;
  return key;
}

// The one node that a required node affinity names, as the pods of a DaemonSet have it; else
// nothing.
std::string pinned_node(const Value& affinity) {
  const auto terms =
      affinity[keys::kNodeAffinity][required_key()][keys::kNodeSelectorTerms].items();
  if (terms.size() != 1 || terms[0][keys::kMatchFields].size() != 1) return {};
  const Value& field = terms[0][keys::kMatchFields].items()[0];
  if (field[keys::kOperator].as_string() != "In" || field[keys::kValues].size() != 1) return {};
  return field[keys::kValues].items()[0].string();
}

}  // namespace

PodClassKey class_key(const Value& pod, NodeTable& table) {
  const Value& spec = pod[keys::kSpec];
  PodClassKey key;
  key.node_selector = spec[keys::kNodeSelector];
  key.affinity = spec[keys::kAffinity];
  key.tolerations = spec[keys::kTolerations];
  key.spread = spec[keys::kTopologySpreadConstraints];
  key.owner = controller_of(pod)[keys::kUid];
  key.priority = spec[keys::kPriority].as_int();
  key.demand = table.demands().of(spec);
  // Images that no node has make no difference.
  bool somewhere = false;
  for (const auto& container : spec[keys::kContainers].items()) {
    key.images.push_back(container[keys::kImage]);
    somewhere = somewhere || table.image(key.images.back().as_string()) != nullptr;
  }
  if (!somewhere) key.images.clear();
  const bool pod_terms = !key.affinity[keys::kPodAffinity].empty() ||
                         !key.affinity[keys::kPodAntiAffinity].empty() || !key.spread.empty();
  if (pod_terms || table.counts().any_carried()) {
    key.namespace_ = pod[keys::kMetadata][keys::kNamespace];
    key.labels = pod[keys::kMetadata][keys::kLabels];
  }
  return key;
}

uint64_t PodClassKey::hash() const {
  uint64_t hash = static_cast<uint64_t>(demand->requests.milli_cpu) * 0x9e3779b97f4a7c15ULL;
  const auto mix = [&hash](uint64_t part) { hash = (hash ^ part) * 0x100000001b3ULL; };
  mix(static_cast<uint64_t>(demand->requests.memory_bytes));
  mix(static_cast<uint64_t>(demand->requests.ephemeral_bytes));
  mix(static_cast<uint64_t>(priority));
  for (const Value* part :
       {&node_selector, &affinity, &tolerations, &spread, &owner, &namespace_, &labels, &volumes}) {
    mix(part->hash());
  }
  return hash;
}

bool PodClassKey::operator==(const PodClassKey& other) const {
  return priority == other.priority && (demand == other.demand || *demand == *other.demand) &&
         node_selector == other.node_selector && affinity == other.affinity &&
         tolerations == other.tolerations && spread == other.spread && owner == other.owner &&
         namespace_ == other.namespace_ && labels == other.labels && images == other.images &&
         volumes == other.volumes;
}

PodClass::PodClass(PodClassKey k) : key(std::move(k)) {
  const auto home = key.namespace_.as_string();
  const auto term_of = [&](const Value& term, int64_t weight) {
    return PodAffinityTerm{Key(term[keys::kTopologyKey].as_string()),
                           affinity_matcher(term, home, key.labels), weight};
  };
  const Value& beside = key.affinity[keys::kPodAffinity];
  const Value& away = key.affinity[keys::kPodAntiAffinity];
  for (const auto& term : beside[required_key()].items()) near.push_back(term_of(term, 0));
  for (const auto& term : away[required_key()].items()) apart.push_back(term_of(term, 0));
  for (const auto& entry : beside[preferred_key()].items()) {
    preferred.push_back(term_of(entry[keys::kPodAffinityTerm], entry[keys::kWeight].as_int()));
  }
  for (const auto& entry : away[preferred_key()].items()) {
    preferred.push_back(term_of(entry[keys::kPodAffinityTerm], -entry[keys::kWeight].as_int()));
  }
  for (const auto& entry : key.spread.items()) {
    SpreadConstraint constraint{
        Key(entry[keys::kTopologyKey].as_string()), 1, 1, false, true, false, false, {}};
    constraint.max_skew = entry[keys::kMaxSkew].as_int(1);
    constraint.min_domains = entry[keys::kMinDomains].as_int(1);
    constraint.hard = entry[keys::kWhenUnsatisfiable].as_string() != "ScheduleAnyway";
    constraint.honor_affinity = entry[keys::kNodeAffinityPolicy].as_string("Honor") == "Honor";
    constraint.honor_taints = entry[keys::kNodeTaintsPolicy].as_string("Ignore") == "Honor";
    constraint.matcher = spread_matcher(entry, home, key.labels);
    constraint.counts_itself = constraint.matcher.pods.matches(key.labels);
    spread.push_back(std::move(constraint));
  }
  pinned = pinned_node(key.affinity);
  spreads_by_default = spread.empty() && key.owner.has_value();
}

}  // namespace minik::control
