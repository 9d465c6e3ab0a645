#include "control/controllers/endpoint_slice_metrics.h"

#include <algorithm>
#include <map>

#include "control/controllers/endpoints.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// Plain numbers stand as seconds, which are printed as they are.
std::vector<Duration> powers_of_two(int count) {
  std::vector<Duration> bounds;
  for (int i = 1; i <= count; ++i) bounds.push_back(seconds(int64_t{1} << i));
  return bounds;
}

// Those that a Go client has when nobody names others.
std::vector<Duration> usual_bounds() {
  std::vector<Duration> bounds;
  for (const int64_t ms : {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}) bounds.push_back(milliseconds(ms));
  return bounds;
}

// In order; the texts are the slice's.
std::vector<std::string_view> targets_of(const Value& slice) {
  std::vector<std::string_view> targets;
  for (const auto& endpoint : slice[keys::kEndpoints].items()) targets.push_back(endpoint[keys::kTargetRef][keys::kUid].as_string());
  std::ranges::sort(targets);
  return targets;
}

int64_t missing(const std::vector<std::string_view>& of, const std::vector<std::string_view>& in) {
  return std::ranges::count_if(of, [&](std::string_view target) { return !std::ranges::binary_search(in, target); });
}

MetricNote change(const char* operation) {
  return {.name = "endpoint_slice_controller_changes", .help = "Number of EndpointSlice changes", .labels = {{"operation", operation}}};
}

MetricNote sync(const char* result) {
  return {.name = "endpoint_slice_controller_syncs", .help = "Number of EndpointSlice syncs", .labels = {{"result", result}}};
}

}  // namespace

EndpointSliceMetrics::EndpointSliceMetrics(MetricRegistry& registry, InformerSet& informers)
    : registry_(registry),
      informers_(informers),
      added_(registry.histogram("endpoint_slice_controller_endpoints_added_per_sync",
                                "Number of endpoints added on each Service sync", {}, powers_of_two(15))),
      removed_(registry.histogram("endpoint_slice_controller_endpoints_removed_per_sync",
                                  "Number of endpoints removed on each Service sync", {}, powers_of_two(15))),
      endpoints_desired_(registry.gauge("endpoint_slice_controller_endpoints_desired", "Number of endpoints desired")),
      slices_(registry.gauge("endpoint_slice_controller_num_endpoint_slices", "Number of EndpointSlices")),
      slices_desired_(registry.gauge("endpoint_slice_controller_desired_endpoint_slices",
                                     "Number of EndpointSlices that would exist with perfect endpoint allocation")),
      collector_(registry.collect([this] { count_slices(); })) {}

ControllerSpec EndpointSliceMetrics::counted(ControllerSpec spec) {
  spec.decide = [this, decide = std::move(spec.decide)](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    Plan plan = decide(snapshot, key, env);
    observe(snapshot, key, plan);
    return plan;
  };
  return spec;
}

void EndpointSliceMetrics::observe(const Snapshot& snapshot, const ObjectKey& key, Plan& plan) {
  const Value& service = snapshot.find(kinds::kServices, key.namespace_, key.name);
  if (service.has_value() && has_endpoints(service)) {
    int64_t added = 0, removed = 0;
    for (auto& write : plan.writes) {
      const bool creates = write.request.verb == Verb::kCreate, deletes = write.request.verb == Verb::kDelete;
      const Value old = creates ? Value() : snapshot.find(kinds::kEndpointslices, key.namespace_,
                                                           deletes ? std::string_view(write.request.name) : object_name(write.request.body));
      const Value next = deletes ? Value() : write.request.body;
      const auto before = targets_of(old), after = targets_of(next);
      added += missing(after, before);
      removed += missing(before, after);
      write.counts.push_back(change(creates ? "create" : deletes ? "delete" : "update"));
    }
    added_.observe(seconds(added));
    removed_.observe(seconds(removed));
    const Value& spec = service[keys::kSpec];
    const bool hints = service[keys::kMetadata][keys::kAnnotations].get("service.kubernetes.io/topology-mode").as_string() == "Auto";
    registry_
        .histogram("endpoint_slice_controller_endpointslices_changed_per_sync", "Number of EndpointSlices changed on each Service sync",
                   {{"topology", hints ? "Auto" : "Disabled"}, {"traffic_distribution", spec[keys::kTrafficDistribution].string()}},
                   usual_bounds())
        .observe(seconds(static_cast<int64_t>(plan.writes.size())));
  }
  const MetricNote well = sync("success");
  if (plan.writes.empty()) return registry_.counter(well.name, well.help, well.labels).add();
  plan.writes.back().counts.push_back(well);
  for (auto& write : plan.writes) write.failure_counts.push_back(sync("error"));
}

void EndpointSliceMetrics::count_slices() {
  Snapshot snapshot;
  for (const KindId kind : {kinds::kServices, kinds::kPods, kinds::kNodes, kinds::kEndpointslices}) snapshot.add(informers_.of(kind).cache());
  int64_t endpoints = 0, wanted = 0, slices = 0;
  std::map<std::string, int64_t> by_preference = {{"PreferClose", 0}, {"PreferSameNode", 0}, {"PreferSameZone", 0}};
  for (const auto& service : snapshot.list(kinds::kServices)) {
    if (!has_endpoints(service)) continue;
    const auto demand = slice_demand(snapshot, service);
    endpoints += demand.endpoints;
    wanted += demand.slices;
    const auto preferred = by_preference.find(service[keys::kSpec][keys::kTrafficDistribution].string());
    if (preferred != by_preference.end()) ++preferred->second;
    slices += static_cast<int64_t>(snapshot.owned_by(kinds::kEndpointslices, object_uid(service)).size());
  }
  endpoints_desired_.set(endpoints);
  slices_desired_.set(wanted);
  slices_.set(slices);
  for (const auto& [preference, count] : by_preference) {
    registry_
        .gauge("endpoint_slice_controller_services_count_by_traffic_distribution",
               "Number of Services using some specific trafficDistribution", {{"traffic_distribution", preference}})
        .set(count);
  }
}

}  // namespace minik::control
