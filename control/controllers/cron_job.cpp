#include "control/controllers/cron_job.h"

#include <algorithm>
#include <map>
#include <memory>

#include "control/base/text.h"
#include "control/calendar/cron_schedule.h"
#include "control/controllers/job.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/schema/views/batch.h"

namespace minik::control {

namespace {

constexpr std::string_view kScheduledAt = "batch.kubernetes.io/cronjob-scheduled-timestamp";
// A look a little after the moment, so that a clock that is read in whole seconds has passed it.
constexpr Duration kAfterMoment = milliseconds(100);
constexpr int64_t kManyMissed = 100;

// "2026-03-01T13:00:00+01:00"
std::string local_time(WallTime time, const TimeZone& zone) {
  const int64_t offset = zone.period_at(time.ns / 1'000'000'000).offset;
  std::string text = format_time(time + seconds(offset));
  if (offset == 0) return text;
  const auto two = [](int64_t number) { return cat(number < 10 ? "0" : "", number); };
  const int64_t distance = std::abs(offset) / 60;
  text.pop_back();  // the Z
  return cat(text, offset < 0 ? "-" : "+", two(distance / 60), ":", two(distance % 60));
}

std::string job_name(const Value& cron_job, WallTime moment) {
  return cat(object_name(cron_job), "-", moment.ns / minutes(1).ns);
}

// The moment that a Job of ours stands for; nothing for one that somebody else made.
std::optional<WallTime> moment_of(const Value& cron_job, const Value& job) {
  const auto moment = time_of(job[keys::kMetadata][keys::kAnnotations].get(kScheduledAt));
  if (!moment || object_name(job) != job_name(cron_job, *moment)) return std::nullopt;
  return moment;
}

Value job_for(const Value& cron_job, WallTime moment, const TimeZone& zone) {
  const Value& wanted = cron_job[keys::kSpec][keys::kJobTemplate];
  const Value& metadata = wanted[keys::kMetadata];
  return Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kName, job_name(cron_job, moment)},
                    {keys::kNamespace, object_namespace(cron_job)},
                    {keys::kLabels, metadata[keys::kLabels]},
                    {keys::kAnnotations,
                     metadata[keys::kAnnotations].with(kScheduledAt, local_time(moment, zone))},
                    {keys::kOwnerReferences,
                     Value::array({controller_reference(cron_job, "batch/v1", "CronJob")})}})},
       {keys::kSpec, wanted[keys::kSpec]}});
}

Value reference_to(const Value& job) {
  const Value& metadata = job[keys::kMetadata];
  return Value::map({{keys::kApiVersion, "batch/v1"},
                     {keys::kKind, "Job"},
                     {keys::kNamespace, metadata[keys::kNamespace]},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kUid, metadata[keys::kUid]},
                     {keys::kResourceVersion, metadata[keys::kResourceVersion]}});
}

// The server is asked whether a Job is gone that only the cache does not show: where runs must not
// overlap, a stale cache must not let one begin.
void expect_gone(Plan& plan, std::string_view namespace_, std::string_view name) {
  PlannedWrite look;
  look.request.verb = Verb::kList;
  look.request.kind = kinds::kJobs;
  look.request.namespace_ = namespace_;
  look.request.options.field_selector = cat("metadata.name=", name);
  look.expect_empty = true;
  plan.writes.push_back(std::move(look));
}

void plan_removal(Plan& plan, const Value& about, const Value& job) {
  auto& write = plan.remove(kinds::kJobs, job, PropagationPolicy::kBackground);
  write.event =
      EventNote{about, "Normal", "SuccessfulDelete", cat("Deleted job ", object_name(job))};
  write.failure_event = EventNote{about, "Warning", "FailedDelete", "Deleted job: %error%"};
}

// What the Jobs of a CronJob say about it.
struct Runs {
  std::vector<Value> active;  // of ours, not over
  std::vector<Value> complete, failed;
  std::optional<WallTime> last_start, last_success;
};

// Since when each CronJob has the schedule that it has, where it has changed under our eyes.
class ChangedSchedules {
 public:
  std::optional<WallTime> since(const ObjectKey& key, const Value& cron_job, WallTime now) {
    const Value& metadata = cron_job[keys::kMetadata];
    const Value& spec = cron_job[keys::kSpec];
    const Schedule seen{std::string(object_uid(cron_job)), metadata[keys::kGeneration].as_int(),
                        cat(spec[keys::kTimeZone].as_string(), " ", spec[keys::kSchedule].as_string()), std::nullopt};
    const auto [entry, first] = schedules_.try_emplace(key.text(), seen);
    Schedule& known = entry->second;
    if (!first && known.uid != seen.uid) known = seen;
    // An older document is a cache that lags.
    if (known.generation < seen.generation) {
      if (known.text != seen.text) known.since = now;
      known.generation = seen.generation;
      known.text = seen.text;
    }
    return known.since;
  }
  void forget(const ObjectKey& key) { schedules_.erase(key.text()); }

