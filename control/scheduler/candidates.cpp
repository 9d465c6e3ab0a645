#include "control/scheduler/candidates.h"

#include <algorithm>
#include <limits>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// The system's own constraints for pods of a controller, which bring no constraints themselves.
const std::vector<DefaultSpread>& system_defaults() {
  static const std::vector<DefaultSpread> defaults = {{"kubernetes.io/hostname", 3, false},
                                                      {"topology.kubernetes.io/zone", 5, false}};
  return defaults;
}

}  // namespace

Candidates::Candidates(uint64_t id, PodClass pod_class, const Profile& profile,
                       std::shared_ptr<NodeRules> rules, uint64_t salt)
    : id_(id),
      class_(std::move(pod_class)),
      profile_(profile),
      rules_(std::move(rules)),
      salt_(salt) {}

void Candidates::add_spread_terms(NodeTable& table) {
  spread_labels_.clear();
  for (const auto& constraint : class_.spread) {
    auto& term = terms_.emplace_back(
        constraint.hard ? DomainTerm::Kind::kSpread : DomainTerm::Kind::kPreferSpread,
        table.topology(constraint.topology_key), table.counts().matching({constraint.matcher}));
    term.max_skew = constraint.max_skew;
    term.min_domains = constraint.min_domains;
    term.counts_itself = constraint.counts_itself;
    term.honor_affinity = constraint.honor_affinity;
    term.honor_taints = constraint.honor_taints;
    spread_labels_.emplace_back(constraint.topology_key, constraint.hard);
  }
  if (!class_.spreads_by_default) return;
  const bool by_system = profile_.spreads_by_system_defaults;
  for (const auto& constraint : by_system ? system_defaults() : profile_.default_spread) {
    if (!constraint.hard && profile_.weights.spread == 0) continue;
    auto& term = terms_.emplace_back(constraint.hard ? DomainTerm::Kind::kSpread : DomainTerm::Kind::kPreferSpread,
                                     table.topology(constraint.topology_key),
                                     table.counts().owned_by(class_.key.owner));
    term.max_skew = constraint.max_skew;
    term.counts_itself = true;
    term.honor_affinity = true;
    term.ignores_missing = by_system;
    if (!by_system) spread_labels_.emplace_back(constraint.topology_key, constraint.hard);
  }
}

// What each carrier of a placed pod's term adds to the score.
int64_t Candidates::attraction_of(const CarriedTerm& term) const {
  if (profile_.ignores_preferences_of_placed && class_.preferred.empty()) return 0;
  return term.kind == CarriedTerm::Kind::kNear ? profile_.hard_affinity_weight : term.weight;
}

void Candidates::build_terms(NodeTable& table) {
  terms_.clear();
  auto& counts = table.counts();
  // Kubernetes counts a pod for a required affinity only when it matches all of its terms.
  if (!class_.near.empty()) {
    std::vector<PodMatcher> all;
    for (const auto& term : class_.near) all.push_back(term.matcher);
    const auto count = counts.matching(std::move(all));
    for (const auto& term : class_.near) {
      terms_.emplace_back(DomainTerm::Kind::kNear, table.topology(term.topology_key), count);
    }
  }
  for (const auto& term : class_.apart) {
    terms_.emplace_back(DomainTerm::Kind::kApart, table.topology(term.topology_key),
                        counts.matching({term.matcher}));
  }
  for (const auto& carried :
       counts.carried_about(class_.key.namespace_.as_string(), class_.key.labels)) {
    const bool keeps_away = carried->kind == CarriedTerm::Kind::kApart;
    const int64_t weight = attraction_of(*carried);
    if (!keeps_away && weight == 0) continue;
    auto& term = terms_.emplace_back(keeps_away ? DomainTerm::Kind::kKeptAway : DomainTerm::Kind::kAttract,
                                     table.topology(carried->topology_key),
                                     std::shared_ptr<const PodCount>(carried, &carried->carriers));
    term.weight = weight;
  }
  for (const auto& preferred : class_.preferred) {
    auto& term =
        terms_.emplace_back(DomainTerm::Kind::kAttract, table.topology(preferred.topology_key),
                            counts.matching({preferred.matcher}));
    term.weight = preferred.weight;
  }
  add_spread_terms(table);
  // Refusals are named in the order of Kubernetes' filters: spreading before affinity.
  std::ranges::stable_sort(terms_, {}, [](const DomainTerm& t) {
    return t.kind == DomainTerm::Kind::kSpread ? -1 : static_cast<int>(t.kind);
  });
  hard_terms_ = std::ranges::any_of(terms_, &DomainTerm::hard);
  near_itself_ = std::ranges::all_of(class_.near, [&](const PodAffinityTerm& term) {
    return counts.matches(term.matcher, class_.key.namespace_.as_string(), class_.key.labels);
  });
  counts_version_ = counts.version();
}

