// Predicate: something that may be true of a cluster at a moment: an object that has a part or fulfils an
// expression, a number of objects, an expression over a list of objects, or a metric within bounds.
//
// Expectations must hold, triggers wait for one to become true. Judged on the stored state, without a request.
#pragma once

#include <optional>
#include <string>

#include "control/base/metrics.h"
#include "control/cel/program.h"
#include "control/store/store.h"
#include "sim/selection.h"

namespace minik::sim {

struct Bounds {
  std::optional<int64_t> equals, at_least, at_most;
  bool any() const { return equals || at_least || at_most; }
  bool hold(int64_t value) const {
    return (!equals || value == *equals) && (!at_least || value >= *at_least) && (!at_most || value <= *at_most);
  }
};

// The sum over all series of a family that have these labels; of a histogram the number of observations. What
// counts seconds is in whole milliseconds.
struct MetricSelection {
  std::string name;
  MetricLabels labels;
};

struct Predicate {
  // Exactly one of the three.
  std::optional<ObjectReference> object;
  std::optional<ObjectSelection> selection;
  std::optional<MetricSelection> metric;
  // Of an object: the part it must have. Else an expression over `object` (null when it is not there) or, of a
  // selection, `objects`. Else bounds of the number.
  control::Value matches;
  std::optional<control::cel::Program> expression;
  Bounds bounds;
};

// Before what is wrong with an object that has not the part: from run to run it is another field.
inline constexpr std::string_view kDiffers = "it differs: ";

struct Judgement {
  bool holds = false;
  std::string detail;  // why not
};

// Over a page in Prometheus' text format, as /metrics has it; nothing when the family is not there.
std::optional<int64_t> sum_of_samples(std::string_view page, const MetricSelection& selection);

Judgement judge(const Predicate& predicate, const control::Store& store, MetricRegistry& metrics);

// Every field of `part` is there and equal; lists match item by item as far as the part's list goes.
bool contains_part(const control::Value& whole, const control::Value& part);

}  // namespace minik::sim
