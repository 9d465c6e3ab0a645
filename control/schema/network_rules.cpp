// Validation of Services and Ingresses.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
#include "control/schema/service_addresses.h"
#include "control/schema/validation_rules.h"
#include "control/schema/views/core_service.h"
#include "control/schema/views/networking.h"

namespace minik::control {

namespace {

void check_service_port(ServicePortView port, ServiceSpecView service, bool named,
                        const FieldPath& at, FieldErrors& errors) {
  if (named && port.name().empty()) {
    errors.required(at.field("name"));
  } else if (!port.name().empty()) {
    errors.invalid_each(at.field("name"), port.name_value(), check_dns_label(port.name()));
  }
  const FieldPath target = at.field("targetPort");
  if (port.has_targetPort()) check_port_or_name(port.targetPort(), target, errors);
  if (!port.appProtocol().empty()) {
    errors.invalid_each(at.field("appProtocol"), port.appProtocol_value(),
                        check_qualified_name(port.appProtocol()));
  }
  const std::string_view type = service.type();
  if (port.nodePort() != 0 && type == "ClusterIP") {
    errors.forbidden(at.field("nodePort"), "may not be used when `type` is 'ClusterIP'");
  }
}

void check_service_ports(ServiceSpecView service, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  std::set<std::string> taken, open;
  const FieldPath list = at.field("ports");
  const bool headless = service.clusterIP() == "None";
  if (service.ports().empty() && !headless && service.type() != "ExternalName")
    errors.required(list);
  for (size_t i = 0; i < service.ports().size(); ++i) {
    const auto port = service.ports()[i];
    const FieldPath here = list.index(i);
    check_service_port(port, service, service.ports().size() > 1, here, errors);
    if (port.port() == 0 && !port.has_port()) {
      errors.invalid_each(here.field("port"), Value(0), check_port_number(0));
    }
    if (!port.name().empty() && !names.insert(port.name()).second) {
      errors.duplicate(here.field("name"), port.name_value());
    }
    if (port.nodePort() != 0 && !open.insert(cat(port.protocol(), "/", port.nodePort())).second) {
      errors.duplicate(here.field("nodePort"), port.nodePort_value());
    }
    if (!taken.insert(cat(port.protocol(), "/", port.port())).second) {
      errors.duplicate(here, Value::map({{keys::kPort, port.port_value()},
                                         {keys::kProtocol, Value(port.protocol())}}));
    }
  }
}

void check_service_addresses(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const ServiceSpecView service(value);
  const std::string_view type = service.type();
  const std::string_view ip = service.clusterIP();
  const FieldPath ips = at.field("clusterIPs");
  if (type == "ExternalName") {
    const auto none = [&](bool there, std::string_view field) {
      const FieldPath here = at.field(field);
      if (there) errors.forbidden(here, "may not be set for ExternalName services");
    };
    none(!ip.empty(), "clusterIPs");
    none(!service.ipFamilies().empty(), "ipFamilies");
    none(service.has_ipFamilyPolicy(), "ipFamilyPolicy");
    std::string_view name = service.externalName();
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty()) {
      errors.required(at.field("externalName"));
    } else {
      errors.invalid_each(at.field("externalName"), service.externalName_value(),
                          check_dns_subdomain(name));
    }
    return;
  }
  if (ip == "None" && (type == "NodePort" || type == "LoadBalancer")) {
    errors.invalid(ips.index(0), service.clusterIP_value(),
                   cat("may not be set to 'None' for ", type, " services"));
  }
  check_address_fields(value, at, errors);
  const FieldPath external = at.field("externalIPs");
  const auto items = service.externalIPs_value().items();
  for (size_t i = 0; i < items.size(); ++i) {
    errors.invalid_each(external.index(i), items[i], check_ip(items[i].as_string()));
    errors.invalid_each(external.index(i), items[i], check_special_ip(items[i].as_string()));
  }
}

void check_client_address(ServiceSpecView service, const FieldPath& at, FieldErrors& errors) {
  const FieldPath config_at = at.field("sessionAffinityConfig");
  if (service.sessionAffinity() == "None" && service.has_sessionAffinityConfig())
    errors.forbidden(config_at, "must not be set when session affinity is None");
  if (service.sessionAffinity() != "ClientIP") return;
  const auto config = service.sessionAffinityConfig().clientIP();
  const int64_t seconds = config.timeoutSeconds();
  if (config.has_timeoutSeconds() && (seconds <= 0 || seconds > 86400)) {
    errors.invalid(config_at.field("clientIP.timeoutSeconds"), config.timeoutSeconds_value(),
                   "must be greater than 0 and less than or equal to 86400");
  }
}

// What only Services with a load balancer have.
void check_load_balancer(ServiceSpecView service, const FieldPath& at, FieldErrors& errors) {
  const bool balanced = service.type() == "LoadBalancer";
  const auto only_there = [&](bool there, std::string_view field) {
    const FieldPath here = at.field(field);
    if (there && !balanced) errors.forbidden(here, "may only be used when `type` is 'LoadBalancer'");
  };
  const auto ranges = service.loadBalancerSourceRanges_value().items();
  const FieldPath ranges_at = at.field("LoadBalancerSourceRanges");  // in this spelling
  only_there(!ranges.empty(), "LoadBalancerSourceRanges");
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (parse_network(trim(ranges[i].as_string()))) continue;
    errors.invalid(ranges_at.index(i), Value(trim(ranges[i].as_string())),
                   "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
  }
  only_there(service.has_allocateLoadBalancerNodePorts(), "allocateLoadBalancerNodePorts");
  only_there(service.has_loadBalancerClass(), "loadBalancerClass");
  if (service.has_loadBalancerClass()) {
    errors.invalid_each(at.field("loadBalancerClass"), service.loadBalancerClass_value(),
                        check_qualified_name(service.loadBalancerClass()));
  }
  if (service.healthCheckNodePort() != 0 && !(balanced && service.externalTrafficPolicy() == "Local")) {
    errors.invalid(at.field("healthCheckNodePort"), service.healthCheckNodePort_value(),
                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  }
}

void check_service_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const ServiceSpecView service(value);
  check_service_ports(service, at, errors);
  check_service_addresses(value, at, errors);
  const FieldPath selector = at.field("selector");
  check_labels(service.selector(), selector, errors);
  check_client_address(service, at, errors);
  check_load_balancer(service, at, errors);
  const bool outside = service.type() == "NodePort" || service.type() == "LoadBalancer" ||
                       !service.externalIPs().empty();
  if (!outside && !service.externalTrafficPolicy().empty()) {
    errors.invalid(at.field("externalTrafficPolicy"), service.externalTrafficPolicy_value(),
                   "may only be set for externally-accessible services");
  }
}

// ---- Ingress ----

void check_ingress_backend(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const IngressBackendView backend(value);
  if (backend.has_resource() && backend.has_service()) {
    errors.invalid(at, Value(""), "cannot set both resource and service backends");
    return;
  }
  if (backend.has_resource()) return;
  if (!backend.has_service()) {
    errors.invalid(at, Value(""), "resource or service backend is required");
    return;
  }
  const auto service = backend.service();
  const FieldPath here = at.field("service");
  if (!service.name().empty()) {
    errors.invalid_each(here.field("name"), service.name_value(),
                        check_dns_1035_label(service.name()));
  }
  const auto port = service.port();
  const bool named = !port.name().empty(), numbered = port.number() != 0;
  const FieldPath port_at = here.field("port");
  if (named && numbered) {
    errors.invalid(at, Value(""), "cannot set both port name & port number");
  } else if (named) {
    errors.invalid_each(port_at.field("name"), port.name_value(), check_port_name(port.name()));
  } else if (numbered) {
    errors.invalid_each(port_at.field("number"), port.number_value(),
                        check_port_number(port.number()));
  } else {
    errors.required(at, "port name or number is required");
  }
}

void check_ingress_path(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const HTTPIngressPathView path(value);
  const std::string_view text = path.path();
  if (path.pathType().empty()) return errors.required(at.field("pathType"), "pathType must be specified");
  if (path.pathType() == "Exact" || path.pathType() == "Prefix") {
    if (!text.starts_with('/')) {
      errors.invalid(at.field("path"), Value(text), "must be an absolute path");
    }
    for (const auto* part : {"//", "/./", "/../", "%2f", "%2F"}) {
      if (text.find(part) != std::string_view::npos) {
        errors.invalid(at.field("path"), path.path_value(), cat("must not contain '", part, "'"));
      }
    }
    for (const auto* part : {"/..", "/."}) {
      if (text.ends_with(part)) {
        errors.invalid(at.field("path"), path.path_value(), cat("cannot end with '", part, "'"));
      }
    }
  } else if (!text.empty() && !text.starts_with('/')) {
    errors.invalid(at.field("path"), path.path_value(), "must be an absolute path");
  }
}

void check_ingress_rule(const Value& rule, const FieldPath& at, FieldErrors& errors) {
  const Value& host = rule[keys::kHost];
  const std::string_view text = host.as_string();
  if (text.empty()) return;
  if (check_ip(text).empty()) {
    errors.invalid(at.field("host"), host, "must be a DNS name, not an IP address");
  } else {
    errors.invalid_each(at.field("host"), host,
                        text.find('*') == std::string_view::npos ? check_dns_subdomain(text)
                                                                 : check_wildcard_subdomain(text));
  }
}

void check_ingress_tls(const Value& tls, const FieldPath& at, FieldErrors& errors) {
  const FieldPath list = at.field("hosts");
  const auto hosts = tls[keys::kHosts].items();
  for (size_t i = 0; i < hosts.size(); ++i) {
    const std::string_view host = hosts[i].as_string();
    errors.invalid_each(list.index(i), hosts[i],
                        host.find('*') == std::string_view::npos ? check_dns_subdomain(host) : check_wildcard_subdomain(host));
  }
  const Value& secret = tls[keys::kSecretName];
  if (!secret.as_string().empty())
    errors.invalid_each(at.field("secretName"), secret, check_dns_subdomain(secret.as_string()));
}

void check_ingress_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  if (spec[keys::kRules].empty() && !spec[keys::kDefaultBackend].has_value()) {
    errors.invalid(at, spec.has_value() ? spec : Value::empty_map(),
                   "either `defaultBackend` or `rules` must be specified");
  }
  const Value& name = spec[keys::kIngressClassName];
  if (name.has_value()) {
    errors.invalid_each(at.field("ingressClassName"), name, check_dns_subdomain(name.as_string()));
  }
}

constexpr NamedCheckRule kNetworkRules[] = {
    {"core", "ServiceSpec", check_service_spec},
    {"networking", "IngressBackend", check_ingress_backend},
    {"networking", "HTTPIngressPath", check_ingress_path},
    {"networking", "IngressRule", check_ingress_rule},
    {"networking", "IngressSpec", check_ingress_spec},
    {"networking", "IngressTLS", check_ingress_tls},
};

}  // namespace

std::span<const NamedCheckRule> network_rules() {
  return kNetworkRules;
}

}  // namespace minik::control
