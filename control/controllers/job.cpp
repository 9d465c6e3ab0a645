#include "control/controllers/job.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/claims.h"
#include "control/controllers/deletion_order.h"
#include "control/controllers/job_policy.h"
#include "control/controllers/job_tally.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "control/schema/views/batch.h"

namespace minik::control {

namespace {

constexpr size_t kGeneratedNameMax = 58;  // what the API takes of a generateName before its own letters
constexpr size_t kBurstPods = 500;  // creations of one reconcile, as Kubernetes
constexpr std::string_view kTracked = "tracked";
constexpr std::string_view kJobNameLabel = "batch.kubernetes.io/job-name";
constexpr std::string_view kOurs = "kubernetes.io/job-controller";

struct Verdict {
  std::string_view type;  // of the condition that the Job works towards
  std::string reason, message;
};

struct Work {
  const Value& job;
  JobSpecView spec;
  std::vector<Value> pods;
  JobTally tally;
  WallTime now;
  Plan plan;
  Value next;  // the job with its next status

  bool suspended() const { return spec.suspend(); }
  Value about() const { return typed(job, "batch/v1", "Job"); }
};

Value job_condition(std::string_view type, std::string_view status, std::string_view reason, std::string_view message,
                    WallTime now) {
  return Value::map({{keys::kType, type},
                     {keys::kStatus, status},
                     {keys::kReason, reason},
                     {keys::kMessage, message},
                     {keys::kLastProbeTime, format_time(now)}});
}

void set_condition(Work& work, std::string_view type, std::string_view status, std::string_view reason,
                   std::string_view message) {
  work.next = with_condition(work.next, job_condition(type, status, reason, message, work.now), work.now);
}

// --- finalizers ---

// A pod that is counted, or whose Job is no more.
void plan_free(Plan& plan, const Value& pod) {
  const Value patch = Value::map(
      {{keys::kMetadata, Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]},
                                     {"$deleteFromPrimitiveList/finalizers", Value::array({kJobTracking})}})}});
  auto& write = plan.patch(kinds::kPods, key_of(pod), PatchType::kStrategicMerge, patch);
  write.on_error = OnError::kTolerateNotFound;
  write.independent = true;
}

std::string tracked_key(std::string_view namespace_, std::string_view job) { return cat(namespace_, "/", job); }

// The Job that a pod with the finalizer belongs to, or used to belong to.
std::string job_name_of(const Value& pod) {
  const Value& owner = controller_of(pod);
  if (owner[keys::kKind].as_string() == "Job") return owner[keys::kName].string();
  return pod[keys::kMetadata][keys::kLabels].get(kJobNameLabel).string();
}

void index_tracked(const Value& pod, std::vector<Key>& out) {
  if (!has_job_finalizer(pod)) return;
  const std::string job = job_name_of(pod);
  if (!job.empty()) out.emplace_back(tracked_key(object_namespace(pod), job));
}

// Pods that wait for a Job of this name that is gone or is another one now.
void free_strangers(Plan& plan, const Snapshot& snapshot, const ObjectKey& key, const Value& job) {
  for (const auto& pod : snapshot.indexed(kinds::kPods, kTracked, tracked_key(key.namespace_, key.name))) {
    const Value& owner = controller_of(pod);
    const bool ours = job.has_value() && (owner.has_value() ? owner[keys::kUid].as_string() == object_uid(job)
                                                            : !is_deleting(job));
    if (!ours) plan_free(plan, pod);
  }
}

// --- what the Job has come to ---

std::optional<Verdict> standing_verdict(const Value& job) {
  for (const auto* type : {"FailureTarget", "SuccessCriteriaMet"}) {
    const Value& target = condition(job, type);
    if (target[keys::kStatus].as_string() != "True") continue;
    return Verdict{type, target[keys::kReason].string(), target[keys::kMessage].string()};
  }
  return std::nullopt;
}

