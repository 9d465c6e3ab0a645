#include "control/network/ingress_routes.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kClassAnnotation = "kubernetes.io/ingress.class";
constexpr std::string_view kDefaultAnnotation = "ingressclass.kubernetes.io/is-default-class";

bool is_our_class(const Value& ingress_class) {
  return ingress_class[keys::kSpec][keys::kController].as_string() == kIngressController;
}

bool is_default_class(const Value& ingress_class) {
  return ingress_class[keys::kMetadata][keys::kAnnotations].get(kDefaultAnnotation).as_string() ==
         "true";
}

// Calls with every backend that the Ingress mentions.
void for_each_backend(const Value& ingress, const std::function<void(const Value&)>& visit) {
  const Value& spec = ingress[keys::kSpec];
  if (spec[keys::kDefaultBackend].has_value()) visit(spec[keys::kDefaultBackend]);
  for (const auto& rule : spec[keys::kRules].items()) {
    for (const auto& path : rule[keys::kHttp][keys::kPaths].items()) visit(path[keys::kBackend]);
  }
}

std::vector<std::string> sorted(const std::set<std::string>& names) {
  return {names.begin(), names.end()};
}

std::string port_text(const Value& port) {
  return port[keys::kName].has_value() ? port[keys::kName].string()
                                       : cat(port[keys::kNumber].as_int());
}

// The Service's port that a backend means, or why there is none.
struct FoundPort {
  Value port;
  IngressProblem problem;
};

FoundPort find_port(const Value& backend, std::string_view namespace_,
                    const IngressSources& sources) {
  const Value& wanted = backend[keys::kService];
  if (!wanted.has_value()) {
    return {{}, {"NotSupported", "a backend that is a resource is not routed; name a service"}};
  }
  const ObjectKey key{std::string(namespace_), wanted[keys::kName].string()};
  const Value service = sources.service(key);
  if (!service.has_value())
    return {{}, {"ServiceNotFound", cat("service ", quoted(key.text()), " does not exist")}};
  if (service[keys::kSpec][keys::kType].as_string() == "ExternalName") {
    return {{},
            {"NotSupported",
             cat("service ", quoted(key.text()), " is an ExternalName, which is not routed")}};
  }
  const Value& port = wanted[keys::kPort];
  for (const auto& candidate : service[keys::kSpec][keys::kPorts].items()) {
    const bool same = port[keys::kName].has_value()
                          ? candidate[keys::kName] == port[keys::kName]
                          : candidate[keys::kPort].as_int() == port[keys::kNumber].as_int();
    if (same && candidate[keys::kProtocol].as_string("TCP") == "TCP") return {candidate, {}};
  }
  return {{},
          {"PortNotFound",
           cat("service ", quoted(key.text()), " has no TCP port ", quoted(port_text(port)))}};
}

struct KeyMaterial {
  std::string certificate_pem, private_key_pem;
};

std::optional<KeyMaterial> key_material(const Value& secret) {
  const Value& data = secret[keys::kData];
  const auto certificate = from_base64(data.get("tls.crt").as_string());
  const auto key = from_base64(data.get("tls.key").as_string());
  if (!certificate || !key || certificate->empty() || key->empty()) return {};
  return KeyMaterial{*certificate, *key};
}

std::string without_last_slash(std::string_view path) {
  return std::string(path.ends_with('/') ? path.substr(0, path.size() - 1) : path);
}

}  // namespace

class IngressRouteMaker {
 public:
  explicit IngressRouteMaker(const IngressSources& sources) : sources_(sources) {}

