// Warnings that go with a refusal: what a write was told before somebody refused it.
//
// An answer carries its warnings, an Error has no place for them, and is made far below whoever gathers them. They
// travel in the Error's causes, of a type that no metav1.CauseType has; whoever words the refusal takes them out
// (status_of and reply_to). Nobody else looks at causes of types that he does not know. Pure.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"

namespace minik::control {

Error with_warnings(Error error, const std::vector<std::string>& warnings);
// Those of the error, which has none afterwards.
std::vector<std::string> take_warnings(Error& error);

}  // namespace minik::control
