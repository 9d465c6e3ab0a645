#include "control/scheduler/writes.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

ApiRequest about(const Value& pod, Verb verb, std::string_view subresource) {
  ApiRequest request;
  request.verb = verb;
  request.kind = kinds::kPods;
  request.namespace_ = object_namespace(pod);
  request.name = object_name(pod);
  request.subresource = subresource;
  return request;
}

ApiRequest status_patch(const Value& pod, Value status) {
  ApiRequest request = about(pod, Verb::kPatch, "status");
  request.patch_type = PatchType::kStrategicMerge;
  request.body =
      Value::map({{keys::kMetadata, Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]}})},
                  {keys::kStatus, std::move(status)}});
  return request;
}

Value condition(const Value& pod, std::string_view type, std::string_view status,
                std::string_view reason, const std::string& message, WallTime now) {
  Value since = format_time(now);
  for (const auto& old : pod[keys::kStatus][keys::kConditions].items()) {
    const bool same =
        old[keys::kType].as_string() == type && old[keys::kStatus].as_string() == status;
    if (same) since = old[keys::kLastTransitionTime];
  }
  return Value::map({{keys::kType, type},
                     {keys::kStatus, status},
                     {keys::kObservedGeneration, pod[keys::kMetadata][keys::kGeneration]},
                     {keys::kReason, reason},
                     {keys::kMessage, message},
                     {keys::kLastProbeTime, nullptr},
                     {keys::kLastTransitionTime, since}});
}

}  // namespace

ApiRequest binding_request(const Value& pod, const std::string& node) {
  static const Value version("v1"), kind("Node");
  ApiRequest request = about(pod, Verb::kCreate, "binding");
  const Value& metadata = pod[keys::kMetadata];
  request.body = Value::map(
      {{keys::kMetadata, Value::map({{keys::kName, metadata[keys::kName]},
                                     {keys::kNamespace, metadata[keys::kNamespace]},
                                     {keys::kUid, metadata[keys::kUid]}})},
       {keys::kTarget,
        Value::map({{keys::kApiVersion, version}, {keys::kKind, kind}, {keys::kName, node}})}});
  return request;
}

ApiRequest unschedulable_request(const Value& pod, const std::string& message,
                                 const std::string* nominated, WallTime now) {
  MapBuilder status;
  status.set(
      keys::kConditions,
      Value::array({condition(pod, "PodScheduled", "False", "Unschedulable", message, now)}));
  if (nominated) {
    status.set(keys::kNominatedNodeName, nominated->empty() ? Value(nullptr) : Value(*nominated));
  }
  return status_patch(pod, std::move(status).build());
}

ApiRequest clear_nomination_request(const Value& pod) {
  return status_patch(pod, Value::map({{keys::kNominatedNodeName, nullptr}}));
}

ApiRequest disruption_request(const Value& victim, const std::string& scheduler, WallTime now) {
  const std::string message = cat(scheduler, ": preempting to accommodate a higher priority pod");
  return status_patch(
      victim, Value::map({{keys::kConditions,
                           Value::array({condition(victim, "DisruptionTarget", "True",
                                                   "PreemptionByScheduler", message, now)})}}));
}

ApiRequest eviction_request(const Value& victim) {
  ApiRequest request = about(victim, Verb::kDelete, "");
  request.options.preconditions.uid = object_uid(victim);
  return request;
}

}  // namespace minik::control
