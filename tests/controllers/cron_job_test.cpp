#include "control/controllers/cron_job.h"

#include "control/base/text.h"
#include "decision_world.h"
#include "tests/calendar/zone_of.h"

namespace minik::control {
namespace {

// The world's clock stands at noon. `spec` and `status` are YAML flow entries, as "suspend: true,
// ".
std::string cron_job(std::string_view schedule, std::string_view spec = "",
                     std::string_view status = "") {
  return cat(
      "\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tick, namespace: default, "
      "uid: cron-1, resourceVersion: '7', creationTimestamp: '2026-03-01T09:30:00Z'}\nspec: "
      "{schedule: '",
      schedule, "', ", spec,
      "jobTemplate: {metadata: {labels: {app: tick}}, spec: {template: {spec: {restartPolicy: "
      "Never, containers: [{name: main, image: 'tick:1'}]}}}}}\nstatus: {",
      status, "}\n");
}

int64_t minutes_of(std::string_view moment) {
  return parse_time(moment)->ns / minutes(1).ns;
}

// A Job made for this moment. `end` is the type of its last condition, or empty.
std::string job(std::string_view moment, std::string_view end = "") {
  const std::string name = cat("tick-", minutes_of(moment));
  return cat("\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: ", name,
             ", namespace: default, uid: uid-", moment.substr(11, 2), ", annotations: {",
             "batch.kubernetes.io/cronjob-scheduled-timestamp: '", moment,
             "'}, ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: tick, uid: cron-1, "
             "controller: true}]}\nstatus: {startTime: '",
             moment, "'",
             end.empty() ? ""
                         : cat(", completionTime: '", moment, "', conditions: [{type: ", end,
                               ", status: 'True'}]"),
             "}\n");
}

std::string active(std::string_view moment) {
  return cat("{kind: Job, namespace: default, name: tick-", minutes_of(moment), ", uid: uid-",
             moment.substr(11, 2), "}");
}

class CronJob : public ::testing::Test {
 protected:
  Plan decide() { return world.decide("default", "tick"); }
  std::string decided() {
    plan = decide();
    return text_of(plan);
  }
  // The moment of the Job that is made, or "none".
  std::string started() {
    plan = decide();
    for (const auto& write : plan.writes) {
      if (write.request.verb != Verb::kCreate) continue;
      return write.request.body[keys::kMetadata][keys::kAnnotations]
          .get("batch.kubernetes.io/cronjob-scheduled-timestamp")
          .string();
    }
    return "none";
  }
  // The reasons of the events that tell of more than a write.
  std::string noted() const {
    std::vector<std::string> reasons;
    for (const auto& event : plan.events) reasons.push_back(event.reason);
    return join(reasons, " ");
  }

