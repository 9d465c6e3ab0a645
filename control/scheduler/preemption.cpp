#include "control/scheduler/preemption.h"

#include <algorithm>
#include <tuple>

#include "control/object/keys.h"

namespace minik::control {

namespace {

// Priorities may be negative; their sum must grow with each victim.
constexpr int64_t kPriorityOffset = int64_t{1} << 31;
constexpr size_t kDryRunsMin = 100;
constexpr size_t kOrdersMax = 64;

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
  const NodeEntry& entry = table.node(node);
  const PodClass& pod = candidates.pod_class();
  const int64_t priority = pod.key.priority;
  // More than the whole node has: no eviction makes it larger.
  Resources nothing;
  if (!candidates.rules().would_allow(entry) ||
      !fits(pod.demand().requests, nothing, entry.allocatable)) {
    return run;
  }
  std::vector<const PlacedPod*> lower;
  for (const auto& placed : entry.pods) {
    if (placed.priority() < priority) lower.push_back(&placed);
  }
  if (lower.empty()) {
    run.refusal = "No preemption victims found for incoming pod";
    return run;
  }
  Resources taken = taken_on(entry, priority);
  std::vector<HostPort> ports;
  for (const auto* placed : lower) taken.add(placed->demand->requests, -1);
  if (!pod.demand().ports.empty()) {
    for (const auto& placed : entry.pods) {
      if (placed.priority() < priority) continue;
      ports.insert(ports.end(), placed.demand->ports.begin(), placed.demand->ports.end());
    }
  }
  std::vector<const PlacedPod*> gone = lower;
  const auto possible = [&] {
    return fits(pod.demand().requests, taken, entry.allocatable) &&
           ports_are_free(pod.demand().ports, ports) &&
           (!candidates.has_hard_terms() || candidates.allows(table, node, gone));
  };
  if (!possible()) {
    NodeEntry emptied;
    emptied.allocatable = entry.allocatable;
    emptied.requested = taken;
    emptied.ports = ports;
    const auto shorts = shortages(pod.demand(), priority, emptied);
    run.refusal =
        shorts.empty() ? std::string(candidates.refusal_by_terms(node)) : shorts[0].reason;
    return run;
  }
  std::ranges::sort(lower, more_important);
  const std::vector<bool> violating =
      budgets_.empty() ? std::vector<bool>(lower.size(), false) : budgets_.violations(lower);
  const auto reprieve = [&](const PlacedPod* placed) {
    taken.add(placed->demand->requests, 1);
    const size_t ports_before = ports.size();
    if (!pod.demand().ports.empty()) {
      ports.insert(ports.end(), placed->demand->ports.begin(), placed->demand->ports.end());
    }
    std::erase(gone, placed);
    if (possible()) return true;
    taken.add(placed->demand->requests, -1);
    ports.resize(ports_before);
    gone.push_back(placed);
    return false;
  };
  for (const bool first : {true, false}) {
    for (size_t i = 0; i < lower.size(); ++i) {
      if (violating[i] != first || reprieve(lower[i])) continue;
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
  run.rank.tie = entry.tie;
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
  size_t wanted = std::max(kDryRunsMin, table.count() / 10);
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
  if (candidates.has_hard_terms()) {
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
