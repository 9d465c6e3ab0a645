// Validation of the kinds that make pods: their selector fits their template, their bounds make
// sense.
#include <algorithm>

#include "control/base/text.h"
#include "control/calendar/cron_schedule.h"
#include "control/calendar/zone_table.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/object/selector.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"
#include "control/schema/views/apps.h"
#include "control/schema/views/autoscaling_v2.h"
#include "control/schema/views/batch.h"

namespace minik::control {

namespace {

bool is_empty_selector(const Value& selector) {
  return selector[keys::kMatchLabels].empty() && selector[keys::kMatchExpressions].empty();
}

// A selector that is missing selects nothing, so it does not match the template either.
void check_selector(const Value& spec, std::string_view kind, const FieldPath& at,
                    FieldErrors& errors) {
  const Value& selector = spec[keys::kSelector];
  const FieldPath here = at.field("selector");
  if (!selector.has_value()) {
    errors.required(here);
  } else if (is_empty_selector(selector)) {
    errors.invalid(here, selector, cat("empty selector is invalid for ", kind));
    return;
  }
  const auto compiled = LabelSelector::from_object(selector);
  const Value& labels = spec.at({keys::kTemplate, keys::kMetadata, keys::kLabels});
  if (compiled && !compiled->matches(labels)) {
    errors.invalid(at.field("template.metadata.labels"), labels,
                   "`selector` does not match template `labels`");
  }
}

// Pods of a controller that replaces them must restart, and may not end by themselves.
void check_lasting_template(const Value& spec, std::string_view kind, const FieldPath& at,
                            FieldErrors& errors) {
  const Value& pod = spec.at({keys::kTemplate, keys::kSpec});
  static constexpr std::string_view kAlways[] = {"Always"};
  const Value& policy = pod[keys::kRestartPolicy];
  const std::string_view text = policy.as_string();
  if (text == "OnFailure" || text == "Never") {
    errors.not_supported(at.field("template.spec.restartPolicy"), policy, kAlways);
  }
  if (pod[keys::kActiveDeadlineSeconds].has_value()) {
    errors.forbidden(at.field("template.spec.activeDeadlineSeconds"),
                     cat("activeDeadlineSeconds in ", kind, " is not Supported"));
  }
  if (kind != "StatefulSet") check_mounts(pod, at.field("template.spec"), errors);
}

bool is_zero(const Value& count) {
  return count.as_int(-1) == 0 || count.as_string() == "0%";
}

void check_count(const Value& count, const FieldPath& at, FieldErrors& errors) {
  if (!count.has_value()) return;
  errors.invalid_each(at, count, check_percent_or_count(count));
}

void check_at_most_all(const Value& count, const FieldPath& at, FieldErrors& errors) {
  const std::string_view text = count.as_string();
  if (is_percent(text) && parse_int64(text.substr(0, text.size() - 1)).value_or(101) > 100) {
    errors.invalid(at, count, "must not be greater than 100%");
  }
}

void check_rolling_update(const Value& rolling, const FieldPath& at, FieldErrors& errors) {
  const Value& unavailable = rolling[keys::kMaxUnavailable];
  const Value& surge = rolling[keys::kMaxSurge];
  const FieldPath unavailable_at = at.field("maxUnavailable");
  const FieldPath surge_at = at.field("maxSurge");
  check_count(unavailable, unavailable_at, errors);
  check_count(surge, surge_at, errors);
  if (is_zero(unavailable) && is_zero(surge)) {
    errors.invalid(unavailable_at, unavailable, "may not be 0 when `maxSurge` is 0");
  }
  check_at_most_all(unavailable, unavailable_at, errors);
}

void check_deployment_strategy(const Value& strategy, const FieldPath& at, FieldErrors& errors) {
  const Value& rolling = strategy[keys::kRollingUpdate];
  if (strategy[keys::kType].as_string() == "Recreate" && rolling.has_value()) {
    errors.forbidden(at.field("rollingUpdate"),
                     "may not be specified when strategy `type` is 'Recreate'");
  }
}

void check_daemon_rolling_update(const Value& rolling, const FieldPath& at, FieldErrors& errors) {
  const Value& unavailable = rolling[keys::kMaxUnavailable];
  const Value& surge = rolling[keys::kMaxSurge];
  const FieldPath unavailable_at = at.field("maxUnavailable");
  const FieldPath surge_at = at.field("maxSurge");
  check_count(unavailable, unavailable_at, errors);
  check_count(surge, surge_at, errors);
  check_at_most_all(unavailable, unavailable_at, errors);
  check_at_most_all(surge, surge_at, errors);
  if (is_zero(unavailable) && is_zero(surge)) {
    errors.required(unavailable_at, "cannot be 0 when maxSurge is 0");
  } else if (!is_zero(unavailable) && !is_zero(surge)) {
    errors.invalid(surge_at, surge, "may not be set when maxUnavailable is non-zero");
  }
}

void check_deployment_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  check_selector(value, "deployment", at, errors);
  check_lasting_template(value, "Deployment", at, errors);
  const DeploymentSpecView spec(value);
  if (spec.has_progressDeadlineSeconds() &&
      spec.progressDeadlineSeconds() <= spec.minReadySeconds()) {
    errors.invalid(at.field("progressDeadlineSeconds"), spec.progressDeadlineSeconds_value(),
                   "must be greater than minReadySeconds");
  }
}

void check_replica_set_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  check_selector(spec, "deployment", at, errors);
  check_lasting_template(spec, "ReplicaSet", at, errors);
}

