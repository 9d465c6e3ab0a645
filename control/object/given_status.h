// A refusal in somebody else's words: the metav1.Status that an admission webhook answered with.
//
// An Error has Kubernetes' own reasons; a webhook may give any, and details of its own. Such a Status travels in the
// Error's causes, of a type that no metav1.CauseType has, so that components still branch on the code
// nearest to it and whoever tells the client finds all that was said. Pure.
#pragma once

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

// `status` is complete: its message becomes the error's, its code the HTTP status.
Error error_of_given_status(const Value& status);
// Absent for an error that has no such Status.
Value given_status(const Error& error);
// Whether the document is a metav1.Status.
bool is_status(const Value& document);

}  // namespace minik::control
