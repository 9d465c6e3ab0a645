// Shrink: a scenario that fails becomes a small one that still fails in the same way.
//
// Delta debugging over the file's document, from the outside in: halves, quarters and single items of every
// list and mapping are left out, numbers of machines and replicas come down (equal numbers together, so that
// "replicas: 40" and "readyReplicas: 40" stay one thing), spreads become fixed, and the part of virtual time in
// which chance rules becomes as short as it can be. What makes a file invalid is no candidate. It ends when a
// whole round finds nothing more, or when told to.
//
// Pure: the runs are somebody else's. The same answers give the same result, however many are asked for at
// once. Not promised: the smallest scenario there is.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "control/object/value.h"

namespace minik::sim {

struct ShrinkOptions {
  // The first of these documents, in order, that still fails in the same way.
  std::function<std::optional<size_t>(const std::vector<control::Value>&)> first_failing;
  // Called with each smaller document as it is found.
  std::function<void(const control::Value&)> on_smaller;
  // Asked before each question: true, and the smallest so far is the answer.
  std::function<bool()> enough;
};

// `document` is a Scenario as YAML has it; only its `spec` changes.
control::Value shrink(control::Value document, const ShrinkOptions& options);

}  // namespace minik::sim