void check_stateful_set_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  check_selector(spec, "statefulset", at, errors);
  check_lasting_template(spec, "StatefulSet", at, errors);
  const FieldPath name = at.field("serviceName");
  const Value& service = spec[keys::kServiceName];
  if (!service.as_string().empty()) {
    errors.invalid_each(name, service, check_dns_subdomain(service.as_string()));
  }
}

void check_stateful_rolling_update(const Value& rolling, const FieldPath& at, FieldErrors& errors) {
  check_not_negative(rolling[keys::kPartition], at.field("partition"), errors);
  const Value& unavailable = rolling[keys::kMaxUnavailable];
  const FieldPath unavailable_at = at.field("maxUnavailable");
  check_count(unavailable, unavailable_at, errors);
  check_at_most_all(unavailable, unavailable_at, errors);
  if (is_zero(unavailable)) errors.invalid(unavailable_at, unavailable, "cannot be 0");
}

void check_stateful_strategy(const Value& strategy, const FieldPath& at, FieldErrors& errors) {
  const Value& rolling = strategy[keys::kRollingUpdate];
  if (strategy[keys::kType].as_string() == "OnDelete" && rolling.has_value()) {
    errors.invalid(at.field("rollingUpdate"), rolling,
                   "only allowed for updateStrategy 'RollingUpdate'");
  }
}

void check_ordinals(const Value& ordinals, const FieldPath& at, FieldErrors& errors) {
  check_not_negative(ordinals[keys::kStart], at.field("start"), errors);
}

void check_daemon_set_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  check_selector(spec, "daemonset", at, errors);
  check_lasting_template(spec, "DaemonSet", at, errors);
}

bool has_container(const Value& pod_spec, const Value& name) {
  const auto is_it = [&name](const Value& container) { return container[keys::kName] == name; };
  return std::ranges::any_of(pod_spec[keys::kContainers].items(), is_it) ||
         std::ranges::any_of(pod_spec[keys::kInitContainers].items(), is_it);
}

// "acme.io/queue": who looks after the Job instead.
void check_manager(const Value& manager, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kBytesMax = 63;
  const std::string_view name = manager.as_string();
  const size_t slash = name.find('/');
  if (name.size() > kBytesMax) errors.too_long(at, kBytesMax);
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == name.size()) {
    errors.invalid(at, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")");
  } else {
    errors.invalid_each(at, Value(name.substr(0, slash)), check_dns_subdomain(name.substr(0, slash)));
  }
}