std::optional<Verdict> failure_verdict(Work& work) {
  const auto fail = [](std::string reason, std::string message) {
    return Verdict{"FailureTarget", std::move(reason), std::move(message)};
  };
  if (work.tally.fatal) return fail("PodFailurePolicy", *work.tally.fatal);
  const int64_t limit = work.spec.backoffLimit();
  const bool on_failure = work.spec.template_().spec().restartPolicy() == "OnFailure";
  const bool restarted_too_often =
      on_failure && (limit == 0 ? work.tally.restarts > 0 : work.tally.restarts >= limit);
  if (work.tally.failed > limit || restarted_too_often) {
    return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  // What is resumed begins anew (note_suspension).
  const bool resumed = !work.suspended() && is_condition_true(work.job, "Suspended");
  const auto start = resumed ? std::optional(work.now) : time_of(work.next[keys::kStatus][keys::kStartTime]);
  if (work.spec.has_activeDeadlineSeconds() && start && !work.suspended()) {
    const Duration left = *start + seconds(work.spec.activeDeadlineSeconds()) - work.now;
    if (left <= Duration{}) return fail("DeadlineExceeded", "Job was active longer than specified deadline");
    work.plan.look_again_after(left);
  }
  return std::nullopt;
}

std::optional<Verdict> indexed_verdict(const Work& work) {
  const JobTally& tally = work.tally;
  const int64_t failed = work.spec.has_backoffLimitPerIndex() ? tally.failed_indexes.count() : 0;
  if (work.spec.has_maxFailedIndexes() && failed > work.spec.maxFailedIndexes()) {
    return Verdict{"FailureTarget", "MaxFailedIndexesExceeded",
                   "Job has exceeded the specified maximal number of failed indexes"};
  }
  if (failed > 0 && failed + tally.completed.count() >= work.spec.completions()) {
    return Verdict{"FailureTarget", "FailedIndexes", "Job has failed indexes"};
  }
  if (const auto rule = fulfilled_success_rule(work.job, tally.completed)) {
    return Verdict{"SuccessCriteriaMet", "SuccessPolicy", cat("Matched rules at index ", *rule)};
  }
  return std::nullopt;
}

std::optional<Verdict> success_verdict(const Work& work) {
  const JobTally& tally = work.tally;
  // Without a number, the first success says that the work is done; the others may finish theirs.
  const bool complete = work.spec.has_completions() ? tally.succeeded >= work.spec.completions()
                                                    : tally.succeeded > 0 && tally.active.empty();
  if (!complete) return std::nullopt;
  return Verdict{"SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"};
}

std::optional<Verdict> verdict_of(Work& work) {
  if (auto standing = standing_verdict(work.job)) return standing;
  if (auto failure = failure_verdict(work)) return failure;
  if (is_indexed(work.job)) {
    if (auto indexed = indexed_verdict(work)) return indexed;
  }
  return success_verdict(work);
}

// --- pods ---

Value with_index(const Value& job, Value pod, int64_t index, int64_t failures) {
  const std::string text = cat(index);
  MapBuilder annotations(pod[keys::kMetadata][keys::kAnnotations]);
  annotations.set(kJobIndex, text);
  if (job[keys::kSpec][keys::kBackoffLimitPerIndex].has_value()) annotations.set(kJobIndexFailures, cat(failures));
  MapBuilder metadata(pod[keys::kMetadata]);
  // A long name gives way to its index.
  const std::string ending = cat("-", text, "-");
  metadata.set(keys::kGenerateName, cat(object_name(job).substr(0, kGeneratedNameMax - ending.size()), ending));
  metadata.set(keys::kAnnotations, std::move(annotations).build());
  metadata.set(keys::kLabels, pod[keys::kMetadata][keys::kLabels].with(kJobIndex, text));
  const Value variable = Value::map(
      {{keys::kName, "JOB_COMPLETION_INDEX"},
       {keys::kValueFrom,
        Value::map({{keys::kFieldRef, Value::map({{keys::kFieldPath, cat("metadata.labels['", kJobIndex, "']")}})}})}});
  MapBuilder spec(pod[keys::kSpec]);
  for (const auto& list : {keys::kInitContainers, keys::kContainers}) {
    std::vector<Value> containers;
    for (const auto& container : spec.get(list).items()) {
      const auto known = container[keys::kEnv].items();
      const bool set = std::ranges::any_of(
          known, [](const Value& v) { return v[keys::kName].as_string() == "JOB_COMPLETION_INDEX"; });
      std::vector<Value> env(known.begin(), known.end());
      if (!set) env.push_back(variable);
      containers.push_back(container.with(keys::kEnv, Value::array(std::move(env))));
    }
    if (!containers.empty()) spec.set(list, Value::array(std::move(containers)));
  }
  spec.set(keys::kHostname, cat(object_name(job), "-", text));
  return pod.with(keys::kMetadata, std::move(metadata).build()).with(keys::kSpec, std::move(spec).build());
}

Value pod_of(const Value& job) {
  const Value& pod_template = job[keys::kSpec][keys::kTemplate];
  const Value& metadata = pod_template[keys::kMetadata];
  const auto given = metadata[keys::kFinalizers].items();
  std::vector<Value> finalizers(given.begin(), given.end());
  finalizers.emplace_back(kJobTracking);
  return Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kGenerateName, cat(object_name(job), "-")},
                    {keys::kNamespace, job[keys::kMetadata][keys::kNamespace]},
                    {keys::kLabels, metadata[keys::kLabels]},
                    {keys::kAnnotations, metadata[keys::kAnnotations]},
                    {keys::kFinalizers, Value::array(std::move(finalizers))},
                    {keys::kOwnerReferences, Value::array({controller_reference(job, "batch/v1", "Job")})}})},
       {keys::kSpec, pod_template[keys::kSpec]}});
}

