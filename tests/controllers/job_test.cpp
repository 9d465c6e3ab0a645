#include "control/controllers/job.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/job_indexes.h"
#include "control/controllers/job_tally.h"
#include "decision_world.h"

namespace minik::control {
namespace {

// `spec` and `status` are lines, indented by two.
std::string job_of(std::string_view spec, std::string_view status = {}) {
  return cat(R"(
apiVersion: batch/v1
kind: Job
metadata: {name: sum, namespace: default, uid: job-1, resourceVersion: "9"}
spec:
  selector: {matchLabels: {job: sum}}
  template:
    metadata: {labels: {job: sum}}
    spec: {restartPolicy: Never, containers: [{name: main, image: "sum:1"}]}
)",
             spec, "\nstatus:\n  startTime: '2026-03-01T11:00:00Z'\n", status, "\n");
}

struct PodFacts {
  std::string name, phase = "Running", index = "", ended = "2026-03-01T11:59:00Z", failures = "";
  int exit_code = 1;
  bool deleting = false, tracked = true;
  std::string conditions = "";
};

std::string pod_of(const PodFacts& facts) {
  std::string annotations;
  if (!facts.index.empty()) annotations += cat("batch.kubernetes.io/job-completion-index: '", facts.index, "'");
  if (!facts.failures.empty()) annotations += cat(", batch.kubernetes.io/job-index-failure-count: '", facts.failures, "'");
  const bool ended = facts.phase == "Succeeded" || facts.phase == "Failed";
  return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ", facts.name, "\n  namespace: default\n  uid: uid-", facts.name,
             "\n  labels: {job: sum}\n  annotations: {", annotations, "}\n",
             facts.tracked ? "  finalizers: [batch.kubernetes.io/job-tracking]\n" : "",
             facts.deleting ? "  deletionTimestamp: '2026-03-01T12:00:30Z'\n" : "",
             "  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: sum, uid: job-1, controller: true}]\n",
             "spec: {nodeName: node-1}\nstatus:\n  phase: ", facts.phase, "\n  conditions: [", facts.conditions, "]\n",
             ended ? cat("  containerStatuses: [{name: main, state: {terminated: {exitCode: ",
                         facts.phase == "Failed" ? facts.exit_code : 0, ", finishedAt: '", facts.ended, "'}}}]\n")
                   : "");
}

