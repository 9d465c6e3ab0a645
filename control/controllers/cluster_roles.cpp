#include "control/controllers/cluster_roles.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// The index of those that are made of others.
constexpr std::string_view kAggregating = "aggregating";

void wake_aggregating(const Snapshot& snapshot, const Value& before, const Value& after,
                      std::vector<ObjectKey>& keys) {
  const bool same = before.has_value() && after.has_value() &&
                    before[keys::kRules] == after[keys::kRules] &&
                    before[keys::kAggregationRule] == after[keys::kAggregationRule] &&
                    before[keys::kMetadata][keys::kLabels] == after[keys::kMetadata][keys::kLabels];
  if (same) return;
  for (const auto& role : snapshot.indexed(kinds::kClusterroles, kAggregating, kAggregating)) keys.push_back(key_of(role));
}

std::vector<Value> collected_rules(const Snapshot& snapshot, const Value& role) {
  std::vector<Value> rules;
  const auto roles = snapshot.list(kinds::kClusterroles);
  for (const auto& text : role[keys::kAggregationRule][keys::kClusterRoleSelectors].items()) {
    const auto selector = LabelSelector::from_object(text);
    if (!selector) continue;  // validation keeps such a rule out
    for (const auto& other : roles) {
      if (object_name(other) == object_name(role)) continue;
      if (!selector->matches(other[keys::kMetadata][keys::kLabels])) continue;
      for (const auto& rule : other[keys::kRules].items()) {
        if (std::ranges::find(rules, rule) == rules.end()) rules.push_back(rule);
      }
    }
  }
  return rules;
}

}  // namespace

ControllerSpec cluster_role_aggregation_controller() {
  ControllerSpec spec;
  spec.name = "clusterrole-aggregation-controller";
  spec.kind = kinds::kClusterroles;
  const IndexFunction aggregating = [](const Value& role, std::vector<Key>& out) {
    if (role[keys::kAggregationRule].has_value()) out.emplace_back(kAggregating);
  };
  spec.watches = {{kinds::kClusterroles, wake_aggregating, {{std::string(kAggregating), aggregating}}}};
  spec.decide = [](const Snapshot& snapshot, const ObjectKey& key, Env&) {
    Plan plan;
    const Value& role = snapshot.find(kinds::kClusterroles, "", key.name);
    if (!role[keys::kAggregationRule].has_value()) return plan;
    auto rules = collected_rules(snapshot, role);
    if (!std::ranges::equal(rules, role[keys::kRules].items())) {
      plan.update(kinds::kClusterroles, role.with(keys::kRules, Value::array(std::move(rules))));
    }
    return plan;
  };
  return spec;
}

}  // namespace minik::control