 private:
  struct Schedule {
    std::string uid;
    int64_t generation = 0;
    std::string text;
    std::optional<WallTime> since;
  };
  std::map<std::string, Schedule, std::less<>> schedules_;  // by key
};

class CronJobDecision {
 public:
  CronJobDecision(TimeZones& zones, const Snapshot& snapshot, const Value& cron_job, std::optional<WallTime> changed,
                  WallTime now)
      : zones_(zones),
        snapshot_(snapshot),
        cron_job_(cron_job),
        spec_(CronJobView(cron_job).spec()),
        about_(typed(cron_job, "batch/v1", "CronJob")),
        changed_(changed),
        now_(now) {}

  Plan decide() && {
    read_runs();
    compare_active();
    const auto start = is_deleting(cron_job_) ? std::nullopt : due_start();
    const bool replaces = start && spec_.concurrencyPolicy() == "Replace";
    if (replaces) {
      for (const auto& job : runs_.active) plan_removal(plan_, about_, job);
      runs_.active.clear();
    }
    plan_status();
    if (start) plan_start(*start);
    if (!is_deleting(cron_job_)) {
      plan_history(std::move(runs_.complete), spec_.successfulJobsHistoryLimit_value().as_int(3));
      plan_history(std::move(runs_.failed), spec_.failedJobsHistoryLimit_value().as_int(1));
    }
    return std::move(plan_);
  }

 private:
  void read_runs() {
    const Value& status = cron_job_[keys::kStatus];
    runs_.last_start = time_of(status[keys::kLastScheduleTime]);
    runs_.last_success = time_of(status[keys::kLastSuccessfulTime]);
    for (const auto& job : snapshot_.owned_by(kinds::kJobs, object_uid(cron_job_))) {
      const auto moment = moment_of(cron_job_, job);
      runs_.last_start = std::max(runs_.last_start, moment);
      if (is_condition_true(job, "Complete")) {
        runs_.last_success =
            std::max(runs_.last_success, time_of(job[keys::kStatus][keys::kCompletionTime]));
        runs_.complete.push_back(job);
      } else if (is_job_finished(job)) {
        runs_.failed.push_back(job);
      } else if (moment) {
        runs_.active.push_back(job);
      } else {
        plan_.note(
            about_, "Warning", "UnexpectedJob",
            cat("Saw a job that the controller did not create or forgot: ", object_name(job)));
      }
    }
    std::ranges::sort(runs_.active, {}, [](const Value& job) { return object_name(job); });
  }

  // Says what has become of the Jobs that the status names.
  void compare_active() {
    for (const auto& named : cron_job_[keys::kStatus][keys::kActive].items()) {
      const std::string_view name = named[keys::kName].as_string();
      const Value& job = snapshot_.find(kinds::kJobs, object_namespace(cron_job_), name);
      if (object_uid(job) != named[keys::kUid].as_string()) {
        if (!job.has_value()) expect_gone(plan_, object_namespace(cron_job_), name);
        plan_.note(about_, "Normal", "MissingJob", cat("Active job went missing: ", name));
      } else if (is_job_finished(job)) {
        plan_.note(about_, "Normal", "SawCompletedJob",
                   cat("Saw completed job: ", name, ", condition: ",
                       is_condition_true(job, "Complete") ? "Complete" : "Failed"));
      }
    }
  }

  // The moment for which a Job is to be started now, and when to look for the next.
  std::optional<WallTime> due_start() {
    if (spec_.has_timeZone()) {
      const auto zone = zones_.find(spec_.timeZone());
      if (!zone) {
        plan_.note(about_, "Warning", "UnknownTimeZone",
                   cat("invalid timeZone: ", quoted(spec_.timeZone()), ": ", zone.error().message));
        return std::nullopt;
      }
      zone_ = *zone;
    }
    if (spec_.suspend()) return std::nullopt;
    const auto schedule = CronSchedule::parse(spec_.schedule());
    if (!schedule) {
      plan_.note(
          about_, "Warning", "UnparseableSchedule",
          cat("unparseable schedule: ", quoted(spec_.schedule()), " : ", schedule.error().message));
      return std::nullopt;
    }
    const auto created = time_of(cron_job_[keys::kMetadata][keys::kCreationTimestamp]);
    const WallTime since = std::max(runs_.last_start.value_or(created.value_or(now_)), changed_.value_or(WallTime{}));
    const auto due = schedule->last_between(since, now_, zone_);
    const auto next = schedule->next(due.value_or(since), zone_);
    if (!next) {
      plan_.note(about_, "Warning", "InvalidSchedule",
                 cat("invalid schedule: ", spec_.schedule(),
                     " : time difference between two schedules is less than 1 second"));
    } else {
      plan_.look_again_after(*next - now_ + kAfterMoment);
    }
    if (!due || is_too_late(*due)) return std::nullopt;
    note_missed(*schedule, since);
    return may_start(*due) ? due : std::nullopt;
  }

