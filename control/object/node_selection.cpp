#include "control/object/node_selection.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

bool matches_requirement(const Value& requirement, const Value& value) {
  const auto op = requirement[keys::kOperator].as_string();
  const bool present = value.is_string();
  const auto listed = [&] {
    return std::ranges::any_of(requirement[keys::kValues].items(),
                               [&](const Value& v) { return v == value; });
  };
  if (op == "In") return present && listed();
  if (op == "NotIn") return !present || !listed();
  if (op == "Exists") return present;
  if (op == "DoesNotExist") return !present;
  if ((op == "Gt" || op == "Lt") && present && requirement[keys::kValues].size() == 1) {
    const auto have = parse_int64(value.as_string());
    const auto bound = parse_int64(requirement[keys::kValues].items()[0].as_string());
    return have && bound && (op == "Gt" ? *have > *bound : *have < *bound);
  }
  return false;
}

}  // namespace

bool matches_node_term(const Value& term, const Value& node_labels, std::string_view node_name) {
  const Value& expressions = term[keys::kMatchExpressions];
  const Value& fields = term[keys::kMatchFields];
  if (expressions.empty() && fields.empty()) return false;  // an empty term matches nothing
  const auto label_matches = [&](const Value& r) {
    return matches_requirement(r, node_labels.get(r[keys::kKey].as_string()));
  };
  if (!std::ranges::all_of(expressions.items(), label_matches)) return false;
  if (fields.empty()) return true;
  const Value name(node_name);  // metadata.name is the only field there is
  return std::ranges::all_of(fields.items(),
                             [&](const Value& r) { return matches_requirement(r, name); });
}

bool tolerates(const Value& tolerations, const Value& taint) {
  const auto effect = taint[keys::kEffect].as_string();
  const auto key = taint[keys::kKey].as_string();
  return std::ranges::any_of(tolerations.items(), [&](const Value& t) {
    const auto wanted_effect = t[keys::kEffect].as_string();
    if (!wanted_effect.empty() && wanted_effect != effect) return false;
    const auto wanted_key = t[keys::kKey].as_string();
    if (!wanted_key.empty() && wanted_key != key) return false;
    if (t[keys::kOperator].as_string() == "Exists") return true;
    return !wanted_key.empty() && t[keys::kValue].as_string() == taint[keys::kValue].as_string();
  });
}

const Value& untolerated_taint(const Value& tolerations, const Value& taints) {
  for (const auto& taint : taints.items()) {
    const auto effect = taint[keys::kEffect].as_string();
    if (effect == "PreferNoSchedule" || tolerates(tolerations, taint)) continue;
    return taint;
  }
  return Value::absent();
}

bool matches_node_affinity(const Value& node_selector, const Value& affinity,
                           const Value& node_labels, std::string_view node_name) {
  const bool selected = std::ranges::all_of(
      node_selector.entries(), [&](const MapEntry& e) { return node_labels[e.key] == e.value; });
  if (!selected) return false;
  const Value& terms =
      affinity[keys::kNodeAffinity][keys::kRequiredDuringSchedulingIgnoredDuringExecution]
              [keys::kNodeSelectorTerms];
  return !terms.is_array() || std::ranges::any_of(terms.items(), [&](const Value& term) {
    return matches_node_term(term, node_labels, node_name);
  });
}

}  // namespace minik::control
