#include "control/controllers/endpoints.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/pod_containers.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr size_t kEndpointsMax = 1000;
constexpr std::string_view kServiceLabel = "kubernetes.io/service-name";
constexpr std::string_view kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view kEndpointsManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr std::string_view kEndpointController = "endpoint-controller";
// Endpoints that a person wrote may stand before their Service in a file.
constexpr Duration kWaitsForService = minutes(5);
constexpr std::string_view kHeadless = "service.kubernetes.io/headless";
constexpr std::string_view kManager = "endpointslice-controller.k8s.io";

int64_t target_port(const Value& port, const Value& pod) {
  const Value& target = port[keys::kTargetPort];
  if (target.is_int()) return target.as_int();
  int64_t number = 0;
  for_each_lasting_container(pod[keys::kSpec], [&](const Value& container) {
    for (const auto& p : container[keys::kPorts].items()) {
      const bool meant = p[keys::kName] == target && p[keys::kProtocol].as_string("TCP") == port[keys::kProtocol].as_string("TCP");
      if (number == 0 && meant) number = p[keys::kContainerPort].as_int();
    }
  });
  if (number != 0) return number;
  return target.has_value() ? 0 : port[keys::kPort].as_int();
}

// The ports that the pod really has: named target ports may differ from pod to pod.
Value resolved_ports(const Value& service, const Value& pod) {
  std::vector<Value> ports;
  for (const auto& port : service[keys::kSpec][keys::kPorts].items()) {
    const int64_t number = target_port(port, pod);
    if (number == 0) continue;
    ports.push_back(Value::map({{keys::kName, port[keys::kName].as_string()},
                                {keys::kPort, number},
                                {keys::kProtocol, port[keys::kProtocol].as_string("TCP")},
                                {keys::kAppProtocol, port[keys::kAppProtocol]}}));
  }
  return Value::array(std::move(ports));
}

bool is_selected(const Value& pod) {
  return !is_pod_ended(pod) && !pod[keys::kStatus][keys::kPodIP].as_string().empty();
}

bool publishes_not_ready(const Value& service) {
  return service[keys::kSpec][keys::kPublishNotReadyAddresses].as_bool();
}

Value target_of(const Value& pod) {
  return Value::map({{keys::kKind, "Pod"},
                     {keys::kNamespace, pod[keys::kMetadata][keys::kNamespace]},
                     {keys::kName, pod[keys::kMetadata][keys::kName]},
                     {keys::kUid, pod[keys::kMetadata][keys::kUid]}});
}

Value hostname_of(const Value& service, const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  const bool named = spec[keys::kSubdomain].has_value() &&
                     spec[keys::kSubdomain] == service[keys::kMetadata][keys::kName];
  return named ? spec[keys::kHostname] : Value();
}

// For whom a ready endpoint is the nearest, where its Service prefers such.
Value hints_for(const Value& service, const Value& zone, const Value& node) {
  const auto preference = service[keys::kSpec][keys::kTrafficDistribution].as_string();
  if (preference.empty()) return {};
  const auto only = [](const Value& name) { return Value::array({Value::map({{keys::kName, name}})}); };
  MapBuilder hints;
  if (zone.is_string()) hints.set(keys::kForZones, only(zone));
  if (node.is_string() && preference == "PreferSameNode") hints.set(keys::kForNodes, only(node));
  Value built = std::move(hints).build();
  return built.empty() ? Value() : built;
}

