// Service rules: what the packet filter has to do so that a Service's addresses lead to its
// endpoints. The decision of kube-proxy, as values; runtime/network carries it out with nf_tables.
//
// One rule stands for one port of one Service. Its backends are the ready endpoints of the
// Service's EndpointSlices; when none is ready, those that still serve while they terminate, so
// that a rolling replacement of the last pod loses no connection. A rule without backends refuses
// connections. Headless and ExternalName Services have no rules. Only IPv4; addresses are numbers
// in host order.
//
// Pure functions and plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

enum class IpProtocol : uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };

struct ServiceBackend {
  uint32_t address = 0;
  uint16_t port = 0;
  auto operator<=>(const ServiceBackend&) const = default;
};

struct ServiceRule {
  // "namespace/name/protocol/port name": unique in a cluster, and the rule's name in the packet
  // filter.
  std::string name;
  IpProtocol protocol = IpProtocol::kTcp;
  uint16_t port = 0;
  uint16_t node_port = 0;           // 0: none
  std::vector<uint32_t> addresses;  // cluster IP, external IPs, load balancer's; sorted, unique
  bool client_affinity = false;     // sessionAffinity: ClientIP
  std::vector<ServiceBackend> backends;  // sorted, unique
  bool operator==(const ServiceRule&) const = default;
};

// Sorted by name. `slices` are the Service's EndpointSlices in any order.
std::vector<ServiceRule> service_rules(const Value& service, const std::vector<Value>& slices);

// The backends of one port of a Service, headless ones too: what a rule has, for who balances by
// himself.
std::vector<ServiceBackend> service_backends(const Value& service_port,
                                             const std::vector<Value>& slices);

}  // namespace minik::control
