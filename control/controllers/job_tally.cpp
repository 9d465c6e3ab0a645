#include "control/controllers/job_tally.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/controllers/job_policy.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr Duration kBackOff = seconds(10);
constexpr Duration kBackOffMax = minutes(10);
// Uids that one status may name: the rest are for the next one.
constexpr size_t kUncountedMax = 500;

using Uids = std::set<std::string, std::less<>>;

bool has_succeeded(const Value& pod) {
  return pod[keys::kStatus][keys::kPhase].as_string() == "Succeeded";
}

class Teller {
 public:
  Teller(const Value& job, const std::vector<Value>& pods)
      : job_(job),
        pods_(pods),
        indexed_(is_indexed(job)),
        failing_(is_condition_true(job, "FailureTarget")),
        succeeding_(is_condition_true(job, "SuccessCriteriaMet")) {
    const Value& status = job[keys::kStatus];
    const int64_t limit = job[keys::kSpec][keys::kCompletions].as_int();
    tally_.completed = IndexSet::parse(status[keys::kCompletedIndexes].as_string(), limit).value_or(IndexSet());
    tally_.failed_indexes = IndexSet::parse(status[keys::kFailedIndexes].as_string(), limit).value_or(IndexSet());
    tally_.succeeded_counted = status[keys::kSucceeded].as_int();
    tally_.failed_counted = status[keys::kFailed].as_int();
  }

  JobTally tell() {
    keep_uncounted();
    for (const auto& pod : pods_) look_at(pod);
    free_counted_failures();
    if (indexed_) tally_.succeeded_counted = tally_.completed.count();
    tally_.succeeded = tally_.succeeded_counted + static_cast<int64_t>(succeeded_.size());
    tally_.failed = tally_.failed_counted + static_cast<int64_t>(failed_.size());
    tally_.uncounted = uncounted_value();
    return std::move(tally_);
  }

 private:
  // Who was named and has lost its finalizer since (or is gone) is counted now.
  void keep_uncounted() {
    Uids held;
    for (const auto& pod : pods_) {
      if (has_job_finalizer(pod)) held.emplace(object_uid(pod));
    }
    const Value& named = job_[keys::kStatus][keys::kUncountedTerminatedPods];
    const auto keep = [&](const Value& uids, Uids& kept, int64_t& counter) {
      for (const auto& uid : uids.items()) {
        held.contains(uid.as_string()) ? void(kept.emplace(uid.as_string())) : void(++counter);
      }
    };
    keep(named[keys::kSucceeded], succeeded_, tally_.succeeded_counted);
    keep(named[keys::kFailed], failed_, tally_.failed_counted);
  }

  void look_at(const Value& pod) {
    if (!is_pod_ended(pod)) {
      if (is_deleting(pod)) ++tally_.terminating;
      if (!is_deleting(pod)) {
        tally_.active.push_back(pod);
        tally_.ready += is_pod_ready(pod) ? 1 : 0;
      }
      add_restarts(pod);
      // What still ran when the Job had enough says nothing of the work.
      if (succeeding_ && is_deleting(pod) && has_job_finalizer(pod)) return tally_.to_free.push_back(pod);
    }
    // What a failing Job stops has failed with it, however its containers take that.
    const bool failed = counts_as_failed(job_, pod) || (failing_ && is_deleting(pod));
    if (failed && !tally_.fatal) {
      auto verdict = judge_failure(job_, pod);
      if (verdict.action == FailureAction::kFailJob) tally_.fatal = std::move(verdict.message);
    }
    if (!has_job_finalizer(pod)) return;
    const bool named = succeeded_.contains(object_uid(pod)) || failed_.contains(object_uid(pod));
    if (failed_.contains(object_uid(pod))) {
      free_failure(pod);
    } else if (named) {
      tally_.to_free.push_back(pod);
    } else if (has_succeeded(pod)) {
      count_success(pod);
    } else if (failed) {
      count_failure(pod);
    }
  }

  bool is_full() const { return succeeded_.size() + failed_.size() >= kUncountedMax; }

  void count_success(const Value& pod) {
    if (indexed_) {
      if (const auto index = completion_index(job_, pod)) {
        tally_.completed.add(*index);
        tally_.failed_indexes.remove(*index);
      }
    } else if (is_full()) {
      return;
    } else {
      succeeded_.emplace(object_uid(pod));
    }
    tally_.to_free.push_back(pod);
  }

  void count_failure(const Value& pod) {
    if (is_full()) return;
    const auto action = judge_failure(job_, pod).action;
    if (action != FailureAction::kIgnore) failed_.emplace(object_uid(pod));
    const Value& limit = job_[keys::kSpec][keys::kBackoffLimitPerIndex];
    const auto index = limit.has_value() ? completion_index(job_, pod) : std::nullopt;
    if (index && !tally_.completed.contains(*index) && action != FailureAction::kIgnore) {
      if (action == FailureAction::kFailIndex || failures_before(pod) >= limit.as_int()) tally_.failed_indexes.add(*index);
    }
    free_failure(pod);
  }