// What made the creation of a pod necessary, as the metric says it.
std::string creation_reason(const Work& work) {
  if (work.tally.failed == 0 && work.tally.terminating == 0) return "new";
  const bool waits_for_failure = work.job[keys::kSpec][keys::kPodReplacementPolicy].as_string() == "Failed";
  return waits_for_failure && work.tally.failed > 0 ? "recreate_failed" : "recreate_terminating_or_failed";
}

void plan_pod(Work& work, Value pod) {
  auto& write = work.plan.create(kinds::kPods, std::move(pod));
  write.independent = true;
  write.event = EventNote{work.about(), "Normal", "SuccessfulCreate", "Created pod: %name%"};
  write.failure_event = EventNote{work.about(), "Warning", "FailedCreate", "Error creating: %error%"};
  const auto counted_as = [&](const char* status) {
    return MetricNote{"job_controller_job_pods_creation_total", "Pods made for Jobs, by what made them necessary.",
                      {{"reason", creation_reason(work)}, {"status", status}}};
  };
  write.counts.push_back(counted_as("succeeded"));
  write.failure_counts.push_back(counted_as("failed"));
}

void plan_removal(Work& work, const Value& pod) {
  auto& write = work.plan.remove(kinds::kPods, pod);
  write.independent = true;
  write.event = EventNote{work.about(), "Normal", "SuccessfulDelete", cat("Deleted pod: ", object_name(pod))};
  write.failure_event = EventNote{work.about(), "Warning", "FailedDelete", "Error deleting: %error%"};
}

// Pods of which there are too many: they have done nothing wrong, so they are let go before they are deleted, that
// nobody counts them as failures.
void plan_giving_up(Work& work, const std::vector<Value>& pods) {
  for (const auto& pod : pods) {
    if (has_job_finalizer(pod)) plan_free(work.plan, pod);
  }
  for (size_t i = 0; i < pods.size(); ++i) {
    plan_removal(work, pods[i]);
    if (i == 0) work.plan.writes.back().independent = false;
  }
}

// Indexes of the pods that hold their place, and the surplus: a second pod of an index, or one of an index
// that is done or that the Job does not have.
IndexSet held_indexes(const Work& work, std::vector<Value>& surplus) {
  IndexSet held;
  const auto hold = [&](const Value& pod) {
    const auto index = completion_index(work.job, pod);
    const bool wanted = index && !work.tally.completed.contains(*index) &&
                        !work.tally.failed_indexes.contains(*index) && !held.contains(*index);
    if (wanted) held.add(*index);
    return wanted;
  };
  if (replaces_failed_only(work.job)) {
    for (const auto& pod : work.pods) {
      if (is_deleting(pod) && !is_pod_ended(pod)) hold(pod);
    }
  }
  auto ranked = by_deletion_rank(work.tally.active, {}, work.now);
  std::ranges::reverse(ranked);
  for (const auto& pod : ranked) {
    if (!hold(pod)) surplus.push_back(pod);
  }
  return held;
}

struct IndexFailures {
  int64_t count = 0;
  std::optional<WallTime> last;
};

