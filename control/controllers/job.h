// The Job controller: runs pods until enough of them have succeeded, or too many have failed.
//
// A Job's end takes two conditions: SuccessCriteriaMet or FailureTarget says that nothing more is started
// and what runs is stopped; Complete or Failed follows when every pod has ended and is counted
// (control/controllers/job_tally.h says how). Retries wait as job_back_off() says; their times are read from
// the pods, so that a restart of the controller forgets none.
//
// Follows batch/v1 of Kubernetes 1.35, Indexed Jobs, both back-off limits and both policies included. A
// Job with spec.managedBy of somebody else is left alone. Does not react to gangs (scheduling groups).
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_job(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec job_controller();

// Complete or Failed.
bool is_job_finished(const Value& job);

}  // namespace minik::control
