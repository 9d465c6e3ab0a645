#include "control/controllers/deletion_order.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "control/base/check.h"
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

// What decides between pods of one place and equally full nodes.
struct Ages {
  std::optional<WallTime> ready_since, created;
  int64_t restart_count = 0;
  Value uid;
};

Ages ages_of(const Value& pod, bool ready) {
  return {ready ? time_of(condition(pod, "Ready")[keys::kLastTransitionTime]) : std::nullopt,
          time_of(pod[keys::kMetadata][keys::kCreationTimestamp]), restarts(pod), pod[keys::kMetadata][keys::kUid]};
}

// Two times of one magnitude count as equal, and then the uid decides at once, without the rest.
bool goes_before(const Ages& a, const Ages& b, WallTime now) {
  const auto younger = [&](std::optional<WallTime> of_a, std::optional<WallTime> of_b) {
    const int ma = magnitude(of_a, now), mb = magnitude(of_b, now);
    return ma == mb ? a.uid.as_string() < b.uid.as_string() : ma < mb;
  };
  if (a.ready_since != b.ready_since) return younger(a.ready_since, b.ready_since);
  if (a.restart_count != b.restart_count) return a.restart_count > b.restart_count;
  return younger(a.created, b.created);
}

using Standing = std::tuple<Place, int64_t>;
Standing standing(const Place& place, int64_t crowd) { return {place, -crowd}; }

}  // namespace

std::vector<Value> by_deletion_rank(std::span<const Value> pods, const PodsByNode& pods_on_node, WallTime now) {
  struct Ranked {
    const Value* pod;
    Standing standing;
    Ages ages;
  };
  std::vector<Ranked> ranked;
  ranked.reserve(pods.size());
  for (const auto& pod : pods) {
    const auto crowd = pods_on_node.find(node_of(pod));
    const Place place = place_of(pod);
    ranked.push_back({&pod, standing(place, crowd == pods_on_node.end() ? 0 : crowd->second), ages_of(pod, place.ready)});
  }
  std::ranges::sort(ranked, [now](const Ranked& a, const Ranked& b) {
    return a.standing != b.standing ? a.standing < b.standing : goes_before(a.ages, b.ages, now);
  });
  std::vector<Value> ordered;
  ordered.reserve(ranked.size());
  for (const auto& r : ranked) ordered.push_back(*r.pod);
  return ordered;
}

// The live pods of a set, by node and place.
struct DeletionOrder::Set {
  struct Alike {
    Place place;
    std::map<Key, Ages> pods;  // by name
  };
  std::string namespace_;
  size_t live = 0;
  std::vector<std::vector<Alike>> on_node;  // by the node's number; few places each

  void add(size_t node, const Place& place, const Value& pod) {
    if (on_node.size() <= node) on_node.resize(node + 1);
    auto& places = on_node[node];
    auto alike = std::ranges::find(places, place, &Alike::place);
    if (alike == places.end()) alike = places.insert(places.end(), {place, {}});
    alike->pods.emplace(pod[keys::kMetadata][keys::kName], ages_of(pod, place.ready));
    ++live;
  }

  void remove(size_t node, const Place& place, const Value& pod) {
    auto& places = on_node[node];
    const auto alike = std::ranges::find(places, place, &Alike::place);
    CHECK(alike != places.end()) << "a pod goes that never came: " << object_name(pod);
    alike->pods.erase(Key(pod[keys::kMetadata][keys::kName]));
    if (alike->pods.empty()) places.erase(alike);
    --live;
  }

