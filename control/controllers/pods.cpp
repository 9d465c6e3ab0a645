#include "control/controllers/pods.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

int64_t scaled(const Value& value, int64_t total, bool round_up) {
  if (value.is_int()) return value.as_int();
  const auto text = value.as_string();
  const auto percent = parse_int64(text.substr(0, text.empty() ? 0 : text.size() - 1)).value_or(0);
  return round_up ? (percent * total + 99) / 100 : percent * total / 100;
}

bool is_pod_ended(const Value& pod) {
  static const Value succeeded("Succeeded"), failed("Failed");
  const Value& phase = pod[keys::kStatus][keys::kPhase];
  return phase == succeeded || phase == failed;
}

bool is_pod_active(const Value& pod) { return !is_pod_ended(pod) && !is_deleting(pod); }

namespace {

const Value& condition_of_type(const Value& object, const Value& type) {
  for (const auto& c : object[keys::kStatus][keys::kConditions].items()) {
    if (c[keys::kType] == type) return c;
  }
  return Value::absent();
}

}  // namespace

const Value& condition(const Value& object, std::string_view type) {
  return condition_of_type(object, Value(type));
}

bool is_condition_true(const Value& object, std::string_view type) {
  return condition(object, type)[keys::kStatus].as_string() == "True";
}

bool is_pod_ready(const Value& pod) {
  static const Value ready("Ready"), true_("True");
  return condition_of_type(pod, ready)[keys::kStatus] == true_;
}

std::optional<WallTime> time_of(const Value& text) { return parse_time(text.as_string()); }

bool is_pod_available(const Value& pod, int64_t min_ready_seconds, WallTime now) {
  if (!is_pod_ready(pod)) return false;
  if (min_ready_seconds == 0) return true;
  const auto since = time_of(condition(pod, "Ready")[keys::kLastTransitionTime]);
  return since && *since + seconds(min_ready_seconds) <= now;
}

Value with_condition(const Value& object, const Value& wanted, WallTime now) {
  const Value stamp = format_time(now);
  std::vector<Value> conditions;
  bool placed = false;
  for (const auto& old : object[keys::kStatus][keys::kConditions].items()) {
    if (!(old[keys::kType] == wanted[keys::kType])) {
      conditions.push_back(old);
      continue;
    }
    placed = true;
    Value next = wanted;
    const bool same_status = old[keys::kStatus] == wanted[keys::kStatus];
    next = next.with(keys::kLastTransitionTime, same_status ? old[keys::kLastTransitionTime] : stamp);
    if (old[keys::kLastUpdateTime].has_value()) {
      const bool same = same_status && old[keys::kReason] == wanted[keys::kReason] &&
                        old[keys::kMessage] == wanted[keys::kMessage];
      next = next.with(keys::kLastUpdateTime, same ? old[keys::kLastUpdateTime] : stamp);
    }
    conditions.push_back(std::move(next));
  }
  if (!placed) conditions.push_back(wanted.with(keys::kLastTransitionTime, stamp));
  return object.with_at({keys::kStatus, keys::kConditions}, Value::array(std::move(conditions)));
}

Value without_condition(const Value& object, std::string_view type) {
  if (!condition(object, type).has_value()) return object;
  const auto& conditions = object[keys::kStatus][keys::kConditions].items();
  std::vector<Value> kept(conditions.begin(), conditions.end());
  std::erase_if(kept, [&](const Value& c) { return c[keys::kType].as_string() == type; });
  return object.with_at({keys::kStatus, keys::kConditions}, kept.empty() ? Value() : Value::array(std::move(kept)));
}

Value controller_reference(const Value& owner, std::string_view api_version, std::string_view kind) {
  const auto& metadata = owner[keys::kMetadata];
  return Value::map({{keys::kApiVersion, api_version},
                     {keys::kKind, kind},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kUid, metadata[keys::kUid]},
                     {keys::kController, true},
                     {keys::kBlockOwnerDeletion, true}});
}

Value typed(const Value& object, std::string_view api_version, std::string_view kind) {
  return object.with(keys::kApiVersion, api_version).with(keys::kKind, kind);
}

Value typed_claim(const Value& claim) {
  return typed(claim, "v1", "PersistentVolumeClaim");
}

}  // namespace minik::control
