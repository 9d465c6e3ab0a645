// What events.k8s.io/v1 asks of an Event beyond what the core group asks, which is lenient with its older writers:
// a new one says all there is to say, and afterwards only its series changes. Both are judged as they are stored, in
// whose fields' names Kubernetes complains.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

void check_new_event(const Value& event, FieldErrors& errors);
void check_changed_event(const Value& event, const Value& old, FieldErrors& errors);

}  // namespace minik::control
