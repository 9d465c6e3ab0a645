#include "control/network/ingress_status.h"

#include "control/network/ingress_routes.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

Value load_balancer_of(const IngressAddress& address) {
  std::vector<Value> ports;
  for (const int64_t port : address.ports) {
    ports.push_back(Value::map({{keys::kPort, port}, {keys::kProtocol, "TCP"}}));
  }
  return Value::array(
      {Value::map({{keys::kIp, address.ip}, {keys::kPorts, Value::array(std::move(ports))}})});
}

}  // namespace

Plan reconcile_ingress_status(const Snapshot& snapshot, const ObjectKey& key,
                              const IngressAddress& address) {
  const Value& ingress = snapshot.find(kinds::kIngresses, key.namespace_, key.name);
  Plan plan;
  if (ingress.is_absent()) return plan;
  const bool ours = is_our_ingress(ingress, snapshot.list(kinds::kIngressclasses));
  const Value mine = load_balancer_of(address);
  const Value& now = ingress[keys::kStatus][keys::kLoadBalancer][keys::kIngress];
  if (ours ? now == mine : !(now == mine)) return plan;
  plan.update_status(kinds::kIngresses, ingress.with_at({keys::kStatus, keys::kLoadBalancer},
                                                        ours ? Value::map({{keys::kIngress, mine}})
                                                             : Value::empty_map()));
  return plan;
}

ControllerSpec ingress_status_controller(IngressAddress address) {
  ControllerSpec spec;
  spec.name = "ingress-controller";
  spec.kind = kinds::kIngresses;
  const auto all_ingresses = [](const Snapshot& snapshot, const Value&, const Value&,
                                std::vector<ObjectKey>& keys) {
    for (const auto& ingress : snapshot.list(kinds::kIngresses)) keys.push_back(key_of(ingress));
  };
  spec.watches = {{kinds::kIngresses, own_key(), {}}, {kinds::kIngressclasses, all_ingresses, {}}};
  spec.decide = [address = std::move(address)](const Snapshot& snapshot, const ObjectKey& key,
                                               Env&) {
    return reconcile_ingress_status(snapshot, key, address);
  };
  return spec;
}

}  // namespace minik::control
