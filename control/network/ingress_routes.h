// Ingress routes: from Ingresses and what they name to a table that answers (host, path) with the
// endpoints of a backend. The decision of an Ingress controller, as values; minik/net carries it
// out.
//
//   host:  the exact name, then "*.rest" (stands for one label), then rules without a host
//   path:  Exact, then the longest Prefix, element by element ("/a" holds for "/a", "/a/", "/a/b")
//   none:  the defaultBackend of the Ingress that names the host, then the oldest defaultBackend
//
// ImplementationSpecific paths are prefixes. Where two Ingresses say different things about one
// (host, path), the older one is right, by creation, then by namespace and name. Paths are compared
// as they are sent: nothing is decoded, "//" and ".." mean nothing special. A backend whose Service
// or port does not exist keeps its path and has no endpoints, so that its requests are refused
// (503) and never fall to a wider rule.
//
// An Ingress is ours when its class (spec.ingressClassName, or the older annotation, which wins) is
// an IngressClass of our controller, or when it names none and ours is marked as default.
// Resource backends and ExternalName Services are not routed; IngressProblem says so.
//
// Pure functions; a finished table never changes and may be read by any thread. Specification:
// networking.k8s.io/v1.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/network/service_rules.h"
#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kIngressController = "minik.dev/ingress-controller";

// Where the decision reads. Absent values stand for what does not exist.
struct IngressSources {
  std::vector<Value> ingresses, classes;
  std::function<Value(const ObjectKey&)> service, secret;
  std::function<std::vector<Value>(const ObjectKey& service)> slices;
};

struct IngressBackend {
  std::string name;                       // "namespace/service:port"
  std::vector<ServiceBackend> endpoints;  // sorted, ready; none: refuse with 503
  bool operator==(const IngressBackend&) const = default;
};

struct IngressCertificate {
  std::string secret;              // "namespace/name"
  std::vector<std::string> hosts;  // "*.rest" as written; "" for every host that nobody names
  std::string certificate_pem, private_key_pem;
  bool operator==(const IngressCertificate&) const = default;
};

class IngressRoutes {
 public:
  // The index of a backend, or nothing when no rule and no default backend holds. `authority` is a
  // Host header, with or without a port.
  std::optional<size_t> find(std::string_view authority, std::string_view path) const;
  const std::vector<IngressBackend>& backends() const { return backends_; }
  const std::vector<IngressCertificate>& certificates() const { return certificates_; }
  // Those that rules and TLS entries name, sorted.
  std::vector<std::string> hosts() const;
  bool operator==(const IngressRoutes&) const = default;

 private:
  friend class IngressRouteMaker;
  struct Paths {
    std::map<std::string, size_t, std::less<>> exact;
    std::map<std::string, size_t, std::less<>> prefixes;  // without a slash at the end
    size_t prefix_bytes_max = 0;
    std::optional<size_t> fallback;
    bool operator==(const Paths&) const = default;
    std::optional<size_t> find(std::string_view path) const;
  };
  // "name", ".rest" for "*.rest", "" for any.
  std::map<std::string, Paths, std::less<>> hosts_;
  std::vector<IngressBackend> backends_;
  std::vector<IngressCertificate> certificates_;
};

IngressRoutes ingress_routes(const IngressSources& sources);

// In lower case, without the port and a dot at the end.
std::string ingress_host(std::string_view authority);

bool is_our_ingress(const Value& ingress, const std::vector<Value>& classes);

// What keeps an Ingress from doing all that it says, in the words of an Event.
struct IngressProblem {
  std::string reason;  // "ServiceNotFound"
  std::string message;
};
std::vector<IngressProblem> ingress_problems(const Value& ingress, const IngressSources& sources);

// The names of the Services and of the Secrets that it mentions, sorted, each once.
std::vector<std::string> ingress_services(const Value& ingress);
std::vector<std::string> ingress_secrets(const Value& ingress);

}  // namespace minik::control
