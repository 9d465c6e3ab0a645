// Validation of Services, endpoints, Ingresses and network policies.
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"
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
  if (port.nodePort() != 0 && type != "NodePort" && type != "LoadBalancer") {
    errors.forbidden(at.field("nodePort"), cat("may not be used when `type` is '", type, "'"));
  }
}

void check_service_ports(ServiceSpecView service, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> names;
  std::set<std::string> taken;
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
    if (!taken.insert(cat(port.protocol(), "/", port.port())).second) {
      errors.duplicate(here, Value::map({{keys::kPort, port.port_value()},
                                         {keys::kProtocol, Value(port.protocol())}}));
    }
  }
}

void check_service_addresses(ServiceSpecView service, const FieldPath& at, FieldErrors& errors) {
  const std::string_view type = service.type();
  const std::string_view ip = service.clusterIP();
  const FieldPath ips = at.field("clusterIPs");
  if (type == "ExternalName") {
    if (service.has_clusterIP() && !ip.empty()) {
      errors.forbidden(ips, "may not be set when `type` is 'ExternalName'");
    }
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
  } else if (!ip.empty() && ip != "None") {
    errors.invalid_each(ips.index(0), service.clusterIP_value(), check_ip(ip));
  }
  const FieldPath external = at.field("externalIPs");
  const auto items = service.externalIPs_value().items();
  for (size_t i = 0; i < items.size(); ++i) {
    errors.invalid_each(external.index(i), items[i], check_ip(items[i].as_string()));
  }
}

void check_service_spec(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const ServiceSpecView service(value);
  check_service_ports(service, at, errors);
  check_service_addresses(service, at, errors);
  const FieldPath selector = at.field("selector");
  check_labels(service.selector(), selector, errors);
  if (service.sessionAffinity() == "ClientIP") {
    const auto config = service.sessionAffinityConfig().clientIP();
    const int64_t seconds = config.timeoutSeconds();
    if (config.has_timeoutSeconds() && (seconds <= 0 || seconds > 86400)) {
      errors.invalid(at.field("sessionAffinityConfig.clientIP.timeoutSeconds"),
                     config.timeoutSeconds_value(),
                     "must be greater than 0 and less than or equal to 86400");
    }
  }
  const bool outside = service.type() == "NodePort" || service.type() == "LoadBalancer" ||
                       !service.externalIPs().empty();
  if (!outside && !service.externalTrafficPolicy().empty()) {
    errors.invalid(at.field("externalTrafficPolicy"), service.externalTrafficPolicy_value(),
                   "may only be set for externally-accessible services");
  }
}

void check_endpoint_address(const Value& address, const FieldPath& at, FieldErrors& errors) {
  const Value& ip = address[keys::kIp];
  if (!ip.as_string().empty()) errors.invalid_each(at.field("ip"), ip, check_ip(ip.as_string()));
}

void check_endpoint_subset(const Value& subset, const FieldPath& at, FieldErrors& errors) {
  if (subset[keys::kAddresses].empty() && subset[keys::kNotReadyAddresses].empty()) {
    errors.required(at, "must specify `addresses` or `notReadyAddresses`");
  }
}

// An EndpointSlice's addresses are of the one family that the slice names.
void check_endpoint_slice(const Value& slice, const FieldPath& at, FieldErrors& errors) {
  const std::string_view family = slice[keys::kAddressType].as_string();
  const FieldPath list = at.field("endpoints");
  const auto endpoints = slice[keys::kEndpoints].items();
  if (endpoints.size() > 1000) errors.too_many(list, endpoints.size(), 1000);
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const FieldPath endpoint = list.index(i);
    const FieldPath addresses = endpoint.field("addresses");
    const auto items = endpoints[i][keys::kAddresses].items();
    if (items.size() > 100) errors.too_many(addresses, items.size(), 100);
    for (size_t a = 0; a < items.size(); ++a) {
      const std::string_view text = items[a].as_string();
      const bool six = text.find(':') != std::string_view::npos;
      const FieldPath here = addresses.index(a);
      if (family == "FQDN") {
        errors.invalid_each(here, items[a], check_dns_subdomain(text));
      } else if (auto problems = check_ip(text); !problems.empty()) {
        errors.invalid_each(here, items[a], problems);
      } else if (six != (family == "IPv6")) {
        errors.invalid(here, items[a], six ? "must be an IPv4 address" : "must be an IPv6 address");
      }
    }
  }
}

// ---- Ingress ----

void check_ingress_backend(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const IngressBackendView backend(value);
  if (backend.has_resource() && backend.has_service()) {
    errors.invalid(at, value, "cannot set both resource and service backends");
    return;
  }
  if (backend.has_resource()) return;
  if (!backend.has_service()) {
    errors.required(at, "resource or service backend is required");
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
    errors.invalid(here, service.raw(), "cannot set both port name & port number");
  } else if (named) {
    errors.invalid_each(port_at.field("name"), port.name_value(), check_port_name(port.name()));
  } else if (numbered) {
    errors.invalid_each(port_at.field("number"), port.number_value(),
                        check_port_number(port.number()));
  } else {
    errors.required(here, "port name or number is required");
  }
}

void check_ingress_path(const Value& value, const FieldPath& at, FieldErrors& errors) {
  const HTTPIngressPathView path(value);
  const std::string_view text = path.path();
  if (path.pathType() == "Exact" || path.pathType() == "Prefix") {
    if (!text.starts_with('/')) {
      errors.invalid(at.field("path"), Value(text), "must be an absolute path");
      return;
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

constexpr NamedCheckRule kRules[] = {
    {"core", "ServiceSpec", check_service_spec},
    {"core", "EndpointAddress", check_endpoint_address},
    {"core", "EndpointSubset", check_endpoint_subset},
    {"discovery", "EndpointSlice", check_endpoint_slice},
    {"networking", "IngressBackend", check_ingress_backend},
    {"networking", "HTTPIngressPath", check_ingress_path},
    {"networking", "IngressRule", check_ingress_rule},
    {"networking", "IngressSpec", check_ingress_spec},
};

}  // namespace

std::span<const NamedCheckRule> network_rules() {
  return kRules;
}

}  // namespace minik::control
