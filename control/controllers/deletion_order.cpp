#include "control/controllers/deletion_order.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

int64_t deletion_cost(const Value& pod) {
  return parse_int64(pod[keys::kMetadata][keys::kAnnotations].get(kDeletionCost).as_string()).value_or(0);
}

int64_t restarts(const Value& pod) {
  int64_t most = 0;
  for (const auto& status : pod[keys::kStatus][keys::kContainerStatuses].items()) {
    most = std::max(most, status[keys::kRestartCount].as_int());
  }
  return most;
}

// Ages count by magnitude: of two pods that have been ready for about as long, none is the younger.
int magnitude(std::optional<WallTime> since, WallTime now) {
  if (!since || *since >= now) return 0;
  return static_cast<int>(std::bit_width(static_cast<uint64_t>((now - *since).ns)));
}

int phase_rank(std::string_view phase) { return phase == "Pending" ? 0 : phase == "Unknown" ? 1 : 2; }

std::string_view node_of(const Value& pod) { return pod[keys::kSpec][keys::kNodeName].as_string(); }

// What decides first and is cheap to ask. The lower place goes first; of equal ones, that on the fuller node.
struct Place {
  bool assigned = false;
  int phase = 0;
  bool ready = false;
  int64_t cost = 0;
  auto operator<=>(const Place&) const = default;
};

Place place_of(const Value& pod) {
  return {!node_of(pod).empty(), phase_rank(pod[keys::kStatus][keys::kPhase].as_string()), is_pod_ready(pod),
          deletion_cost(pod)};
}

}  // namespace

