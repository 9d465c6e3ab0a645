#include "control/network/ingress_routes.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr std::string_view kClassAnnotation = "kubernetes.io/ingress.class";
constexpr std::string_view kDefaultClass = "ingressclass.kubernetes.io/is-default-class";

bool is_our_class(const Value& ingress_class) {
  return ingress_class[keys::kSpec][keys::kController].as_string() == kIngressController;
}

// "/a/b/" and "/a/b" are one prefix.
std::string_view without_slash(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool path_matches(const IngressPath& rule, std::string_view path) {
  if (rule.match == PathMatch::kExact) return rule.path == path;
  const auto prefix = without_slash(rule.path);
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

const Value& find_port(const Value& service, const Value& wanted) {
  static const Value kNone;
  for (const auto& port : service[keys::kSpec][keys::kPorts].items()) {
    const bool by_name =
        wanted[keys::kName].has_value() && port[keys::kName] == wanted[keys::kName];
    const bool by_number =
        wanted[keys::kNumber].has_value() && port[keys::kPort] == wanted[keys::kNumber];
    if (by_name || by_number) return port;
  }
  return kNone;
}

class Builder {
 public:
  explicit Builder(const IngressWorld& world) : world_(world) {}

  IngressRoutes build() {
    std::vector<Value> ours;
    for (const auto& ingress : world_.ingresses) {
      if (is_our_ingress(ingress, world_.classes)) ours.push_back(ingress);
    }
    // Timestamps of one form compare as text.
    std::sort(ours.begin(), ours.end(),
              [](const Value& a, const Value& b) { return age_key(a) < age_key(b); });
    for (const auto& ingress : ours) add(ingress);
    for (auto& [host, paths] : routes_.hosts)
      std::stable_sort(paths.begin(), paths.end(), stands_before);
    return std::move(routes_);
  }

 private:
  static std::tuple<std::string_view, std::string_view, std::string_view> age_key(
      const Value& ingress) {
    return {ingress[keys::kMetadata][keys::kCreationTimestamp].as_string(),
            object_namespace(ingress), object_name(ingress)};
  }

  static bool stands_before(const IngressPath& a, const IngressPath& b) {
    const auto length = [](const IngressPath& p) {
      return p.match == PathMatch::kExact ? p.path.size() : without_slash(p.path).size();
    };
    if (length(a) != length(b)) return length(a) > length(b);
    return a.match == PathMatch::kExact && b.match == PathMatch::kPrefix;
  }

  void add(const Value& ingress) {
    const auto namespace_ = object_namespace(ingress);
    const Value& spec = ingress[keys::kSpec];
    if (spec[keys::kDefaultBackend].has_value() && !routes_.default_backend) {
      routes_.default_backend = backend(namespace_, spec[keys::kDefaultBackend]);
    }
    for (const auto& rule : spec[keys::kRules].items()) {
      auto& paths = routes_.hosts[to_lower(rule[keys::kHost].as_string())];
      for (const auto& path : rule[keys::kHttp][keys::kPaths].items()) {
        IngressPath entry;
        entry.path = path[keys::kPath].as_string("/");
        const bool exact = path[keys::kPathType].as_string() == "Exact";
        entry.match = exact ? PathMatch::kExact : PathMatch::kPrefix;
        entry.backend = backend(namespace_, path[keys::kBackend]);
        paths.push_back(std::move(entry));
      }
    }
    for (const auto& tls : spec[keys::kTls].items()) add_certificate(namespace_, tls);
  }

  void add_certificate(std::string_view namespace_, const Value& tls) {
    const auto name = tls[keys::kSecretName].as_string();
    if (name.empty()) return;
    const Value data = world_.secret(namespace_, name)[keys::kData];
    const auto certificate = from_base64(data.get("tls.crt").as_string());
    const auto key = from_base64(data.get("tls.key").as_string());
    if (!certificate || !key || certificate->empty() || key->empty()) return;
    IngressCertificate entry{{}, *certificate, *key};
    for (const auto& host : tls[keys::kHosts].items())
      entry.hosts.push_back(to_lower(host.as_string()));
    routes_.certificates.push_back(std::move(entry));
  }

  size_t backend(std::string_view namespace_, const Value& value) {
    const Value& service = value[keys::kService];
    const Value& port = service[keys::kPort];
    const auto name = service[keys::kName].as_string();
    const std::string port_text = port[keys::kName].has_value()
                                      ? std::string(port[keys::kName].as_string())
                                      : cat(port[keys::kNumber].as_int());
    IngressBackend entry;
    entry.name = cat(namespace_, "/", name, ":", port_text);
    const auto known = std::find_if(routes_.backends.begin(), routes_.backends.end(),
                                    [&](const auto& b) { return b.name == entry.name; });
    if (known != routes_.backends.end())
      return static_cast<size_t>(known - routes_.backends.begin());
    const Value object = world_.service(namespace_, name);
    const Value& service_port = find_port(object, port);
    entry.exists = service_port.has_value();
    if (entry.exists)
      entry.endpoints = service_backends(service_port, world_.slices(namespace_, name));
    routes_.backends.push_back(std::move(entry));
    return routes_.backends.size() - 1;
  }

  const IngressWorld& world_;
  IngressRoutes routes_;
};

}  // namespace

bool is_our_ingress(const Value& ingress, const std::vector<Value>& classes) {
  const Value& named = ingress[keys::kSpec][keys::kIngressClassName];
  const auto annotated =
      ingress[keys::kMetadata][keys::kAnnotations].get(kClassAnnotation).as_string();
  const std::string_view name = named.has_value() ? named.as_string() : annotated;
  return std::any_of(classes.begin(), classes.end(), [&](const Value& ingress_class) {
    if (!is_our_class(ingress_class)) return false;
    if (!name.empty()) return object_name(ingress_class) == name;
    return ingress_class[keys::kMetadata][keys::kAnnotations].get(kDefaultClass).as_string() ==
           "true";
  });
}

IngressRoutes ingress_routes(const IngressWorld& world) {
  return Builder(world).build();
}

bool host_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return pattern == host;
  const size_t dot = host.find('.');
  return dot != 0 && dot != host.npos && host.substr(dot) == pattern.substr(1);
}

const IngressBackend* IngressRoutes::find(std::string_view host, std::string_view path) const {
  const auto among = [&](std::string_view name) -> const IngressBackend* {
    const auto entry = hosts.find(name);
    if (entry == hosts.end()) return nullptr;
    for (const auto& rule : entry->second) {
      if (path_matches(rule, path)) return &backends[rule.backend];
    }
    return nullptr;
  };
  const std::string lower = to_lower(host);
  if (const auto* found = among(lower); found != nullptr && !lower.empty()) return found;
  const size_t dot = lower.find('.');
  if (dot != lower.npos && dot != 0) {
    if (const auto* found = among(cat("*", lower.substr(dot)))) return found;
  }
  if (const auto* found = among("")) return found;
  return default_backend ? &backends[*default_backend] : nullptr;
}

}  // namespace minik::control
