// What a Job's policies say of its pods: the pod failure policy of one failed pod, and the success policy of
// the indexes that have succeeded. Pure readers; a Job without a policy has no verdicts.
#pragma once

#include <optional>
#include <string>

#include "control/controllers/job_indexes.h"
#include "control/object/value.h"

namespace minik::control {

enum class FailureAction : uint8_t { kCount, kIgnore, kFailIndex, kFailJob };

struct FailureVerdict {
  FailureAction action = FailureAction::kCount;
  std::string message;  // of kFailJob: which container or condition, and by which rule
};

// The first rule that matches decides; without one a failure counts.
FailureVerdict judge_failure(const Value& job, const Value& pod);

// The number of the first rule of spec.successPolicy that these indexes fulfil.
std::optional<size_t> fulfilled_success_rule(const Value& job, const IndexSet& succeeded);

// Deleted pods are replaced when they have ended, not when their deletion begins.
bool replaces_failed_only(const Value& job);

}  // namespace minik::control