  DecisionWorld world{cron_job_controller([](std::string_view name) -> Result<std::string> {
    if (name == "Europe/Berlin") return zone_file(kBerlin);
    return Error(ErrorCode::kNotFound, cat("unknown time zone ", name));
  })};
  Plan plan;
};

TEST_F(CronJob, StartsTheJobOfTheLastMoment) {
  world.add(cron_job("*/30 * * * *"));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
  const Value& made = plan.writes[0].request.body;
  EXPECT_EQ(object_name(made), cat("tick-", minutes_of("2026-03-01T12:00:00Z")));
  EXPECT_EQ(made[keys::kMetadata][keys::kLabels].get("app").as_string(), "tick");
  EXPECT_EQ(controller_of(made)[keys::kUid].as_string(), "cron-1");
  EXPECT_EQ(plan.writes[0].event->message, "Created job %name%");
  EXPECT_EQ(plan.requeue_after, minutes(30) + milliseconds(100));
}

TEST_F(CronJob, WaitsForItsFirstMoment) {
  world.add(cron_job("0 13 * * *"));
  EXPECT_EQ(decided(), "");
  EXPECT_EQ(plan.requeue_after, hours(1) + milliseconds(100));
}

TEST_F(CronJob, LearnsFromItsJobsWhatItHasStarted) {
  // The controller died between making the Job and writing the status.
  world.add(cat(cron_job("0 * * * *"), job("2026-03-01T12:00:00Z")));
  EXPECT_EQ(decided(), "update cronjobs tick/status\n");
  const Value& status = plan.writes[0].request.body[keys::kStatus];
  EXPECT_EQ(status[keys::kActive].items()[0][keys::kUid].as_string(), "uid-12");
  EXPECT_EQ(status[keys::kLastScheduleTime].as_string(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(noted(), "");
}

TEST_F(CronJob, IsSilentBetweenTwoMoments) {
  world.add(cat(cron_job("0 * * * *", "",
                         cat("lastScheduleTime: '2026-03-01T12:00:00Z', active: [",
                             active("2026-03-01T12:00:00Z"), "]")),
                job("2026-03-01T12:00:00Z")));
  EXPECT_EQ(decided(), "");
  EXPECT_EQ(noted(), "");
}

TEST_F(CronJob, MakesGoodTheLastOfManyMissedMoments) {
  world.add(cron_job("* * * * *"));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(noted(), "TooManyMissedTimes");
}

TEST_F(CronJob, DoesNotSpeakOfManyMissedMomentsWithinTheDeadline) {
  world.add(cron_job("* * * * *", "startingDeadlineSeconds: 200, "));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(noted(), "");
}

TEST_F(CronJob, LetsAMomentPassThatIsOlderThanTheDeadline) {
  world.add(cron_job("30 11 * * *", "startingDeadlineSeconds: 1800, "));
  EXPECT_EQ(started(), "none");
  EXPECT_EQ(plan.requeue_after, hours(23) + minutes(30) + milliseconds(100));
  world.add(cron_job("30 11 * * *", "startingDeadlineSeconds: 1801, "));
  EXPECT_EQ(started(), "2026-03-01T11:30:00Z");
}

TEST_F(CronJob, WaitsForTheNextMomentOfAScheduleThatHasChanged) {
  const auto changed = [](std::string text) {
    return text.replace(text.find("resourceVersion: '7'"), 20, "resourceVersion: '8', generation: 2");
  };
  world.add(cron_job("0 13 * * *"));
  EXPECT_EQ(started(), "none");
  // Half past eleven has passed since the CronJob was made, but not since it has this schedule.
  world.add(changed(cron_job("30 11,12 * * *")));
  EXPECT_EQ(started(), "none");
  EXPECT_EQ(plan.requeue_after, minutes(30) + milliseconds(100));
  world.now = world.now + minutes(31);
  EXPECT_EQ(started(), "2026-03-01T12:30:00Z");
}

TEST_F(CronJob, MakesGoodWhatHasPassedOfAScheduleThatOnlyALaggingCacheDoubts) {
  world.add(cron_job("30 11,12 * * *"));
  EXPECT_EQ(started(), "2026-03-01T11:30:00Z");
  world.add(cron_job("0 13 * * *"));  // of the same generation: no change
  decided();
  world.add(cron_job("30 11,12 * * *"));
  EXPECT_EQ(started(), "2026-03-01T11:30:00Z");
}

TEST_F(CronJob, StartsNothingWhileSuspended) {
  world.add(cron_job("* * * * *", "suspend: true, "));
  EXPECT_TRUE(decide().empty());
}

TEST_F(CronJob, ForbidsASecondRunUntilTheFirstIsOver) {
  const std::string cron = cron_job("0 * * * *", "concurrencyPolicy: Forbid, ",
                                    cat("lastScheduleTime: '2026-03-01T11:00:00Z', active: [",
                                        active("2026-03-01T11:00:00Z"), "]"));
  world.add(cat(cron, job("2026-03-01T11:00:00Z")));
  EXPECT_EQ(started(), "none");
  EXPECT_EQ(noted(), "JobAlreadyActive");
  world.add(job("2026-03-01T11:00:00Z", "Complete"));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(noted(), "SawCompletedJob");
}

TEST_F(CronJob, AllowsRunsBesideOneAnother) {
  world.add(cat(cron_job("0 * * * *", "concurrencyPolicy: Allow, "), job("2026-03-01T11:00:00Z")));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
}

TEST_F(CronJob, ReplacesTheRunThatIsNotOver) {
  world.add(cat(cron_job("0 * * * *", "concurrencyPolicy: Replace, ",
                         cat("lastScheduleTime: '2026-03-01T11:00:00Z', active: [",
                             active("2026-03-01T11:00:00Z"), "]")),
                job("2026-03-01T11:00:00Z")));
  const std::string old = cat("tick-", minutes_of("2026-03-01T11:00:00Z"));
  EXPECT_EQ(decided(), cat("delete jobs ", old, " | SuccessfulDelete: Deleted job ", old,
                           "\nupdate cronjobs tick/status\n",
                           "create jobs  | SuccessfulCreate: Created job %name%\n"));
  EXPECT_TRUE(plan.writes[1].request.body[keys::kStatus][keys::kActive].empty());
}

TEST_F(CronJob, AsksTheServerBeforeItBelievesThatARunIsGone) {
  world.add(cron_job("0 * * * *", "concurrencyPolicy: Forbid, ",
                     cat("lastScheduleTime: '2026-03-01T11:00:00Z', active: [",
                         active("2026-03-01T11:00:00Z"), "]")));
  EXPECT_EQ(started(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(plan.writes[0].request.verb, Verb::kList);
  EXPECT_TRUE(plan.writes[0].expect_empty);
  EXPECT_EQ(noted(), "MissingJob");
}

TEST_F(CronJob, KeepsAsMuchHistoryAsItMay) {
  world.add(cat(cron_job("0 20 * * *", "successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0, ",
                         "lastScheduleTime: '2026-03-01T11:00:00Z', lastSuccessfulTime: "
                         "'2026-03-01T10:00:00Z'"),
                job("2026-03-01T09:00:00Z", "Complete"), job("2026-03-01T10:00:00Z", "Complete"),
                job("2026-03-01T11:00:00Z", "Failed")));
  const std::string first = cat("tick-", minutes_of("2026-03-01T09:00:00Z"));
  const std::string failed = cat("tick-", minutes_of("2026-03-01T11:00:00Z"));
  EXPECT_EQ(decided(),
            cat("delete jobs ", first, " | SuccessfulDelete: Deleted job ", first, "\ndelete jobs ",
                failed, " | SuccessfulDelete: Deleted job ", failed, "\n"));
}

TEST_F(CronJob, TellsOfAJobThatSomebodyElseMadeInItsName) {
  world.add(cat(cron_job("0 13 * * *"), R"(
---
apiVersion: batch/v1
kind: Job
metadata:
  name: by-hand
  namespace: default
  uid: uid-1
  ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: tick, uid: cron-1, controller: true}]
)"));
  EXPECT_EQ(decided(), "");
  EXPECT_EQ(noted(), "UnexpectedJob");
}

TEST_F(CronJob, ReadsTheClockOfItsTimeZone) {
  world.add(cron_job("0 12 * * *", "timeZone: Europe/Berlin, "));
  EXPECT_EQ(started(), "2026-03-01T12:00:00+01:00");
  EXPECT_EQ(object_name(plan.writes[0].request.body),
            cat("tick-", minutes_of("2026-03-01T11:00:00Z")));
}

TEST_F(CronJob, StartsNothingInATimeZoneThatNobodyKnows) {
  world.add(cron_job("* * * * *", "timeZone: Mars/Base, "));
  EXPECT_EQ(started(), "none");
  ASSERT_EQ(noted(), "UnknownTimeZone");
  EXPECT_EQ(plan.events[0].message, "invalid timeZone: \"Mars/Base\": unknown time zone Mars/Base");
}

TEST_F(CronJob, SaysThatItsDayNeverComes) {
  world.add(cron_job("59 23 31 2 *"));
  EXPECT_EQ(started(), "none");
  EXPECT_EQ(noted(), "InvalidSchedule");
  EXPECT_FALSE(plan.requeue_after);
}

TEST_F(CronJob, IsWokenByItsJobs) {
  world.add(cat(cron_job("0 * * * *"), job("2026-03-01T12:00:00Z")));
  const Value made = world.cache(kinds::kJobs).list("default")[0];
  EXPECT_EQ(world.woken_by(kinds::kJobs, Value::absent(), made).size(), 1U);
}

}  // namespace
}  // namespace minik::control
