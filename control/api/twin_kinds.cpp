#include "control/api/twin_kinds.h"

#include <algorithm>
#include <vector>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// ---- Event ----

constexpr FieldRename kEventFields[] = {
    {"regarding", "involvedObject"},
    {"note", "message"},
    {"reportingController", "reportingComponent"},
    {"deprecatedSource", "source"},
    {"deprecatedFirstTimestamp", "firstTimestamp"},
    {"deprecatedLastTimestamp", "lastTimestamp"},
    {"deprecatedCount", "count"},
};

Value renamed(const Value& object, bool to_stored) {
  MapBuilder out(object);
  for (const auto& [served, stored] : kEventFields) {
    const Key from(to_stored ? served : stored);
    out.erase(from);
  }
  for (const auto& [served, stored] : kEventFields) {
    const Value& moved = object.get(to_stored ? served : stored);
    if (moved.has_value()) out.set(Key(to_stored ? stored : served), moved);
  }
  return std::move(out).build();
}

Value event_to_stored(const Value& event) { return renamed(event, true); }

Value event_to_served(const Value& event) {
  const Value served = renamed(event, false);
  // Required there, and unknown of an event that was written in the older form.
  return served[keys::kEventTime].is_absent() ? served.with(keys::kEventTime, nullptr) : served;
}

// ---- HorizontalPodAutoscaler ----

constexpr std::string_view kMetricsNote = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kCurrentMetricsNote = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditionsNote = "autoscaling.alpha.kubernetes.io/conditions";
constexpr std::string_view kBehaviorNote = "autoscaling.alpha.kubernetes.io/behavior";

bool is_cpu_utilization(const Value& metric, const Key& part) {
  const Value& resource = metric[keys::kResource];
  return metric[keys::kType].as_string() == "Resource" && resource[keys::kName].as_string() == "cpu" &&
         resource[part][keys::kAverageUtilization].is_int();
}

// How autoscaling/v1 spells the amounts of a metric, in its spec ("target…") and in its status ("current…").
struct AmountNames {
  std::string_view part, utilization, average, value;
};
constexpr AmountNames kTargetNames{"target", "targetAverageUtilization", "targetAverageValue", "targetValue"};
constexpr AmountNames kCurrentNames{"current", "currentAverageUtilization", "currentAverageValue", "currentValue"};

constexpr const Key* kSources[] = {&keys::kContainerResource, &keys::kExternal, &keys::kObject, &keys::kPods,
                                   &keys::kResource};

Value older_metric(const Value& metric, const AmountNames& names) {
  MapBuilder out(metric);
  for (const Key* which : kSources) {
    const Key& source = *which;
    const Value& given = metric[source];
    if (!given.is_map()) continue;
    const Value& amount = given.get(names.part);
    const bool is_object = source == keys::kObject;
    MapBuilder older;
    for (const auto& kept : {keys::kName, keys::kContainer}) {
      if (given[kept].has_value()) older.set(kept, given[kept]);
    }
    if (is_object) older.set("target", given[keys::kDescribedObject]);
    const Value& identifier = given[keys::kMetric];
    older.set("metricName", identifier[keys::kName]);
    older.set(source == keys::kExternal ? Key("metricSelector") : keys::kSelector, identifier[keys::kSelector]);
    older.set(Key(names.utilization), amount[keys::kAverageUtilization]);
    older.set(is_object ? keys::kAverageValue : Key(names.average), amount[keys::kAverageValue]);
    older.set(Key(names.value), amount[keys::kValue]);
    out.set(source, std::move(older).build());
  }
  return std::move(out).build();
}

Value newer_metric(const Value& metric, const AmountNames& names) {
  MapBuilder out(metric);
  for (const Key* which : kSources) {
    const Key& source = *which;
    const Value& given = metric[source];
    if (!given.is_map()) continue;
    const bool is_object = source == keys::kObject;
    const Value& average = is_object ? given[keys::kAverageValue] : given.get(names.average);
    const Value& utilization = given.get(names.utilization);
    const Value& value = given.get(names.value);
    MapBuilder amount;
    amount.set(keys::kAverageUtilization, utilization).set(keys::kAverageValue, average).set(keys::kValue, value);
    if (names.part == kTargetNames.part) {
      amount.set(keys::kType, utilization.has_value() ? "Utilization" : average.has_value() ? "AverageValue" : "Value");
    }
    MapBuilder newer;
    for (const auto& kept : {keys::kName, keys::kContainer}) {
      if (given[kept].has_value()) newer.set(kept, given[kept]);
    }
    if (is_object) newer.set(keys::kDescribedObject, given["target"]);
    if (given["metricName"].has_value()) {
      const Value& selector = source == keys::kExternal ? given["metricSelector"] : given[keys::kSelector];
      newer.set(keys::kMetric, Value::map({{keys::kName, given["metricName"]}, {keys::kSelector, selector}}));
    }
    newer.set(Key(names.part), std::move(amount).build());
    out.set(source, std::move(newer).build());
  }
  return std::move(out).build();
}

// A note that a person has broken says nothing.
Value noted(const Value& annotations, std::string_view name) {
  const Value& text = annotations.get(name);
  if (!text.is_string()) return {};
  auto parsed = parse_json(text.as_string());
  return parsed ? *std::move(parsed) : Value();
}

std::vector<Value> noted_metrics(const Value& annotations, std::string_view name, const AmountNames& names) {
  std::vector<Value> metrics;
  const Value listed = noted(annotations, name);
  for (const auto& metric : listed.items()) metrics.push_back(newer_metric(metric, names));
  return metrics;
}