  std::optional<Duration> deadline() const {
    // Longer than a century means for ever, and must not overflow.
    constexpr int64_t kLongest = int64_t{100} * 366 * 86400;
    if (!spec_.has_startingDeadlineSeconds()) return std::nullopt;
    return seconds(std::min(spec_.startingDeadlineSeconds(), kLongest));
  }

  bool is_too_late(WallTime moment) const {
    const auto limit = deadline();
    return limit && moment + *limit <= now_;
  }

  // Counts as Kubernetes does: by the distance of the first two moments.
  void note_missed(const CronSchedule& schedule, WallTime since) {
    if (const auto limit = deadline()) since = std::max(since, now_ - *limit);
    const auto first = schedule.next(since, zone_);
    const auto second = first ? schedule.next(*first, zone_) : std::nullopt;
    if (!second || *second > now_) return;
    if ((now_ - *first).seconds() / (*second - *first).seconds() + 1 <= kManyMissed) return;
    plan_.note(about_, "Warning", "TooManyMissedTimes",
               "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
               "check clock skew");
  }

  bool may_start(WallTime moment) {
    // Somebody else has a Job of this name: it stands for this moment.
    if (snapshot_.find(kinds::kJobs, object_namespace(cron_job_), job_name(cron_job_, moment))
            .has_value()) {
      return false;
    }
    if (spec_.concurrencyPolicy() != "Forbid" || runs_.active.empty()) return true;
    plan_.note(about_, "Normal", "JobAlreadyActive",
               "Not starting job because prior execution is running and concurrency policy is "
               "Forbid");
    return false;
  }

  void plan_status() {
    std::vector<Value> active;
    for (const auto& job : runs_.active) active.push_back(active_entry(job));
    const auto text = [](std::optional<WallTime> time) {
      return time ? Value(format_time(*time)) : Value();
    };
    MapBuilder status(cron_job_[keys::kStatus]);
    status.set(keys::kActive, active.empty() ? Value() : Value::array(std::move(active)));
    status.set(keys::kLastScheduleTime, text(runs_.last_start));
    status.set(keys::kLastSuccessfulTime, text(runs_.last_success));
    const Value next = std::move(status).build();
    if (next == cron_job_[keys::kStatus]) return;
    plan_.update_status(kinds::kCronjobs, cron_job_.with(keys::kStatus, next)).on_error =
        OnError::kTolerateNotFound;
  }

  // As it is there already, so that the progress of a Job does not write its CronJob.
  Value active_entry(const Value& job) const {
    for (const auto& named : cron_job_[keys::kStatus][keys::kActive].items()) {
      if (named[keys::kUid].as_string() == object_uid(job)) return named;
    }
    return reference_to(job);
  }

  void plan_start(WallTime moment) {
    auto& write = plan_.create(kinds::kJobs, job_for(cron_job_, moment, zone_));
    write.on_error = OnError::kTolerateExists;
    write.event = EventNote{about_, "Normal", "SuccessfulCreate", "Created job %name%"};
    write.failure_event =
        EventNote{about_, "Warning", "FailedCreate", "Error creating job: %error%"};
    write.counts.push_back({.name = "cronjob_controller_job_creation_skew_duration_seconds",
                            .help = "Time from the moment of a schedule to the creation of its Job.",
                            .duration = now_ - moment});
  }

  // The oldest beyond the limit go.
  void plan_history(std::vector<Value> jobs, int64_t limit) {
    std::erase_if(jobs, is_deleting);
    std::ranges::sort(jobs, {}, [](const Value& job) {
      const auto start = time_of(job[keys::kStatus][keys::kStartTime]);
      return std::tuple(!start, start, object_name(job));
    });
    const int64_t surplus = static_cast<int64_t>(jobs.size()) - limit;
    for (int64_t i = 0; i < surplus; ++i) {
      plan_removal(plan_, about_, jobs[static_cast<size_t>(i)]);
    }
  }

  TimeZones& zones_;
  const Snapshot& snapshot_;
  const Value& cron_job_;
  CronJobSpecView spec_;
  Value about_;
  std::optional<WallTime> changed_;  // when it got its schedule
  WallTime now_;
  TimeZone zone_;
  Runs runs_;
  Plan plan_;
};

}  // namespace

ControllerSpec cron_job_controller(TimeZoneSource time_zones) {
  ControllerSpec spec;
  spec.name = "cronjob-controller";
  spec.kind = kinds::kCronjobs;
  spec.watches = {{kinds::kCronjobs, own_key(), {}}, {kinds::kJobs, owner_key("CronJob"), {}}};
  spec.decide = [zones = std::make_shared<TimeZones>(std::move(time_zones)),
                 schedules = std::make_shared<ChangedSchedules>()](const Snapshot& snapshot, const ObjectKey& key,
                                                                   Env& env) {
    const Value& cron_job = snapshot.find(kinds::kCronjobs, key.namespace_, key.name);
    if (!cron_job.has_value()) {
      schedules->forget(key);
      return Plan::done();
    }
    return CronJobDecision(*zones, snapshot, cron_job, schedules->since(key, cron_job, env.now), env.now).decide();
  };
  return spec;
}

}  // namespace minik::control