// How many indexes may fail, and how many there may be when each counts its failures.
void check_failed_indexes(const JobSpecView& spec, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kMany = 100'000, kAtOnceOfMany = 10'000;
  const FieldPath failed = at.field("maxFailedIndexes"), parallelism = at.field("parallelism");
  const bool many = spec.has_backoffLimitPerIndex() && spec.completions() > kMany;
  const std::string too_many = cat("must be less than or equal to ", kAtOnceOfMany, " when completions are above ", kMany,
                                   " and used with backoff limit per index");
  if (many && spec.parallelism() > kAtOnceOfMany) errors.invalid(parallelism, spec.parallelism_value(), too_many);
  if (!spec.has_maxFailedIndexes()) {
    if (many) errors.required(failed, cat("must be specified when completions is above ", kMany));
    return;
  }
  const int64_t most = spec.maxFailedIndexes();
  if (spec.has_completions() && most > spec.completions()) {
    errors.invalid(failed, spec.maxFailedIndexes_value(), "must be less than or equal to completions");
  }
  if (most > kMany) errors.invalid(failed, spec.maxFailedIndexes_value(), cat("must be less than or equal to ", kMany));
  if (many && most > kAtOnceOfMany) errors.invalid(failed, spec.maxFailedIndexes_value(), too_many);
}

void check_failure_rules(const JobSpecView& spec, const FieldPath& at, FieldErrors& errors) {
  size_t i = 0;
  const FieldPath rules_at = at.field("podFailurePolicy.rules");
  for (const auto& rule : spec.podFailurePolicy().raw()[keys::kRules].items()) {
    const FieldPath here = rules_at.index(i++);
    const bool codes = rule[keys::kOnExitCodes].has_value();
    if (codes == !rule[keys::kOnPodConditions].empty()) {
      errors.invalid(here, rule,
                     codes ? "specifying both OnExitCodes and OnPodConditions is not supported"
                           : "specifying one of OnExitCodes and OnPodConditions is required");
    }
    if (rule[keys::kAction].as_string() == "FailIndex" && !spec.has_backoffLimitPerIndex()) {
      errors.invalid(here.field("action"), rule[keys::kAction],
                     "requires the backoffLimitPerIndex field");
    }
    const Value& container = rule[keys::kOnExitCodes][keys::kContainerName];
    if (container.has_value() && !has_container(spec.raw().at({keys::kTemplate, keys::kSpec}), container)) {
      errors.invalid(here.field("onExitCodes.containerName"), container,
                     "must be one of the container or initContainer names in the pod template");
    }
    for (const auto& code : rule[keys::kOnExitCodes][keys::kValues].items()) {
      if (code.as_int() != 0 || rule[keys::kOnExitCodes][keys::kOperator].as_string() != "In")
        continue;
      errors.invalid(here.field("onExitCodes.values"), code, "must not be 0 for the In operator");
    }
  }
}

