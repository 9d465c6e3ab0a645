// JobTally: what a Job's pods amount to, and which of them are yet to be counted.
//
// Each pod of a Job carries a finalizer, so that none can vanish uncounted. Counting takes two writes that
// may be far apart: the status first names the uids of ended pods (uncountedTerminatedPods), then the pods
// lose their finalizer, and a later status adds to its counters those that have lost it. A crash between any
// two of these repeats one, and none is counted twice. Indexes that succeeded need no uids: a set counts
// each of them once. Pods that the controller itself removes because there are too many lose their finalizer first and
// are counted as nothing. Where each index has its own limit, the last failure of an index keeps its finalizer until
// its number of failures stands on the next pod. Plain values, made from a snapshot.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/controllers/job_indexes.h"
#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kJobTracking = "batch.kubernetes.io/job-tracking";
inline constexpr std::string_view kJobIndex = "batch.kubernetes.io/job-completion-index";
inline constexpr std::string_view kJobIndexFailures = "batch.kubernetes.io/job-index-failure-count";

struct JobTally {
  std::vector<Value> active;  // neither ended nor being deleted
  int64_t ready = 0, terminating = 0;
  // In the counters of the next status, and with those that it only names.
  int64_t succeeded_counted = 0, failed_counted = 0;
  int64_t succeeded = 0, failed = 0;
  IndexSet completed, failed_indexes;  // of an Indexed Job; failed ones only with a limit for each
  Value uncounted;                     // absent: every ended pod is counted
  std::vector<Value> to_free;          // counted once the status is written: their finalizer goes
  std::optional<std::string> fatal;    // a failure that fails the Job, by its policy
  int64_t restarts = 0;                // of containers of pods that go on (restartPolicy OnFailure)

  bool all_counted() const { return to_free.empty() && !uncounted.has_value(); }
};

JobTally tally_of(const Value& job, const std::vector<Value>& pods);

bool is_indexed(const Value& job);
bool has_job_finalizer(const Value& pod);
// Nothing for a pod without an index, or with one that the Job does not have (any more).
std::optional<int64_t> completion_index(const Value& job, const Value& pod);
// When its last container ended, or when it was deleted or last seen otherwise.
std::optional<WallTime> ended_at(const Value& pod);
// Taken away by the controller itself, on its way out.
bool is_given_up(const Value& pod);
// Ended without success, or as good as: on its way out where such pods are replaced at once.
bool counts_as_failed(const Value& job, const Value& pod);

// How long a Job waits before it makes a pod again: 10 s after the first failure, twice as long after each
// further one, ten minutes at most.
Duration job_back_off(int64_t failures);
// Of a Job that counts failures together: when the next pod may be made, if that is still to come.
std::optional<WallTime> retry_time(const Value& job, const std::vector<Value>& pods);

}  // namespace minik::control