Value endpoint_of(const Value& service, const Value& pod, const Snapshot& snapshot) {
  const bool serving = is_pod_ready(pod);
  const bool terminating = is_deleting(pod);
  const Value& node =
      snapshot.find(kinds::kNodes, "", pod[keys::kSpec][keys::kNodeName].as_string());
  const Value& zone = node[keys::kMetadata][keys::kLabels].get("topology.kubernetes.io/zone");
  const bool ready = publishes_not_ready(service) || (serving && !terminating);
  return Value::map({{keys::kAddresses, Value::array({pod[keys::kStatus][keys::kPodIP]})},
                     {keys::kConditions, Value::map({{keys::kReady, ready},
                                                     {keys::kServing, serving},
                                                     {keys::kTerminating, terminating}})},
                     {keys::kHostname, hostname_of(service, pod)},
                     {keys::kTargetRef, target_of(pod)},
                     {keys::kNodeName, pod[keys::kSpec][keys::kNodeName]},
                     {keys::kHints, ready ? hints_for(service, zone, pod[keys::kSpec][keys::kNodeName]) : Value()},
                     {keys::kZone, zone.is_string() ? zone : Value()}});
}

std::vector<Value> selected_pods(const Snapshot& snapshot, const Value& service) {
  const auto selector = LabelSelector::from_map(service[keys::kSpec][keys::kSelector]);
  std::vector<Value> pods;
  for (auto& pod : snapshot.selected(kinds::kPods, object_namespace(service), selector)) {
    if (is_selected(pod)) pods.push_back(std::move(pod));
  }
  return pods;
}

Value slice_metadata(const Value& service, std::string_view name) {
  MapBuilder labels(service[keys::kMetadata][keys::kLabels]);
  labels.set(kServiceLabel, object_name(service));
  labels.set(kManagedBy, kManager);
  if (service[keys::kSpec][keys::kClusterIP].as_string() == "None") labels.set(kHeadless, "");
  return Value::map(
      {{keys::kName, name.empty() ? Value() : Value(name)},
       {keys::kGenerateName, name.empty() ? Value(cat(object_name(service), "-")) : Value()},
       {keys::kNamespace, service[keys::kMetadata][keys::kNamespace]},
       {keys::kLabels, std::move(labels).build()},
       {keys::kOwnerReferences, Value::array({controller_reference(service, "v1", "Service")})}});
}

// Under which slices of equal ports are found. The API keeps no empty lists.
std::string ports_id(const Value& ports) {
  return ports.empty() ? "" : cat(ports.hash());
}

// An existing slice with this content, keeping what the server put into its metadata.
Value refreshed(const Value& slice, const Value& service, const Value& ports,
                std::vector<Value> endpoints) {
  const Value wanted = slice_metadata(service, object_name(slice));
  MapBuilder metadata(slice[keys::kMetadata]);
  metadata.set(keys::kLabels, wanted[keys::kLabels]);
  MapBuilder result(slice);
  result.set(keys::kMetadata, std::move(metadata).build());
  result.set(keys::kPorts, ports);
  result.set(keys::kEndpoints, Value::array(std::move(endpoints)));
  return std::move(result).build();
}

EventNote slice_failure(const Value& service, std::string_view deed) {
  const auto about = cat("Service ", key_of(service).text());
  return {typed(service, "v1", "Service"), "Warning", "FailedToUpdateEndpointSlices",
          cat("Error updating Endpoint Slices for ", about, ": failed to ", deed, " EndpointSlice for ", about, ": %error%")};
}

EventNote endpoints_failure(const Value& endpoints, std::string_view deed) {
  return {typed(endpoints, "v1", "Endpoints"), "Warning", deed == "create" ? "FailedToCreateEndpoint" : "FailedToUpdateEndpoint",
          cat("Failed to ", deed, " endpoint ", deed == "create" ? "for service " : "", key_of(endpoints).text(), ": %error%")};
}

