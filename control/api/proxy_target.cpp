#include "control/api/proxy_target.h"

#include <algorithm>

#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kAgentPort = "10250";
constexpr std::string_view kNoEndpoints = "no endpoints available for service ";

struct ProxyName {
  std::string_view scheme, name, port;
};

// "web", "web:80" or "https:web:443", where scheme and port may be empty: "https:web:".
Result<ProxyName> parse_name(std::string_view text, std::string_view what) {
  const auto parts = split(text, ':');
  ProxyName name;
  if (parts.size() == 1) name = {"", parts[0], ""};
  if (parts.size() == 2) name = {"", parts[0], parts[1]};
  if (parts.size() == 3) name = {parts[0], parts[1], parts[2]};
  const bool known = name.scheme.empty() || name.scheme == "http" || name.scheme == "https";
  if (name.name.empty() || !known) return Error(ErrorCode::kBadRequest, cat("invalid ", what, " request ", quoted(text)));
  return name;
}

Result<uint16_t> port_number(std::string_view text) {
  const auto port = parse_int64(text);
  if (!port || *port < 1 || *port > 65535) return Error(ErrorCode::kBadRequest, cat("invalid port ", quoted(text)));
  return static_cast<uint16_t>(*port);
}

Result<ProxyTarget> pod_target(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                               const ProxyName& name) {
  const Value& pod = store.find(kinds::kPods, request.namespace_, name.name);
  if (pod.is_absent()) return not_found(resource, name.name);
  const auto address = pod[keys::kStatus][keys::kPodIP].as_string();
  if (address.empty()) return Error(ErrorCode::kBadRequest, cat("pod ", name.name, " does not have an IP address yet"));
  int64_t port = name.port.empty() ? 0 : parse_int64(name.port).value_or(0);
  if (port == 0) {
    for (const auto& container : pod[keys::kSpec][keys::kContainers].items()) {
      for (const auto& declared : container[keys::kPorts].items()) {
        const bool fits = name.port.empty() || declared[keys::kName].as_string() == name.port;
        if (fits && port == 0) port = declared[keys::kContainerPort].as_int();
      }
    }
  }
  // Kubernetes' choice where nobody says anything is http's own port.
  if (port == 0 && name.port.empty()) port = 80;
  MINIK_ASSIGN(const uint16_t number, port_number(port == 0 ? name.port : cat(port)));
  return ProxyTarget{{{std::string(address), number}}};
}

Result<ProxyTarget> service_target(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                                   const ProxyName& name) {
  auto endpoints = service_endpoints(store, request.namespace_, name.name, name.port);
  if (!endpoints && endpoints.error().code == ErrorCode::kNotFound) return not_found(resource, name.name);
  if (!endpoints && endpoints.error().message.starts_with(kNoEndpoints)) {
    return Error(ErrorCode::kServiceUnavailable, cat(kNoEndpoints, quoted(request.name)));  // as it was asked for
  }
  if (!endpoints) return std::move(endpoints).error();
  return ProxyTarget{*std::move(endpoints)};
}

Result<ProxyTarget> node_target(const Store& store, const ResourceInfo& resource, const ProxyName& name) {
  const Value& node = store.find(kinds::kNodes, "", name.name);
  if (node.is_absent()) return not_found(resource, name.name);
  if (name.port.empty() || name.port == kAgentPort) return ProxyTarget{{}, std::string(name.name)};
  MINIK_ASSIGN(const uint16_t port, port_number(name.port));
  for (const auto& address : node[keys::kStatus][keys::kAddresses].items()) {
    if (address[keys::kType].as_string() == "InternalIP") {
      return ProxyTarget{{{address[keys::kAddress].string(), port}}};
    }
  }
  return Error(ErrorCode::kServiceUnavailable, cat("node ", name.name, " has no address"));
}

}  // namespace

std::vector<ProxyTarget::Endpoint> ready_endpoints(const Store& store, std::string_view namespace_, std::string_view service,
                                                   std::string_view port_name) {
  std::vector<ProxyTarget::Endpoint> found;
  const auto slices = store.list(kinds::kEndpointslices, namespace_);
  for (const auto& slice : slices->objects) {
    if (slice[keys::kMetadata][keys::kLabels]["kubernetes.io/service-name"].as_string() != service) continue;
    if (slice[keys::kAddressType].as_string() != "IPv4") continue;
    for (const auto& port : slice[keys::kPorts].items()) {
      if (port[keys::kName].as_string() != port_name) continue;
      for (const auto& endpoint : slice[keys::kEndpoints].items()) {
        if (!endpoint[keys::kConditions][keys::kReady].as_bool(true) || endpoint[keys::kAddresses].empty()) continue;
        found.push_back({endpoint[keys::kAddresses].items()[0].string(), static_cast<uint16_t>(port[keys::kPort].as_int())});
      }
    }
  }
  return found;
}

Result<std::vector<ProxyTarget::Endpoint>> service_endpoints(const Store& store, std::string_view namespace_,
                                                             std::string_view service, std::string_view port) {
  const Value& object = store.find(kinds::kServices, namespace_, service);
  if (object.is_absent()) return Error(ErrorCode::kNotFound, cat("services ", quoted(service), " not found"));
  const auto ports = object[keys::kSpec][keys::kPorts].items();
  std::string port_name(port);
  if (const auto number = parse_int64(port)) {
    const auto found = std::find_if(ports.begin(), ports.end(),
                                    [&](const Value& one) { return one[keys::kPort].as_int() == *number; });
    if (found == ports.end()) {
      return Error(ErrorCode::kServiceUnavailable, cat("no service port ", *number, " found for service ", quoted(service)));
    }
    port_name = (*found)[keys::kName].string();
  }
  auto endpoints = ready_endpoints(store, namespace_, service, port_name);
  if (endpoints.empty()) {
    return Error(ErrorCode::kServiceUnavailable, cat(kNoEndpoints, quoted(service)));
  }
  return endpoints;
}

Result<ProxyTarget> find_proxy_target(const Store& store, const Schema& schema, const ApiRequest& request) {
  const bool pod = request.kind == kinds::kPods, service = request.kind == kinds::kServices;
  const ResourceInfo& resource = schema.resource(request.kind);
  if (!pod && !service && request.kind != kinds::kNodes) {
    return Error(ErrorCode::kMethodNotAllowed, cat(resource.plural, " have no proxy"));
  }
  MINIK_ASSIGN(const ProxyName name, parse_name(request.name, resource.singular));
  auto target = pod       ? pod_target(store, resource, request, name)
                : service ? service_target(store, resource, request, name)
                          : node_target(store, resource, name);
  if (target && name.scheme == "https") target->scheme = ProxyScheme::kHttps;
  return target;
}

}  // namespace minik::control