bool Candidates::outdated(const NodeTable& table) const {
  const uint64_t behind = table.log_end() - std::max(position_, table.log_start());
  return !built_ || position_ < table.log_start() || behind > table.nodes().size() ||
         rules_generation_ != rules_->generation() ||
         std::ranges::any_of(terms_, &DomainTerm::outdated);
}

void Candidates::refresh(NodeTable& table) {
  rules_->refresh(table);
  const bool new_terms = counts_version_ != table.counts().version();
  if (new_terms || outdated(table)) {
    build_terms(table);
    groups_.clear();
    group_of_.assign(table.nodes().size(), nullptr);
    places_.resize(table.nodes().size());
    notes_.clear();
    tally_.clear();
    if (explaining_) notes_.resize(table.nodes().size());
    for (size_t i = 0; i < table.nodes().size(); ++i) evaluate(table, static_cast<int>(i), Filling::kAtOnce);
    for (auto& [place, group] : groups_) group.arrange();
    built_ = true;
    rules_generation_ = rules_->generation();
  } else {
    group_of_.resize(table.nodes().size(), nullptr);
    places_.resize(table.nodes().size());
    if (explaining_) notes_.resize(table.nodes().size());
    for (; position_ < table.log_end(); ++position_) {
      evaluate(table, table.changed(position_), Filling::kOneByOne);
    }
  }
  position_ = table.log_end();
}

bool Candidates::counts_for(const DomainTerm& term, const NodeTable& table, int node) const {
  if (!table.node(node).used) return false;
  if (term.kind != DomainTerm::Kind::kSpread && term.kind != DomainTerm::Kind::kPreferSpread)
    return true;
  if (term.honor_affinity && !rules_->selected(node)) return false;
  if (term.honor_taints && !rules_->tolerated(node)) return false;
  if (term.ignores_missing) return true;
  // Constraints of one pod count only nodes that have the labels of all of them.
  const Value& labels = table.node(node).labels;
  const bool hard = term.kind == DomainTerm::Kind::kSpread;
  return std::ranges::all_of(spread_labels_, [&](const auto& label) {
    return label.second != hard || labels[label.first].is_string();
  });
}

void Candidates::evaluate(const NodeTable& table, int node, Filling filling) {
  seat(table, node, filling);
  if (explaining_) note_refusals(table, node);
}

int64_t Candidates::score(const NodeTable& table, int node) const {
  const NodeEntry& entry = table.node(node);
  const auto& weights = profile_.weights;
  int64_t score = rules_->score(node, weights) +
                  weights.allocation * allocation_score(profile_, class_.demand(), entry);
  score += weights.balance * balance_score(profile_, class_.demand(), entry);
  if (!class_.key.images.empty())
    score += weights.image * image_score(class_.key.images, table, node);
  return score;
}

void Candidates::seat(const NodeTable& table, int node, Filling filling) {
  const NodeEntry& entry = table.node(node);
  for (auto& term : terms_) term.update(node, counts_for(term, table, node));
  RankHeap* const from = group_of_[static_cast<size_t>(node)];
  RankHeap* to = nullptr;
  if (rules_->allows(node) && has_room(class_.demand(), class_.key.priority, entry)) {
    to = &groups_.try_emplace(place_of(node), places_).first->second;
  }
  group_of_[static_cast<size_t>(node)] = to;
  if (from != nullptr && from != to) from->remove(node);
  if (to == nullptr) return;
  const Rank rank{score(table, node), entry.tie ^ salt_, node};
  if (filling == Filling::kAtOnce) {
    to->append(rank);
  } else if (from == to) {
    to->replace(rank);
  } else {
    to->add(rank);
  }
}

