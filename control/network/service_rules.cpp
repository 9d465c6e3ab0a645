#include "control/network/service_rules.h"

#include <algorithm>
#include <optional>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

std::optional<IpProtocol> protocol_of(const Value& port) {
  const auto name = port[keys::kProtocol].as_string("TCP");
  if (name == "TCP") return IpProtocol::kTcp;
  if (name == "UDP") return IpProtocol::kUdp;
  if (name == "SCTP") return IpProtocol::kSctp;
  return {};
}

template <typename T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

void add_address(const Value& text, std::vector<uint32_t>& addresses) {
  uint32_t address = 0;
  if (text.is_string() && parse_ipv4(text.as_string(), address)) addresses.push_back(address);
}

std::vector<uint32_t> addresses_of(const Value& service) {
  const Value& spec = service[keys::kSpec];
  std::vector<uint32_t> addresses;
  add_address(spec[keys::kClusterIP], addresses);
  for (const auto& external : spec[keys::kExternalIPs].items()) add_address(external, addresses);
  for (const auto& ingress : service[keys::kStatus][keys::kLoadBalancer][keys::kIngress].items()) {
    if (ingress[keys::kIpMode].as_string("VIP") == "VIP")
      add_address(ingress[keys::kIp], addresses);
  }
  sort_unique(addresses);
  return addresses;
}

// The number that one slice gives to the Service's port, by the port's name; 0: this slice has
// none.
uint16_t slice_port(const Value& slice, const Value& service_port) {
  for (const auto& port : slice[keys::kPorts].items()) {
    if (port[keys::kName].as_string() == service_port[keys::kName].as_string() &&
        protocol_of(port) == protocol_of(service_port)) {
      return static_cast<uint16_t>(port[keys::kPort].as_int());
    }
  }
  return 0;
}

struct Candidates {
  std::vector<ServiceBackend> ready;
  std::vector<ServiceBackend> serving_terminating;
};

// An absent `ready` means ready, an absent `serving` means as ready (discovery.k8s.io/v1).
void sort_endpoint(const Value& endpoint, uint16_t port, Candidates& out) {
  const Value& conditions = endpoint[keys::kConditions];
  const bool ready = conditions[keys::kReady].as_bool(true);
  const bool serving = conditions[keys::kServing].as_bool(ready);
  const bool terminating = conditions[keys::kTerminating].as_bool();
  ServiceBackend backend;
  // The first address stands for the endpoint; further ones name the same endpoint.
  const auto addresses = endpoint[keys::kAddresses].items();
  if (addresses.empty() || !parse_ipv4(addresses[0].as_string(), backend.address)) return;
  backend.port = port;
  if (ready) {
    out.ready.push_back(backend);
  } else if (serving && terminating) {
    out.serving_terminating.push_back(backend);
  }
}

}  // namespace

std::vector<ServiceBackend> service_backends(const Value& service_port,
                                             const std::vector<Value>& slices) {
  Candidates candidates;
  for (const auto& slice : slices) {
    if (slice[keys::kAddressType].as_string() != "IPv4") continue;
    const uint16_t port = slice_port(slice, service_port);
    if (port == 0) continue;
    for (const auto& endpoint : slice[keys::kEndpoints].items())
      sort_endpoint(endpoint, port, candidates);
  }
  auto& chosen = candidates.ready.empty() ? candidates.serving_terminating : candidates.ready;
  sort_unique(chosen);
  return std::move(chosen);
}

std::vector<ServiceRule> service_rules(const Value& service, const std::vector<Value>& slices) {
  const Value& spec = service[keys::kSpec];
  std::vector<ServiceRule> rules;
  if (spec[keys::kType].as_string() == "ExternalName" ||
      spec[keys::kClusterIP].as_string() == "None")
    return rules;
  const auto addresses = addresses_of(service);
  if (addresses.empty()) return rules;
  for (const auto& port : spec[keys::kPorts].items()) {
    const auto protocol = protocol_of(port);
    if (!protocol) continue;
    ServiceRule rule;
    rule.name =
        cat(object_namespace(service), "/", object_name(service), "/",
            to_lower(port[keys::kProtocol].as_string("TCP")), "/", port[keys::kName].as_string());
    rule.protocol = *protocol;
    rule.port = static_cast<uint16_t>(port[keys::kPort].as_int());
    rule.node_port = static_cast<uint16_t>(port[keys::kNodePort].as_int());
    rule.addresses = addresses;
    rule.client_affinity = spec[keys::kSessionAffinity].as_string() == "ClientIP";
    rule.backends = service_backends(port, slices);
    rules.push_back(std::move(rule));
  }
  std::sort(rules.begin(), rules.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return rules;
}

}  // namespace minik::control
