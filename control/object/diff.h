// What differs between two documents, as the JSON patch (RFC 6902) that turns one into the other.
//
// apply_json_patch(from, make_json_patch(from, to)) is `to` again. Where both sides are maps the patch goes
// into them, where both are lists it leaves their common beginning and end alone; it is small rather than
// minimal. Pure function; the patch shares the values of `to`.
#pragma once

#include "control/object/value.h"

namespace minik::control {

// An array of operations, empty when the documents are equal. Absent documents count as null.
Value make_json_patch(const Value& from, const Value& to);

}  // namespace minik::control
