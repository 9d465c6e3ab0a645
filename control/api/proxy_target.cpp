#include "control/api/proxy_target.h"

#include <algorithm>

#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kAgentPort = "10250";

struct ProxyName {
  std::string scheme, name, port;
};

Result<ProxyName> parse_name(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() > 3 || parts.empty()) return Error(ErrorCode::kBadRequest, cat("invalid proxy target ", quoted(text)));
  ProxyName name;
  const bool has_scheme = parts.size() == 3 || (parts.size() == 2 && (parts[0] == "http" || parts[0] == "https"));
  if (has_scheme) name.scheme = parts[0];
  name.name = parts[has_scheme ? 1 : 0];
  if (parts.size() > (has_scheme ? 2U : 1U)) name.port = parts.back();
  if (name.name.empty() || (!name.scheme.empty() && name.scheme != "http" && name.scheme != "https")) {
    return Error(ErrorCode::kBadRequest, cat("invalid proxy target ", quoted(text)));
  }
  if (name.scheme == "https") {
    return Error(ErrorCode::kBadRequest, "proxying to https is not offered; name the http port, or use port-forward");
  }
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
  return ProxyTarget{{{std::string(address), number}}, ""};
}

Result<ProxyTarget> service_target(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                                   const ProxyName& name) {
  const Value& service = store.find(kinds::kServices, request.namespace_, name.name);
  if (service.is_absent()) return not_found(resource, name.name);
  const auto& ports = service[keys::kSpec][keys::kPorts];
  std::string port_name = name.port;
  const auto number = parse_int64(name.port);
  if (number) {
    const auto found = std::ranges::find_if(
        ports.items(), [&](const Value& port) { return port[keys::kPort].as_int() == *number; });
    if (found == ports.items().end()) {
      return Error(ErrorCode::kServiceUnavailable,
                   cat("no service port ", *number, " found for service ", quoted(name.name)));
    }
    port_name = (*found)[keys::kName].string();
  }
  ProxyTarget target;
  const auto slices = store.list(kinds::kEndpointslices, request.namespace_);
  for (const auto& slice : slices->objects) {
    if (slice[keys::kMetadata][keys::kLabels]["kubernetes.io/service-name"].as_string() != name.name) continue;
    if (slice[keys::kAddressType].as_string() != "IPv4") continue;
    for (const auto& port : slice[keys::kPorts].items()) {
      if (port[keys::kName].as_string() != port_name) continue;
      for (const auto& endpoint : slice[keys::kEndpoints].items()) {
        if (!endpoint[keys::kConditions][keys::kReady].as_bool(true)) continue;
        target.endpoints.push_back({endpoint[keys::kAddresses].items()[0].string(),
                                    static_cast<uint16_t>(port[keys::kPort].as_int())});
      }
    }
  }
  if (target.endpoints.empty()) {
    return Error(ErrorCode::kServiceUnavailable, cat("no endpoints available for service ", quoted(request.name)));
  }
  return target;
}

Result<ProxyTarget> node_target(const Store& store, const ResourceInfo& resource, const ProxyName& name) {
  const Value& node = store.find(kinds::kNodes, "", name.name);
  if (node.is_absent()) return not_found(resource, name.name);
  if (name.port.empty() || name.port == kAgentPort) return ProxyTarget{{}, name.name};
  MINIK_ASSIGN(const uint16_t port, port_number(name.port));
  for (const auto& address : node[keys::kStatus][keys::kAddresses].items()) {
    if (address[keys::kType].as_string() == "InternalIP") {
      return ProxyTarget{{{address[keys::kAddress].string(), port}}, ""};
    }
  }
  return Error(ErrorCode::kServiceUnavailable, cat("node ", name.name, " has no address"));
}

}  // namespace

Result<ProxyTarget> find_proxy_target(const Store& store, const Schema& schema, const ApiRequest& request) {
  MINIK_ASSIGN(const ProxyName name, parse_name(request.name));
  const ResourceInfo& resource = schema.resource(request.kind);
  if (request.kind == kinds::kPods) return pod_target(store, resource, request, name);
  if (request.kind == kinds::kServices) return service_target(store, resource, request, name);
  if (request.kind == kinds::kNodes) return node_target(store, resource, name);
  return Error(ErrorCode::kMethodNotAllowed, cat(resource.plural, " have no proxy"));
}

}  // namespace minik::control
