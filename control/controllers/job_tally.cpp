#include "control/controllers/job_tally.h"

#include <algorithm>
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

const Value& annotation(const Value& pod, std::string_view name) {
  return pod[keys::kMetadata][keys::kAnnotations].get(name);
}

bool has_succeeded(const Value& pod) {
  return pod[keys::kStatus][keys::kPhase].as_string() == "Succeeded";
}

class Teller {
 public:
  Teller(const Value& job, const std::vector<Value>& pods) : job_(job), pods_(pods), indexed_(is_indexed(job)) {
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
        add_restarts(pod);
      }
    }
    const bool failed = counts_as_failed(job_, pod);
    if (failed && !tally_.fatal) {
      auto verdict = judge_failure(job_, pod);
      if (verdict.action == FailureAction::kFailJob) tally_.fatal = std::move(verdict.message);
    }
    if (!has_job_finalizer(pod)) return;
    const bool named = succeeded_.contains(object_uid(pod)) || failed_.contains(object_uid(pod));
    if (named) {
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
      const int64_t earlier = parse_int64(annotation(pod, kJobIndexFailures).as_string()).value_or(0);
      if (action == FailureAction::kFailIndex || earlier >= limit.as_int()) tally_.failed_indexes.add(*index);
    }
    tally_.to_free.push_back(pod);
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
  JobTally tally_;
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
    if (!failed && !has_succeeded(pod)) continue;
    if (const auto end = ended_at(pod)) ends.emplace_back(*end, failed);
  }
  std::ranges::sort(ends);
  int64_t failures = 0;
  for (auto end = ends.rbegin(); end != ends.rend() && end->second; ++end) ++failures;
  if (failures == 0) return std::nullopt;
  return ends.back().first + job_back_off(failures);
}

}  // namespace minik::control