Value cpu_metric(const Key& part, const Value& utilization) {
  MapBuilder amount;
  amount.set(keys::kAverageUtilization, utilization);
  if (part == keys::kTarget) amount.set(keys::kType, "Utilization");
  return Value::map({{keys::kType, "Resource"},
                     {keys::kResource, Value::map({{keys::kName, "cpu"}, {part, std::move(amount).build()}})}});
}

Value list_or_nothing(std::vector<Value> items) {
  return items.empty() ? Value() : Value::array(std::move(items));
}

Value autoscaler_to_stored(const Value& object) {
  const Value& metadata = object[keys::kMetadata];
  const Value& annotations = metadata[keys::kAnnotations];
  MapBuilder rest(annotations);
  for (const auto name : {kMetricsNote, kCurrentMetricsNote, kConditionsNote, kBehaviorNote}) rest.erase(Key(name));

  auto metrics = noted_metrics(annotations, kMetricsNote, kTargetNames);
  const Value& wanted = object[keys::kSpec][keys::kTargetCPUUtilizationPercentage];
  if (wanted.is_int()) metrics.push_back(cpu_metric(keys::kTarget, wanted));
  MapBuilder spec(object[keys::kSpec]);
  spec.erase(keys::kTargetCPUUtilizationPercentage);
  spec.set(keys::kMetrics, list_or_nothing(std::move(metrics)));
  spec.set(keys::kBehavior, noted(annotations, kBehaviorNote));

  auto current = noted_metrics(annotations, kCurrentMetricsNote, kCurrentNames);
  const Value& seen = object[keys::kStatus][keys::kCurrentCPUUtilizationPercentage];
  if (seen.is_int()) current.push_back(cpu_metric(keys::kCurrent, seen));
  MapBuilder status(object[keys::kStatus]);
  status.erase(keys::kCurrentCPUUtilizationPercentage);
  status.set(keys::kCurrentMetrics, list_or_nothing(std::move(current)));
  status.set(keys::kConditions, noted(annotations, kConditionsNote));

  const Value left = std::move(rest).build();
  return object.with(keys::kMetadata, metadata.with(keys::kAnnotations, left.empty() ? Value() : left))
      .with(keys::kSpec, std::move(spec).build())
      .with(keys::kStatus, std::move(status).build());
}

// The first metric of CPU utilization has a field of its own; the others become a note.
Value split_metrics(const Value& metrics, const AmountNames& names, Value& utilization) {
  std::vector<Value> others;
  const Key part(names.part);
  for (const auto& metric : metrics.items()) {
    if (!utilization.has_value() && is_cpu_utilization(metric, part)) {
      utilization = metric[keys::kResource][part][keys::kAverageUtilization];
    } else {
      others.push_back(older_metric(metric, names));
    }
  }
  return list_or_nothing(std::move(others));
}

Value autoscaler_to_served(const Value& object) {
  const Value& metadata = object[keys::kMetadata];
  const Value& spec = object[keys::kSpec];
  const Value& status = object[keys::kStatus];
  MapBuilder annotations(metadata[keys::kAnnotations]);
  const auto note = [&](std::string_view name, const Value& value) {
    if (!value.empty()) annotations.set(Key(name), to_json(value));
  };
  Value wanted, seen;
  note(kMetricsNote, split_metrics(spec[keys::kMetrics], kTargetNames, wanted));
  note(kCurrentMetricsNote, split_metrics(status[keys::kCurrentMetrics], kCurrentNames, seen));
  note(kConditionsNote, status[keys::kConditions]);
  note(kBehaviorNote, spec[keys::kBehavior]);

  MapBuilder served_spec(spec.without(keys::kMetrics).without(keys::kBehavior));
  served_spec.set(keys::kTargetCPUUtilizationPercentage, wanted);
  MapBuilder served_status(status.without(keys::kCurrentMetrics).without(keys::kConditions));
  served_status.set(keys::kCurrentCPUUtilizationPercentage, seen);
  if (served_status.get(keys::kCurrentReplicas).is_absent()) served_status.set(keys::kCurrentReplicas, 0);
  Value notes = std::move(annotations).build();
  return object.with(keys::kMetadata, metadata.with(keys::kAnnotations, notes.empty() ? Value() : notes))
      .with(keys::kSpec, std::move(served_spec).build())
      .with(keys::kStatus, std::move(served_status).build());
}

constexpr TwinKind kTwins[] = {
    {kinds::kEventsEvents, kinds::kEvents, event_to_stored, event_to_served, kEventFields},
    {kinds::kAutoscalingV1Horizontalpodautoscalers, kinds::kHorizontalpodautoscalers, autoscaler_to_stored,
     autoscaler_to_served, {}},
};

}  // namespace

const TwinKind* twin_of(KindId served) {
  const auto found = std::ranges::find(kTwins, served, &TwinKind::served);
  return found == std::end(kTwins) ? nullptr : found;
}

std::string stored_field_selector(const TwinKind& twin, std::string_view selector) {
  std::vector<std::string> terms;
  for (const auto part : split(selector, ',')) {
    const auto term = trim(part);
    std::string translated(term);
    for (const auto& [served, stored] : twin.renames) {
      if (!term.starts_with(served) || term.size() == served.size()) continue;
      const char next = term[served.size()];
      if (next == '.' || next == '=' || next == '!') translated = cat(stored, term.substr(served.size()));
    }
    terms.push_back(std::move(translated));
  }
  return join(terms, ",");
}

}  // namespace minik::control
