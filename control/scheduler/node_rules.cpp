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

NodeRules::NodeRules(Value node_selector, Value affinity, Value tolerations, Value volumes)
    : node_selector_(std::move(node_selector)),
      affinity_(Value::map({{keys::kNodeAffinity, affinity[keys::kNodeAffinity]}})),
      tolerations_(std::move(tolerations)),
      volumes_(std::move(volumes)) {}

bool NodeRules::same(const Value& node_selector, const Value& affinity, const Value& tolerations,
                     const Value& volumes) const {
  return volumes_ == volumes && tolerations_ == tolerations && node_selector_ == node_selector &&
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
  const Value& preferred =
      affinity_[keys::kNodeAffinity][keys::kPreferredDuringSchedulingIgnoredDuringExecution];
  for (const auto& term : preferred.items()) {
    if (matches_node_term(term[keys::kPreference], node.labels, node.name))
      verdict.preferred += term[keys::kWeight].as_int();
  }
  return verdict;
}

void NodeRules::refresh(const NodeTable& table, const ScoreWeights& weights) {
  if (seen_ == table.nodes_version() && verdicts_.size() == table.nodes().size()) return;
  seen_ = table.nodes_version();
  verdicts_.resize(table.nodes().size());
  int64_t most_disliked = 0, most_preferred = 0;
  for (size_t i = 0; i < verdicts_.size(); ++i) {
    auto& verdict = verdicts_[i];
    if (verdict.version != table.nodes()[i].version) {
      verdict = judge(table.nodes()[i]);
    }
    if (verdict.refusal != Refusal::kNone) continue;
    most_disliked = std::max(most_disliked, verdict.disliked);
    most_preferred = std::max(most_preferred, verdict.preferred);
  }
  if (most_disliked != most_disliked_ || most_preferred != most_preferred_) ++generation_;
  most_disliked_ = most_disliked;
  most_preferred_ = most_preferred;
  for (auto& verdict : verdicts_) {
    const int64_t taints =
        most_disliked == 0 ? 100
                           : 100 - std::min<int64_t>(100, 100 * verdict.disliked / most_disliked);
    const int64_t liked = most_preferred == 0 ? 0 : 100 * verdict.preferred / most_preferred;
    verdict.score = weights.taints * taints + weights.node_affinity * liked;
  }
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
