// Amounts: a ResourceList, quantities by name, and what a pod's containers ask for together.
//
// What quotas and limit ranges count with. Exact: no amount is rounded. Pure functions on documents
// that validation has accepted; an amount that is not one counts as zero.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "control/object/quantity.h"
#include "control/object/value.h"

namespace minik::control {

using Amounts = std::map<std::string, Quantity, std::less<>>;

Amounts amounts_of(const Value& list);
Value amounts_value(const Amounts& amounts);
void add_amounts(Amounts& sum, const Amounts& more);
// "cpu=1,pods=2": how messages write them.
std::string amounts_text(const Amounts& amounts);

// What the pod asks for as a whole, `which` being requests or limits: its containers together, or
// the step of its start that needs most, its overhead, and what the pod itself says instead.
Amounts pod_amounts(const Value& pod_spec, const Key& which);

// A container of the pod has something else than it asks for.
bool changes_size(const Value& pod);
// The pod's spec; of one that changes its size with what counts meanwhile: of what a container asks for and what it
// still has, the larger, and what it has where its node can never grow it.
Value spec_in_force(const Value& pod);

}  // namespace minik::control
