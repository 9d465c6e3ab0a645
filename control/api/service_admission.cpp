#include "control/api/service_admission.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/text_hash.h"
#include "control/schema/kinds.h"
#include "control/schema/service_addresses.h"

namespace minik::control {

namespace {

constexpr int64_t kNodePortFirst = 30000, kNodePortLast = 32767;
// Those before are left to who asks for a certain one, as long as there are others.
constexpr int64_t kNodePortUnasked = 30086;
constexpr std::string_view kNone = "None";

std::string_view type_of(const Value& spec) {
  return spec[keys::kType].as_string("ClusterIP");
}
bool needs_address(const Value& spec) {
  return type_of(spec) != "ExternalName";
}
bool is_balanced(const Value& spec) {
  return type_of(spec) == "LoadBalancer";
}
bool needs_node_ports(const Value& spec) {
  return type_of(spec) == "NodePort" || is_balanced(spec);
}
bool needs_health_check_port(const Value& spec) {
  return is_balanced(spec) && spec[keys::kExternalTrafficPolicy].as_string() == "Local";
}
bool is_reached_from_outside(const Value& spec) {
  return needs_node_ports(spec) || (type_of(spec) == "ClusterIP" && !spec[keys::kExternalIPs].empty());
}
bool same(const Value& spec, const Value& old_spec, const Key& key) {
  return spec[key] == old_spec[key];
}

std::set<int64_t> node_ports_of(const Value& spec) {
  std::set<int64_t> numbers;
  for (const auto& port : spec[keys::kPorts].items()) {
    if (const int64_t number = port[keys::kNodePort].as_int(); number != 0) numbers.insert(number);
  }
  return numbers;
}

template <typename Rewrite>
Value with_ports(const Value& spec, const Rewrite& rewrite) {
  if (!spec[keys::kPorts].is_array()) return spec;
  std::vector<Value> ports;
  for (const auto& port : spec[keys::kPorts].items()) ports.push_back(rewrite(port));
  return spec.with(keys::kPorts, Value::array(std::move(ports)));
}

// What was found for the last version, where this one says nothing: whoever sends a manifest a second time need not
// know it. A node port belongs to its port's name; one that another port asks for is not given twice.
Value with_earlier_values(const Value& given, const Value& old_spec) {
  Value spec = given;
  if (needs_address(old_spec) && needs_address(spec)) {
    if (spec[keys::kClusterIP].as_string().empty()) spec = spec.with(keys::kClusterIP, old_spec[keys::kClusterIP]);
    if (spec[keys::kClusterIPs].empty()) spec = spec.with(keys::kClusterIPs, old_spec[keys::kClusterIPs]);
  }
  if (needs_node_ports(old_spec) && needs_node_ports(spec)) {
    const auto asked = node_ports_of(spec);
    spec = with_ports(spec, [&](const Value& port) {
      if (port[keys::kNodePort].as_int() != 0) return port;
      for (const auto& old_port : old_spec[keys::kPorts].items()) {
        const Value& number = old_port[keys::kNodePort];
        const bool same_name = old_port[keys::kName].as_string() == port[keys::kName].as_string();
        if (same_name && number.as_int() != 0 && !asked.contains(number.as_int())) return port.with(keys::kNodePort, number);
      }
      return port;
    });
  }
  if (needs_health_check_port(old_spec) && needs_health_check_port(spec) &&
      spec[keys::kHealthCheckNodePort].as_int() == 0) {
    spec = spec.with(keys::kHealthCheckNodePort, old_spec[keys::kHealthCheckNodePort]);
  }
  return spec;
}

// clusterIPs follows clusterIP where only the older of the two was written.
Value with_addresses_in_step(const Value& spec, const Value& old_spec) {
  const Value &first = spec[keys::kClusterIP], &list = spec[keys::kClusterIPs];
  if (first.as_string().empty()) {
    const bool cleared = !old_spec[keys::kClusterIP].as_string().empty() && list == old_spec[keys::kClusterIPs];
    return cleared ? spec.without(keys::kClusterIPs) : spec;
  }
  const bool changed_alone = !same(spec, old_spec, keys::kClusterIP) && list == old_spec[keys::kClusterIPs];
  return list.empty() || changed_alone ? spec.with(keys::kClusterIPs, Value::array({first})) : spec;
}

// Fields that the new type has no use for, where they are as they were: nobody has asked for them.
Value without_unused(const Value& given, const Value& old_spec) {
  Value spec = given;
  const auto drop = [&](bool used_before, bool used_now, const Key& key) {
    if (used_before && !used_now && same(spec, old_spec, key)) spec = spec.without(key);
  };
  if (needs_address(old_spec) && !needs_address(spec)) {
    if (same(spec, old_spec, keys::kClusterIP) && same(spec, old_spec, keys::kClusterIPs))
      spec = spec.without(keys::kClusterIP).without(keys::kClusterIPs);
    drop(true, false, keys::kIpFamilies);
    drop(true, false, keys::kIpFamilyPolicy);
  }
  if (needs_node_ports(old_spec) && !needs_node_ports(spec)) {
    const auto before = node_ports_of(old_spec), now = node_ports_of(spec);
    if (std::ranges::includes(before, now))
      spec = with_ports(spec, [](const Value& port) { return port.without(keys::kNodePort); });
  }
  drop(needs_health_check_port(old_spec), needs_health_check_port(spec), keys::kHealthCheckNodePort);
  drop(is_balanced(old_spec), is_balanced(spec), keys::kAllocateLoadBalancerNodePorts);
  drop(is_balanced(old_spec), is_balanced(spec), keys::kLoadBalancerClass);
  drop(is_reached_from_outside(old_spec), is_reached_from_outside(spec), keys::kExternalTrafficPolicy);
  return spec;
}

// ipFamilyPolicy and ipFamilies, in a cluster that has IPv4 alone.
void complete_families(MapBuilder& builder, const Value& spec, const Value& old_spec, FieldErrors& errors) {
  const bool is_new = old_spec.is_absent();
  const bool headless = spec[keys::kClusterIP].as_string() == kNone;
  const bool selects_nothing = headless && spec[keys::kSelector].empty();
  const FieldPath at("spec");
  const FieldPath policy_at = at.field("ipFamilyPolicy"), families_at = at.field("ipFamilies"), ips_at = at.field("clusterIPs");
  Value policy = spec[keys::kIpFamilyPolicy];
  if (policy.as_string().empty()) policy = old_spec[keys::kIpFamilyPolicy];
  // Endpoints that somebody writes by hand may be of either family.
  if (policy.as_string().empty()) policy = selects_nothing ? "RequireDualStack" : "SingleStack";
  const bool single = policy.as_string() == "SingleStack";
  const auto addresses = spec[keys::kClusterIPs].items();
  std::vector<Value> families(spec[keys::kIpFamilies].items().begin(), spec[keys::kIpFamilies].items().end());
  const auto old_families = old_spec[keys::kIpFamilies].items();
  const auto refuse = [&](std::string_view why) { errors.invalid(policy_at, policy, why); };
  if (!is_new && single && families.size() > 1 && same(spec, old_spec, keys::kIpFamilies)) families.resize(1);
  if (!is_new && !single && !families.empty() && families.size() < old_families.size())
    refuse("must be 'SingleStack' to release the secondary IP family");
  if (single && addresses.size() == 2)
    refuse("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified");
  if (single && families.size() == 2)
    refuse("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified");
  for (size_t i = families.size(); !headless && i < addresses.size(); ++i) {
    if (is_ipv6(addresses[i].as_string())) {
      errors.invalid(ips_at.index(i), spec[keys::kClusterIPs], "IPv6 is not configured on this cluster");
    } else {
      families.emplace_back("IPv4");
    }
  }
  if (errors.empty() && !selects_nothing) {
    if (policy.as_string() == "RequireDualStack") refuse("this cluster is not configured for dual-stack services");
    for (size_t i = 0; i < families.size(); ++i) {
      if (families[i].as_string() == "IPv6")
        errors.invalid(families_at.index(i), families[i], "not configured on this cluster");
    }
  }
  if (families.empty()) families.emplace_back("IPv4");
  if (selects_nothing && !single && families.size() == 1)
    families.emplace_back(families[0].as_string() == "IPv4" ? "IPv6" : "IPv4");
  builder.set(keys::kIpFamilyPolicy, policy);
  builder.set(keys::kIpFamilies, Value::array(std::move(families)));
}

// Of the shape that validation gives it.
Error refused(const Schema& schema, std::string_view name, std::string_view field, const Value& bad, std::string_view why) {
  FieldErrors errors;
  errors.invalid(FieldPath(field), bad, why);
  return errors.to_error(schema.resource(kinds::kServices), name);
}

}  // namespace

ServiceAdmission::ServiceAdmission(const Schema& schema, std::string_view cidr) : schema_(schema) {
  const auto parts = split(cidr, '/');
  CHECK(parts.size() == 2 && parse_ipv4(parts[0], network_)) << cidr;
  prefix_ = static_cast<int>(parse_int64(parts[1]).value_or(12));
}

Result<Value> ServiceAdmission::admit(const Value& service, const Value& old) {
  const Value& old_spec = old[keys::kSpec];
  Value spec = service[keys::kSpec];
  if (old_spec.has_value()) spec = with_earlier_values(spec, old_spec);
  if (needs_address(spec)) spec = with_addresses_in_step(spec, old_spec);
  if (old_spec.has_value()) spec = without_unused(spec, old_spec);
  Value next = service;
  const Key balancer("loadBalancer");
  if (old_spec.has_value() && !is_balanced(spec) && !service[keys::kStatus][balancer].empty())
    next = next.with_at({keys::kStatus, balancer}, Value::empty_map());

  const std::string name(object_name(service)), uid(object_uid(service));
  Asking asking{name, uid, node_ports_of(spec)};
  MapBuilder builder(spec);
  if (needs_address(spec)) {
    FieldErrors errors;
    check_address_fields(spec, FieldPath("spec"), errors);
    if (errors.empty()) complete_families(builder, spec, old_spec, errors);
    if (!errors.empty()) return errors.to_error(schema_.resource(kinds::kServices), name);
    MINIK_TRY(allocate_addresses(builder, old_spec, asking));
  }
  if (needs_node_ports(spec)) MINIK_TRY(allocate_node_ports(builder, old_spec.is_absent(), asking));
  if (needs_health_check_port(spec)) MINIK_TRY(allocate_health_check_port(builder, asking));
  Value complete = std::move(builder).build();
  if (complete == old_spec) complete = old_spec;  // so that memory is shared with the version before
  return next.with(keys::kSpec, std::move(complete));
}

Status ServiceAdmission::allocate_addresses(MapBuilder& spec, const Value& old_spec, const Asking& asking) {
  // Once given, an address is never changed; whether somebody tries to is seen by validation.
  if (old_spec.has_value() && needs_address(old_spec)) return {};
  const Value wanted = spec.get(keys::kClusterIP);
  if (wanted.as_string() == kNone) return {};
  const Value shown = spec.get(keys::kClusterIPs);
  auto address = take_address(wanted.as_string(), asking.uid);
  if (!address) {
    if (address.error().code != ErrorCode::kInvalid) return std::move(address).error();
    return refused(schema_, asking.name, "spec.clusterIPs", shown, address.error().message);
  }
  spec.set(keys::kClusterIP, *address);
  spec.set(keys::kClusterIPs, Value::array({Value(*address)}));
  return {};
}

Status ServiceAdmission::allocate_node_ports(MapBuilder& spec, bool is_new, Asking& asking) {
  const Value given = spec.get(keys::kPorts);
  if (!given.is_array()) return {};
  const bool all = spec.get(keys::kType).as_string() == "NodePort" ||
                   spec.get(keys::kAllocateLoadBalancerNodePorts).as_bool(true);
  // A new Service opens one node port for a number that it serves by two protocols, as DNS does.
  std::map<int64_t, int64_t> shared;
  if (is_new) {
    for (const auto& port : given.items()) {
      if (const int64_t number = port[keys::kNodePort].as_int(); number != 0) shared.try_emplace(port[keys::kPort].as_int(), number);
    }
  }
  std::vector<Value> ports;
  for (size_t i = 0; i < given.size(); ++i) {
    const Value& port = given.items()[i];
    int64_t wanted = port[keys::kNodePort].as_int();
    if (wanted == 0 && !all) {
      ports.push_back(port);
      continue;
    }
    const int64_t served = port[keys::kPort].as_int();
    const auto known = shared.find(served);
    if (wanted == 0 && known != shared.end()) wanted = known->second;
    auto number = take_node_port(wanted, asking);
    if (!number) {
      if (number.error().code != ErrorCode::kInvalid) return std::move(number).error();
      return refused(schema_, asking.name, cat("spec.ports[", i, "].nodePort"), Value(wanted), number.error().message);
    }
    if (is_new) shared.try_emplace(served, *number);
    ports.push_back(port.with(keys::kNodePort, *number));
  }
  spec.set(keys::kPorts, Value::array(std::move(ports)));
  return {};
}

Status ServiceAdmission::allocate_health_check_port(MapBuilder& spec, Asking& asking) {
  const int64_t wanted = spec.get(keys::kHealthCheckNodePort).as_int();
  auto number = take_node_port(wanted, asking);
  if (!number) {
    return Error(ErrorCode::kInternalError, cat("Internal error occurred: failed to allocate requested HealthCheck NodePort ",
                                                wanted, ": ", number.error().message));
  }
  spec.set(keys::kHealthCheckNodePort, *number);
  return {};
}

Result<std::string> ServiceAdmission::take_address(std::string_view wanted, std::string_view uid) {
  const uint32_t size = 1U << (32 - prefix_);
  if (!wanted.empty()) {
    const auto refuse = [&](std::string_view why) {
      return Error(ErrorCode::kInvalid, cat("failed to allocate IP ", wanted, ": ", why));
    };
    uint32_t address = 0;
    if (!parse_ipv4(wanted, address) || address - network_ >= size)
      return refuse("the provided network does not match the current range");
    if (address == network_ || address - network_ == size - 1) {
      return refuse(cat("the provided IP (", wanted, ") is not in the valid range. The range of valid IPs is ",
                        format_ipv4(network_), "/", prefix_));
    }
    const auto taken = addresses_.find(address);
    if (taken != addresses_.end() && taken->second != uid) return refuse("provided IP is already allocated");
    return std::string(wanted);
  }
  // The low band is left to addresses that people choose, as Kubernetes leaves it.
  constexpr uint32_t kFirst = 256;
  for (uint32_t tries = 0; tries < size - kFirst; ++tries) {
    next_address_ = next_address_ % (size - kFirst - 1) + 1;
    const uint32_t address = network_ + kFirst + next_address_;
    if (!addresses_.contains(address)) return format_ipv4(address);
  }
  return Error(ErrorCode::kInternalError, "Internal error occurred: failed to allocate a serviceIP: range is full");
}

Result<int64_t> ServiceAdmission::take_node_port(int64_t wanted, Asking& asking) {
  if (wanted != 0) {
    const auto taken = node_ports_.find(wanted);
    if (taken != node_ports_.end()) {
      if (taken->second == asking.uid) return wanted;
      return Error(ErrorCode::kInvalid, "provided port is already allocated");
    }
    if (wanted < kNodePortFirst || wanted > kNodePortLast) {
      return Error(ErrorCode::kInvalid, cat("provided port is not in the valid range. The range of valid ports is ",
                                            kNodePortFirst, "-", kNodePortLast));
    }
    return wanted;
  }
  const auto take = [&](int64_t port) { return !node_ports_.contains(port) && asking.node_ports.insert(port).second; };
  // From somewhere in the middle, so that two clusters on one machine do not both begin with the first.
  const int64_t count = kNodePortLast - kNodePortUnasked + 1;
  const auto start = static_cast<int64_t>(text_hash(asking.uid) % static_cast<uint64_t>(count));
  for (int64_t tries = 0; tries < count; ++tries) {
    const int64_t port = kNodePortUnasked + (start + tries) % count;
    if (take(port)) return port;
  }
  for (int64_t port = kNodePortFirst; port < kNodePortUnasked; ++port) {
    if (take(port)) return port;
  }
  return Error(ErrorCode::kInternalError, "Internal error occurred: failed to allocate a nodePort: range is full");
}

void ServiceAdmission::claim(const Value& service) {
  const Value& spec = service[keys::kSpec];
  const std::string uid(object_uid(service));
  uint32_t address = 0;
  // Whoever has it already keeps it.
  if (parse_ipv4(spec[keys::kClusterIP].as_string(), address)) addresses_.try_emplace(address, uid);
  for (const int64_t number : node_ports_of(spec)) node_ports_.try_emplace(number, uid);
  if (const int64_t number = spec[keys::kHealthCheckNodePort].as_int(); number != 0) node_ports_.try_emplace(number, uid);
}

void ServiceAdmission::release(const Value& service) {
  const Value& spec = service[keys::kSpec];
  const std::string uid(object_uid(service));
  const auto give_back = [&](auto& taken, auto what) {
    const auto found = taken.find(what);
    if (found != taken.end() && found->second == uid) taken.erase(found);
  };
  uint32_t address = 0;
  if (parse_ipv4(spec[keys::kClusterIP].as_string(), address)) give_back(addresses_, address);
  for (const int64_t number : node_ports_of(spec)) give_back(node_ports_, number);
  give_back(node_ports_, spec[keys::kHealthCheckNodePort].as_int());
}

}  // namespace minik::control
