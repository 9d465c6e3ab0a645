// Claims: which objects belong to an owner that selects by labels. An owned object that no longer
// matches is released, one without a controller that matches is adopted; both by a patch that names
// the object's uid, so that a namesake born meanwhile is left alone. What client-go calls a
// ControllerRefManager.
//
// The kind of the owned objects needs the index kOrphans, and its changes wake owners by
// claimant_keys(). Pure decisions on a snapshot; an owner that is being deleted adopts nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/controller.h"
#include "control/object/selector.h"

namespace minik::control {

inline constexpr std::string_view kOrphans = "orphans";

// By namespace, the objects that nobody controls.
IndexFunction orphans_by_namespace();
// Which labels an owner selects.
using LabelSelectorOf = Result<LabelSelector> (*)(const Value& owner);
Result<LabelSelector> spec_selector(const Value& owner);      // spec.selector, a LabelSelector
Result<LabelSelector> spec_selector_map(const Value& owner);  // spec.selector, a plain map
// The controlling owner; for an object without one, every owner of its namespace that selects it.
KeysForChange claimant_keys(KindId owner_kind, std::string owner_kind_name,
                            LabelSelectorOf selector_of = spec_selector);

struct Claimant {
  const Value& owner;
  std::string_view api_version, kind_name;
  const LabelSelector& selector;
};
// `owned` as the index knows it becomes what belongs to the owner after these writes.
void plan_claims(Plan& plan, const Snapshot& snapshot, KindId kind, const Claimant& claimant,
                 const std::function<bool(const Value& object)>& may_adopt,
                 std::vector<Value>& owned);

}  // namespace minik::control
