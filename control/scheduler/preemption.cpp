#include "control/scheduler/preemption.h"

#include <algorithm>
#include <tuple>

#include "control/object/keys.h"

namespace minik::control {

namespace {

// Priorities may be negative; their sum must grow with each victim.
constexpr int64_t kPriorityOffset = int64_t{1} << 31;
constexpr size_t kOrdersMax = 64;
constexpr std::string_view kNoVictims = "No preemption victims found for incoming pod";

// Pods that have not started count as the youngest; the texts of times compare as the times do.
std::string start_of(const Value& pod) {
  const auto start = pod[keys::kStatus][keys::kStartTime].as_string();
  return start.empty() ? "~" : std::string(start);
}

bool more_important(const PlacedPod* a, const PlacedPod* b) {
  if (a->priority() != b->priority()) return a->priority() > b->priority();
  const std::string start_a = start_of(a->pod), start_b = start_of(b->pod);
  if (start_a != start_b) return start_a < start_b;
  return key_of(a->pod) < key_of(b->pod);
}

// A node without its pods of lower priority than the class's, and how it fills again.
class EmptiedNode {
 public:
  EmptiedNode(NodeTable& table, Candidates& candidates, int node)
      : table_(table),
        candidates_(candidates),
        node_(node),
        priority_(candidates.pod_class().key.priority),
        taken_(taken_on(table.node(node), priority_)) {
    const NodeEntry& entry = table.node(node);
    for (const auto& placed : entry.pods) {
      if (placed.priority() < priority_) {
        gone_.push_back(&placed);
        taken_.add(placed.demand->requests, -1);
      } else {
        take_ports(*placed.demand);
      }
    }
    for (const auto& nomination : entry.nominations) {
      if (nomination.priority >= priority_) take_ports(*nomination.demand);
    }
  }

  const std::vector<const PlacedPod*>& thought_away() const { return gone_; }
  bool too_small() const { return !fits(demand().requests, {}, table_.node(node_).allocatable); }
  bool has_place() const {
    return fits(demand().requests, taken_, table_.node(node_).allocatable) &&
           ports_are_free(demand().ports, ports_) &&
           (!candidates_.has_hard_terms() || candidates_.allows(table_, node_, gone_));
  }
  // Puts the pod back unless the place is gone then.
  bool take_back(const PlacedPod& placed) {
    const size_t ports_before = ports_.size();
    taken_.add(placed.demand->requests, 1);
    take_ports(*placed.demand);
    std::erase(gone_, &placed);
    if (has_place()) return true;
    taken_.add(placed.demand->requests, -1);
    ports_.resize(ports_before);
    gone_.push_back(&placed);
    return false;
  }
  // Why there is no place although they are gone.
  std::string refusal() const {
    NodeEntry emptied;
    emptied.allocatable = table_.node(node_).allocatable;
    emptied.requested = taken_;
    emptied.ports = ports_;
    const auto shorts = shortages(demand(), priority_, emptied);
    return shorts.empty() ? candidates_.refusal_by_terms(node_) : shorts[0].reason;
  }

 private:
  const PodDemand& demand() const { return candidates_.pod_class().demand(); }
  void take_ports(const PodDemand& other) {
    if (!demand().ports.empty()) {
      ports_.insert(ports_.end(), other.ports.begin(), other.ports.end());
    }
  }