std::vector<Value> by_deletion_rank(std::span<const Value> pods, const PodsByNode& pods_on_node, WallTime now,
                                    size_t first) {
  struct Ranked {
    const Value* pod;
    Place place;
    int64_t crowd;
    // Of the finalists only: the rest need not be asked.
    std::optional<WallTime> ready_since = {}, created = {};
    int64_t restart_count = 0;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(pods.size());
  for (const auto& pod : pods) {
    const auto crowd = pods_on_node.find(node_of(pod));
    ranked.push_back({&pod, place_of(pod), crowd == pods_on_node.end() ? 0 : crowd->second});
  }
  const auto standing = [](const Ranked& r) { return std::tuple(r.place, -r.crowd); };
  first = std::min(first, ranked.size());
  if (first == 0) return {};
  // Whoever comes behind the last place that counts is out.
  const auto last_place = ranked.begin() + static_cast<ptrdiff_t>(first - 1);
  std::ranges::nth_element(ranked, last_place, {}, standing);
  const auto out = std::partition(last_place, ranked.end(),
                                  [&, last = standing(*last_place)](const Ranked& r) { return standing(r) <= last; });
  ranked.erase(out, ranked.end());
  for (auto& r : ranked) {
    if (r.place.ready) r.ready_since = time_of(condition(*r.pod, "Ready")[keys::kLastTransitionTime]);
    r.created = time_of((*r.pod)[keys::kMetadata][keys::kCreationTimestamp]);
    r.restart_count = restarts(*r.pod);
  }
  // Two times of one magnitude count as equal, and then the uid decides at once, without the rest.
  const auto younger = [now](const Ranked& a, const Ranked& b, std::optional<WallTime> ta, std::optional<WallTime> tb) {
    const int ma = magnitude(ta, now), mb = magnitude(tb, now);
    return ma == mb ? object_uid(*a.pod) < object_uid(*b.pod) : ma < mb;
  };
  const auto goes_before = [&](const Ranked& a, const Ranked& b) {
    if (standing(a) != standing(b)) return standing(a) < standing(b);
    if (a.ready_since != b.ready_since) return younger(a, b, a.ready_since, b.ready_since);
    if (a.restart_count != b.restart_count) return a.restart_count > b.restart_count;
    return younger(a, b, a.created, b.created);
  };
  std::ranges::partial_sort(ranked, ranked.begin() + static_cast<ptrdiff_t>(first), goes_before);
  std::vector<Value> ordered;
  ordered.reserve(first);
  for (size_t i = 0; i < first; ++i) ordered.push_back(*ranked[i].pod);
  return ordered;
}

// The live pods of a set, by node and place.
struct DeletionOrder::Set {
  struct Alike {
    Place place;
    std::set<Key> names;
  };
  std::string namespace_;
  size_t live = 0;
  std::vector<std::vector<Alike>> on_node;  // by the node's number; few places each

  void add(size_t node, const Place& place, const Value& pod) {
    if (on_node.size() <= node) on_node.resize(node + 1);
    auto& places = on_node[node];
    auto alike = std::ranges::find(places, place, &Alike::place);
    if (alike == places.end()) alike = places.insert(places.end(), {place, {}});
    alike->names.emplace(pod[keys::kMetadata][keys::kName]);
    ++live;
  }

  void remove(size_t node, const Place& place, const Value& pod) {
    auto& places = on_node[node];
    const auto alike = std::ranges::find(places, place, &Alike::place);
    alike->names.erase(Key(pod[keys::kMetadata][keys::kName]));
    if (alike->names.empty()) places.erase(alike);
    --live;
  }

  void count_into(std::vector<int64_t>& crowds) const {
    if (crowds.size() < on_node.size()) crowds.resize(on_node.size());
    for (size_t node = 0; node < on_node.size(); ++node) {
      for (const auto& alike : on_node[node]) crowds[node] += static_cast<int64_t>(alike.names.size());
    }
  }
};

DeletionOrder::DeletionOrder() = default;
DeletionOrder::~DeletionOrder() = default;

void DeletionOrder::clear() {
  followed_.clear();
  numbers_of_nodes_.clear();
}

size_t DeletionOrder::number_of(std::string_view node) {
  const auto known = numbers_of_nodes_.find(node);
  if (known != numbers_of_nodes_.end()) return known->second;
  return numbers_of_nodes_.emplace(node, numbers_of_nodes_.size()).first->second;
}

void DeletionOrder::change(const Value& before, const Value& after) {
  if (followed_.empty()) return;
  const auto set_of = [&](const Value& pod) {
    return pod.has_value() && is_pod_active(pod) ? followed_.find(controller_of(pod)[keys::kUid].as_string())
                                                 : followed_.end();
  };
  const auto old_set = set_of(before), new_set = set_of(after);
  if (old_set == followed_.end() && new_set == followed_.end()) return;
  if (old_set == new_set && node_of(before) == node_of(after) && place_of(before) == place_of(after)) return;
  if (new_set != followed_.end()) new_set->second.add(number_of(node_of(after)), place_of(after), after);
  if (old_set == followed_.end()) return;
  old_set->second.remove(number_of(node_of(before)), place_of(before), before);
  if (old_set->second.live == 0) followed_.erase(old_set);
  if (followed_.empty()) numbers_of_nodes_.clear();
}

const DeletionOrder::Set* DeletionOrder::follow(const ObjectCache& pods, std::string_view set_uid) {
  const auto known = followed_.find(set_uid);
  if (known != followed_.end()) return &known->second;
  Set set;
  for (const auto& pod : pods.indexed(kByController, set_uid)) {
    if (!is_pod_active(pod)) continue;
    set.namespace_ = object_namespace(pod);
    set.add(number_of(node_of(pod)), place_of(pod), pod);
  }
  return set.live == 0 ? nullptr : &followed_.emplace(set_uid, std::move(set)).first->second;
}

std::vector<Value> DeletionOrder::first(const ObjectCache& pods, std::string_view set_uid,
                                        std::span<const std::string> sibling_uids, WallTime now, size_t number) {
  const Set* set = follow(pods, set_uid);
  if (!set) return {};
  std::vector<int64_t> crowds;
  set->count_into(crowds);
  for (const auto& uid : sibling_uids) {
    if (const Set* sibling = follow(pods, uid)) sibling->count_into(crowds);
  }

  // All that stand like the last one that counts may go; which of them do, their ages say.
  struct Candidates {
    Place place;
    int64_t crowd;
    const std::set<Key>* names;
  };
  const auto standing = [](const Candidates& c) { return std::tuple(c.place, -c.crowd); };
  std::vector<Candidates> candidates;
  for (size_t node = 0; node < set->on_node.size(); ++node) {
    for (const auto& alike : set->on_node[node]) candidates.push_back({alike.place, crowds[node], &alike.names});
  }
  std::ranges::make_heap(candidates, std::greater{}, standing);
  std::vector<Value> finalists;
  PodsByNode pods_on_node;
  std::optional<std::tuple<Place, int64_t>> last;
  while (!candidates.empty() && (!last || standing(candidates.front()) == *last)) {
    const Candidates& best = candidates.front();
    for (const auto& name : *best.names) finalists.push_back(pods.find(set->namespace_, name.text()));
    if (finalists.size() >= number) last = standing(best);
    pods_on_node[node_of(finalists.back())] = best.crowd;
    std::ranges::pop_heap(candidates, std::greater{}, standing);
    candidates.pop_back();
  }
  return by_deletion_rank(finalists, pods_on_node, now, number);
}

}  // namespace minik::control