void check_job_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const JobSpecView spec(value);
  check_mounts(value.at({keys::kTemplate, keys::kSpec}), at.field("template.spec"), errors);
  const Value& policy = value.at({keys::kTemplate, keys::kSpec, keys::kRestartPolicy});
  const FieldPath here = at.field("template.spec.restartPolicy");
  if (policy.as_string() == "Always") {
    errors.required(here, "valid values: \"OnFailure\", \"Never\"");
  } else if (spec.has_podFailurePolicy() && policy.as_string() != "Never") {
    errors.invalid(here, policy, "only \"Never\" is supported when podFailurePolicy is specified");
  }
  if (spec.has_podFailurePolicy() && spec.podReplacementPolicy() == "TerminatingOrFailed") {
    errors.invalid(at.field("podReplacementPolicy"), value[keys::kPodReplacementPolicy],
                   "only Failed is supported when podFailurePolicy is specified");
  }
  check_failure_rules(spec, at, errors);
  if (value[keys::kManagedBy].has_value()) check_manager(value[keys::kManagedBy], at.field("managedBy"), errors);
  const Value& labels = spec.selector_value()[keys::kMatchLabels];
  const bool generated = labels.size() == 1 &&
                         labels.contains("batch.kubernetes.io/controller-uid") &&
                         spec.selector_value().size() == 1;
  if (spec.has_selector() && !generated && !spec.manualSelector()) {
    errors.invalid(at.field("selector"), spec.selector_value(),
                   "`selector` not auto-generated: leave it out, or set manualSelector");
  }
  if (spec.has_maxFailedIndexes() && !spec.has_backoffLimitPerIndex()) {
    errors.required(at.field("backoffLimitPerIndex"), "when maxFailedIndexes is specified");
  }
  if (spec.completionMode() != "Indexed") {
    for (const auto* field : {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"}) {
      if (!value.get(field).has_value()) continue;
      errors.invalid(at.field(field), value.get(field), "requires indexed completion mode");
    }
    return;
  }
  if (!spec.has_completions()) {
    errors.required(at.field("completions"), "when completion mode is Indexed");
  }
  if (spec.parallelism() > 100000) {
    errors.invalid(at.field("parallelism"), spec.parallelism_value(),
                   "must be less than or equal to 100000 when completion mode is Indexed");
  }
  check_failed_indexes(spec, at, errors);
}

// By the table of this binary, so that every machine says the same; a zone of which the machine that runs has no file is
// the controller's to tell, in an Event.
void check_time_zone(const Value& name, const FieldPath& at, FieldErrors& errors) {
  if (name.as_string().empty()) {
    errors.invalid(at, name, "timeZone must be nil or non-empty string");
  } else if (to_lower(name.as_string()) == "local") {
    errors.invalid(at, name,
                   "timeZone must be an explicit time zone as defined in "
                   "https://www.iana.org/time-zones");
  } else if (name.as_string() != "UTC" && !zone_of_table(name.as_string())) {
    errors.invalid(at, name, cat("unknown time zone ", name.as_string()));
  }
}

void check_cron_job_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const CronJobSpecView spec(value);
  if (spec.has_timeZone()) check_time_zone(spec.timeZone_value(), at.field("timeZone"), errors);
  // One selector for the Jobs of all moments would let each count the pods of the others.
  const JobSpecView job = spec.jobTemplate().spec();
  const FieldPath job_at = at.field("jobTemplate.spec");
  if (job.has_selector()) {
    errors.invalid(job_at.field("selector"), job.selector_value(),
                   "`selector` will be auto-generated");
  }
  if (job.manualSelector()) {
    constexpr std::string_view kUsual[] = {"nil", "false"};
    errors.not_supported(job_at.field("manualSelector"), job.manualSelector_value(), kUsual);
  }
  const std::string_view schedule = spec.schedule();
  if (schedule.empty()) return;
  if (schedule.find("TZ=") != std::string_view::npos) {
    errors.invalid(at.field("schedule"), spec.schedule_value(),
                   spec.has_timeZone()
                       ? "cannot use both timeZone field and TZ or CRON_TZ in schedule"
                       : "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
  } else if (const auto parsed = CronSchedule::parse(schedule); !parsed) {
    errors.invalid(at.field("schedule"), spec.schedule_value(), parsed.error().message);
  }
}

void check_autoscaler_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const HorizontalPodAutoscalerSpecView spec(value);
  if (spec.has_minReplicas() && spec.minReplicas() < 1) {
    errors.invalid(at.field("minReplicas"), spec.minReplicas_value(),
                   "must be greater than or equal to 1");
  }
  if (spec.maxReplicas() < 1) {
    errors.invalid(at.field("maxReplicas"), Value(spec.maxReplicas()), "must be greater than 0");
  }
  if (spec.maxReplicas() < spec.minReplicas()) {
    errors.invalid(at.field("maxReplicas"), Value(spec.maxReplicas()),
                   "must be greater than or equal to `minReplicas`");
  }
}

