// Validation of the addresses behind a Service, in slices and in the older form.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

void check_endpoint_address(const Value& address, const FieldPath& at, FieldErrors& errors) {
  const Value &ip = address[keys::kIp], &hostname = address[keys::kHostname], &node = address[keys::kNodeName];
  if (!ip.as_string().empty()) errors.invalid_each(at.field("ip"), ip, check_ip(ip.as_string()));
  if (!hostname.as_string().empty()) errors.invalid_each(at.field("hostname"), hostname, check_dns_label(hostname.as_string()));
  if (node.has_value()) errors.invalid_each(at.field("nodeName"), node, check_dns_subdomain(node.as_string()));
  errors.invalid_each(at.field("ip"), ip, check_special_ip(ip.as_string()));
}

void check_protocol_name(const Value& name, const FieldPath& at, FieldErrors& errors) {
  if (name.has_value()) errors.invalid_each(at, name, check_qualified_name(name.as_string()));
}

void check_endpoint_subset(const Value& subset, const FieldPath& at, FieldErrors& errors) {
  if (subset[keys::kAddresses].empty() && subset[keys::kNotReadyAddresses].empty()) {
    errors.required(at, "must specify `addresses` or `notReadyAddresses`");
  }
  const FieldPath list = at.field("ports");
  const auto ports = subset[keys::kPorts].items();
  for (size_t i = 0; i < ports.size(); ++i) {
    const FieldPath here = list.index(i);
    const FieldPath spoken = here.field("appProtocol");
    const Value& name = ports[i][keys::kName];
    if (!name.as_string().empty()) {
      errors.invalid_each(here.field("name"), name, check_dns_label(name.as_string()));
    } else if (ports.size() > 1) {
      errors.required(here.field("name"));
    }
    check_protocol_name(ports[i]["appProtocol"], spoken, errors);
  }
}

// ---- EndpointSlice ----

// An EndpointSlice's addresses are of the one family that the slice names.
void check_slice_address(const Value& address, std::string_view family, const FieldPath& at, FieldErrors& errors) {
  const std::string_view text = address.as_string();
  if (family == "FQDN") return errors.invalid_each(at, address, check_dns_subdomain(text));
  const bool six = text.find(':') != std::string_view::npos;
  if (auto problems = check_ip(text); !problems.empty()) {
    errors.invalid_each(at, address, problems);
  } else if (six != (family == "IPv6")) {
    errors.invalid(at, address, six ? "must be an IPv4 address" : "must be an IPv6 address");
  }
  errors.invalid_each(at, address, check_special_ip(text));
}

// Whom an endpoint is meant for: each once, and not many.
void check_hint(const Value& list, NameProblems (*check)(std::string_view), const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kHintsMax = 8;
  const auto hints = list.items();
  if (hints.size() > kHintsMax) return errors.too_many(at, hints.size(), kHintsMax);
  std::set<std::string_view> seen;
  for (size_t i = 0; i < hints.size(); ++i) {
    const FieldPath hint = at.index(i);
    const Value& name = hints[i][keys::kName];
    if (!seen.insert(name.as_string()).second) errors.duplicate(hint.field("name"), name);
    errors.invalid_each(hint.field("name"), name, check(name.as_string()));
  }
}

void check_slice_endpoint(const Value& endpoint, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kTopologyMax = 16;
  const FieldPath topology_at = at.field("deprecatedTopology"), hints_at = at.field("hints");
  const Value &topology = endpoint["deprecatedTopology"], &hints = endpoint["hints"];
  const Value &node = endpoint[keys::kNodeName], &hostname = endpoint[keys::kHostname];
  if (node.has_value()) errors.invalid_each(at.field("nodeName"), node, check_dns_subdomain(node.as_string()));
  if (topology.size() > kTopologyMax) errors.too_many(topology_at, topology.size(), kTopologyMax);
  check_labels(topology, topology_at, errors);
  if (hostname.has_value()) errors.invalid_each(at.field("hostname"), hostname, check_dns_label(hostname.as_string()));
  const FieldPath zones = hints_at.field("forZones"), nodes = hints_at.field("forNodes");
  check_hint(hints["forZones"], check_label_value, zones, errors);
  check_hint(hints["forNodes"], check_dns_subdomain, nodes, errors);
}

void check_slice_ports(const Value& list, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kPortsMax = 20'000;
  const auto ports = list.items();
  if (ports.size() > kPortsMax) return errors.too_many(at, ports.size(), kPortsMax);
  std::set<std::string_view> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const FieldPath here = at.index(i);
    const FieldPath spoken = here.field("appProtocol");
    const Value& name = ports[i][keys::kName];
    if (!name.as_string().empty()) errors.invalid_each(here.field("name"), name, check_dns_label(name.as_string()));
    if (!names.insert(name.as_string()).second) errors.duplicate(here.field("name"), name.has_value() ? name : Value(""));
    check_protocol_name(ports[i]["appProtocol"], spoken, errors);
  }
}

void check_endpoint_slice(const Value& slice, const FieldPath& at, FieldErrors& errors) {
  constexpr size_t kEndpointsMax = 1000, kAddressesMax = 100;
  const std::string_view family = slice[keys::kAddressType].as_string();
  const FieldPath list = at.field("endpoints"), ports = at.field("ports");
  const auto endpoints = slice[keys::kEndpoints].items();
  if (endpoints.size() > kEndpointsMax) errors.too_many(list, endpoints.size(), kEndpointsMax);
  for (size_t i = 0; i < endpoints.size() && endpoints.size() <= kEndpointsMax; ++i) {
    const FieldPath endpoint = list.index(i);
    const FieldPath addresses = endpoint.field("addresses");
    const auto items = endpoints[i][keys::kAddresses].items();
    if (items.empty()) errors.required(addresses, "must contain at least 1 address");
    if (items.size() > kAddressesMax) errors.too_many(addresses, items.size(), kAddressesMax);
    for (size_t a = 0; a < items.size(); ++a) {
      const FieldPath here = addresses.index(a);
      check_slice_address(items[a], family, here, errors);
    }
    check_slice_endpoint(endpoints[i], endpoint, errors);
  }
  check_slice_ports(slice[keys::kPorts], ports, errors);
}

constexpr NamedCheckRule kEndpointRules[] = {
    {"core", "EndpointAddress", check_endpoint_address},
    {"core", "EndpointSubset", check_endpoint_subset},
    {"discovery", "EndpointSlice", check_endpoint_slice},
};

}  // namespace

std::span<const NamedCheckRule> endpoint_rules() {
  return kEndpointRules;
}

}  // namespace minik::control