class Job : public ::testing::Test {
 protected:
  Plan decide() { return world.decide("default", "sum"); }
  // The status that the plan writes, or absent.
  static Value status_of(const Plan& plan) {
    for (const auto& write : plan.writes) {
      if (write.request.kind == kinds::kJobs) return write.request.body[keys::kStatus];
    }
    return {};
  }
  static const Value& condition_of(const Value& status, std::string_view type) {
    for (const auto& c : status[keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return c;
    }
    return Value::absent();
  }
  static size_t count(const Plan& plan, Verb verb, KindId kind = kinds::kPods) {
    return static_cast<size_t>(std::ranges::count_if(plan.writes, [&](const PlannedWrite& w) {
      return w.request.verb == verb && w.request.kind == kind;
    }));
  }

  DecisionWorld world{job_controller()};
};

// Of the first pod that the plan makes.
std::string creation_reason(const Plan& plan) {
  for (const auto& write : plan.writes) {
    if (write.request.verb == Verb::kCreate) return write.counts.at(0).labels.at(0).second;
  }
  return "none";
}

TEST_F(Job, CountsThePodsThatItMakesByWhatMadeThemNecessary) {
  world.add(job_of("  parallelism: 2\n  completions: 2\n  backoffLimit: 6\n"));
  EXPECT_EQ(creation_reason(decide()), "new");
  world.add(job_of("  parallelism: 2\n  completions: 2\n  backoffLimit: 6\n", "  failed: 1\n"));
  EXPECT_EQ(creation_reason(decide()), "recreate_terminating_or_failed");
  world.add(job_of("  parallelism: 2\n  completions: 2\n  backoffLimit: 6\n  podReplacementPolicy: Failed\n", "  failed: 1\n"));
  EXPECT_EQ(creation_reason(decide()), "recreate_failed");
  const Plan plan = decide();
  const auto& pod = *std::ranges::find(plan.writes, Verb::kCreate, [](const PlannedWrite& write) { return write.request.verb; });
  EXPECT_EQ(pod.failure_counts.at(0).labels, (MetricLabels{{"reason", "recreate_failed"}, {"status", "failed"}}));
}

TEST_F(Job, StartsAsManyPodsAsMayRunAtOnce) {
  world.add(job_of("  completions: 5\n  parallelism: 3\n  backoffLimit: 6"));
  const Plan plan = decide();
  EXPECT_EQ(count(plan, Verb::kCreate), 3U);
  const Value& pod = plan.writes.back().request.body;
  EXPECT_EQ(pod[keys::kMetadata][keys::kFinalizers].items()[0].as_string(), kJobTracking);
  EXPECT_EQ(plan.writes.back().event->message, "Created pod: %name%");
}

TEST_F(Job, StartsNoMoreThanAreStillMissing) {
  world.add(cat(job_of("  completions: 5\n  parallelism: 3\n  backoffLimit: 6", "  succeeded: 4"), pod_of({"a"})));
  EXPECT_EQ(count(decide(), Verb::kCreate), 0U);
}

TEST_F(Job, NamesAnEndedPodBeforeItLetsItGo) {
  world.add(cat(job_of("  completions: 5\n  parallelism: 1\n  backoffLimit: 6"), pod_of({"a", "Succeeded"})));
  const Plan plan = decide();
  ASSERT_GE(plan.writes.size(), 2U);
  EXPECT_EQ(plan.writes[0].request.kind, kinds::kJobs);
  const Value status = status_of(plan);
  EXPECT_EQ(status[keys::kUncountedTerminatedPods][keys::kSucceeded].items()[0].as_string(), "uid-a");
  EXPECT_EQ(status[keys::kSucceeded].as_int(), 0);
  EXPECT_EQ(plan.writes[1].request.verb, Verb::kPatch);
  EXPECT_EQ(plan.writes[1].request.name, "a");
  EXPECT_EQ(count(plan, Verb::kCreate), 1U);
}

TEST_F(Job, CountsANamedPodOnceItHasLostItsFinalizer) {
  const std::string named = "  uncountedTerminatedPods: {succeeded: [uid-a, uid-gone], failed: [uid-b]}";
  world.add(cat(job_of("  completions: 5\n  parallelism: 1\n  backoffLimit: 6", named),
                pod_of({.name = "a", .phase = "Succeeded", .tracked = false}), pod_of({"b", "Failed"})));
  const Value status = status_of(decide());
  EXPECT_EQ(status[keys::kSucceeded].as_int(), 2);
  EXPECT_EQ(status[keys::kFailed].as_int(), 0);
  EXPECT_EQ(status[keys::kUncountedTerminatedPods][keys::kFailed].items()[0].as_string(), "uid-b");
}

TEST_F(Job, IsCompleteWhenEveryPodIsCounted) {
  world.add(cat(job_of("  completions: 1\n  parallelism: 1\n  backoffLimit: 6", "  succeeded: 1"),
                pod_of({.name = "a", .phase = "Succeeded", .tracked = false})));
  const Plan plan = decide();
  const Value status = status_of(plan);
  EXPECT_EQ(condition_of(status, "Complete")[keys::kReason].as_string(), "CompletionsReached");
  EXPECT_EQ(condition_of(status, "SuccessCriteriaMet")[keys::kMessage].as_string(), "Reached expected number of succeeded pods");
  EXPECT_TRUE(status[keys::kCompletionTime].has_value());
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].message, "Job completed");
}

TEST_F(Job, WithoutCompletionsLetsTheOthersFinishAfterTheFirstSuccess) {
  world.add(cat(job_of("  parallelism: 3\n  backoffLimit: 6", "  succeeded: 1"), pod_of({"b"})));
  const Plan plan = decide();
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
  EXPECT_EQ(count(plan, Verb::kDelete), 0U);
  EXPECT_FALSE(condition_of(status_of(plan), "SuccessCriteriaMet").has_value());
}

