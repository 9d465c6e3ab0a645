#include "control/api/event_rules.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kImmutable[] = {"involvedObject",     "reason",         "message", "source",    "firstTimestamp",
                                           "lastTimestamp",      "count",          "type",    "eventTime", "action",
                                           "related",            "reportingComponent", "reportingInstance"};

// Go's zero values are not told from absent ones.
bool is_nothing(const Value& value) {
  if (value.is_int()) return value.as_int() == 0;
  if (value.is_string()) return value.as_string().empty();
  return value.empty();
}

std::string_view complained_as(std::string_view field) {
  return field == "reportingComponent" ? "reportingController" : field;
}

void check_series(const Value& series, FieldErrors& errors) {
  if (!series.is_map()) return;
  const FieldPath count("series.count"), last("series.lastObservedTime");
  if (series.get("count").as_int() < 2) errors.invalid(count, Value(""), "should be at least 2");
  if (is_nothing(series.get("lastObservedTime")) && !errors.name(last)) errors.required(last);
}

}  // namespace

void check_new_event(const Value& event, FieldErrors& errors) {
  check_series(event.get("series"), errors);
  const std::string_view type = event[keys::kType].as_string();
  if (type != "Normal" && type != "Warning") errors.invalid(FieldPath("type"), Value(""), cat("has invalid value: ", type));
  for (const std::string_view field : {"reportingComponent", "reportingInstance", "action", "reason"}) {
    if (event.get(field).as_string().empty()) errors.required(FieldPath(complained_as(field)));
  }
  for (const std::string_view field : {"firstTimestamp", "lastTimestamp", "count", "source"}) {
    if (!is_nothing(event.get(field))) errors.invalid(FieldPath(field), Value(""), "needs to be unset");
  }
}

void check_changed_event(const Value& event, const Value& old, FieldErrors& errors) {
  if (!(event.get("series") == old.get("series"))) check_series(event.get("series"), errors);
  for (const std::string_view field : kImmutable) {
    const Value &now = event.get(field), &before = old.get(field);
    if (now == before || (is_nothing(now) && is_nothing(before))) continue;
    errors.invalid(FieldPath(complained_as(field)), now, "field is immutable");
  }
}

}  // namespace minik::control
