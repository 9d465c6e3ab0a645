// CustomKind: what one version of a resource that is defined at run time knows about its objects, where
// a built-in kind has TypeInfos and rules. control/extension makes them of CustomResourceDefinitions;
// this folder and everything above asks them through ResourceInfo::custom.
//
// Immutable; any thread may ask.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/object/value.h"
#include "control/schema/decode.h"
#include "control/schema/field_error.h"

namespace minik::control {

// The place of `replicas` and of the selector in objects that can be scaled, as keys from the root.
struct ScalePaths {
  std::vector<std::string> spec_replicas, status_replicas, selector;  // no selector: empty
};

struct CustomColumn {
  std::string name, type, format, description;
  int64_t priority = 0;
};

enum class OpenApiDialect : uint8_t { kV2, kV3 };

class CustomKind {
 public:
  virtual ~CustomKind() = default;

  // Under the numbers that clients and the store use: a served version, and the resource itself.
  virtual const ResourceInfo& resource() const = 0;
  virtual const ResourceInfo& stored_resource() const = 0;

  // Without the fields that the schema does not know. Fails where metadata is none.
  virtual Result<Decoded> decode(const Value& document) const = 0;
  virtual Value with_defaults(const Value& object) const = 0;
  // As a client of this version sees a stored object that another version or an earlier schema has written.
  virtual Value presented(const Value& object) const = 0;
  // `old` is absent for a new object; what is unchanged since is forgiven.
  virtual void check(const Value& object, const Value& old, FieldErrors& errors) const = 0;

  // Without the first one, which is the name; none: name and age are all.
  virtual std::span<const CustomColumn> columns() const = 0;
  virtual std::vector<Value> cells(const Value& object, WallTime now) const = 0;
  // Where the scale is; null without that subresource.
  virtual const ScalePaths* scale() const = 0;
  virtual std::string_view deprecation_warning() const = 0;  // empty: none
  // The definition of the kind; references to metadata begin with `prefix`.
  virtual Value openapi(OpenApiDialect dialect, std::string_view prefix) const = 0;
};

}  // namespace minik::control
