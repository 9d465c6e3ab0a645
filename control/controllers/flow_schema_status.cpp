#include "control/controllers/flow_schema_status.h"

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

std::string_view level_named_by(const Value& schema) {
  return schema[keys::kSpec][keys::kPriorityLevelConfiguration][keys::kName].as_string();
}

void schemas_of_level(const Snapshot& snapshot, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
  if (before.has_value() && after.has_value()) return;  // it is there, before and after
  const auto name = object_name(after.has_value() ? after : before);
  for (const auto& schema : snapshot.list(kinds::kFlowschemas)) {
    if (level_named_by(schema) == name) keys.push_back(key_of(schema));
  }
}

}  // namespace

ControllerSpec flow_schema_status_controller() {
  ControllerSpec spec;
  spec.name = "flowschema-status-controller";
  spec.kind = kinds::kFlowschemas;
  spec.watches = {{kinds::kFlowschemas, own_key(), {}}, {kinds::kPrioritylevelconfigurations, schemas_of_level, {}}};
  spec.decide = [](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    Plan plan;
    const Value& schema = snapshot.find(kinds::kFlowschemas, "", key.name);
    if (!schema.has_value()) return plan;
    const std::string level(level_named_by(schema));
    const bool found = snapshot.find(kinds::kPrioritylevelconfigurations, "", level).has_value();
    const std::string told = cat("This FlowSchema references the PriorityLevelConfiguration object named ", quoted(level));
    const Value condition = Value::map({{keys::kType, "Dangling"},
                                        {keys::kStatus, found ? "False" : "True"},
                                        {keys::kReason, found ? "Found" : "NotFound"},
                                        {keys::kMessage, cat(told, found ? " and it exists" : " but there is no such object")}});
    const Value next = with_condition(schema, condition, env.now);
    if (!(next == schema)) plan.update_status(kinds::kFlowschemas, next);
    return plan;
  };
  return spec;
}

}  // namespace minik::control