// Puts the wanted endpoints of one set of ports into its slices: endpoints stay where they are,
// freed places are filled, and only slices whose content differs are written.
void plan_port_group(Plan& plan, const Value& service, const Value& ports,
                     std::vector<Value> wanted, const std::vector<Value>& slices) {
  std::map<std::string, Value> by_uid;
  for (auto& endpoint : wanted)
    by_uid.emplace(endpoint[keys::kTargetRef][keys::kUid].string(), std::move(endpoint));
  std::vector<std::pair<Value, std::vector<Value>>> filled;
  for (const auto& slice : slices) {
    std::vector<Value> kept;
    for (const auto& endpoint : slice[keys::kEndpoints].items()) {
      const auto found = by_uid.find(endpoint[keys::kTargetRef][keys::kUid].string());
      if (found == by_uid.end()) continue;
      kept.push_back(std::move(found->second));
      by_uid.erase(found);
    }
    filled.emplace_back(slice, std::move(kept));
  }
  auto next = by_uid.begin();
  for (auto& [slice, endpoints] : filled) {
    while (next != by_uid.end() && endpoints.size() < kSliceMax)
      endpoints.push_back((next++)->second);
  }
  while (next != by_uid.end()) {
    auto& fresh = filled.emplace_back(Value(), std::vector<Value>{});
    while (next != by_uid.end() && fresh.second.size() < kSliceMax)
      fresh.second.push_back((next++)->second);
  }
  if (filled.empty()) filled.emplace_back();
  bool kept_one = false;
  for (auto& [slice, endpoints] : filled) {
    if (!slice.has_value()) {
      plan.create(kinds::kEndpointslices,
                  Value::map({{keys::kMetadata, slice_metadata(service, "")},
                              {keys::kAddressType, "IPv4"},
                              {keys::kPorts, ports},
                              {keys::kEndpoints, Value::array(std::move(endpoints))}}))
          .failure_event = slice_failure(service, "create");
    } else if (endpoints.empty() && (kept_one || filled.size() > 1)) {
      plan.remove(kinds::kEndpointslices, slice).failure_event = slice_failure(service, cat("delete ", object_name(slice)));
      continue;
    } else {
      Value next_slice = refreshed(slice, service, ports, std::move(endpoints));
      if (!(next_slice == slice)) {
        plan.update(kinds::kEndpointslices, std::move(next_slice)).failure_event =
            slice_failure(service, cat("update ", object_name(slice)));
      }
    }
    kept_one = true;
  }
}

struct EndpointsContent {
  Value subsets;
  bool truncated = false;
};

// Endpoints hold so many addresses and no more: ready ones first, in order of the pods' names.
EndpointsContent endpoints_content(const Snapshot& snapshot, const Value& service) {
  struct Subset {
    Value ports;
    std::vector<Value> ready, not_ready;
  };
  EndpointsContent content;
  std::vector<Value> chosen, rest;
  for (auto& pod : selected_pods(snapshot, service)) {
    if (is_deleting(pod) && !publishes_not_ready(service)) continue;
    const bool ready = is_pod_ready(pod) || publishes_not_ready(service);
    (ready ? chosen : rest).push_back(std::move(pod));
  }
  const size_t ready_count = std::min(chosen.size(), kEndpointsMax);
  content.truncated = chosen.size() + rest.size() > kEndpointsMax;
  chosen.insert(chosen.end(), rest.begin(), rest.end());
  if (content.truncated) chosen.resize(kEndpointsMax);
  std::map<std::string, Subset> subsets;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const Value& pod = chosen[i];
    std::vector<Value> bare;
    const Value resolved = resolved_ports(service, pod);
    for (const auto& port : resolved.items()) {
      bare.push_back(port[keys::kName].as_string().empty() ? port.without(keys::kName) : port);
    }
    const Value ports = Value::array(std::move(bare));
    auto& subset = subsets[cat(ports.hash())];
    subset.ports = ports;
    (i < ready_count ? subset.ready : subset.not_ready)
        .push_back(Value::map({{keys::kIp, pod[keys::kStatus][keys::kPodIP]},
                               {keys::kHostname, hostname_of(service, pod)},
                               {keys::kNodeName, pod[keys::kSpec][keys::kNodeName]},
                               {keys::kTargetRef, target_of(pod)}}));
  }
  std::vector<Value> list;
  for (auto& [id, subset] : subsets) {
    const auto some = [](std::vector<Value> v) {
      return v.empty() ? Value() : Value::array(std::move(v));
    };
    list.push_back(Value::map({{keys::kAddresses, some(std::move(subset.ready))},
                               {keys::kNotReadyAddresses, some(std::move(subset.not_ready))},
                               {keys::kPorts, subset.ports}}));
  }
  if (!list.empty()) content.subsets = Value::array(std::move(list));
  return content;
}