TEST_F(Job, WaitsLongerAfterEachFailureInARow) {
  world.add(cat(job_of("  completions: 1\n  parallelism: 1\n  backoffLimit: 6", "  failed: 3"),
                pod_of({.name = "a", .phase = "Failed", .ended = "2026-03-01T11:59:00Z", .tracked = false}),
                pod_of({.name = "b", .phase = "Failed", .ended = "2026-03-01T11:59:20Z", .tracked = false}),
                pod_of({.name = "c", .phase = "Failed", .ended = "2026-03-01T11:59:50Z", .tracked = false})));
  const Plan plan = decide();  // 10 s after the last failure, and 40 s are due
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
  EXPECT_EQ(plan.requeue_after, seconds(30));
  EXPECT_EQ(job_back_off(1), seconds(10));
  EXPECT_EQ(job_back_off(7), minutes(10));
  EXPECT_EQ(job_back_off(1'000'000), minutes(10));
}

TEST_F(Job, FailsAfterMoreFailuresThanItAllowsAndStopsWhatRuns) {
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 1", "  failed: 1"), pod_of({"a", "Failed"}),
                pod_of({"b"})));
  const Plan plan = decide();
  const Value status = status_of(plan);
  EXPECT_EQ(condition_of(status, "FailureTarget")[keys::kReason].as_string(), "BackoffLimitExceeded");
  EXPECT_FALSE(condition_of(status, "Failed").has_value());  // b has not ended yet
  EXPECT_EQ(count(plan, Verb::kDelete), 1U);
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
}

TEST_F(Job, IsFailedWhenTheLastPodHasEnded) {
  const std::string target =
      "  failed: 2\n  conditions: [{type: FailureTarget, status: 'True', reason: DeadlineExceeded, message: late}]";
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 1", target)));
  const Plan plan = decide();
  const Value failed = condition_of(status_of(plan), "Failed");
  EXPECT_EQ(failed[keys::kReason].as_string(), "DeadlineExceeded");
  EXPECT_EQ(failed[keys::kMessage].as_string(), "late");
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
}

TEST_F(Job, FailsAtItsDeadline) {
  world.add(cat(job_of("  completions: 1\n  parallelism: 1\n  backoffLimit: 6\n  activeDeadlineSeconds: 3600"), pod_of({"a"})));
  EXPECT_EQ(condition_of(status_of(decide()), "FailureTarget")[keys::kReason].as_string(), "DeadlineExceeded");
  world.now = *parse_time("2026-03-01T11:59:00Z");
  EXPECT_EQ(decide().requeue_after, seconds(60));
}

TEST_F(Job, GivesEachMissingIndexAPodOfItsOwn) {
  world.add(cat(job_of("  completions: 5\n  parallelism: 3\n  backoffLimit: 6\n  completionMode: Indexed",
                        "  completedIndexes: '0,2'\n  succeeded: 2"),
                pod_of({.name = "b", .index = "1"})));
  const Plan plan = decide();
  ASSERT_EQ(count(plan, Verb::kCreate), 2U);
  const Value& pod = plan.writes.back().request.body;
  EXPECT_EQ(pod[keys::kMetadata][keys::kGenerateName].as_string(), "sum-4-");
  EXPECT_EQ(pod[keys::kMetadata][keys::kLabels].get(kJobIndex).as_string(), "4");
  EXPECT_EQ(pod[keys::kSpec][keys::kHostname].as_string(), "sum-4");
  EXPECT_EQ(pod[keys::kSpec][keys::kContainers].items()[0][keys::kEnv].items()[0][keys::kName].as_string(), "JOB_COMPLETION_INDEX");
}

TEST_F(Job, StopsTheSecondPodOfAnIndex) {
  world.add(cat(job_of("  completions: 2\n  parallelism: 2\n  backoffLimit: 6\n  completionMode: Indexed"),
                pod_of({.name = "a", .index = "0"}), pod_of({.name = "b", .index = "0"}), pod_of({.name = "c", .index = "1"})));
  const Plan plan = decide();
  EXPECT_EQ(count(plan, Verb::kDelete), 1U);
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
}

