#include "control/network/ingress_controller.h"

#include "control/base/text.h"
#include "control/network/ingress_routes.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kByService = "network/ingress-service";
constexpr std::string_view kBySecret = "network/ingress-secret";

IndexFunction names_of(std::vector<std::string> (*mentioned)(const Value&)) {
  return [mentioned](const Value& ingress, std::vector<Key>& out) {
    for (const auto& name : mentioned(ingress))
      out.emplace_back(cat(object_namespace(ingress), "/", name));
  };
}

KeysForChange mentioning(std::string_view index) {
  return [index](const Snapshot& snapshot, const Value& before, const Value& after,
                 std::vector<ObjectKey>& keys) {
    const ObjectKey changed = key_of(after.has_value() ? after : before);
    for (const auto& ingress : snapshot.cache(kinds::kIngresses).indexed(index, changed.text()))
      keys.push_back(key_of(ingress));
  };
}

void every_ingress(const Snapshot& snapshot, const Value&, const Value&,
                   std::vector<ObjectKey>& keys) {
  for (const auto& ingress : snapshot.list(kinds::kIngresses)) keys.push_back(key_of(ingress));
}

Value port_status(uint16_t port) {
  return Value::map({{keys::kPort, int64_t{port}}, {keys::kProtocol, "TCP"}});
}

Value status_of(const Value& ingress, const IngressAddress& address) {
  std::vector<Value> ports = {port_status(address.http_port)};
  if (!ingress[keys::kSpec][keys::kTls].empty()) ports.push_back(port_status(address.https_port));
  const Value entry =
      Value::map({{keys::kIp, address.ip}, {keys::kPorts, Value::array(std::move(ports))}});
  return Value::map({{keys::kLoadBalancer, Value::map({{keys::kIngress, Value::array({entry})}})}});
}

Plan decide(const Snapshot& snapshot, const ObjectKey& key, const IngressAddress& address) {
  Plan plan;
  const Value& ingress = snapshot.find(kinds::kIngresses, key.namespace_, key.name);
  const auto classes = snapshot.list(kinds::kIngressclasses);
  if (!ingress.has_value() || is_deleting(ingress) || !is_our_ingress(ingress, classes))
    return plan;
  if (const Value status = status_of(ingress, address); !(ingress[keys::kStatus] == status)) {
    plan.update_status(kinds::kIngresses, ingress.with(keys::kStatus, status)).event = EventNote{
        ingress, "Normal", "Sync", cat("Answers at http://", address.ip, ":", address.http_port)};
    // The write brings us back here, and what is wrong is said once.
    return plan;
  }
  IngressSources sources;
  sources.service = [&](const ObjectKey& name) {
    return snapshot.find(kinds::kServices, name.namespace_, name.name);
  };
  sources.secret = [&](const ObjectKey& name) {
    return snapshot.find(kinds::kSecrets, name.namespace_, name.name);
  };
  for (auto& problem : ingress_problems(ingress, sources))
    plan.note(ingress, "Warning", problem.reason, problem.message);
  return plan;
}

}  // namespace

ControllerSpec ingress_controller(IngressAddress address) {
  ControllerSpec spec;
  spec.name = "ingress-controller";
  spec.kind = kinds::kIngresses;
  spec.watches = {{kinds::kIngresses,
                   own_key(),
                   {{std::string(kByService), names_of(ingress_services)},
                    {std::string(kBySecret), names_of(ingress_secrets)}}},
                  {kinds::kIngressclasses, every_ingress, {}},
                  {kinds::kServices, mentioning(kByService), {}},
                  {kinds::kSecrets, mentioning(kBySecret), {}}};
  spec.decide = [address = std::move(address)](const Snapshot& snapshot, const ObjectKey& key,
                                               Env&) { return decide(snapshot, key, address); };
  return spec;
}

}  // namespace minik::control