  void count_into(std::vector<int64_t>& crowds) const {
    if (crowds.size() < on_node.size()) crowds.resize(on_node.size());
    for (size_t node = 0; node < on_node.size(); ++node) {
      for (const auto& alike : on_node[node]) crowds[node] += static_cast<int64_t>(alike.pods.size());
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

// The followed set that this live pod belongs to.
DeletionOrder::Sets::iterator DeletionOrder::set_of(const Value& pod) {
  if (!pod.has_value() || !is_pod_active(pod)) return followed_.end();
  const auto set = followed_.find(controller_of(pod)[keys::kUid].as_string());
  return set == followed_.end() || set->second.namespace_ == object_namespace(pod) ? set : followed_.end();
}

void DeletionOrder::change(const Value& before, const Value& after) {
  if (followed_.empty()) return;
  const auto old_set = set_of(before), new_set = set_of(after);
  if (old_set == followed_.end() && new_set == followed_.end()) return;
  if (old_set != followed_.end()) old_set->second.remove(number_of(node_of(before)), place_of(before), before);
  if (new_set != followed_.end()) new_set->second.add(number_of(node_of(after)), place_of(after), after);
  if (old_set != followed_.end() && old_set->second.live == 0) followed_.erase(old_set);
  if (followed_.empty()) numbers_of_nodes_.clear();
}

const DeletionOrder::Set* DeletionOrder::follow(const ObjectCache& pods, std::string_view namespace_, std::string_view set_uid) {
  const auto known = followed_.find(set_uid);
  if (known != followed_.end()) return &known->second;
  Set set;
  set.namespace_ = namespace_;
  for (const auto& pod : pods.indexed(kByController, set_uid)) {
    if (!is_pod_active(pod) || object_namespace(pod) != namespace_) continue;
    set.add(number_of(node_of(pod)), place_of(pod), pod);
  }
  return set.live == 0 ? nullptr : &followed_.emplace(set_uid, std::move(set)).first->second;
}

std::vector<Value> DeletionOrder::first(const ObjectCache& pods, const Value& set_object, std::span<const std::string> sibling_uids,
                                        WallTime now, size_t number) {
  const auto namespace_ = object_namespace(set_object);
  const Set* set = follow(pods, namespace_, object_uid(set_object));
  if (!set || number == 0) return {};
  std::vector<int64_t> crowds;
  set->count_into(crowds);
  for (const auto& uid : sibling_uids) {
    if (const Set* sibling = follow(pods, namespace_, uid)) sibling->count_into(crowds);
  }

  // From the place and the fullest nodes that go first; all that stand like the last one that counts may go, and which
  // of them do, their ages say.
  struct Candidates {
    Standing standing;
    const std::map<Key, Ages>* pods;
  };
  std::vector<Candidates> candidates;
  for (size_t node = 0; node < set->on_node.size(); ++node) {
    for (const auto& alike : set->on_node[node]) candidates.push_back({standing(alike.place, crowds[node]), &alike.pods});
  }
  std::ranges::make_heap(candidates, std::greater{}, &Candidates::standing);
  struct Finalist {
    const Standing* standing;
    const std::pair<const Key, Ages>* pod;
  };
  std::vector<Finalist> finalists;
  std::vector<Standing> standings;
  standings.reserve(candidates.size());
  while (!candidates.empty() && (finalists.size() < number || candidates.front().standing == standings.back())) {
    const Candidates& best = candidates.front();
    standings.push_back(best.standing);
    for (const auto& pod : *best.pods) finalists.push_back({&standings.back(), &pod});
    std::ranges::pop_heap(candidates, std::greater{}, &Candidates::standing);
    candidates.pop_back();
  }
  const auto end = finalists.begin() + static_cast<ptrdiff_t>(std::min(number, finalists.size()));
  std::ranges::partial_sort(finalists, end, [now](const Finalist& a, const Finalist& b) {
    return *a.standing != *b.standing ? *a.standing < *b.standing : goes_before(a.pod->second, b.pod->second, now);
  });
  std::vector<Value> ordered;
  for (auto f = finalists.begin(); f != end; ++f) ordered.push_back(pods.find(set->namespace_, f->pod->first.text()));
  return ordered;
}

}  // namespace minik::control