Value endpoints_labels(const Value& service) {
  MapBuilder labels(service[keys::kMetadata][keys::kLabels]);
  labels.set(kEndpointsManagedBy, kEndpointController);
  if (service[keys::kSpec][keys::kClusterIP].as_string() == "None") labels.set(kHeadless, "");
  return std::move(labels).build();
}

Value over_capacity(const Value& annotations, bool truncated) {
  constexpr std::string_view kOverCapacity = "endpoints.kubernetes.io/over-capacity";
  if (!truncated && !annotations.contains(kOverCapacity)) return annotations;
  MapBuilder next(annotations);
  next.set(kOverCapacity, truncated ? Value("truncated") : Value());
  return std::move(next).build();
}

// Somebody who writes a Service and its Endpoints at once must not lose them to a cache that has seen
// only one: the server says whether the Service is really gone.
void plan_server_check(Plan& plan, const ObjectKey& service) {
  PlannedWrite write;
  write.request.verb = Verb::kList;
  write.request.kind = kinds::kServices;
  write.request.namespace_ = service.namespace_;
  write.request.options.field_selector = cat("metadata.name=", service.name);
  write.request.options.limit = 1;
  write.expect_empty = true;
  plan.writes.push_back(std::move(write));
}

}  // namespace

bool has_endpoints(const Value& service) {
  return !service[keys::kSpec][keys::kSelector].empty() &&
         service[keys::kSpec][keys::kType].as_string() != "ExternalName";
}

Plan reconcile_endpoint_slices(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& service = snapshot.find(kinds::kServices, key.namespace_, key.name);
  if (!service.has_value() || is_deleting(service) || !has_endpoints(service)) return Plan::done();
  std::map<std::string, std::pair<Value, std::vector<Value>>> groups;  // by the ports' content
  for (const auto& pod : selected_pods(snapshot, service)) {
    const Value ports = resolved_ports(service, pod);
    auto& group = groups[ports_id(ports)];
    group.first = ports;
    group.second.push_back(endpoint_of(service, pod, snapshot));
  }
  std::map<std::string, std::vector<Value>> slices;
  for (const auto& slice : snapshot.owned_by(kinds::kEndpointslices, object_uid(service))) {
    if (!is_deleting(slice)) slices[ports_id(slice[keys::kPorts])].push_back(slice);
  }
  Plan plan;
  // A Service without pods shows one empty slice, so that its consumers see that it is known; whatever
  // slices were there before, it has no ports, for they are those of pods.
  if (groups.empty()) groups[ports_id({})] = {Value::empty_array(), {}};
  for (auto& [id, group] : groups) {
    plan_port_group(plan, service, group.first, std::move(group.second), slices[id]);
    slices.erase(id);
  }
  for (const auto& [id, stale] : slices) {
    for (const auto& slice : stale) plan.remove(kinds::kEndpointslices, slice);
  }
  return plan;
}

