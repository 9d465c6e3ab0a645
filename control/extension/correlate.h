// Which part of an earlier version a part of a document is to be compared with: the entry of the same
// key, the item of the same keys in a list of kind map. Items of other lists have no place of their own:
// such a list is one thing, and its items have no counterpart.
#pragma once

#include "control/extension/structural_schema.h"

namespace minik::control {

// Absent where there is none.
const Value& old_item(const SchemaNode& list, const Value& item, const Value& old_list);
// The values of the list's keys, an absent one by its default.
Value keys_of(const SchemaNode& list, const Value& item);

}  // namespace minik::control