// What the pods of each index have been through; the newest pod has counted all before it.
std::map<int64_t, IndexFailures> failures_by_index(const Work& work) {
  std::map<int64_t, IndexFailures> by_index;
  if (!work.spec.has_backoffLimitPerIndex()) return by_index;
  for (const auto& pod : work.pods) {
    const auto index = completion_index(work.job, pod);
    if (!index || !counts_as_failed(work.job, pod) || is_given_up(pod)) continue;
    const bool ignored = judge_failure(work.job, pod).action == FailureAction::kIgnore;
    const int64_t earlier =
        parse_int64(pod[keys::kMetadata][keys::kAnnotations].get(kJobIndexFailures).as_string()).value_or(0);
    auto& entry = by_index[*index];
    entry.count = std::max(entry.count, earlier + (ignored ? 0 : 1));
    const auto end = ended_at(pod);
    if (end && (!entry.last || *end > *entry.last)) entry.last = end;
  }
  return by_index;
}

void create_indexed(Work& work, const IndexSet& held, int64_t wanted) {
  const Value pod = pod_of(work.job);
  const auto failures = failures_by_index(work);
  for (int64_t index = 0; index < work.spec.completions() && wanted > 0; ++index) {
    if (held.contains(index) || work.tally.completed.contains(index) || work.tally.failed_indexes.contains(index)) {
      continue;
    }
    const auto history = failures.find(index);
    const IndexFailures earlier = history == failures.end() ? IndexFailures{} : history->second;
    if (earlier.last) {
      const Duration wait = *earlier.last + job_back_off(earlier.count) - work.now;
      if (wait > Duration{}) {
        work.plan.look_again_after(wait);
        continue;
      }
    }
    plan_pod(work, with_index(work.job, pod, index, earlier.count));
    --wanted;
  }
}

// Pods that ended and are not yet in the status hold their place for the moment: what they did is known
// with the next look, and a new pod now might be one too many.
int64_t wanted_active(const Work& work) {
  const int64_t parallelism = work.spec.parallelism();
  if (!work.spec.has_completions()) {
    return work.tally.succeeded > 0 ? static_cast<int64_t>(work.tally.active.size()) : parallelism;
  }
  const int64_t left =
      work.spec.completions() - work.tally.succeeded - work.tally.failed_indexes.count();
  return std::clamp<int64_t>(left, 0, parallelism);
}

void plan_pods(Work& work) {
  std::vector<Value> surplus;
  const bool indexed = is_indexed(work.job);
  const IndexSet held = indexed ? held_indexes(work, surplus) : IndexSet();
  std::vector<Value> active;
  std::ranges::copy_if(work.tally.active, std::back_inserter(active), [&](const Value& pod) {
    return std::ranges::none_of(surplus, [&](const Value& s) { return s.same_node(pod); });
  });
  const int64_t wanted = work.suspended() ? 0 : wanted_active(work);
  const auto have = static_cast<int64_t>(active.size());
  if (have > wanted) {
    const auto ranked = by_deletion_rank(active, {}, work.now);
    surplus.insert(surplus.end(), ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(have - wanted));
  }
  if (!surplus.empty()) return plan_giving_up(work, surplus);
  const int64_t leaving = replaces_failed_only(work.job) ? work.tally.terminating : 0;
  const int64_t missing = std::min<int64_t>(wanted - have - leaving, kBurstPods);
  if (missing <= 0) return;
  if (!work.spec.has_backoffLimitPerIndex()) {
    const auto retry = retry_time(work.job, work.pods);
    if (retry && *retry > work.now) {
      work.plan.look_again_after(*retry - work.now);
      return;
    }
  }
  if (indexed) {
    create_indexed(work, held, missing);
    return;
  }
  const Value pod = pod_of(work.job);
  for (int64_t i = 0; i < missing; ++i) plan_pod(work, pod);
}

// --- status ---

void note_suspension(Work& work) {
  const Value& current = condition(work.job, "Suspended");
  const bool was = current[keys::kStatus].as_string() == "True";
  if (work.suspended() && !was) {
    set_condition(work, "Suspended", "True", "JobSuspended", "Job suspended");
    work.plan.note(work.about(), "Normal", "Suspended", "Job suspended");
  } else if (!work.suspended() && was) {
    set_condition(work, "Suspended", "False", "JobResumed", "Job resumed");
    work.plan.note(work.about(), "Normal", "Resumed", "Job resumed");
    // The deadline begins anew with the work.
    work.next = work.next.with_at({keys::kStatus, keys::kStartTime}, format_time(work.now));
  }
}

