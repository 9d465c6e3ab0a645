// The ResourceQuota controller: says in status.hard what a quota limits, and recounts status.used
// when something that it counts is gone, has ended or has changed, and every five minutes.
//
// What is created is charged by the API server as it lets it in (control/api/quota_admission.h);
// there a count from caches that lag behind is also put right. A pure decision on a snapshot.
#pragma once

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

ControllerSpec resource_quota_controller(const Schema& schema);

}  // namespace minik::control
