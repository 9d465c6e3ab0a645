// Rows of Services, endpoints, Ingresses and their like.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/schema/table_rows.h"
#include "control/schema/views/core_service.h"
#include "control/schema/views/discovery.h"
#include "control/schema/views/networking.h"

namespace minik::control {

namespace {

constexpr TableColumn kService[] = {
    {"Name", "string"},    {"Type", "string"}, {"Cluster-IP", "string"}, {"External-IP", "string"},
    {"Port(s)", "string"}, {"Age", "string"},  {"Selector", "string", 1}};

std::string joined(const Value& strings) {
  std::vector<std::string> parts;
  for (const auto& text : strings.items()) parts.push_back(text.string());
  return join(parts, ",");
}

template <typename Ingresses>
std::string load_balancer_text(const Ingresses& ingresses) {
  std::vector<std::string> parts;
  for (const auto ingress : ingresses) {
    const std::string_view address = ingress.ip().empty() ? ingress.hostname() : ingress.ip();
    if (!address.empty()) parts.emplace_back(address);
  }
  std::ranges::sort(parts);
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return join(parts, ",");
}

std::string external_ip(ServiceView service) {
  const auto spec = service.spec();
  if (spec.type() == "ExternalName") return std::string(spec.externalName());
  const std::string own = joined(spec.externalIPs_value());
  if (spec.type() != "LoadBalancer") return or_none(own);
  const std::string given = load_balancer_text(service.status().loadBalancer().ingress());
  if (given.empty()) return own.empty() ? "<pending>" : own;
  return own.empty() ? given : cat(given, ",", own);
}

std::string port_text(ServiceSpecView spec) {
  std::vector<std::string> parts;
  for (const auto port : spec.ports()) {
    parts.push_back(port.nodePort() > 0
                        ? cat(port.port(), ":", port.nodePort(), "/", port.protocol())
                        : cat(port.port(), "/", port.protocol()));
  }
  return or_none(join(parts, ","));
}

void service_cells(const Value& object, WallTime now, Cells& cells) {
  const ServiceView service(object);
  const auto spec = service.spec();
  cells.emplace_back(spec.type());
  cells.emplace_back(or_none(spec.clusterIPs().empty() ? spec.clusterIP() : spec.clusterIPs()[0]));
  cells.emplace_back(external_ip(service));
  cells.emplace_back(port_text(spec));
  cells.emplace_back(object_age(object, now));
  cells.emplace_back(labels_text(spec.selector()));
}

constexpr TableColumn kEndpoints[] = {
    {"Name", "string"}, {"Endpoints", "string"}, {"Age", "string"}};

std::string bracketed(std::string_view ip) {
  return ip.find(':') == std::string_view::npos ? std::string(ip) : cat("[", ip, "]");
}

void endpoints_cells(const Value& object, WallTime now, Cells& cells) {
  std::vector<std::string> parts;
  for (const auto subset : EndpointsView(object).subsets()) {
    if (subset.ports().empty()) {
      for (const auto address : subset.addresses()) parts.emplace_back(address.ip());
    }
    for (const auto port : subset.ports()) {
      for (const auto address : subset.addresses()) parts.push_back(cat(bracketed(address.ip()), ":", port.port()));
    }
  }
  cells.emplace_back(or_none(first_three(parts)));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kEndpointSlice[] = {{"Name", "string"},
                                          {"AddressType", "string"},
                                          {"Ports", "string"},
                                          {"Endpoints", "string"},
                                          {"Age", "string"}};

void endpoint_slice_cells(const Value& object, WallTime now, Cells& cells) {
  const EndpointSliceView slice(object);
  std::vector<std::string> ports, addresses;
  for (const auto port : slice.ports()) {
    if (port.has_port()) {
      ports.push_back(cat(port.port()));
    } else {
      ports.emplace_back(port.has_name() ? port.name() : "*");
    }
  }
  for (const auto endpoint : slice.endpoints()) {
    for (const auto address : endpoint.addresses()) addresses.emplace_back(address);
  }
  const auto or_unset = [](const std::string& text) { return text.empty() ? "<unset>" : text; };
  cells.emplace_back(slice.addressType());
  cells.emplace_back(or_unset(first_three(ports)));
  cells.emplace_back(or_unset(first_three(addresses)));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kIngress[] = {{"Name", "string"},    {"Class", "string"}, {"Hosts", "string"},
                                    {"Address", "string"}, {"Ports", "string"}, {"Age", "string"}};

void ingress_cells(const Value& object, WallTime now, Cells& cells) {
  const IngressView ingress(object);
  std::vector<std::string> hosts;
  for (const auto rule : ingress.spec().rules()) {
    if (!rule.host().empty()) hosts.emplace_back(rule.host());
  }
  const std::string shown = first_three(hosts);
  cells.emplace_back(or_none(ingress.spec().ingressClassName()));
  cells.emplace_back(shown.empty() ? "*" : shown);
  cells.emplace_back(load_balancer_text(ingress.status().loadBalancer().ingress()));
  cells.emplace_back(ingress.spec().tls().empty() ? "80" : "80, 443");
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kIngressClass[] = {
    {"Name", "string"}, {"Controller", "string"}, {"Parameters", "string"}, {"Age", "string"}};

void ingress_class_cells(const Value& object, WallTime now, Cells& cells) {
  const auto spec = IngressClassView(object).spec();
  const auto parameters = spec.parameters();
  std::string text = "<none>";
  if (parameters) {
    text = std::string(parameters.kind());
    if (!parameters.apiGroup().empty()) text += cat(".", parameters.apiGroup());
    text += cat("/", parameters.name());
  }
  cells.emplace_back(spec.controller());
  cells.emplace_back(text);
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kNetworkPolicy[] = {
    {"Name", "string"}, {"Pod-Selector", "string"}, {"Age", "string"}};

void network_policy_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(selector_text(NetworkPolicyView(object).spec().podSelector_value()));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kServiceRange[] = {{"Name", "string"}, {"CIDRs", "string"}, {"Age", "string"}};

void service_range_cells(const Value& object, WallTime now, Cells& cells) {
  cells.emplace_back(joined(object[keys::kSpec][keys::kCidrs]));
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kAddress[] = {{"Name", "string"}, {"ParentRef", "string"}};

void address_cells(const Value& object, WallTime, Cells& cells) {
  const auto parent = IPAddressView(object).spec().parentRef();
  std::string text = to_lower(parent.resource());
  if (!parent.group().empty()) text += cat(".", to_lower(parent.group()));
  if (!parent.namespace_().empty()) text += cat("/", parent.namespace_());
  cells.emplace_back(parent ? cat(text, "/", parent.name()) : "<none>");
}

constexpr TableLayout kNetworkLayouts[] = {
    {kinds::kServicecidrs, kServiceRange, service_range_cells},
    {kinds::kIpaddresses, kAddress, address_cells},
    {kinds::kServices, kService, service_cells},
    {kinds::kEndpoints, kEndpoints, endpoints_cells},
    {kinds::kEndpointslices, kEndpointSlice, endpoint_slice_cells},
    {kinds::kIngresses, kIngress, ingress_cells},
    {kinds::kIngressclasses, kIngressClass, ingress_class_cells},
    {kinds::kNetworkpolicies, kNetworkPolicy, network_policy_cells},
};

}  // namespace

std::span<const TableLayout> network_layouts() {
  return kNetworkLayouts;
}

}  // namespace minik::control