// One source, and the one that the type names.
void check_metric(const Value& metric, const FieldPath& at, FieldErrors& errors) {
  constexpr std::pair<std::string_view, std::string_view> kSources[] = {{"ContainerResource", "containerResource"},
                                                                        {"External", "external"},
                                                                        {"Object", "object"},
                                                                        {"Pods", "pods"},
                                                                        {"Resource", "resource"}};
  for (const auto& [type, name] : kSources) {
    const FieldPath here = at.field(name);
    const bool wanted = metric[keys::kType].as_string() == type;
    const bool there = metric.get(name).is_map();
    if (wanted && !there) errors.required(here, "must populate information for the given metric source");
    if (!wanted && there) errors.forbidden(here, "must populate the given metric source only");
  }
}

void check_metric_target(const Value& target, const FieldPath& at, FieldErrors& errors) {
  constexpr std::string_view kTargetTypes[] = {"Utilization", "Value", "AverageValue"};
  const Value& type = target[keys::kType];
  if (!type.as_string().empty() && std::ranges::find(kTargetTypes, type.as_string()) == std::end(kTargetTypes))
    errors.invalid(at.field("type"), type, "must be either Utilization, Value, or AverageValue");
  for (const auto* name : {"value", "averageValue"}) {
    const Value& amount = target.get(name);
    const Quantity quantity = Quantity::of_value(amount);
    if (amount.has_value() && (quantity.zero() || quantity.negative())) errors.invalid(at.field(name), amount, "must be positive");
  }
  const Value& percent = target[keys::kAverageUtilization];
  if (percent.has_value() && percent.as_int() < 1) errors.invalid(at.field("averageUtilization"), percent, "must be greater than 0");
}

// Of a resource of pods, or of one container in them.
void check_resource_metric(const Value& source, const FieldPath& at, FieldErrors& errors) {
  const Value& target = source[keys::kTarget];
  const FieldPath here = at.field("target");
  const bool share = target[keys::kAverageUtilization].has_value(), amount = target[keys::kAverageValue].has_value();
  if (!share && !amount) errors.required(here.field("averageUtilization"), "must set either a target raw value or a target utilization");
  if (share && amount)
    errors.forbidden(here.field("averageValue"), "may not set both a target raw value and a target utilization");
}

void check_pods_metric(const Value& source, const FieldPath& at, FieldErrors& errors) {
  const Value& amount = source[keys::kTarget][keys::kAverageValue];
  const Quantity quantity = Quantity::of_value(amount);
  if (!amount.has_value() || quantity.zero() || quantity.negative())
    errors.required(at.field("target.averageValue"), "must specify a positive target averageValue");
}

void check_scaling_rules(const Value& rules, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kWindowMax = 3600;
  const Value& window = rules[keys::kStabilizationWindowSeconds];
  const FieldPath window_at = at.field("stabilizationWindowSeconds");
  if (window.as_int() < 0) errors.invalid(window_at, window, "must be greater than or equal to zero");
  if (window.as_int() > kWindowMax) errors.invalid(window_at, window, cat("must be less than or equal to ", kWindowMax));
  if (rules[keys::kPolicies].is_array() && rules[keys::kPolicies].empty())
    errors.required(at.field("policies"), "must specify at least one Policy");
  const Value& tolerance = rules["tolerance"];
  if (Quantity::of_value(tolerance).negative()) errors.invalid(at.field("tolerance"), tolerance, "must be greater than or equal to 0");
}

void check_scale_target(const Value& target, const FieldPath& at, FieldErrors& errors) {
  for (const auto* field : {"kind", "name"}) {
    const Value& part = target.get(field);
    errors.invalid_each(at.field(field), part, check_path_segment(part.as_string()));
  }
}

void check_scaling_policy(const Value& policy, const FieldPath& at, FieldErrors& errors) {
  constexpr int64_t kPeriodMax = 1800;
  for (const auto* name : {"value", "periodSeconds"}) {
    const int64_t number = policy.get(name).as_int();
    if (number <= 0) errors.invalid(at.field(name), Value(number), "must be greater than zero");
  }
  const Value& period = policy[keys::kPeriodSeconds];
  if (period.as_int() > kPeriodMax) errors.invalid(at.field("periodSeconds"), period, cat("must be less than or equal to ", kPeriodMax));
}