const Candidates::Place& Candidates::place_of(int node) {
  scratch_.clear();
  for (const auto& term : terms_) scratch_.push_back(term.place(node));
  return scratch_;
}

bool Candidates::first_of_its_kind() const {
  return near_itself_ && std::ranges::all_of(terms_, [](const DomainTerm& t) {
           return t.kind != DomainTerm::Kind::kNear || t.total() == 0;
         });
}

bool Candidates::allowed(const Place& place, bool first) const {
  for (size_t i = 0; i < terms_.size(); ++i) {
    if (terms_[i].hard() && !terms_[i].allows(place[i], first)) return false;
  }
  return true;
}

std::vector<Candidates::Choice> Candidates::choices() {
  const bool first = first_of_its_kind();
  std::vector<Choice> choices;
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (at->second.empty()) {
      at = groups_.erase(at);
      continue;
    }
    const auto& [place, group] = *at++;
    if (!allowed(place, first)) continue;
    Choice choice;
    choice.top = &group.best();
    for (size_t i = 0; i < terms_.size(); ++i) {
      const auto& term = terms_[i];
      if (term.kind == DomainTerm::Kind::kAttract) {
        choice.attraction += term.weight * term.pods_at(place[i]);
      } else if (term.kind == DomainTerm::Kind::kPreferSpread) {
        if (place[i] != DomainTerm::kNowhere) {
          choice.crowding += term.crowding(place[i]);
        } else if (!term.ignores_missing) {
          choice.unspread = true;
        }
      }
    }
    choice.crowding = (choice.crowding + 500) / 1000;
    choices.push_back(choice);
  }
  return choices;
}

int Candidates::best(NodeTable& table) {
  refresh(table);
  const auto groups = choices();
  if (groups.empty()) return -1;
  // Scores of rules about other pods are normalised over what is possible: from least to most.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t least_attraction = kMost, most_attraction = -kMost;
  int64_t least_crowding = kMost, most_crowding = 0;
  for (const auto& choice : groups) {
    least_attraction = std::min(least_attraction, choice.attraction);
    most_attraction = std::max(most_attraction, choice.attraction);
    if (choice.unspread) continue;
    least_crowding = std::min(least_crowding, choice.crowding);
    most_crowding = std::max(most_crowding, choice.crowding);
  }
  const auto& weights = profile_.weights;
  Rank winner{-1, 0, -1};
  for (const auto& choice : groups) {
    Rank rank = *choice.top;
    if (const int64_t range = most_attraction - least_attraction; range > 0) {
      rank.score += weights.pod_affinity * 100 * (choice.attraction - least_attraction) / range;
    }
    if (!choice.unspread) {
      const int64_t room = most_crowding + least_crowding - choice.crowding;
      rank.score += weights.spread * (most_crowding == 0 ? 100 : 100 * room / most_crowding);
    }
    if (winner.node < 0 || rank < winner) winner = rank;
  }
  return winner.node;
}

bool Candidates::has_place(const NodeTable& table, int node) const {
  const NodeEntry& entry = table.node(node);
  return has_room(class_.demand(), class_.key.priority, entry) && rules_->would_allow(entry);
}

void Candidates::forget() {
  built_ = false;
  explaining_ = false;
  terms_.clear();
  groups_.clear();
  group_of_ = {};
  places_ = {};
  notes_ = {};
  tally_.clear();
  rules_->forget();
}

bool Candidates::could_take(NodeTable& table, int node) {
  refresh(table);
  if (!group_of_[static_cast<size_t>(node)]) return false;
  return allowed(place_of(node), first_of_its_kind());
}

