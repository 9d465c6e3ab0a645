#include "control/api/custom_scale.h"

#include <span>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

const Value& at_path(const Value& object, std::span<const std::string> path) {
  const Value* here = &object;
  for (const auto& name : path) here = &here->get(name);
  return *here;
}

Value with_path(const Value& object, std::span<const std::string> path, Value value) {
  if (path.empty()) return value;
  return object.with(Key(path[0]), with_path(object.get(path[0]), path.subspan(1), std::move(value)));
}

const ScalePaths& paths_of(const CustomKind& kind) {
  CHECK(kind.scale() != nullptr) << "a scale of a kind that has none";
  return *kind.scale();
}

}  // namespace

Result<Value> custom_scale(const CustomKind& kind, const Value& object) {
  const ScalePaths& paths = paths_of(kind);
  const auto& metadata = object[keys::kMetadata];
  const Value& wanted = at_path(object, paths.spec_replicas);
  if (!wanted.has_value()) {
    return Error(ErrorCode::kInternalError,
                 cat("the spec replicas field ", quoted(cat(".", join(paths.spec_replicas, "."))), " does not exist"));
  }
  const Value& selector = paths.selector.empty() ? Value::absent() : at_path(object, paths.selector);
  return Value::map(
      {{keys::kApiVersion, "autoscaling/v1"},
       {keys::kKind, "Scale"},
       {keys::kMetadata, Value::map({{keys::kName, metadata[keys::kName]},
                                     {keys::kNamespace, metadata[keys::kNamespace]},
                                     {keys::kUid, metadata[keys::kUid]},
                                     {keys::kResourceVersion, metadata[keys::kResourceVersion]},
                                     {keys::kCreationTimestamp, metadata[keys::kCreationTimestamp]}})},
       {keys::kSpec, Value::map({{keys::kReplicas, wanted.as_int()}})},
       {keys::kStatus, Value::map({{keys::kReplicas, at_path(object, paths.status_replicas).as_int()},
                                   {keys::kSelector, selector.is_string() ? selector : Value()}})}});
}

Value with_custom_replicas(const CustomKind& kind, const Value& object, int64_t replicas) {
  return with_path(object, paths_of(kind).spec_replicas, replicas);
}

}  // namespace minik::control
