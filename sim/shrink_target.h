// ShrinkTarget: what it means that a smaller scenario fails "in the same way".
//
// The same expectation or invariant is broken, and its detail reads the same with all numbers and documents
// taken out. An expectation stays as it is, but for its numbers: with another selector it would be another one. For an expectation that is not enough: without the Deployment that it speaks of, it fails just as
// well. So where the whole scenario holds once its faults are taken out, or once its timeline ends with the first
// entry, this calm twin of a smaller scenario must hold, too.
//
// Pure: the runs are somebody else's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/object/value.h"
#include "sim/run_outcome.h"
#include "sim/scenario.h"

namespace minik::sim {

// An expectation is known by its name, or else by its place in a file, which shrinking moves: gives every
// expectation the name under which a run of `scenario`, this document as it was read, reports it.
control::Value with_named_expectations(const control::Value& document, const Scenario& scenario);

// Whether the expectation of this name is the same in both but for its numbers, or in neither.
bool expects_alike(const control::Value& document, const control::Value& other, std::string_view name);

enum class Twin : uint8_t { kNone, kWithoutFaults, kFirstEntryOnly };
// Nothing where it would be the same document.
std::optional<control::Value> twin_of(const control::Value& document, Twin twin);

// "ready pods stay: the count is #".
std::string shape_of(const Finding& finding);

}  // namespace minik::sim