TEST_F(Job, FailsAnIndexAtItsOwnLimitAndGoesOnWithTheOthers) {
  const std::string spec =
      "  completions: 2\n  parallelism: 2\n  backoffLimit: 2147483647\n  completionMode: Indexed\n  backoffLimitPerIndex: 1";
  world.add(cat(job_of(spec), pod_of({.name = "a", .phase = "Failed", .index = "0", .failures = "1"}),
                pod_of({.name = "b", .index = "1", .failures = "0"})));
  const Plan plan = decide();
  EXPECT_EQ(status_of(plan)[keys::kFailedIndexes].as_string(), "0");
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
  EXPECT_FALSE(condition_of(status_of(plan), "FailureTarget").has_value());
}

TEST_F(Job, RetriesAnIndexAfterAWaitOfItsOwn) {
  const std::string spec =
      "  completions: 2\n  parallelism: 2\n  backoffLimit: 2147483647\n  completionMode: Indexed\n  backoffLimitPerIndex: 3";
  world.add(cat(job_of(spec), pod_of({.name = "a", .phase = "Failed", .index = "0", .ended = "2026-03-01T11:59:55Z", .failures = "0"})));
  const Plan plan = decide();
  ASSERT_EQ(count(plan, Verb::kCreate), 1U);  // of index 1
  EXPECT_EQ(plan.writes.back().request.body[keys::kMetadata][keys::kLabels].get(kJobIndex).as_string(), "1");
  EXPECT_EQ(plan.requeue_after, seconds(5));
  world.now = *parse_time("2026-03-01T12:00:05Z");
  EXPECT_EQ(count(decide(), Verb::kCreate), 2U);
}

TEST_F(Job, FailsAtOnceForAnExitCodeThatItsPolicyNames) {
  const std::string policy =
      "  completions: 1\n  parallelism: 1\n  backoffLimit: 6\n  podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, "
      "values: [42]}}]}";
  world.add(cat(job_of(policy), pod_of({.name = "a", .phase = "Failed", .exit_code = 42})));
  const Value target = condition_of(status_of(decide()), "FailureTarget");
  EXPECT_EQ(target[keys::kReason].as_string(), "PodFailurePolicy");
  EXPECT_EQ(target[keys::kMessage].as_string(),
            "Container main for pod default/a failed with exit code 42 matching FailJob rule at index 0");
}

TEST_F(Job, DoesNotCountADisruptionThatItsPolicyIgnores) {
  const std::string policy =
      "  completions: 1\n  parallelism: 1\n  backoffLimit: 0\n  podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: "
      "DisruptionTarget, status: 'True'}]}]}";
  world.add(cat(job_of(policy),
                pod_of({.name = "a", .phase = "Failed", .conditions = "{type: DisruptionTarget, status: 'True'}"})));
  const Plan plan = decide();
  const Value status = status_of(plan);
  EXPECT_TRUE(status[keys::kUncountedTerminatedPods].empty());
  EXPECT_FALSE(condition_of(status, "FailureTarget").has_value());
  EXPECT_EQ(count(plan, Verb::kPatch), 1U);  // a loses its finalizer
}

TEST_F(Job, SucceedsByItsPolicyAndStopsTheRest) {
  const std::string spec =
      "  completions: 3\n  parallelism: 3\n  backoffLimit: 6\n  completionMode: Indexed\n  successPolicy: {rules: [{succeededIndexes: '0'}]}";
  world.add(cat(job_of(spec), pod_of({.name = "a", .phase = "Succeeded", .index = "0"}), pod_of({.name = "b", .index = "1"})));
  const Plan plan = decide();
  EXPECT_EQ(condition_of(status_of(plan), "SuccessCriteriaMet")[keys::kMessage].as_string(), "Matched rules at index 0");
  EXPECT_EQ(count(plan, Verb::kDelete), 1U);
  EXPECT_EQ(count(plan, Verb::kCreate), 0U);
}

TEST_F(Job, SuspendedStopsItsPodsAndSaysSo) {
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 6\n  suspend: true"), pod_of({"a"}), pod_of({"b"})));
  const Plan plan = decide();
  EXPECT_EQ(condition_of(status_of(plan), "Suspended")[keys::kReason].as_string(), "JobSuspended");
  EXPECT_EQ(count(plan, Verb::kDelete), 2U);
}

