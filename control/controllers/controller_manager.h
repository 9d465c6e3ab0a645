// ControllerManager: the set of controllers that a cluster runs, over one set of informers. What
// kube-controller-manager is, in one object; destroying it is its crash.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/calendar/time_zone.h"
#include "control/client/controller.h"
#include "control/controllers/certificate_signing.h"
#include "control/controllers/garbage_collector.h"
#include "control/controllers/horizontal_pod_autoscaler.h"
#include "control/controllers/node_lifecycle.h"
#include "control/controllers/service_account_tokens.h"
#include "control/controllers/volume_cleaner.h"

namespace minik::control {

struct ControllerManagerOptions {
  std::string cluster_ca_pem;
  CertificateSigner sign_certificate;  // none: certificate requests stay as they are
  SecretTokenSigner sign_secret_token;  // none: Secrets of ServiceAccounts get no token
  NodeLifecycleOptions node_lifecycle;
  TimeZoneSource time_zones;  // none: CronJobs know UTC alone
  // Where nodes keep the directories of dynamically made volumes.
  std::string local_volume_root = "/var/lib/minik/volumes";
  RemoveVolumeDirectory remove_volume_directory;  // none: released volumes stay
  // Which controllers run here, as --controllers of kube-controller-manager says it; none: all.
  std::function<bool(std::string_view name)> runs;
};

// As their Events are signed, sorted: what `runs` is asked.
const std::vector<std::string>& controller_names();

// All controllers that are a decision on a snapshot, as the manager runs them.
std::vector<ControllerSpec> controller_specs(const Schema& schema, const ControllerManagerOptions& options);

class ControllerManager {
 public:
  ControllerManager(const Schema& schema, Executor& executor, Client& client, MetricRegistry& metrics, Rng rng,
                    ControllerManagerOptions options);
  ~ControllerManager();

  // Lists, watches and begins; the informers are shared with whoever adds itself before.
  void start();
  InformerSet& informers() { return informers_; }
  bool idle() const;

 private:
  void add(ControllerSpec spec);

  Executor& executor_;
  Client& client_;
  MetricRegistry& metrics_;
  Rng rng_;
  InformerSet informers_;
  std::unique_ptr<class EndpointSliceMetrics> slice_metrics_;
  std::vector<std::unique_ptr<EventRecorder>> recorders_;
  std::vector<std::unique_ptr<ControllerRunner>> runners_;
  std::unique_ptr<GarbageCollector> garbage_collector_;
  std::unique_ptr<NodeLifecycle> node_lifecycle_;
  std::unique_ptr<HorizontalPodAutoscaler> autoscaler_;
  std::unique_ptr<VolumeCleaner> volume_cleaner_;
};

}  // namespace minik::control
