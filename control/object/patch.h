// The patch types of the API on documents: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and
// Kubernetes' strategic merge patch with its directives.
//
// Pure functions; the result shares what the patch leaves alone. Errors are BadRequest for a patch that
// is no patch and Invalid for one that does not apply. Server-side apply is not here.
//
// Strategic merge asks a PatchSchema how a list merges: by a key field, as a set of scalars, or not at
// all. The schema implements it, so that this folder needs no schema.
#pragma once

#include <string_view>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

// What a strategic merge must know about one field of an object.
struct PatchRule {
  bool merge = false;        // lists merge instead of being replaced
  bool retain_keys = false;
  std::string_view merge_key;  // empty: a list of scalars
  const void* type = nullptr;  // the element's own type, to go on with; null: free-form
};

class PatchSchema {
 public:
  virtual ~PatchSchema() = default;
  virtual PatchRule rule(const void* type, const Key& field) const = 0;
};

Result<Value> apply_json_patch(const Value& document, const Value& patch);
Value apply_merge_patch(const Value& document, const Value& patch);
Result<Value> apply_strategic_merge_patch(const Value& document, const Value& patch,
                                          const PatchSchema& schema, const void* type);

// The merge patch that turns `from` into `to`; an empty map when they are equal.
Value make_merge_patch(const Value& from, const Value& to);

}  // namespace minik::control
