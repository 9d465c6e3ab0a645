// CustomVersion: one version of a CustomResourceDefinition, compiled into what the API server asks of a
// kind: names and verbs (ResourceInfo), a view of the schema for server-side apply (TypeInfo), pruning,
// defaults, validation, rules, columns, scale, OpenAPI.
//
// Made once for each different version of a definition and kept by the KindRegistry. Immutable; any
// thread may read it.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "control/extension/json_path.h"
#include "control/extension/structural_schema.h"
#include "control/schema/custom_kind.h"
#include "control/schema/schema.h"

namespace minik::control {

// Under which numbers a version is known.
struct CustomKindIds {
  KindId served, stored;
};

class CustomVersion final : public CustomKind {
 public:
  // `definition` is a CustomResourceDefinition with status.acceptedNames, `version` an item of its versions.
  CustomVersion(const Value& definition, const Value& version, CustomKindIds ids);

  const ResourceInfo& resource() const override { return resource_; }
  const ResourceInfo& stored_resource() const override { return stored_resource_; }
  Result<Decoded> decode(const Value& document) const override;
  Value with_defaults(const Value& object) const override;
  Value presented(const Value& object) const override;
  void check(const Value& object, const Value& old, FieldErrors& errors) const override;
  std::span<const CustomColumn> columns() const override { return columns_; }
  std::vector<Value> cells(const Value& object, WallTime now) const override;
  const ScalePaths* scale() const override { return scale_ ? &*scale_ : nullptr; }
  std::string_view deprecation_warning() const override { return warning_; }
  Value openapi(OpenApiDialect dialect, std::string_view prefix) const override;

 private:
  void name_resource(const Value& definition, const Value& version);
  void read_subresources(const Value& version);
  void read_columns(const Value& version);
  // The TypeInfo of a node that is an object with fields; null for anything else.
  const TypeInfo* type_of(const SchemaNode& node, bool resource);
  FieldInfo field_of(const Key& key, const SchemaNode& node);
  std::string_view keep(std::string text);

  std::deque<std::string> texts_;  // what the views in ResourceInfo and TypeInfos point into
  std::deque<TypeInfo> types_;
  Value schema_text_;  // JSONSchemaProps
  SchemaNode::Ptr schema_;
  ResourceInfo resource_, stored_resource_;
  std::vector<CustomColumn> columns_;
  std::vector<JsonPath> cells_;
  std::optional<ScalePaths> scale_;
  std::string warning_;
  bool is_storage_ = false;
};

}  // namespace minik::control
