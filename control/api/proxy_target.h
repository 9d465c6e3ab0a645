// Where the proxy subresource of a pod, Service or node leads: NAME, NAME:PORT or SCHEME:NAME:PORT as endpoints in the
// network of the pods. An https target's certificate is not looked at, as a kube-apiserver does not.
//
//   pods/web/proxy            the first port that a container names
//   services/https:web:443/…  the ready endpoints behind that port, by its number or its name
//   nodes/one:9100/…          a port of the node; without one it is the node agent's own pages
//
// Pure reads of the store; the bytes are minik/net's (api_proxy.h). Errors are Kubernetes': kNotFound,
// kServiceUnavailable for a Service without a ready endpoint, kBadRequest for a name or port that is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

enum class ProxyScheme : uint8_t { kHttp, kHttps };

struct ProxyTarget {
  struct Endpoint {
    std::string address;
    uint16_t port = 0;
  };
  // In the order of their addresses; a caller that spreads load begins anywhere.
  std::vector<Endpoint> endpoints = {};
  std::string agent_of = {};  // a node whose agent is meant; no endpoints then
  ProxyScheme scheme = ProxyScheme::kHttp;
};

// The ready endpoints of a Service behind the port of that name, in the order of their EndpointSlices.
std::vector<ProxyTarget::Endpoint> ready_endpoints(const Store& store, std::string_view namespace_, std::string_view service,
                                                   std::string_view port_name);
// The same by the number or the name of the port; kNotFound without the Service, kServiceUnavailable without endpoints.
Result<std::vector<ProxyTarget::Endpoint>> service_endpoints(const Store& store, std::string_view namespace_,
                                                             std::string_view service, std::string_view port);

Result<ProxyTarget> find_proxy_target(const Store& store, const Schema& schema, const ApiRequest& request);

}  // namespace minik::control