TEST_F(Job, LetsGoOfWhatItTakesAwayBeforeItDoesSo) {
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 6\n  suspend: true"), pod_of({"a"}), pod_of({"b"})));
  EXPECT_EQ(text_of(decide()),
            "update jobs sum/status\npatch pods a\npatch pods b\n"
            "delete pods a | SuccessfulDelete: Deleted pod: a\ndelete pods b | SuccessfulDelete: Deleted pod: b\n");
}

TEST_F(Job, CountsNoPodThatItHasTakenAwayItself) {
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 0\n  suspend: true"),
                pod_of({.name = "a", .deleting = true, .tracked = false})));
  const Value status = status_of(decide());
  EXPECT_EQ(status[keys::kFailed].as_int(), 0);
  EXPECT_EQ(status[keys::kTerminating].as_int(), 1);
  EXPECT_FALSE(condition_of(status, "FailureTarget").has_value());
}

TEST_F(Job, BeginsItsDeadlineAnewWhenItIsResumed) {
  const std::string suspended =
      "  conditions: [{type: Suspended, status: 'True', lastTransitionTime: '2026-03-01T11:10:00Z'}]\n";
  world.add(job_of("  completions: 3\n  parallelism: 1\n  backoffLimit: 6\n  activeDeadlineSeconds: 60", suspended));
  const Value status = status_of(decide());
  EXPECT_EQ(condition_of(status, "Suspended")[keys::kReason].as_string(), "JobResumed");
  EXPECT_EQ(status[keys::kStartTime].as_string(), "2026-03-01T12:00:00Z");
  EXPECT_FALSE(condition_of(status, "FailureTarget").has_value());
}

TEST_F(Job, FailsForItsIndexesBeforeItSucceedsByARule) {
  world.add(cat(job_of("  completions: 2\n  parallelism: 2\n  completionMode: Indexed\n  backoffLimitPerIndex: 0\n"
                       "  backoffLimit: 100\n  successPolicy: {rules: [{succeededIndexes: '0'}]}"),
                pod_of({.name = "a", .phase = "Succeeded", .index = "0"}), pod_of({.name = "b", .phase = "Failed", .index = "1"})));
  EXPECT_EQ(condition_of(status_of(decide()), "FailureTarget")[keys::kReason].as_string(), "FailedIndexes");
}

TEST_F(Job, CallsThePodsThatItStopsFailedWhenItFails) {
  const std::string failing = "  failed: 7\n  conditions: [{type: FailureTarget, status: 'True', reason: BackoffLimitExceeded}]\n";
  world.add(cat(job_of("  completions: 3\n  parallelism: 2\n  backoffLimit: 6\n  podReplacementPolicy: Failed", failing),
                pod_of({.name = "a", .deleting = true})));
  const Plan plan = decide();
  EXPECT_EQ(status_of(plan)[keys::kUncountedTerminatedPods][keys::kFailed].items()[0].as_string(), "uid-a");
  EXPECT_EQ(count(plan, Verb::kPatch), 1U);
}

TEST_F(Job, CountsNothingOfThePodsThatItStopsWhenItHasSucceeded) {
  const std::string done = "  conditions: [{type: SuccessCriteriaMet, status: 'True', reason: SuccessPolicy}]\n";
  world.add(cat(job_of("  completions: 3\n  parallelism: 3\n  completionMode: Indexed\n  backoffLimit: 6\n"
                       "  successPolicy: {rules: [{succeededIndexes: '0'}]}",
                       done),
                pod_of({.name = "b", .index = "1", .deleting = true})));
  const Plan plan = decide();
  EXPECT_FALSE(status_of(plan)[keys::kUncountedTerminatedPods].contains("failed"));
  EXPECT_EQ(count(plan, Verb::kPatch), 1U);
}