void fill_status(Work& work) {
  const JobTally& tally = work.tally;
  MapBuilder status(work.next[keys::kStatus]);
  const auto put = [&](const Key& key, int64_t n) { status.set(key, n == 0 ? Value() : Value(n)); };
  put(keys::kActive, static_cast<int64_t>(tally.active.size()));
  put(keys::kSucceeded, tally.succeeded_counted);
  put(keys::kFailed, tally.failed_counted);
  status.set(keys::kReady, tally.ready);
  status.set(keys::kTerminating, tally.terminating);
  status.set(keys::kUncountedTerminatedPods, tally.uncounted.has_value() ? tally.uncounted : Value::empty_map());
  if (is_indexed(work.job)) {
    status.set(keys::kCompletedIndexes, tally.completed.empty() ? Value() : Value(tally.completed.text()));
    if (work.spec.has_backoffLimitPerIndex()) status.set(keys::kFailedIndexes, tally.failed_indexes.text());
  }
  work.next = work.next.with(keys::kStatus, std::move(status).build());
}

// Everything has stopped and is counted.
void conclude(Work& work, const Verdict& verdict) {
  const bool success = verdict.type == "SuccessCriteriaMet";
  set_condition(work, success ? "Complete" : "Failed", "True", verdict.reason, verdict.message);
  if (success) {
    work.next = work.next.with_at({keys::kStatus, keys::kCompletionTime}, format_time(work.now));
    if (work.spec.has_completions() && work.tally.succeeded > work.spec.completions()) {
      work.plan.note(work.about(), "Warning", "TooManySucceededPods",
                     "Too many succeeded pods running after completion count reached");
    }
    work.plan.note(work.about(), "Normal", "Completed", "Job completed");
  } else {
    work.plan.note(work.about(), "Warning", verdict.reason, verdict.message);
  }
}

void count_progress(const Work& work, PlannedWrite& write) {
  const Value &before = work.job[keys::kStatus], &after = work.next[keys::kStatus];
  const std::string mode = is_indexed(work.job) ? "Indexed" : "NonIndexed";
  for (const auto& [result, key] : {std::pair{"succeeded", keys::kSucceeded}, std::pair{"failed", keys::kFailed}}) {
    const int64_t more = after[key].as_int() - before[key].as_int();
    if (more <= 0) continue;
    write.counts.push_back({"job_controller_job_pods_finished_total", "Pods of Jobs that ended and were counted.",
                            {{"completion_mode", mode}, {"result", result}}, static_cast<uint64_t>(more)});
  }
  if (mode == "Indexed") {
    const std::string limit = work.spec.has_backoffLimitPerIndex() ? "perIndex" : "global";
    for (const auto& [result, key] :
         {std::pair{"succeeded", keys::kCompletedIndexes}, std::pair{"failed", keys::kFailedIndexes}}) {
      const auto indexes = [&work, &counted = key](const Value& status) {
        return IndexSet::parse(status[counted].as_string(), work.spec.completions()).value_or(IndexSet()).count();
      };
      const int64_t more = indexes(after) - indexes(before);
      if (more <= 0) continue;
      write.counts.push_back({"job_controller_job_finished_indexes_total", "Indexes of Jobs that ended.",
                              {{"backoffLimit", limit}, {"status", result}}, static_cast<uint64_t>(more)});
    }
  }
  if (is_job_finished(work.job) || !is_job_finished(work.next)) return;
  const bool success = is_condition_true(work.next, "Complete");
  const Value& reason = condition(work.next, success ? "Complete" : "Failed")[keys::kReason];
  write.counts.push_back({"job_controller_jobs_finished_total", "Jobs that ended.",
                          {{"completion_mode", mode}, {"reason", reason.string()},
                           {"result", success ? "succeeded" : "failed"}}});
}

void plan_status(Work& work) {
  if (work.next == work.job) return;
  // Only a status that was written may let pods go; with a stale one nothing of this plan happens.
  count_progress(work, work.plan.update_status(kinds::kJobs, work.next));
}

