#include "control/controllers/controller_manager.h"

#include <algorithm>

#include "control/controllers/admission_policy_status.h"
#include "control/controllers/cluster_roles.h"
#include "control/controllers/cron_job.h"
#include "control/controllers/daemon_set.h"
#include "control/controllers/deployment.h"
#include "control/controllers/disruption.h"
#include "control/controllers/endpoint_mirroring.h"
#include "control/controllers/endpoint_slice_metrics.h"
#include "control/controllers/endpoints.h"
#include "control/controllers/ephemeral_volume.h"
#include "control/controllers/flow_schema_status.h"
#include "control/controllers/job.h"
#include "control/controllers/local_path.h"
#include "control/controllers/namespaces.h"
#include "control/controllers/pod_garbage.h"
#include "control/controllers/replica_set.h"
#include "control/controllers/resource_quota.h"
#include "control/controllers/service_accounts.h"
#include "control/controllers/stale_disruption.h"
#include "control/controllers/stateful_set.h"
#include "control/controllers/taint_eviction.h"
#include "control/controllers/ttl_after_finished.h"
#include "control/controllers/volume_binder.h"
#include "control/controllers/volume_protection.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// Those that are no decision on a snapshot. The volume cleaner is the half of its provisioner that acts on nodes.
constexpr std::string_view kGarbageCollector = "garbage-collector-controller", kNodeLifecycle = "node-controller",
                           kAutoscaler = "horizontal-pod-autoscaler", kVolumeCleaner = "local-path-provisioner";
constexpr std::string_view kEndpointSlices = "endpointslice-controller";

}  // namespace

const std::vector<std::string>& controller_names() {
  static const std::vector<std::string> names = [] {
    ControllerManagerOptions all;
    all.cluster_ca_pem = "any";
    all.sign_certificate = [](const CertificateOrder&) -> Result<std::string> { return std::string(); };
    all.sign_secret_token = [](const SecretTokenOrder&) -> Result<std::string> { return std::string(); };
    std::vector<std::string> found{std::string(kGarbageCollector), std::string(kNodeLifecycle), std::string(kAutoscaler)};
    for (const auto& spec : controller_specs(Schema::builtin(), all)) found.push_back(spec.name);
    std::ranges::sort(found);
    return found;
  }();
  return names;
}

std::vector<ControllerSpec> controller_specs(const Schema& schema,
                                             const ControllerManagerOptions& options) {
  std::vector<ControllerSpec> specs;
  specs.push_back(deployment_controller());
  specs.push_back(replica_set_controller());
  specs.push_back(replication_controller_controller());
  specs.push_back(daemon_set_controller());
  specs.push_back(job_controller());
  specs.push_back(cron_job_controller(options.time_zones));
  specs.push_back(ttl_after_finished_controller());
  specs.push_back(stateful_set_controller());
  specs.push_back(disruption_controller(schema));
  specs.push_back(stale_disruption_controller());
  specs.push_back(endpoint_slice_controller());
  specs.push_back(endpoints_controller());
  specs.push_back(endpoint_mirroring_controller());
  specs.push_back(cluster_role_aggregation_controller());
  specs.push_back(admission_policy_status_controller(schema));
  specs.push_back(flow_schema_status_controller());
  specs.push_back(namespace_controller(schema));
  specs.push_back(service_account_controller());
  specs.push_back(taint_eviction_controller());
  specs.push_back(pod_garbage_controller());
  specs.push_back(resource_quota_controller(schema));
  specs.push_back(ephemeral_volume_controller());
  specs.push_back(claim_binder());
  specs.push_back(volume_binder());
  specs.push_back(claim_protection_controller());
  specs.push_back(volume_protection_controller());
  specs.push_back(local_path_provisioner(options.local_volume_root));
  if (options.sign_certificate) specs.push_back(certificate_signing_controller(options.sign_certificate));
  if (options.sign_secret_token)
    specs.push_back(service_account_token_controller(options.sign_secret_token, options.cluster_ca_pem));
  if (!options.cluster_ca_pem.empty()) specs.push_back(root_ca_controller(options.cluster_ca_pem));
  return specs;
}

ControllerManager::ControllerManager(const Schema& schema, Executor& executor, Client& client,
                                     MetricRegistry& metrics, Rng rng,
                                     ControllerManagerOptions options)
    : executor_(executor),
      client_(client),
      metrics_(metrics),
      rng_(rng),
      informers_(executor, client, rng.fork("informers")) {
  const auto runs = [&options](std::string_view name) { return !options.runs || options.runs(name); };
  const auto recorder = [this](std::string_view name, std::string_view stream) -> EventRecorder& {
    recorders_.push_back(std::make_unique<EventRecorder>(executor_, client_, kinds::kEvents, std::string(name), "",
                                                         rng_.fork(stream)));
    return *recorders_.back();
  };
  for (auto& spec : controller_specs(schema, options)) {
    if (!runs(spec.name)) continue;
    if (spec.name == kEndpointSlices) {
      slice_metrics_ = std::make_unique<EndpointSliceMetrics>(metrics);
      spec = slice_metrics_->counted(std::move(spec));
    }
    add(std::move(spec));
  }
  if (runs(kGarbageCollector)) {
    garbage_collector_ = std::make_unique<GarbageCollector>(schema, executor, client, informers_,
                                                            recorder(kGarbageCollector, "garbage-collector"));
  }
  if (runs(kNodeLifecycle)) {
    node_lifecycle_ = std::make_unique<NodeLifecycle>(executor, client, informers_, recorder(kNodeLifecycle, kNodeLifecycle),
                                                      metrics_, options.node_lifecycle);
  }
  if (runs(kAutoscaler)) {
    autoscaler_ = std::make_unique<HorizontalPodAutoscaler>(schema, executor, client, informers_,
                                                            recorder(kAutoscaler, kAutoscaler), metrics_);
  }
  if (options.remove_volume_directory && runs(kVolumeCleaner)) {
    volume_cleaner_ = std::make_unique<VolumeCleaner>(executor, client, informers_, recorder(kVolumeCleaner, "volume-cleaner"),
                                                      std::move(options.remove_volume_directory));
  }
}

ControllerManager::~ControllerManager() = default;

void ControllerManager::add(ControllerSpec spec) {
  const std::string name = spec.name;
  recorders_.push_back(std::make_unique<EventRecorder>(executor_, client_, kinds::kEvents, name, "",
                                                       rng_.fork(name + "/events")));
  runners_.push_back(std::make_unique<ControllerRunner>(std::move(spec), executor_, client_,
                                                        informers_, *recorders_.back(), metrics_,
                                                        rng_.fork(name)));
}

void ControllerManager::start() {
  for (auto& runner : runners_) runner->start();
  if (garbage_collector_) garbage_collector_->start();
  if (node_lifecycle_) node_lifecycle_->start();
  if (autoscaler_) autoscaler_->start();
  informers_.start();
}

bool ControllerManager::idle() const {
  return std::ranges::all_of(runners_, [](const auto& runner) { return runner->idle(); });
}

}  // namespace minik::control
