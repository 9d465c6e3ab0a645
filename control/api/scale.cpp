#include "control/api/scale.h"

#include <span>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/custom_kind.h"
#include "control/schema/kinds.h"

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

// `selector` absent: nobody said which pods are meant.
Value scale_document(const Value& object, int64_t wanted, int64_t current, const Value& selector) {
  const auto& metadata = object[keys::kMetadata];
  return Value::map(
      {{keys::kApiVersion, "autoscaling/v1"},
       {keys::kKind, "Scale"},
       {keys::kMetadata, Value::map({{keys::kName, metadata[keys::kName]},
                                     {keys::kNamespace, metadata[keys::kNamespace]},
                                     {keys::kUid, metadata[keys::kUid]},
                                     {keys::kResourceVersion, metadata[keys::kResourceVersion]},
                                     {keys::kCreationTimestamp, metadata[keys::kCreationTimestamp]}})},
       {keys::kSpec, Value::map({{keys::kReplicas, wanted}})},
       {keys::kStatus, Value::map({{keys::kReplicas, current}, {keys::kSelector, selector}})}});
}

}  // namespace

Result<Value> scale_of(const ResourceInfo& resource, const Value& object) {
  if (resource.custom) {
    const ScalePaths& paths = paths_of(*resource.custom);
    const Value& wanted = at_path(object, paths.spec_replicas);
    if (!wanted.has_value()) {
      return Error(ErrorCode::kInternalError,
                   cat("the spec replicas field ", quoted(cat(".", join(paths.spec_replicas, "."))), " does not exist"));
    }
    const Value& selector = paths.selector.empty() ? Value::absent() : at_path(object, paths.selector);
    return scale_document(object, wanted.as_int(), at_path(object, paths.status_replicas).as_int(),
                          selector.is_string() ? selector : Value());
  }
  const auto& selector = object[keys::kSpec][keys::kSelector];
  // ReplicationControllers select by a plain map, the others by a LabelSelector.
  const auto compiled = resource.id == kinds::kReplicationcontrollers
                            ? Result<LabelSelector>(LabelSelector::from_map(selector))
                            : LabelSelector::from_object(selector);
  return scale_document(object, object[keys::kSpec][keys::kReplicas].as_int(1),
                        object[keys::kStatus][keys::kReplicas].as_int(), compiled ? Value(compiled->text()) : Value());
}

Value with_replicas(const ResourceInfo& resource, const Value& object, int64_t replicas) {
  return resource.custom ? with_path(object, paths_of(*resource.custom).spec_replicas, replicas)
                         : object.with_at({keys::kSpec, keys::kReplicas}, replicas);
}

}  // namespace minik::control
