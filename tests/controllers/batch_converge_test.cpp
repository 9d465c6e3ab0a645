// CronJobs and the end of finished Jobs under trouble; see converge.h.
#include <regex>

#include "control/base/text.h"
#include "control/controllers/job.h"
#include "control/schema/kinds.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

std::string cron_job(std::string_view spec, std::string_view job_spec = "") {
  return cat(R"(
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  )",
             spec, R"(
  jobTemplate:
    spec:
      )",
             job_spec, R"(
      template:
        spec: {restartPolicy: Never, containers: [{name: main, image: "tick:1"}]}
)");
}

// Which minute the last Job is of depends on what the trouble lets through.
std::string state_without_minutes(const control::Store& store) {
  static const std::regex kMinutes("tick-[0-9]+");
  return std::regex_replace(settled_state(store), kMinutes, "tick-#");
}

ConvergenceCase story_of(std::string_view manifest, Duration runs_for) {
  ConvergenceCase story;
  story.images[0].exit_after = Distribution{runs_for, runs_for};
  story.changes = apply_at(seconds(0), manifest);
  story.trouble = seconds(130);
  // Suspended in the end, or there would be no end; the minute before is without trouble.
  story.changes.push_back(
      merge_patch_at(seconds(215), "cronjobs", "tick", R"({"spec":{"suspend":true}})"));
  story.state = state_without_minutes;
  return story;
}

TEST(BatchConvergence, ACronJobKeepsTheHistoryThatItMay) {
  expect_convergence(story_of(cron_job("successfulJobsHistoryLimit: 1"), seconds(5)));
}

TEST(BatchConvergence, OneRunIsLeftOfACronJobThatReplaces) {
  expect_convergence(story_of(cron_job("concurrencyPolicy: Replace"), hours(24)));
}

TEST(BatchConvergence, AForbiddingCronJobNeverHasTwoRuns) {
  ConvergenceCase story =
      story_of(cron_job("concurrencyPolicy: Forbid\n  successfulJobsHistoryLimit: 1"), seconds(70));
  for (int64_t second = 1; second < 215; second += 2) {
    story.events.emplace_back(seconds(second), [](SimulatedCluster& cluster) {
      int64_t running = 0;
      cluster.store().for_each(control::kinds::kJobs, [&](const control::Value& job) {
        if (!control::is_job_finished(job)) ++running;
      });
      EXPECT_LE(running, 1);
    });
  }
  expect_convergence(story);
}

TEST(BatchConvergence, NothingIsLeftOfJobsWhoseTimeIsOver) {
  expect_convergence(story_of(cron_job("", "ttlSecondsAfterFinished: 10"), seconds(5)));
}

}  // namespace
}  // namespace minik::sim
