#include "sim/scenario/metric_families.h"

#include <algorithm>

namespace minik::sim {

namespace {

const MetricFamily kFamilies[] = {
    {"apiserver_current_inflight_requests", {"request_kind"}},
    {"apiserver_longrunning_requests", {"group", "resource", "verb", "version"}},
    {"apiserver_request_duration_seconds",
     {"component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"}, true},
    {"apiserver_request_total",
     {"code", "component", "dry_run", "group", "resource", "scope", "subresource", "verb", "version"}},
    {"apiserver_resource_objects", {"group", "resource"}},
    {"apiserver_storage_objects", {"resource"}},
    {"apiserver_watch_events_total", {"group", "resource", "version"}},
    {"controller_runtime_reconcile_errors_total", {"controller"}},
    {"controller_runtime_reconcile_total", {"controller"}},
    {"cronjob_controller_job_creation_skew_duration_seconds", {}, true},
    {"endpoint_slice_controller_changes", {"operation"}},
    {"endpoint_slice_controller_desired_endpoint_slices", {}},
    {"endpoint_slice_controller_endpoints_added_per_sync", {}, true},
    {"endpoint_slice_controller_endpoints_desired", {}},
    {"endpoint_slice_controller_endpoints_removed_per_sync", {}, true},
    {"endpoint_slice_controller_endpointslices_changed_per_sync", {"topology", "traffic_distribution"}, true},
    {"endpoint_slice_controller_num_endpoint_slices", {}},
    {"endpoint_slice_controller_services_count_by_traffic_distribution", {"traffic_distribution"}},
    {"endpoint_slice_controller_syncs", {"result"}},
    {"horizontal_pod_autoscaler_controller_reconciliation_duration_seconds", {"action", "error"}, true},
    {"horizontal_pod_autoscaler_controller_reconciliations_total", {"action", "error"}},
    {"job_controller_job_finished_indexes_total", {"backoffLimit", "status"}},
    {"job_controller_job_pods_creation_total", {"reason", "status"}},
    {"job_controller_job_pods_finished_total", {"completion_mode", "result"}},
    {"job_controller_jobs_finished_total", {"completion_mode", "reason", "result"}},
    {"minik_store_commit_duration_seconds", {}, true},
    {"minik_store_objects", {}},
    {"minik_store_revision", {}},
    {"minik_store_watches", {}},
    {"node_collector_evictions_total", {"zone"}},
    {"node_collector_unhealthy_nodes_in_zone", {"zone"}},
    {"node_collector_zone_health", {"zone"}},
    {"node_collector_zone_size", {"zone"}},
    {"pod_gc_collector_force_delete_pod_errors_total", {"reason"}},
    {"pod_gc_collector_force_delete_pods_total", {"reason"}},
    {"scheduler_cache_size", {"type"}},
    {"scheduler_framework_extension_point_duration_seconds", {"extension_point", "profile", "status"}, true},
    {"scheduler_pending_pods", {"queue"}},
    {"scheduler_pod_scheduling_attempts", {}, true},
    {"scheduler_pod_scheduling_sli_duration_seconds", {"attempts"}, true},
    {"scheduler_preemption_attempts_total", {}},
    {"scheduler_preemption_victims", {}, true},
    {"scheduler_queue_incoming_pods_total", {"event", "queue"}},
    {"scheduler_schedule_attempts_total", {"profile", "result"}},
    {"scheduler_scheduling_algorithm_duration_seconds", {}, true},
    {"scheduler_scheduling_attempt_duration_seconds", {"profile", "result"}, true},
    {"scheduler_unschedulable_pods", {"plugin", "profile"}},
    {"taint_eviction_controller_pod_deletion_duration_seconds", {}, true},
    {"taint_eviction_controller_pod_deletions_total", {}},
    {"ttl_after_finished_controller_job_deletion_duration_seconds", {}, true},
    {"workqueue_adds_total", {"name"}},
    {"workqueue_depth", {"name"}},
    {"workqueue_longest_running_processor_seconds", {"name"}},
    {"workqueue_queue_duration_seconds", {"name"}, true},
    {"workqueue_retries_total", {"name"}},
    {"workqueue_unfinished_work_seconds", {"name"}},
    {"workqueue_work_duration_seconds", {"name"}, true},
};

}  // namespace

std::span<const MetricFamily> metric_families() { return kFamilies; }

const MetricFamily* find_metric_family(std::string_view name) {
  const auto named = [](std::string_view wanted) -> const MetricFamily* {
    const auto found = std::ranges::find(kFamilies, wanted, &MetricFamily::name);
    return found == std::end(kFamilies) ? nullptr : &*found;
  };
  if (const auto* family = named(name)) return family;
  for (const std::string_view sample : {"_count", "_sum", "_bucket"}) {
    if (!name.ends_with(sample)) continue;
    const auto* family = named(name.substr(0, name.size() - sample.size()));
    if (family && family->is_histogram) return family;
  }
  return nullptr;
}

}  // namespace minik::sim