  // From the oldest on: what is there stays.
  void add(const Value& ingress) {
    namespace_ = object_namespace(ingress);
    const Value& spec = ingress[keys::kSpec];
    std::optional<size_t> fallback;
    if (const Value& backend = spec[keys::kDefaultBackend]; backend.has_value()) {
      fallback = index_of(backend);
      set_fallback(routes_.hosts_[""], fallback);
    }
    for (const auto& rule : spec[keys::kRules].items()) {
      std::string host = to_lower(rule[keys::kHost].as_string());
      if (host.starts_with("*.")) host.erase(0, 1);
      auto& paths = routes_.hosts_[host];
      set_fallback(paths, fallback);
      for (const auto& path : rule[keys::kHttp][keys::kPaths].items()) add_path(path, paths);
    }
    for (const auto& tls : spec[keys::kTls].items()) add_certificate(tls);
  }

  IngressRoutes finish() && { return std::move(routes_); }

 private:
  static void set_fallback(IngressRoutes::Paths& paths, std::optional<size_t> fallback) {
    if (!paths.fallback) paths.fallback = fallback;
  }

  void add_path(const Value& path, IngressRoutes::Paths& paths) {
    const size_t backend = index_of(path[keys::kBackend]);
    std::string text = path[keys::kPath].string();
    if (text.empty()) text = "/";
    if (path[keys::kPathType].as_string() == "Exact") {
      paths.exact.try_emplace(text, backend);
      return;
    }
    paths.prefixes.try_emplace(without_last_slash(text), backend);
    paths.prefix_bytes_max = std::max(paths.prefix_bytes_max, text.size());
  }

  size_t index_of(const Value& backend) {
    const Value& service = backend[keys::kService];
    const ObjectKey key{namespace_, service[keys::kName].string()};
    const std::string name = cat(key.text(), ":", port_text(service[keys::kPort]));
    const auto [known, added] = indexes_.try_emplace(name, routes_.backends_.size());
    if (added) {
      const FoundPort found = find_port(backend, namespace_, sources_);
      routes_.backends_.push_back({name, found.port.has_value()
                                             ? service_backends(found.port, sources_.slices(key))
                                             : std::vector<ServiceBackend>()});
    }
    return known->second;
  }

  void add_certificate(const Value& tls) {
    const ObjectKey key{namespace_, tls[keys::kSecretName].string()};
    const auto material = key_material(sources_.secret(key));
    if (!material) return;
    IngressCertificate certificate{
        key.text(), {}, material->certificate_pem, material->private_key_pem};
    for (const auto& host : tls[keys::kHosts].items()) claim(certificate, host.as_string());
    if (tls[keys::kHosts].empty()) claim(certificate, "");
    if (!certificate.hosts.empty()) routes_.certificates_.push_back(std::move(certificate));
  }

  void claim(IngressCertificate& certificate, std::string_view host) {
    const std::string name = to_lower(host);
    if (certified_.insert(name).second) certificate.hosts.push_back(name);
  }

  const IngressSources& sources_;
  std::string namespace_;
  std::map<std::string, size_t> indexes_;
  std::set<std::string> certified_;
  IngressRoutes routes_;
};

std::optional<size_t> IngressRoutes::Paths::find(std::string_view path) const {
  if (const auto same = exact.find(path); same != exact.end()) return same->second;
  // Never longer than the longest prefix, so that a path of ten thousand slashes costs nothing.
  std::string_view rest = path;
  while (true) {
    if (rest.size() <= prefix_bytes_max) {
      if (const auto held = prefixes.find(rest); held != prefixes.end()) return held->second;
    }
    const size_t slash = rest.rfind('/', prefix_bytes_max);
    if (slash == rest.npos) return {};
    rest = rest.substr(0, slash);
  }
}

std::optional<size_t> IngressRoutes::find(std::string_view authority, std::string_view path) const {
  const std::string host = ingress_host(authority);
  std::vector<const Paths*> scopes;
  const auto add = [&](std::string_view name) {
    if (const auto known = hosts_.find(name); known != hosts_.end())
      scopes.push_back(&known->second);
  };
  if (!host.empty() && host.front() != '.') {
    add(host);
    if (const size_t dot = host.find('.'); dot != host.npos) {
      add(std::string_view(host).substr(dot));
    }
  }
  add("");
  for (const auto* scope : scopes) {
    if (const auto found = scope->find(path)) return found;
  }
  for (const auto* scope : scopes) {
    if (scope->fallback) return scope->fallback;
  }
  return {};
}

