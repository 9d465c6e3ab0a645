#include "control/controllers/job_policy.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

FailureAction action_of(std::string_view text) {
  return text == "FailJob"     ? FailureAction::kFailJob
         : text == "FailIndex" ? FailureAction::kFailIndex
         : text == "Ignore"    ? FailureAction::kIgnore
                               : FailureAction::kCount;
}

// The first container whose exit code the rule speaks of; success is never a failure to match.
const Value* matching_container(const Value& pod, const Value& requirement) {
  const auto wanted = requirement[keys::kContainerName].as_string();
  const bool in = requirement[keys::kOperator].as_string() == "In";
  const auto codes = requirement[keys::kValues].items();
  for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
    for (const auto& status : pod[keys::kStatus][list].items()) {
      const Value& ended = status[keys::kState][keys::kTerminated];
      if (!ended.has_value() || ended[keys::kExitCode].as_int() == 0) continue;
      if (!wanted.empty() && status[keys::kName].as_string() != wanted) continue;
      if ((std::ranges::find(codes, ended[keys::kExitCode]) != codes.end()) == in) return &status;
    }
  }
  return nullptr;
}

const Value* matching_condition(const Value& pod, const Value& patterns) {
  for (const auto& have : pod[keys::kStatus][keys::kConditions].items()) {
    for (const auto& pattern : patterns.items()) {
      if (have[keys::kType] == pattern[keys::kType] &&
          have[keys::kStatus].as_string() == pattern[keys::kStatus].as_string("True")) {
        return &have;
      }
    }
  }
  return nullptr;
}

}  // namespace

FailureVerdict judge_failure(const Value& job, const Value& pod) {
  const auto rules = job[keys::kSpec][keys::kPodFailurePolicy][keys::kRules].items();
  for (size_t i = 0; i < rules.size(); ++i) {
    const Value& rule = rules[i];
    const auto action = rule[keys::kAction].as_string();
    const std::string by = cat("matching ", action, " rule at index ", i);
    if (rule[keys::kOnExitCodes].has_value()) {
      if (const Value* status = matching_container(pod, rule[keys::kOnExitCodes])) {
        const int64_t code = (*status)[keys::kState][keys::kTerminated][keys::kExitCode].as_int();
        return {action_of(action), cat("Container ", (*status)[keys::kName].as_string(), " for pod ",
                                       key_of(pod).text(), " failed with exit code ", code, " ", by)};
      }
    } else if (const Value* met = matching_condition(pod, rule[keys::kOnPodConditions])) {
      return {action_of(action), cat("Pod ", key_of(pod).text(), " has condition ", (*met)[keys::kType].as_string(),
                                     " ", by)};
    }
  }
  return {};
}

std::optional<size_t> fulfilled_success_rule(const Value& job, const IndexSet& succeeded) {
  const Value& spec = job[keys::kSpec];
  const auto rules = spec[keys::kSuccessPolicy][keys::kRules].items();
  for (size_t i = 0; i < rules.size(); ++i) {
    const Value& named = rules[i][keys::kSucceededIndexes];
    int64_t have = succeeded.count();
    int64_t wanted = rules[i][keys::kSucceededCount].as_int();
    if (named.has_value()) {
      const auto indexes = IndexSet::parse(named.as_string(), spec[keys::kCompletions].as_int());
      if (!indexes) continue;
      have = succeeded.common(*indexes);
      if (wanted == 0) wanted = indexes->count();
    }
    if (wanted > 0 && have >= wanted) return i;
  }
  return std::nullopt;
}

bool replaces_failed_only(const Value& job) {
  return job[keys::kSpec][keys::kPodReplacementPolicy].as_string() == "Failed" ||
         job[keys::kSpec][keys::kPodFailurePolicy].has_value();
}

}  // namespace minik::control
