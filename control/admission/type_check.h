// The type check of a ValidatingAdmissionPolicy: its expressions against the fields of each kind that its rules name, as
// far as they name kinds without an asterisk. What is found refuses nothing; it stands in status.typeChecking.
//
//   apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'
//
// Pure, but for kinds that are defined at run time, of which the schema tells those that are served now.
#pragma once

#include "control/cel/type.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

// A document of that type as expressions see it. A type within itself is dyn there.
cel::Type document_type(const TypeInfo& type);

// status.typeChecking: a map with expressionWarnings, if there are any.
Value type_checking(const Schema& schema, const Value& policy);

}  // namespace minik::control