void check_budget_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& available = spec[keys::kMinAvailable];
  const Value& unavailable = spec[keys::kMaxUnavailable];
  if (available.has_value() && unavailable.has_value()) {
    errors.invalid(at, spec, "minAvailable and maxUnavailable cannot be both set");
  }
  const FieldPath available_at = at.field("minAvailable");
  check_count(available, available_at, errors);
  check_at_most_all(available, available_at, errors);
  const FieldPath unavailable_at = at.field("maxUnavailable");
  check_count(unavailable, unavailable_at, errors);
  check_at_most_all(unavailable, unavailable_at, errors);
}

void check_controller_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath replicas = at.field("replicas");
  check_not_negative(spec[keys::kReplicas], replicas, errors);
  if (spec[keys::kSelector].empty()) errors.required(at.field("selector"));
  if (!spec[keys::kTemplate].has_value()) errors.required(at.field("template"));
  check_lasting_template(spec, "ReplicationController", at, errors);
  const auto selector = LabelSelector::from_map(spec[keys::kSelector]);
  const Value& labels = spec.at({keys::kTemplate, keys::kMetadata, keys::kLabels});
  if (!selector.matches(labels)) {
    errors.invalid(at.field("template.metadata.labels"), labels,
                   "`selector` does not match template `labels`");
  }
}

void check_scale_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath replicas = at.field("replicas");
  check_not_negative(spec[keys::kReplicas], replicas, errors);
}

void check_controller_revision(const Value& object, const FieldPath& at, FieldErrors& errors) {
  const FieldPath revision = at.field("revision");
  if (!object[keys::kData].has_value()) errors.required(at.field("data"), "data is mandatory");
  check_not_negative(object["revision"], revision, errors);
}

constexpr NamedCheckRule kWorkloadRules[] = {
    {"apps", "ControllerRevision", check_controller_revision},
    {"apps", "DeploymentSpec", check_deployment_spec},
    {"apps", "DeploymentStrategy", check_deployment_strategy},
    {"apps", "RollingUpdateDeployment", check_rolling_update},
    {"apps", "RollingUpdateDaemonSet", check_daemon_rolling_update},
    {"apps", "ReplicaSetSpec", check_replica_set_spec},
    {"apps", "StatefulSetSpec", check_stateful_set_spec},
    {"apps", "StatefulSetUpdateStrategy", check_stateful_strategy},
    {"apps", "RollingUpdateStatefulSetStrategy", check_stateful_rolling_update},
    {"apps", "StatefulSetOrdinals", check_ordinals},
    {"apps", "DaemonSetSpec", check_daemon_set_spec},
    {"batch", "JobSpec", check_job_spec},
    {"batch", "CronJobSpec", check_cron_job_spec},
    {"autoscaling_v2", "HorizontalPodAutoscalerSpec", check_autoscaler_spec},
    {"autoscaling_v2", "CrossVersionObjectReference", check_scale_target},
    {"autoscaling_v2", "MetricSpec", check_metric},
    {"autoscaling_v2", "MetricTarget", check_metric_target},
    {"autoscaling_v2", "ResourceMetricSource", check_resource_metric},
    {"autoscaling_v2", "ContainerResourceMetricSource", check_resource_metric},
    {"autoscaling_v2", "PodsMetricSource", check_pods_metric},
    {"autoscaling_v2", "HPAScalingRules", check_scaling_rules},
    {"autoscaling_v2", "HPAScalingPolicy", check_scaling_policy},
    {"autoscaling_v1", "ScaleSpec", check_scale_spec},
    {"policy", "PodDisruptionBudgetSpec", check_budget_spec},
    {"core", "ReplicationControllerSpec", check_controller_spec},
};

}  // namespace

std::span<const NamedCheckRule> workload_rules() {
  return kWorkloadRules;
}

}  // namespace minik::control
