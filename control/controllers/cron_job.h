// The CronJob controller: makes a Job whenever the clock passes a moment of the schedule.
//
// A Job's name is the CronJob's and the minutes since the epoch of the moment it stands for, and
// its annotation says that moment in full. So two decisions for one moment make one Job, and what a
// controller did before it died is read from the Jobs again: they, and not what the status says,
// tell when a Job was last started and which run. Moments that passed unseen are made good by one
// Job, for the last of them, when startingDeadlineSeconds allows it.
//
// The moments are those of spec.timeZone, or of UTC. A zone that the source does not have starts
// nothing and leaves the Event UnknownTimeZone. A changed schedule counts from its change; a controller
// that starts anew knows of none, and makes good what has passed of the schedule that it finds.
//
// Follows batch/v1 of Kubernetes 1.35. Pure decisions on a snapshot, but for the zones, which are
// read once each, and the moments at which schedules have changed.
#pragma once

#include "control/calendar/time_zone.h"
#include "control/client/controller.h"

namespace minik::control {

ControllerSpec cron_job_controller(TimeZoneSource time_zones);

}  // namespace minik::control