Plan reconcile_endpoints(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& service = snapshot.find(kinds::kServices, key.namespace_, key.name);
  const Value& current = snapshot.find(kinds::kEndpoints, key.namespace_, key.name);
  Plan plan;
  if (!service.has_value()) {
    if (!current.has_value() || key.name == "kubernetes") return plan;
    const Value& metadata = current[keys::kMetadata];
    const bool ours = metadata[keys::kLabels].get(kEndpointsManagedBy).as_string() == kEndpointController;
    const auto made = time_of(metadata[keys::kCreationTimestamp]);
    if (!ours && made && env.now < *made + kWaitsForService) {
      plan.look_again_after(*made + kWaitsForService - env.now);
    } else {
      plan_server_check(plan, key);
      plan.remove(kinds::kEndpoints, current);
    }
    return plan;
  }
  if (is_deleting(service) || !has_endpoints(service)) return plan;
  const EndpointsContent content = endpoints_content(snapshot, service);
  const Value labels = endpoints_labels(service);
  if (!current.has_value()) {
    const Value metadata =
        Value::map({{keys::kName, key.name},
                    {keys::kNamespace, key.namespace_},
                    {keys::kLabels, labels},
                    {keys::kAnnotations, over_capacity(Value(), content.truncated)}});
    const Value made = Value::map({{keys::kMetadata, metadata}, {keys::kSubsets, content.subsets}});
    auto& write = plan.create(kinds::kEndpoints, made);
    write.on_error = OnError::kTolerateExists;
    write.failure_event = endpoints_failure(made, "create");
    return plan;
  }
  MapBuilder metadata(current[keys::kMetadata]);
  metadata.set(keys::kLabels, labels);
  metadata.set(keys::kAnnotations,
               over_capacity(current[keys::kMetadata][keys::kAnnotations], content.truncated));
  Value next = current.with(keys::kMetadata, std::move(metadata).build())
                   .with(keys::kSubsets, content.subsets);
  if (!(next == current)) {
    plan.update(kinds::kEndpoints, std::move(next)).failure_event = endpoints_failure(current, "update");
  }
  return plan;
}

namespace {

// Most changes of a pod (a restart count, a probe's time) move no endpoint.
bool concerns_endpoints(const Value& before, const Value& after) {
  if (!before.has_value() || !after.has_value()) return true;
  const Value &old_metadata = before[keys::kMetadata], &metadata = after[keys::kMetadata];
  return !(before[keys::kSpec] == after[keys::kSpec] &&
           old_metadata[keys::kLabels] == metadata[keys::kLabels] &&
           is_deleting(before) == is_deleting(after) &&
           is_pod_ready(before) == is_pod_ready(after) &&
           is_pod_ended(before) == is_pod_ended(after) &&
           before[keys::kStatus][keys::kPodIP] == after[keys::kStatus][keys::kPodIP]);
}

// Services by namespace, found through the pods that changed: selectors are few, pods are many.
void services_of_pod(const Snapshot& snapshot, const Value& before, const Value& after,
                     std::vector<ObjectKey>& keys) {
  if (!concerns_endpoints(before, after)) return;
  const Value& object = after.has_value() ? after : before;
  for (const auto& service : snapshot.list(kinds::kServices, object_namespace(object))) {
    if (!has_endpoints(service)) continue;
    const auto selector = LabelSelector::from_map(service[keys::kSpec][keys::kSelector]);
    if (selector.matches(before[keys::kMetadata][keys::kLabels]) ||
        selector.matches(after[keys::kMetadata][keys::kLabels])) {
      keys.push_back(key_of(service));
    }
  }
}

}  // namespace

ControllerSpec endpoint_slice_controller() {
  ControllerSpec spec;
  spec.name = "endpointslice-controller";
  spec.kind = kinds::kServices;
  spec.watches = {{kinds::kServices, own_key(), {}},
                  {kinds::kPods, services_of_pod, {}, {}, true},
                  {kinds::kNodes, nullptr, {}},
                  {kinds::kEndpointslices, owner_key("Service"), {}}};
  spec.decide = reconcile_endpoint_slices;
  return spec;
}

ControllerSpec endpoints_controller() {
  ControllerSpec spec;
  spec.name = "endpoint-controller";
  spec.kind = kinds::kServices;
  spec.watches = {{kinds::kServices, own_key(), {}},
                  {kinds::kPods, services_of_pod, {}, {}, true},
                  {kinds::kEndpoints, own_key(), {}}};
  spec.decide = reconcile_endpoints;
  return spec;
}

}  // namespace minik::control