  NodeTable& table_;
  Candidates& candidates_;
  int node_;
  int64_t priority_;
  Resources taken_;
  std::vector<HostPort> ports_;
  std::vector<const PlacedPod*> gone_;
};

}  // namespace

void Budgets::put(const Value& before, const Value& after) {
  if (!after.has_value()) {
    if (budgets_.erase(key_of(before)) > 0) ++version_;
    return;
  }
  const Value& status = after[keys::kStatus];
  if (before.has_value() && before[keys::kStatus] == status &&
      before[keys::kSpec] == after[keys::kSpec]) {
    return;
  }
  auto selector = LabelSelector::from_object(after[keys::kSpec][keys::kSelector]);
  budgets_[key_of(after)] = {selector ? *std::move(selector) : LabelSelector::nothing(),
                             status[keys::kDisruptionsAllowed].as_int(),
                             status[keys::kDisruptedPods]};
  ++version_;
}

std::vector<bool> Budgets::violations(const std::vector<const PlacedPod*>& pods) const {
  std::vector<bool> violating(pods.size(), false);
  std::map<ObjectKey, int64_t> left;
  for (size_t i = 0; i < pods.size(); ++i) {
    const Value& pod = pods[i]->pod;
    const Value& labels = pod[keys::kMetadata][keys::kLabels];
    if (labels.empty()) continue;
    for (const auto& [key, budget] : budgets_) {
      if (key.namespace_ != object_namespace(pod) || !budget.selector.matches(labels)) continue;
      if (budget.disrupted.contains(object_name(pod))) continue;
      if (--left.try_emplace(key, budget.allowed).first->second < 0) violating[i] = true;
    }
  }
  return violating;
}

bool Preemption::Rank::operator<(const Rank& other) const {
  return std::tie(violations, highest_priority, priority_sum, victims, other.start, tie, node) <
         std::tie(other.violations, other.highest_priority, other.priority_sum, other.victims,
                  start, other.tie, other.node);
}

Preemption::DryRun Preemption::dry_run(NodeTable& table, Candidates& candidates, int node) const {
  DryRun run;
  EmptiedNode emptied(table, candidates, node);
  // More than the whole node has: no eviction makes it larger.
  if (!candidates.rules().would_allow(table.node(node)) || emptied.too_small()) return run;
  std::vector<const PlacedPod*> lower = emptied.thought_away();
  if (lower.empty()) {
    run.refusal = kNoVictims;
    return run;
  }
  if (!emptied.has_place()) {
    run.refusal = emptied.refusal();
    return run;
  }
  std::ranges::sort(lower, more_important);
  const std::vector<bool> violating =
      budgets_.empty() ? std::vector<bool>(lower.size(), false) : budgets_.violations(lower);
  for (const bool first : {true, false}) {
    for (size_t i = 0; i < lower.size(); ++i) {
      if (violating[i] != first || emptied.take_back(*lower[i])) continue;
      run.victims.push_back(lower[i]);
      if (violating[i]) ++run.rank.violations;
      run.rank.priority_sum += lower[i]->priority() + kPriorityOffset;
    }
  }
  if (run.victims.empty()) return run;
  std::ranges::sort(run.victims, more_important);
  run.possible = true;
  run.rank.highest_priority = run.victims[0]->priority();
  run.rank.victims = run.victims.size();
  run.rank.start = start_of(run.victims[0]->pod);
  run.rank.tie = table.node(node).tie;
  run.rank.node = node;
  return run;
}

const Preemption::Order& Preemption::order_of(NodeTable& table, Candidates& candidates) {
  // The class that was made first is the likeliest to be out of use.
  if (orders_.size() >= kOrdersMax && !orders_.contains(candidates.id()))
    orders_.erase(orders_.begin());
  Order& order = orders_[candidates.id()];
  const auto evaluate = [&](int node) {
    const auto index = static_cast<size_t>(node);
    auto& place = order.places[index];
    if (place != order.ranks.end()) order.ranks.erase(place);
    if (!order.said[index].empty()) --order.refusals[order.said[index]];
    DryRun run = dry_run(table, candidates, node);
    place = run.possible ? order.ranks.insert(run.rank).first : order.ranks.end();
    if (!run.refusal.empty()) ++order.refusals[run.refusal];
    order.said[index] = std::move(run.refusal);
  };
  const size_t nodes = table.nodes().size();
  const bool far_behind =
      order.position < table.log_start() || table.log_end() - order.position > nodes;
  if (!order.built || far_behind || order.budgets_version != budgets_.version()) {
    order = {};
    order.places.assign(nodes, order.ranks.end());
    order.said.resize(nodes);
    for (size_t i = 0; i < nodes; ++i) evaluate(static_cast<int>(i));
    order.built = true;
    order.budgets_version = budgets_.version();
  } else {
    order.places.resize(nodes, order.ranks.end());
    order.said.resize(nodes);
    for (; order.position < table.log_end(); ++order.position)
      evaluate(table.changed(order.position));
  }
  order.position = table.log_end();
  return order;
}

int Preemption::best_of_some(NodeTable& table, Candidates& candidates,
                             const std::vector<int>& nodes) {
  const Profile& profile = candidates.profile();
  auto wanted = static_cast<size_t>(
      std::max(profile.preemption_nodes_min,
               static_cast<int64_t>(table.count()) * profile.preemption_nodes_percent / 100));
  Rank best;
  for (size_t i = 0; i < nodes.size() && wanted > 0; ++i) {
    const DryRun run = dry_run(table, candidates, nodes[(cursor_ + i) % nodes.size()]);
    if (!run.possible) continue;
    --wanted;
    if (best.node < 0 || run.rank < best) best = run.rank;
  }
  ++cursor_;
  return best.node;
}

PreemptionPlan Preemption::plan(NodeTable& table, Candidates& candidates) {
  PreemptionPlan plan;
  if (!table.has_lower_than(candidates.pod_class().key.priority)) {
    // The usual case of a cluster with one priority: no dry run is needed to know.
    plan.refusals[std::string(kNoVictims)] =
        static_cast<int64_t>(candidates.helpable(table).size());
  } else if (candidates.has_hard_terms()) {
    const auto helpable = candidates.helpable(table);
    plan.node = best_of_some(table, candidates, helpable);
    for (const int node : helpable) {
      if (plan.node < 0) ++plan.refusals[dry_run(table, candidates, node).refusal];
    }
  } else {
    const Order& order = order_of(table, candidates);
    if (!order.ranks.empty()) plan.node = order.ranks.begin()->node;
    if (plan.node < 0) plan.refusals = order.refusals;
  }
  if (plan.node >= 0) {
    for (const auto* victim : dry_run(table, candidates, plan.node).victims) {
      plan.victims.push_back(victim->pod);
    }
    return plan;
  }
  std::erase_if(plan.refusals, [](const auto& e) { return e.first.empty() || e.second == 0; });
  auto beyond_help = static_cast<int64_t>(table.count());
  for (const auto& [refusal, count] : plan.refusals) beyond_help -= count;
  if (beyond_help > 0) plan.refusals["Preemption is not helpful for scheduling"] += beyond_help;
  return plan;
}

}  // namespace minik::control