bool Candidates::depends_on(NodeTable& table, const Value& pod) const {
  if (!built_) return hard_terms_;  // forgotten: it may
  return std::ranges::any_of(terms_, [&](const DomainTerm& term) {
    return term.hard() && table.counts().counts(term.pods(), pod);
  });
}

bool Candidates::allows(NodeTable& table, int node, const std::vector<const PlacedPod*>& removed) {
  const bool first = first_of_its_kind();
  for (const auto& term : terms_) {
    if (!term.hard()) continue;
    const auto gone = std::ranges::count_if(removed, [&](const PlacedPod* placed) {
      return table.counts().counts(term.pods(), placed->pod);
    });
    if (!term.allows(term.place(node), first, gone)) return false;
  }
  return true;
}

std::string Candidates::refusal_by_terms(int node) const {
  const bool first = first_of_its_kind();
  for (const auto& term : terms_) {
    const int64_t place = term.place(node);
    if (term.hard() && !term.allows(place, first)) return std::string(term.reason(place));
  }
  return {};
}

std::vector<Refusal> Candidates::own_refusals(const NodeTable& table, int node) const {
  const NodeEntry& entry = table.node(node);
  if (!entry.used) return {};
  if (!class_.pinned.empty() && class_.pinned != entry.name) {
    return {{"node(s) didn't satisfy plugin(s) [NodeAffinity]", false}};
  }
  if (!rules_->allows(node)) return {{rules_->why_not(entry), false}};
  return shortages(class_.demand(), class_.key.priority, entry);
}

void Candidates::note_refusals(const NodeTable& table, int node) {
  Note& note = notes_[static_cast<size_t>(node)];
  for (const auto& reason : note.reasons) --reason->second;
  note = {};
  if (group_of_[static_cast<size_t>(node)]) return;
  note.resolvable = true;
  for (auto& refusal : own_refusals(table, node)) {
    note.resolvable = note.resolvable && refusal.resolvable;
    const auto at = tally_.try_emplace(std::move(refusal.reason), 0).first;
    ++at->second;
    note.reasons.push_back(at);
  }
  if (note.reasons.empty()) note.resolvable = false;
}

void Candidates::explain(NodeTable& table) {
  refresh(table);
  if (explaining_) return;
  explaining_ = true;
  notes_.resize(table.nodes().size());
  for (size_t i = 0; i < notes_.size(); ++i) note_refusals(table, static_cast<int>(i));
}

std::vector<std::pair<int64_t, std::string>> Candidates::diagnosis(NodeTable& table) {
  explain(table);
  std::map<std::string, int64_t> counts;
  for (const auto& [reason, count] : tally_) {
    if (count > 0) counts[reason] += count;
  }
  const bool first = first_of_its_kind();
  for (const auto& [place, group] : groups_) {
    for (size_t i = 0; i < terms_.size() && !group.empty(); ++i) {
      if (!terms_[i].hard() || terms_[i].allows(place[i], first)) continue;
      counts[std::string(terms_[i].reason(place[i]))] += static_cast<int64_t>(group.size());
      break;
    }
  }
  std::vector<std::pair<int64_t, std::string>> reasons;
  for (const auto& [reason, count] : counts) reasons.emplace_back(count, reason);
  // Kubernetes sorts the printed texts, so 10 stands before 2.
  std::ranges::sort(reasons, {}, [](const auto& e) { return cat(e.first, " ", e.second); });
  return reasons;
}

std::vector<int> Candidates::helpable(NodeTable& table) {
  explain(table);
  std::vector<int> nodes;
  const bool first = first_of_its_kind();
  for (size_t i = 0; i < notes_.size(); ++i) {
    const int node = static_cast<int>(i);
    bool help = notes_[i].resolvable;
    if (group_of_[i]) {
      const Place& place = place_of(node);
      for (size_t t = 0; t < terms_.size() && !help; ++t) {
        if (!terms_[t].hard() || terms_[t].allows(place[t], first)) continue;
        help = terms_[t].resolvable(place[t]);
        if (!help) break;
      }
    }
    if (help) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace minik::control