TEST_F(Job, KeepsTheLastFailureOfAnIndexUntilTheNextPodCarriesItsNumber) {
  const std::string spec = "  completions: 1\n  parallelism: 1\n  completionMode: Indexed\n  backoffLimitPerIndex: 3\n  backoffLimit: 100";
  const std::string lost =
      pod_of({.name = "a", .phase = "Failed", .index = "0", .failures = "1", .deleting = true});
  world.add(cat(job_of(spec), lost));
  EXPECT_EQ(count(decide(), Verb::kPatch), 0U) << "its finalizer keeps the number";
  world.now = *parse_time("2026-03-01T12:05:00Z");
  const Plan later = decide();
  ASSERT_EQ(count(later, Verb::kCreate), 1U);
  EXPECT_EQ(later.writes.back().request.body[keys::kMetadata][keys::kAnnotations].get(kJobIndexFailures).as_string(), "2");
  world.add(pod_of({.name = "b", .index = "0", .failures = "2"}));
  EXPECT_EQ(count(decide(), Verb::kPatch), 1U);
}

TEST_F(Job, NamesAnIndexedPodByItsIndexHoweverLongTheJobsNameIs) {
  const std::string name(63, 'x');
  std::string job = job_of("  completions: 1\n  parallelism: 1\n  completionMode: Indexed\n  backoffLimit: 6");
  job.replace(job.find("name: sum,"), 10, cat("name: ", name, ","));
  world.add(job);
  const Plan plan = world.decide("default", name);
  const Value& pod = plan.writes.back().request.body;
  EXPECT_EQ(pod[keys::kMetadata][keys::kGenerateName].as_string(), cat(std::string(55, 'x'), "-0-"));
  EXPECT_EQ(pod[keys::kSpec][keys::kHostname].as_string(), cat(name, "-0"));
}

TEST_F(Job, ReplacesADeletedPodAtOnceOrWhenItHasEndedAsItIsTold) {
  world.add(cat(job_of("  completions: 3\n  parallelism: 1\n  backoffLimit: 6\n  podReplacementPolicy: Failed"),
                pod_of({.name = "a", .deleting = true})));
  EXPECT_EQ(count(decide(), Verb::kCreate), 0U);
  DecisionWorld other(job_controller());
  other.add(cat(job_of("  completions: 3\n  parallelism: 1\n  backoffLimit: 6\n  podReplacementPolicy: TerminatingOrFailed"),
                pod_of({.name = "a", .deleting = true})));
  other.now = *parse_time("2026-03-01T12:01:00Z");
  EXPECT_EQ(count(other.decide("default", "sum"), Verb::kCreate), 1U);
}

TEST_F(Job, FreesThePodsOfAJobThatIsGone) {
  world.add(pod_of({.name = "a", .deleting = true}));
  const Plan plan = decide();
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(plan.writes[0].request.verb, Verb::kPatch);
}

TEST_F(Job, LeavesTheJobsOfOtherManagersAlone) {
  world.add(job_of("  completions: 1\n  parallelism: 1\n  managedBy: example.com/queue"));
  EXPECT_TRUE(decide().empty());
}

TEST(IndexSet, IsReadAndWrittenAsTheStatusHasIt) {
  EXPECT_EQ(IndexSet::parse("1,3-5,7", 100)->text(), "1,3-5,7");
  EXPECT_EQ(IndexSet::parse("1,3-5,7", 5)->text(), "1,3,4");
  EXPECT_EQ(IndexSet::parse("", 5)->count(), 0);
  EXPECT_FALSE(IndexSet::parse("5-3", 100));
  EXPECT_FALSE(IndexSet::parse("a", 100));
  EXPECT_FALSE(IndexSet::parse("1,,2", 100));
}

TEST(IndexSet, JoinsNeighboursAndSplitsAgain) {
  IndexSet set;
  for (const int64_t index : {4, 0, 2, 1, 6, 5}) set.add(index);
  EXPECT_EQ(set.text(), "0-2,4-6");
  set.add(4);
  EXPECT_EQ(set.count(), 6);
  set.add(3);
  EXPECT_EQ(set.text(), "0-6");
  set.remove(3);
  EXPECT_EQ(set.text(), "0-2,4-6");
  EXPECT_FALSE(set.contains(3));
  EXPECT_EQ(set.common(*IndexSet::parse("1-4,9", 100)), 3);
}

}  // namespace
}  // namespace minik::control
