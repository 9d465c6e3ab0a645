#include "control/api/component_status.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kComponents[] = {"controller-manager", "etcd-0", "scheduler"};
constexpr std::string_view kDeprecation = "v1 ComponentStatus is deprecated in v1.19+";

Value status_of_component(std::string_view name) {
  return Value::map({{keys::kMetadata, Value::map({{keys::kName, name}})},
                     {keys::kConditions, Value::array({Value::map({{keys::kType, "Healthy"},
                                                                   {keys::kStatus, "True"},
                                                                   {keys::kMessage, "ok"}})})}});
}

}  // namespace

Result<ApiResponse> component_status(const ApiRequest& request) {
  ApiResponse response;
  response.warnings.emplace_back(kDeprecation);
  if (request.verb == Verb::kGet) {
    for (const auto name : kComponents) {
      if (name == request.name) response.object = status_of_component(name);
    }
    if (response.object.is_absent())
      return Error(ErrorCode::kNotFound, cat("componentstatuses ", quoted(request.name), " not found"));
    return response;
  }
  if (request.verb != Verb::kList) return Error(ErrorCode::kMethodNotAllowed, "componentstatuses cannot be stored");
  MINIK_ASSIGN(const auto labels, LabelSelector::parse(request.options.label_selector));
  std::vector<Value> items;
  if (labels.matches(Value())) {
    for (const auto name : kComponents) items.push_back(status_of_component(name));
  }
  response.object = Value::map({{keys::kKind, "ComponentStatusList"},
                                {keys::kApiVersion, "v1"},
                                {keys::kMetadata, Value::empty_map()},
                                {keys::kItems, Value::array(std::move(items))}});
  return response;
}

}  // namespace minik::control
