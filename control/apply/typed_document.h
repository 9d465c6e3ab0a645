// Documents as server-side apply sees them: through the schema, which says where a list or map is one thing
// and where its items are things of their own.
//
//   object with a type, map       its fields and entries, unless the schema calls it atomic
//   list of kind map              its items, found by the key fields (an absent one has its default)
//   list of kind set              its items, found by their value
//   free-form content of a        by what it is: its maps have entries, whatever else is one thing
//   custom kind
//   anything else                 one thing: a scalar, an atomic list or map
//
// Pure functions on decoded documents. Lists with two items of one key are an error of whoever sent them.
#pragma once

#include <string>
#include <vector>

#include "control/apply/field_set.h"
#include "control/schema/schema.h"

namespace minik::control {

// Every thing that the document has. `new_maps` also marks maps themselves, as those who made them own them.
Result<FieldSet> field_set_of(const TypeInfo& type, const Value& document, bool new_maps = false);

// `config` laid over `live`: what config names is as config says, everything else stays. Items of lists stand
// in the order of config, those of live alone after what they stood after.
Result<Value> merged(const TypeInfo& type, const Value& live, const Value& config);

// The paths (".spec.containers[0].args") of atomic lists, maps and objects that the document has.
std::vector<std::string> atomic_parts(const TypeInfo& type, const Value& document);

// `spec.containers[0].args` as it is told here: `.spec.containers[name="web"].args`. Where the schema knows no keys,
// the number stays.
std::string path_by_keys(const TypeInfo& type, const Value& document, std::string_view path);

// Without these things, and without the fields of a type that held any of them; what holds any of `keep` is gone
// through and not taken out as a whole.
Value without_fields(const TypeInfo& type, const Value& document, const FieldSet& fields, const FieldSet& keep);

struct Differences {
  FieldSet added, removed, modified;
  bool empty() const { return added.empty() && removed.empty() && modified.empty(); }
};
// An absent document had nothing.
Differences differences(const TypeInfo& type, const Value& before, const Value& after);

}  // namespace minik::control
