// The annotation kubectl.kubernetes.io/last-applied-configuration, in which `kubectl apply` keeps what it applied from
// the client's side. A server-side apply of the same kubectl keeps it true, so that one may go on after the other:
//
//   from the client's side to the server's   what still is as the annotation says may change without a conflict
//   and back again                           the annotation says what was applied at the server's side
//
// Whoever wants neither applies under another name than kubectl's. Pure functions. An annotation that cannot be read
// grants nothing; one that would make the annotations too large is taken out, as kubectl then does without.
#pragma once

#include <string_view>

#include "control/apply/field_set.h"
#include "control/schema/schema.h"

namespace minik::control {

// The field manager that this is for.
inline constexpr std::string_view kLastAppliedManager = "kubectl";

// What the annotation of `live` names and live has as it says. Nothing when it was of another version of the kind.
FieldSet still_as_last_applied(const TypeInfo& type, std::string_view api_version, const Value& live);

// `object`, which `configuration` (as sent) was applied to, with the annotation brought up to date if it has one.
Value with_last_applied(const Value& object, const Value& configuration);

}  // namespace minik::control
