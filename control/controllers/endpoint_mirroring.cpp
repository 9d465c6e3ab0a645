#include "control/controllers/endpoint_mirroring.h"

#include <map>

#include "control/base/text.h"
#include "control/controllers/endpoint_subsets.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr size_t kAddressesMax = 1000;
constexpr std::string_view kMirroringManager = "endpointslicemirroring-controller.k8s.io";
constexpr std::string_view kSkip = "endpointslice.kubernetes.io/skip-mirror";
constexpr std::string_view kLeader = "control-plane.alpha.kubernetes.io/leader";
// Of the Endpoints alone: their slices have their own.
constexpr std::string_view kNotCopied[] = {"kubectl.kubernetes.io/last-applied-configuration",
                                           "endpoints.kubernetes.io/last-change-trigger-time"};

bool is_mirrored(const Snapshot& snapshot, const Value& endpoints) {
  const Value& metadata = endpoints[keys::kMetadata];
  if (metadata[keys::kLabels].get(kSkip).as_string() == "true") return false;
  if (metadata[keys::kAnnotations].contains(kLeader)) return false;
  const Value& service =
      snapshot.find(kinds::kServices, object_namespace(endpoints), object_name(endpoints));
  return service.has_value() && service[keys::kSpec][keys::kSelector].empty();
}

Value endpoint_of(const Value& address, bool ready) {
  return Value::map({{keys::kAddresses, Value::array({address[keys::kIp]})},
                     {keys::kConditions, Value::map({{keys::kReady, ready}})},
                     {keys::kHostname, address[keys::kHostname]},
                     {keys::kNodeName, address[keys::kNodeName]},
                     {keys::kTargetRef, address[keys::kTargetRef]}});
}

struct Group {
  std::string_view family;
  Value ports;
  std::vector<Value> endpoints;
};

struct Mirror {
  std::map<std::string, Group> groups;  // by the name of the slice
  size_t skipped = 0;                   // addresses beyond what a subset may have
};

Mirror mirror_of(const Value& endpoints) {
  Mirror mirror;
  for (const auto& subset : plain_subsets(endpoints[keys::kSubsets])) {
    size_t added = 0;
    std::string ports_text;
    for (const auto& port : subset.ports) {
      ports_text += cat(port[keys::kName].as_string(), "=", port[keys::kPort].as_int(), "/", port[keys::kProtocol].as_string(), "/",
                        port[keys::kAppProtocol].as_string(), ";");
    }
    const auto add = [&](const Value& address, bool ready) {
      if (added == kAddressesMax) {
        ++mirror.skipped;
        return;
      }
      ++added;
      const bool v6 = address[keys::kIp].as_string().find(':') != std::string_view::npos;
      const std::string_view family = v6 ? "IPv6" : "IPv4";
      Group& group = mirror.groups[cat(object_name(endpoints), "-", fnv1a_32(cat(family, ";", ports_text)))];
      group.family = family;
      group.ports = Value::array(subset.ports);
      group.endpoints.push_back(endpoint_of(address, ready));
    };
    for (const auto& address : subset.ready) add(address, true);
    for (const auto& address : subset.not_ready) add(address, false);
  }
  return mirror;
}

Value slice_metadata(const Value& endpoints, const Value& before, std::string_view name) {
  MapBuilder metadata(before);
  MapBuilder labels(endpoints[keys::kMetadata][keys::kLabels]);
  labels.set("kubernetes.io/service-name", object_name(endpoints));
  labels.set("endpointslice.kubernetes.io/managed-by", kMirroringManager);
  MapBuilder annotations(endpoints[keys::kMetadata][keys::kAnnotations]);
  for (const auto key : kNotCopied) annotations.erase(Key(key));
  metadata.set(keys::kName, name);
  metadata.set(keys::kNamespace, endpoints[keys::kMetadata][keys::kNamespace]);
  metadata.set(keys::kLabels, std::move(labels).build());
  metadata.set(keys::kAnnotations, annotations.empty() ? Value() : std::move(annotations).build());
  metadata.set(keys::kOwnerReferences,
               Value::array({controller_reference(endpoints, "v1", "Endpoints")}));
  return std::move(metadata).build();
}

Plan reconcile_mirrored(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& endpoints = snapshot.find(kinds::kEndpoints, key.namespace_, key.name);
  Plan plan;
  if (!endpoints.has_value() || is_deleting(endpoints)) return plan;  // slices go with their owner
  auto [groups, skipped] = is_mirrored(snapshot, endpoints) ? mirror_of(endpoints) : Mirror();
  for (const auto& slice : snapshot.owned_by(kinds::kEndpointslices, object_uid(endpoints))) {
    if (!groups.contains(std::string(object_name(slice))))
      plan.remove(kinds::kEndpointslices, slice);
  }
  for (auto& [name, group] : groups) {
    const Value& slice = snapshot.find(kinds::kEndpointslices, key.namespace_, name);
    MapBuilder next(slice);
    next.set(keys::kMetadata, slice_metadata(endpoints, slice[keys::kMetadata], name));
    next.set(keys::kAddressType, group.family);
    next.set(keys::kPorts, group.ports);
    next.set(keys::kEndpoints, Value::array(std::move(group.endpoints)));
    const Value wanted = std::move(next).build();
    if (!slice.has_value()) {
      plan.create(kinds::kEndpointslices, wanted).on_error = OnError::kTolerateExists;
    } else if (!(wanted == slice)) {
      plan.update(kinds::kEndpointslices, wanted);
    }
  }
  // With a change only: a settled world is silent.
  if (skipped > 0 && !plan.writes.empty()) {
    plan.note(typed(endpoints, "v1", "Endpoints"), "Warning", "TooManyAddressesToMirror",
              cat("A max of ", kAddressesMax, " addresses can be mirrored to EndpointSlices per Endpoints subset. ",
                  skipped, " addresses were skipped"));
  }
  return plan;
}

}  // namespace

ControllerSpec endpoint_mirroring_controller() {
  ControllerSpec spec;
  spec.name = "endpointslicemirroring-controller";
  spec.kind = kinds::kEndpoints;
  const KeysForChange service_key = [](const Snapshot&, const Value& before, const Value& after,
                                       std::vector<ObjectKey>& keys) {
    const bool same = before.has_value() && after.has_value() &&
                      before[keys::kSpec][keys::kSelector] == after[keys::kSpec][keys::kSelector];
    if (!same) keys.push_back(key_of(after.has_value() ? after : before));
  };
  spec.watches = {{kinds::kEndpoints, own_key(), {}},
                  {kinds::kServices, service_key, {}},
                  {kinds::kEndpointslices, owner_key("Endpoints"), {}}};
  spec.decide = reconcile_mirrored;
  return spec;
}

}  // namespace minik::control
