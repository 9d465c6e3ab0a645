// Ingress routes: which endpoints answer a request for a host and a path. The decision of an
// ingress controller as values; minik/net/ingress_proxy carries it out.
//
// Per networking.k8s.io/v1: rules of one host over all Ingresses are one list, the longest path
// first and Exact before Prefix; Prefix matches whole path elements; ImplementationSpecific is
// Prefix here. A request is looked up under its host, then under the wildcard of its parent domain,
// then among rules without a host, then the default backend. Of two equal paths the older Ingress
// has it. A Service's port goes by number or name.
//
// Ours are Ingresses of an IngressClass whose controller is kIngressController; without a class,
// those that exist while such a class is the default one. Pure functions and plain values.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/network/service_rules.h"
#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kIngressController = "minik.dev/ingress";

struct IngressBackend {
  std::string name;     // "namespace/service:port", for messages
  bool exists = false;  // the Service is there and has the port
  std::vector<ServiceBackend> endpoints;
  bool operator==(const IngressBackend&) const = default;
};

enum class PathMatch { kExact, kPrefix };

struct IngressPath {
  std::string path;
  PathMatch match = PathMatch::kPrefix;
  size_t backend = 0;  // index of IngressRoutes::backends
  bool operator==(const IngressPath&) const = default;
};

struct IngressCertificate {
  std::vector<std::string> hosts;  // empty: whatever the certificate names
  std::string certificate_pem;
  std::string private_key_pem;
  bool operator==(const IngressCertificate&) const = default;
};

struct IngressRoutes {
  std::map<std::string, std::vector<IngressPath>, std::less<>>
      hosts;  // "" for rules without a host
  std::vector<IngressBackend> backends;
  std::optional<size_t> default_backend;
  std::vector<IngressCertificate> certificates;

  // Null: no route. `host` without its port; `path` decoded and normalised.
  const IngressBackend* find(std::string_view host, std::string_view path) const;
  bool operator==(const IngressRoutes&) const = default;
};

// What the decision reads. Objects that are missing are absent values.
struct IngressWorld {
  std::vector<Value> ingresses;
  std::vector<Value> classes;
  std::function<Value(std::string_view namespace_, std::string_view name)> service;
  std::function<std::vector<Value>(std::string_view namespace_, std::string_view name)> slices;
  std::function<Value(std::string_view namespace_, std::string_view name)> secret;
};

bool is_our_ingress(const Value& ingress, const std::vector<Value>& classes);
IngressRoutes ingress_routes(const IngressWorld& world);

// Whether a host is `pattern`, or one label below it when the pattern begins with "*.".
bool host_matches(std::string_view pattern, std::string_view host);

}  // namespace minik::control