  static int64_t failures_before(const Value& pod) {
    return parse_int64(annotation(pod, kJobIndexFailures).as_string()).value_or(0);
  }

  void free_failure(const Value& pod) {
    const bool by_index = job_[keys::kSpec][keys::kBackoffLimitPerIndex].has_value() && !failing_ && !succeeding_;
    const auto index = by_index ? completion_index(job_, pod) : std::nullopt;
    index ? failures_[*index].push_back(pod) : tally_.to_free.push_back(pod);
  }

  // All but the last of an index that is to be tried again and has no pod yet.
  void free_counted_failures() {
    std::set<int64_t> running;
    for (const auto& pod : tally_.active) {
      if (const auto index = completion_index(job_, pod)) running.insert(*index);
    }
    for (auto& [index, pods] : failures_) {
      const bool over = running.contains(index) || tally_.completed.contains(index) || tally_.failed_indexes.contains(index);
      const auto last = std::ranges::max_element(pods, {}, [](const Value& pod) {
        return std::pair{failures_before(pod), ended_at(pod)};
      });
      for (auto pod = pods.begin(); pod != pods.end(); ++pod) {
        if (over || pod != last) tally_.to_free.push_back(*pod);
      }
    }
  }

  void add_restarts(const Value& pod) {
    for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
      for (const auto& status : pod[keys::kStatus][list].items()) {
        tally_.restarts += status[keys::kRestartCount].as_int();
      }
    }
  }

  Value uncounted_value() const {
    const auto list = [](const Uids& uids) {
      std::vector<Value> items;
      for (const auto& uid : uids) items.emplace_back(uid);
      return items.empty() ? Value() : Value::array(std::move(items));
    };
    if (succeeded_.empty() && failed_.empty()) return {};
    return Value::map({{keys::kSucceeded, list(succeeded_)}, {keys::kFailed, list(failed_)}});
  }

  const Value& job_;
  const std::vector<Value>& pods_;
  bool indexed_;
  bool failing_, succeeding_;  // it has come to a verdict before
  JobTally tally_;
  std::map<int64_t, std::vector<Value>> failures_;  // counted ones, by index
  Uids succeeded_, failed_;
};

}  // namespace

bool is_indexed(const Value& job) {
  return job[keys::kSpec][keys::kCompletionMode].as_string() == "Indexed";
}

bool has_job_finalizer(const Value& pod) {
  const auto finalizers = pod[keys::kMetadata][keys::kFinalizers].items();
  return std::ranges::any_of(finalizers, [](const Value& name) { return name.as_string() == kJobTracking; });
}

std::optional<int64_t> completion_index(const Value& job, const Value& pod) {
  const auto index = parse_int64(annotation(pod, kJobIndex).as_string());
  if (!index || *index < 0 || *index >= job[keys::kSpec][keys::kCompletions].as_int()) return std::nullopt;
  return index;
}

std::optional<WallTime> ended_at(const Value& pod) {
  std::optional<WallTime> latest;
  for (const auto& status : pod[keys::kStatus][keys::kContainerStatuses].items()) {
    const auto end = time_of(status[keys::kState][keys::kTerminated][keys::kFinishedAt]);
    if (end && (!latest || *end > *latest)) latest = end;
  }
  if (latest) return latest;
  const auto& metadata = pod[keys::kMetadata];
  if (const auto deleted = time_of(metadata[keys::kDeletionTimestamp])) return deleted;
  if (const auto seen = time_of(condition(pod, "Ready")[keys::kLastTransitionTime])) return seen;
  return time_of(metadata[keys::kCreationTimestamp]);
}

bool is_given_up(const Value& pod) { return is_deleting(pod) && !is_pod_ended(pod) && !has_job_finalizer(pod); }

bool counts_as_failed(const Value& job, const Value& pod) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  if (phase == "Failed") return true;
  if (!is_deleting(pod) || phase == "Succeeded") return false;
  // What no node runs will never end by itself.
  return !replaces_failed_only(job) || pod[keys::kSpec][keys::kNodeName].as_string().empty();
}

JobTally tally_of(const Value& job, const std::vector<Value>& pods) { return Teller(job, pods).tell(); }

Duration job_back_off(int64_t failures) {
  if (failures <= 0) return {};
  const Duration wait = kBackOff * (int64_t{1} << std::min<int64_t>(failures - 1, 10));
  return std::min(wait, kBackOffMax);
}

std::optional<WallTime> retry_time(const Value& job, const std::vector<Value>& pods) {
  std::vector<std::pair<WallTime, bool>> ends;
  for (const auto& pod : pods) {
    const bool failed = counts_as_failed(job, pod);
    if ((!failed && !has_succeeded(pod)) || is_given_up(pod)) continue;
    if (const auto end = ended_at(pod)) ends.emplace_back(*end, failed);
  }
  std::ranges::sort(ends);
  int64_t failures = 0;
  for (auto end = ends.rbegin(); end != ends.rend() && end->second; ++end) ++failures;
  if (failures == 0) return std::nullopt;
  return ends.back().first + job_back_off(failures);
}

}  // namespace minik::control
