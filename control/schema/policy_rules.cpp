// Validation of what bounds and describes others: limit ranges, network policies, address ranges, classes of runtimes
// and Ingresses.
#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/names.h"
#include "control/schema/validation_rules.h"

namespace minik::control {

namespace {

// ---- LimitRange ----

void check_order(const Value& item, std::string_view low, std::string_view high, std::string_view low_name,
                 std::string_view high_name, std::string_view blamed, const FieldPath& at, FieldErrors& errors) {
  for (const auto& [resource, least] : item.get(low).entries()) {
    const Value& most = item.get(high)[resource];
    if (!most.has_value() || !(Quantity::of_value(most) < Quantity::of_value(least))) continue;
    const FieldPath list = at.field(blamed);
    errors.invalid(list.key(resource.text()), item.get(blamed)[resource],
                   cat(low_name, " value ", Quantity::of_value(least).text(), " is greater than ", high_name, " value ",
                       Quantity::of_value(most).text()));
  }
}

void check_limit_type(const Value& type, const FieldPath& at, FieldErrors& errors) {
  constexpr std::string_view kTypes[] = {"Container", "PersistentVolumeClaim", "Pod"};
  const std::string_view name = type.as_string();
  const auto problems = check_qualified_name(name);
  errors.invalid_each(at, type, problems);
  if (problems.empty() && name.find('/') == std::string_view::npos && std::ranges::find(kTypes, name) == std::end(kTypes))
    errors.invalid(at, type, "must be a standard limit type or fully qualified");
}

void check_limited_resource(std::string_view type, std::string_view name, const FieldPath& at, FieldErrors& errors) {
  if (type == "Pod" || type == "Container") return check_container_resource(name, at, errors);
  errors.invalid_each(at, Value(name), check_qualified_name(name));
  if (name != "storage" && !is_quota_resource(name)) errors.invalid(at, Value(name), "must be a standard resource type or fully qualified");
}

void check_limit_range_item(const Value& item, const FieldPath& at, FieldErrors& errors) {
  const auto type = item[keys::kType].as_string();
  const FieldPath type_at = at.field("type");
  if (!type.empty()) check_limit_type(item[keys::kType], type_at, errors);
  for (const auto* field : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}) {
    const FieldPath list = at.field(field);
    for (const auto& [resource, amount] : item.get(field).entries())
      check_limited_resource(type, resource.text(), list.key(resource.text()), errors);
  }
  if (type == "Pod") {
    for (const auto* field : {"default", "defaultRequest"}) {
      if (!item.get(field).empty()) errors.forbidden(at.field(field), "may not be specified when `type` is 'Pod'");
    }
  }
  if (type == "PersistentVolumeClaim" && item["min"]["storage"].is_absent() && item["max"]["storage"].is_absent()) {
    errors.required(at, "either minimum or maximum storage value is required, but neither was provided");
  }
  check_order(item, "min", "max", "min", "max", "min", at, errors);
  check_order(item, "min", "defaultRequest", "min", "default request", "defaultRequest", at, errors);
  check_order(item, "defaultRequest", "max", "default request", "max", "defaultRequest", at, errors);
  check_order(item, "defaultRequest", "default", "default request", "default limit", "defaultRequest", at, errors);
  check_order(item, "min", "default", "min", "default", "default", at, errors);
  check_order(item, "default", "max", "default", "max", "default", at, errors);
  const FieldPath ratios = at.field("maxLimitRequestRatio");
  for (const auto& [resource, ratio] : item["maxLimitRequestRatio"].entries()) {
    if (Quantity::of_value(ratio) < Quantity::of(1)) {
      errors.invalid(ratios.key(resource.text()), ratio, cat("ratio ", Quantity::of_value(ratio).text(), " is less than 1"));
    }
  }
}

void check_limit_range(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  std::set<std::string_view> types;
  const FieldPath limits = at.field("limits");
  const auto items = spec["limits"].items();
  for (size_t i = 0; i < items.size(); ++i) {
    const FieldPath here = limits.index(i);
    const Value& type = items[i][keys::kType];
    if (!type.as_string().empty() && !types.insert(type.as_string()).second) errors.duplicate(here.field("type"), type);
  }
}

// ---- Networks ----

bool same_bits(const IpNetwork& a, const IpNetwork& b, int count) {
  for (size_t bit = 0; bit < static_cast<size_t>(count); ++bit) {
    const int mask = 0x80 >> (bit % 8);
    if ((a.bytes[bit / 8] & mask) != (b.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

constexpr std::string_view kNoCidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

void check_ip_block(const Value& block, const FieldPath& at, FieldErrors& errors) {
  const Value& cidr = block["cidr"];
  if (cidr.as_string().empty()) return errors.required(at.field("cidr"));
  const auto outer = parse_network(cidr.as_string());
  if (!outer) return errors.invalid(at.field("cidr"), cidr, kNoCidr);
  const FieldPath excepted = at.field("except");
  const auto parts = block["except"].items();
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto inner = parse_network(parts[i].as_string());
    if (!inner) {
      errors.invalid(excepted.index(i), parts[i], kNoCidr);
    } else if (inner->six != outer->six || inner->bits <= outer->bits || !same_bits(*inner, *outer, outer->bits)) {
      errors.invalid(excepted.index(i), parts[i], "must be a strict subset of `cidr`");
    }
  }
}

void check_peer(const Value& peer, const FieldPath& at, FieldErrors& errors) {
  const bool selects = peer["podSelector"].has_value() || peer["namespaceSelector"].has_value();
  if (!peer["ipBlock"].has_value()) {
    if (!selects) errors.required(at, "must specify a peer");
  } else if (selects) {
    errors.forbidden(at, "may not specify both ipBlock and another peer");
  }
}

void check_policy_port(const Value& port, const FieldPath& at, FieldErrors& errors) {
  const Value& number = port[keys::kPort];
  if (number.has_value()) check_port_or_name(number, at.field("port"), errors);
  const Value& last = port["endPort"];
  if (!last.has_value()) return;
  if (!number.has_value()) return errors.invalid(at.field("endPort"), last, "may not be specified when `port` is not specified");
  if (number.is_string()) return errors.invalid(at.field("endPort"), last, "may not be specified when `port` is non-numeric");
  if (last.as_int() < number.as_int()) {
    errors.invalid(at.field("endPort"), last, "must be greater than or equal to `port`");
  }
}

void check_policy_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& types = spec["policyTypes"];
  if (types.size() > 2) errors.invalid(at.field("policyTypes"), types, "may not specify more than two policyTypes");
}

void check_cidrs(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const FieldPath list = at.field("cidrs");
  const auto cidrs = spec["cidrs"].items();
  if (cidrs.empty()) return errors.required(list, "at least one CIDR required");
  if (cidrs.size() > 2) return errors.invalid(list, spec["cidrs"], "may only hold up to 2 values");
  std::set<bool> families;
  for (size_t i = 0; i < cidrs.size(); ++i) {
    const auto network = parse_network(cidrs[i].as_string());
    if (!network) {
      errors.invalid(list.index(i), cidrs[i], kNoCidr);
    } else if (!families.insert(network->six).second) {
      errors.invalid(list, spec["cidrs"], "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64");
    }
  }
}

// ---- Names of who serves something ----

// "acme.io/foo": a domain, and a path below it.
bool is_domain_path(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && slash + 1 < text.size() && check_dns_subdomain(text.substr(0, slash)).empty();
}

void check_runtime_class(const Value& object, const FieldPath& at, FieldErrors& errors) {
  const Value& handler = object["handler"];
  if (!handler.as_string().empty()) {
    errors.invalid_each(FieldPath("handler"), handler, check_dns_label(handler.as_string()));
  }
  // Looked at as if a container had them.
  const FieldPath overhead = at.field("overhead"), selector = at.field("scheduling.nodeSelector");
  check_resources(Value::map({{keys::kLimits, object["overhead"]["podFixed"]}}), overhead, errors);
  check_labels(object["scheduling"]["nodeSelector"], selector, errors);
}

void check_ingress_class_spec(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const Value& controller = spec["controller"];
  if (controller.as_string().size() > 250) errors.too_long(at.field("controller"), 250);
  if (!controller.as_string().empty() && !is_domain_path(controller.as_string())) {
    errors.invalid(at.field("controller"), controller, "must be a domain-prefixed path (such as \"acme.io/foo\")");
  }
  const Value& parameters = spec["parameters"];
  if (!parameters.has_value()) return;
  const FieldPath here = at.field("parameters");
  static constexpr std::string_view kScopes[] = {"Cluster", "Namespace"};
  for (const auto* field : {"kind", "name"}) {
    const Value& part = parameters.get(field);
    errors.invalid_each(here.field(field), part, check_path_segment(part.as_string()));
  }
  const auto scope = parameters["scope"].as_string();
  if (std::ranges::find(kScopes, scope) == std::end(kScopes)) errors.not_supported(here.field("scope"), parameters["scope"], kScopes);
  const bool has_namespace = !parameters[keys::kNamespace].as_string().empty();
  if (scope == "Namespace" && !has_namespace) {
    errors.required(here.field("namespace"), "`parameters.scope` is set to 'Namespace'");
  }
  if (scope == "Cluster" && has_namespace) {
    errors.forbidden(here.field("namespace"), "`parameters.scope` is set to 'Cluster'");
  }
}

constexpr NamedCheckRule kPolicyRules[] = {
    {"core", "LimitRangeSpec", check_limit_range},
    {"core", "LimitRangeItem", check_limit_range_item},
    {"networking", "IPBlock", check_ip_block},
    {"networking", "NetworkPolicyPeer", check_peer},
    {"networking", "NetworkPolicyPort", check_policy_port},
    {"networking", "NetworkPolicySpec", check_policy_spec},
    {"networking", "ServiceCIDRSpec", check_cidrs},
    {"networking", "IngressClassSpec", check_ingress_class_spec},
    {"node", "RuntimeClass", check_runtime_class},
};

}  // namespace

std::span<const NamedCheckRule> policy_rules() {
  return kPolicyRules;
}

}  // namespace minik::control