std::vector<std::string> IngressRoutes::hosts() const {
  std::set<std::string> names;
  for (const auto& [host, paths] : hosts_) {
    if (!host.empty()) names.insert(host.front() == '.' ? cat("*", host) : host);
  }
  for (const auto& certificate : certificates_) {
    for (const auto& host : certificate.hosts) {
      if (!host.empty()) names.insert(host);
    }
  }
  return sorted(names);
}

IngressRoutes ingress_routes(const IngressSources& sources) {
  std::vector<const Value*> ours;
  for (const auto& ingress : sources.ingresses) {
    if (is_our_ingress(ingress, sources.classes) && !is_deleting(ingress)) ours.push_back(&ingress);
  }
  const auto age = [](const Value* ingress) {
    // Timestamps of one format order as text.
    return std::tuple((*ingress)[keys::kMetadata][keys::kCreationTimestamp].as_string(),
                      object_namespace(*ingress), object_name(*ingress));
  };
  std::sort(ours.begin(), ours.end(),
            [&](const Value* a, const Value* b) { return age(a) < age(b); });
  IngressRouteMaker maker(sources);
  for (const auto* ingress : ours) maker.add(*ingress);
  return std::move(maker).finish();
}

std::string ingress_host(std::string_view authority) {
  if (authority.starts_with('[')) {
    authority = authority.substr(0, authority.find(']') + 1);
  } else {
    authority = authority.substr(0, authority.find(':'));
  }
  if (authority.ends_with('.')) authority.remove_suffix(1);
  return to_lower(authority);
}

bool is_our_ingress(const Value& ingress, const std::vector<Value>& classes) {
  const Value& annotated = ingress[keys::kMetadata][keys::kAnnotations].get(kClassAnnotation);
  const Value& named =
      annotated.has_value() ? annotated : ingress[keys::kSpec][keys::kIngressClassName];
  return std::any_of(classes.begin(), classes.end(), [&](const Value& candidate) {
    if (!is_our_class(candidate)) return false;
    return named.has_value() ? object_name(candidate) == named.as_string()
                             : is_default_class(candidate);
  });
}

std::vector<IngressProblem> ingress_problems(const Value& ingress, const IngressSources& sources) {
  std::map<std::string, IngressProblem> problems;  // by message: each once
  for_each_backend(ingress, [&](const Value& backend) {
    auto found = find_port(backend, object_namespace(ingress), sources);
    if (!found.port.has_value()) problems.emplace(found.problem.message, found.problem);
  });
  for (const auto& name : ingress_secrets(ingress)) {
    const ObjectKey key{std::string(object_namespace(ingress)), name};
    if (key_material(sources.secret(key))) continue;
    const std::string message = cat(
        "secret ", quoted(key.text()),
        " does not exist or has no tls.crt and tls.key; the cluster's own certificate is shown");
    problems.emplace(message, IngressProblem{"SecretNotFound", message});
  }
  std::vector<IngressProblem> list;
  for (auto& [message, problem] : problems) list.push_back(std::move(problem));
  return list;
}

std::vector<std::string> ingress_services(const Value& ingress) {
  std::set<std::string> names;
  for_each_backend(ingress, [&](const Value& backend) {
    if (const Value& name = backend[keys::kService][keys::kName]; name.has_value())
      names.insert(name.string());
  });
  return sorted(names);
}

std::vector<std::string> ingress_secrets(const Value& ingress) {
  std::set<std::string> names;
  for (const auto& tls : ingress[keys::kSpec][keys::kTls].items()) {
    if (const Value& name = tls[keys::kSecretName]; name.has_value()) names.insert(name.string());
  }
  return sorted(names);
}

}  // namespace minik::control