Plan plan_of(Work& work) {
  if (!work.suspended() && !work.job[keys::kStatus][keys::kStartTime].has_value()) {
    work.next = work.next.with_at({keys::kStatus, keys::kStartTime}, format_time(work.now));
  }
  const auto verdict = verdict_of(work);
  if (verdict) {
    if (!standing_verdict(work.job)) {
      set_condition(work, verdict->type, "True", verdict->reason, verdict->message);
    }
  } else {
    note_suspension(work);
  }
  fill_status(work);
  const bool stopped = work.tally.active.empty() && work.tally.terminating == 0 && work.tally.all_counted();
  if (verdict && stopped) conclude(work, *verdict);
  plan_status(work);
  for (const auto& pod : work.tally.to_free) plan_free(work.plan, pod);
  if (!verdict) {
    plan_pods(work);
  } else {
    for (const auto& pod : work.tally.active) plan_removal(work, pod);
  }
  return std::move(work.plan);
}

// Adopted pods are counted like those that the Job made.
void track_adopted(Plan& plan, const std::vector<Value>& owned) {
  for (const auto& pod : owned) {
    if (controller_of(pod).has_value() || has_job_finalizer(pod) || is_pod_ended(pod)) continue;
    const Value patch =
        Value::map({{keys::kMetadata, Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]},
                                                  {keys::kFinalizers, Value::array({kJobTracking})}})}});
    plan.patch(kinds::kPods, key_of(pod), PatchType::kStrategicMerge, patch).on_error = OnError::kTolerateNotFound;
  }
}

// The pod's Job, or for a pod that has lost it the one that its finalizer waits for.
KeysForChange job_keys() {
  return [by_claim = claimant_keys(kinds::kJobs, "Job")](const Snapshot& snapshot, const Value& before,
                                                         const Value& after, std::vector<ObjectKey>& keys) {
    by_claim(snapshot, before, after, keys);
    if (!after.has_value() || controller_of(after).has_value() || !has_job_finalizer(after)) return;
    const std::string job = job_name_of(after);
    if (!job.empty()) keys.push_back({std::string(object_namespace(after)), job});
  };
}

}  // namespace

bool is_job_finished(const Value& job) { return is_condition_true(job, "Complete") || is_condition_true(job, "Failed"); }

Plan reconcile_job(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& job = snapshot.find(kinds::kJobs, key.namespace_, key.name);
  Plan plan;
  const auto manager = job[keys::kSpec][keys::kManagedBy].as_string(kOurs);
  if (job.has_value() && manager != kOurs) return plan;
  free_strangers(plan, snapshot, key, job);
  if (!job.has_value()) return plan;
  const auto selector = LabelSelector::from_object(job[keys::kSpec][keys::kSelector]);
  if (!selector) return plan;  // validation keeps such a Job out
  auto pods = snapshot.owned_by(kinds::kPods, object_uid(job));
  if (is_job_finished(job) || is_deleting(job)) {
    for (const auto& pod : pods) {
      if (has_job_finalizer(pod)) plan_free(plan, pod);
    }
    return plan;
  }
  const auto before = pods;
  plan_claims(plan, snapshot, kinds::kPods, {job, "batch/v1", "Job", *selector}, is_pod_active, pods);
  for (const auto& pod : before) {
    const bool released = std::ranges::none_of(pods, [&](const Value& p) { return p.same_node(pod); });
    if (released && has_job_finalizer(pod)) plan_free(plan, pod);
  }
  track_adopted(plan, pods);
  // What was adopted or released comes back changed, and is counted then.
  if (!plan.writes.empty()) return plan;
  Work work{job, JobSpecView(job[keys::kSpec]), pods, tally_of(job, pods), env.now, std::move(plan), job};
  return plan_of(work);
}

ControllerSpec job_controller() {
  ControllerSpec spec;
  spec.name = "job-controller";
  spec.kind = kinds::kJobs;
  spec.watches = {{kinds::kJobs, own_key(), {}},
                  {kinds::kPods, job_keys(), {{std::string(kOrphans), orphans_by_namespace()},
                                              {std::string(kTracked), index_tracked}}}};
  spec.decide = reconcile_job;
  return spec;
}

}  // namespace minik::control
