#include "control/controllers/endpoint_slice_metrics.h"

#include <algorithm>

#include "control/base/text.h"
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

EndpointSliceMetrics::EndpointSliceMetrics(MetricRegistry& registry)
    : registry_(registry),
      added_(registry.histogram("endpoint_slice_controller_endpoints_added_per_sync",
                                "Number of endpoints added on each Service sync", {}, powers_of_two(15))),
      removed_(registry.histogram("endpoint_slice_controller_endpoints_removed_per_sync",
                                  "Number of endpoints removed on each Service sync", {}, powers_of_two(15))),
      endpoints_desired_(registry.gauge("endpoint_slice_controller_endpoints_desired", "Number of endpoints desired")),
      slices_(registry.gauge("endpoint_slice_controller_num_endpoint_slices", "Number of EndpointSlices")),
      slices_desired_(registry.gauge("endpoint_slice_controller_desired_endpoint_slices",
                                     "Number of EndpointSlices that would exist with perfect endpoint allocation")) {
  for (const auto& [preference, number] : by_preference_) gauge_of(preference);
}

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
  replace(key, count(snapshot, service, plan));
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

EndpointSliceMetrics::Counted EndpointSliceMetrics::count(const Snapshot& snapshot, const Value& service, const Plan& plan) {
  Counted counted;
  if (!service.has_value() || !has_endpoints(service)) return counted;
  std::map<std::string, Value> slices;  // as they stand when the plan is carried out
  for (auto& slice : snapshot.owned_by(kinds::kEndpointslices, object_uid(service))) {
    if (!is_deleting(slice)) slices.emplace(object_name(slice), slice);
  }
  for (const auto& write : plan.writes) {
    const ApiRequest& request = write.request;
    if (request.verb == Verb::kDelete) {
      slices.erase(request.name);
    } else {
      const bool fresh = request.verb == Verb::kCreate;
      slices[fresh ? cat("new ", slices.size()) : std::string(object_name(request.body))] = request.body;
    }
  }
  std::map<uint64_t, int64_t> endpoints_by_ports;
  for (const auto& [name, slice] : slices) {
    const auto endpoints = static_cast<int64_t>(slice[keys::kEndpoints].size());
    counted.endpoints += endpoints;
    endpoints_by_ports[slice[keys::kPorts].hash()] += endpoints;
  }
  constexpr auto kMax = static_cast<int64_t>(kSliceMax);
  for (const auto& [ports, endpoints] : endpoints_by_ports) counted.wanted += (endpoints + kMax - 1) / kMax;
  counted.wanted = std::max<int64_t>(counted.wanted, 1);  // an empty one
  counted.slices = static_cast<int64_t>(slices.size());
  counted.traffic_distribution = service[keys::kSpec][keys::kTrafficDistribution].string();
  return counted;
}

void EndpointSliceMetrics::replace(const ObjectKey& key, Counted now) {
  const auto add = [this](const Counted& of, int64_t sign) {
    total_.endpoints += sign * of.endpoints;
    total_.slices += sign * of.slices;
    total_.wanted += sign * of.wanted;
    const auto preferred = by_preference_.find(of.traffic_distribution);
    if (preferred != by_preference_.end()) preferred->second += sign;
  };
  if (const auto known = services_.find(key); known != services_.end()) {
    add(known->second, -1);
    services_.erase(known);
  }
  if (now.wanted > 0) {
    add(now, 1);
    services_.emplace(key, std::move(now));
  }
  // Set and not added to: the gauges may still say what a leader before this one knew.
  endpoints_desired_.set(total_.endpoints);
  slices_.set(total_.slices);
  slices_desired_.set(total_.wanted);
  for (const auto& [preference, number] : by_preference_) gauge_of(preference).set(number);
}

Gauge& EndpointSliceMetrics::gauge_of(const std::string& preference) {
  return registry_.gauge("endpoint_slice_controller_services_count_by_traffic_distribution",
                         "Number of Services using some specific trafficDistribution", {{"traffic_distribution", preference}});
}

}  // namespace minik::control
