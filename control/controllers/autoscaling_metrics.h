// How many replicas one metric of a HorizontalPodAutoscaler asks for. Pure arithmetic on integers: amounts are
// thousandths, ratios are two integers.
//
// Follows Kubernetes' treatment of pods that say little: those being deleted or failed do not count; a pod
// that has no usage yet is taken for idle when the others are busy and for busy when they are idle, and one
// that is not ready for idle, so that neither makes a decision larger than what is known. Resource and
// ContainerResource metrics; there is no source of Pods, Object and External ones, and the error says so.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

// What is known of the pods behind the target, at `now`.
struct PodsAndUsage {
  std::vector<Value> pods;               // those that its selector selects
  std::map<std::string, Value> metrics;  // PodMetrics by name
  WallTime now;
};

// A ratio of 1 ± this changes nothing; in thousandths.
struct Tolerance {
  int64_t up = 100, down = 100;
};

struct MetricProposal {
  int64_t replicas = 0;
  Value current;     // the entry of status.currentMetrics
  std::string name;  // "cpu resource utilization (percentage of request)"
};

// `metric` is one of spec.metrics. The error's message is what the event and the condition say.
Result<MetricProposal> propose(const Value& metric, int64_t current_replicas, const PodsAndUsage& known,
                               const Tolerance& tolerance);

}  // namespace minik::control
