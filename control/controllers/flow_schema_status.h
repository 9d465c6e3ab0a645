// The condition Dangling of FlowSchemas: whether the priority level that a schema names is missing, so that the schema
// counts as not being there (control/api/flow_control.h). A pure decision on a snapshot; a cluster at rest writes nothing.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec flow_schema_status_controller();

}  // namespace minik::control
