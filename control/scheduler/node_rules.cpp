#include "control/scheduler/node_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/scheduler/volume_rules.h"

namespace minik::control {

namespace {

const Value& unschedulable_taint() {
  static const Value taint =
      Value::map({{keys::kKey, "node.kubernetes.io/unschedulable"}, {keys::kEffect, "NoSchedule"}});
  return taint;
}

}  // namespace

NodeRules::NodeRules(Value node_selector, Value affinity, Value added, Value tolerations, Value volumes)
    : node_selector_(std::move(node_selector)),
      affinity_(Value::map({{keys::kNodeAffinity, affinity[keys::kNodeAffinity]}})),
      added_(std::move(added)),
      tolerations_(std::move(tolerations)),
      volumes_(std::move(volumes)) {}

bool NodeRules::same(const Value& node_selector, const Value& affinity, const Value& added, const Value& tolerations,
                     const Value& volumes) const {
  return volumes_ == volumes && added_ == added && tolerations_ == tolerations && node_selector_ == node_selector &&
         affinity_[keys::kNodeAffinity] == affinity[keys::kNodeAffinity];
}

NodeRules::Verdict NodeRules::judge(const NodeEntry& node) const {
  Verdict verdict;
  verdict.version = node.version;
  if (!node.used) return verdict;
  verdict.selected = matches_node_affinity(node_selector_, affinity_, node.labels, node.name);
  verdict.tolerated = untolerated_taint(tolerations_, node.taints).is_absent();
  if (node.unschedulable && !tolerates(tolerations_, unschedulable_taint())) {
    verdict.refusal = Refusal::kUnschedulable;
  } else if (!verdict.tolerated) {
    verdict.refusal = Refusal::kTaint;
  } else if (added_.has_value() &&
             !matches_node_affinity(Value::absent(), Value::map({{keys::kNodeAffinity, added_}}), node.labels,
                                    node.name)) {
    verdict.refusal = Refusal::kEnforcedAffinity;
  } else {
    verdict.refusal = verdict.selected ? Refusal::kNone : Refusal::kAffinity;
  }
  if (verdict.refusal == Refusal::kNone &&
      broken_volume_rule(volumes_, node.labels, node.name).has_value()) {
    verdict.refusal = Refusal::kVolumes;
  }
  for (const auto& taint : node.taints.items()) {
    const bool soft = taint[keys::kEffect].as_string() == "PreferNoSchedule";
    if (soft && !tolerates(tolerations_, taint)) ++verdict.disliked;
  }
  for (const Value* affinity : {&affinity_[keys::kNodeAffinity], &std::as_const(added_)}) {
    for (const auto& term : (*affinity)[keys::kPreferredDuringSchedulingIgnoredDuringExecution].items()) {
      if (matches_node_term(term[keys::kPreference], node.labels, node.name))
        verdict.preferred += term[keys::kWeight].as_int();
    }
  }
  return verdict;
}

void NodeRules::count(const Verdict& verdict, int by) {
  if (verdict.refusal != Refusal::kNone) return;
  const auto note = [by](std::map<int64_t, int>& nodes, int64_t value) {
    if (value == 0) return;
    const auto at = nodes.try_emplace(value, 0).first;
    at->second += by;
    if (at->second == 0) nodes.erase(at);
  };
  note(disliked_, verdict.disliked);
  note(preferred_, verdict.preferred);
}

void NodeRules::update(const NodeEntry& node, Verdict& verdict) {
  if (verdict.version == node.version) return;
  count(verdict, -1);
  verdict = judge(node);
  count(verdict, 1);
}

void NodeRules::refresh(const NodeTable& table) {
  const auto& nodes = table.nodes();
  if (seen_ == table.nodes_version() && verdicts_.size() == nodes.size()) return;
  const bool behind = verdicts_.empty() || position_ < table.log_start() ||
                      table.log_end() - position_ > nodes.size();
  verdicts_.resize(nodes.size());
  if (behind) {
    for (size_t i = 0; i < nodes.size(); ++i) update(nodes[i], verdicts_[i]);
  } else {
    for (; position_ < table.log_end(); ++position_) {
      const int node = table.changed(position_);
      update(table.node(node), verdicts_[static_cast<size_t>(node)]);
    }
  }
  position_ = table.log_end();
  seen_ = table.nodes_version();
  const auto most = [](const std::map<int64_t, int>& by_value) {
    return by_value.empty() ? 0 : by_value.rbegin()->first;
  };
  if (most(disliked_) != most_disliked_ || most(preferred_) != most_preferred_) ++generation_;
  most_disliked_ = most(disliked_);
  most_preferred_ = most(preferred_);
}

void NodeRules::forget() {
  verdicts_ = {};
  disliked_.clear();
  preferred_.clear();
}

int64_t NodeRules::score(int node, const ScoreWeights& weights) const {
  const Verdict& verdict = verdicts_[static_cast<size_t>(node)];
  const int64_t taints = most_disliked_ == 0 ? 100 : 100 - 100 * verdict.disliked / most_disliked_;
  const int64_t liked = most_preferred_ == 0 ? 0 : 100 * verdict.preferred / most_preferred_;
  return weights.taints * taints + weights.node_affinity * liked;
}

std::string NodeRules::why_not(const NodeEntry& node) const {
  const Verdict verdict = judge(node);
  switch (verdict.refusal) {
    case Refusal::kUnschedulable:
      return "node(s) were unschedulable";
    case Refusal::kTaint: {
      const Value& taint = untolerated_taint(tolerations_, node.taints);
      return cat("node(s) had untolerated taint {", taint[keys::kKey].as_string(), ": ",
                 taint[keys::kValue].as_string(), "}");
    }
    case Refusal::kEnforcedAffinity:
      return "node(s) didn't match scheduler-enforced node affinity";
    case Refusal::kAffinity:
      return "node(s) didn't match Pod's node affinity/selector";
    case Refusal::kVolumes:
      return broken_volume_rule(volumes_, node.labels, node.name)[keys::kReason].string();
    case Refusal::kNone:
    case Refusal::kGone:
      break;
  }
  return {};
}

}  // namespace minik::control
