// The scheduler's configuration file: a KubeSchedulerConfiguration
// (kubescheduler.config.k8s.io/v1), as kube-scheduler's --config takes it.
//
// `minik start --scheduler-config FILE` checks it and keeps a copy in the profile's folder, from
// which every start reads it; without one the scheduler has Kubernetes' defaults. What of the file is
// known says control/scheduler/profile.h; errors name file and field.
#pragma once

#include <string>

#include "control/scheduler/profile.h"
#include "minik/process/profile.h"

namespace minik {

Result<control::SchedulerConfiguration> read_scheduler_config(const std::string& path);

// Checks the file and makes it the profile's own.
Status keep_scheduler_config(const Profile& profile, const std::string& path);
// What the cluster is to be started with.
Result<control::SchedulerConfiguration> kept_scheduler_config(const Profile& profile);

}  // namespace minik
