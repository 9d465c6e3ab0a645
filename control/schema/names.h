// The shapes of names that Kubernetes knows, and its sentences about names that are out of shape.
//
// Each check returns what is wrong, an empty vector when nothing is: text for
// FieldErrors::invalid_each. Pure functions of their text; nothing is allocated for a good name.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

using NameProblems = std::vector<std::string>;

NameProblems check_dns_label(std::string_view text);       // RFC 1123, 63 bytes
NameProblems check_dns_subdomain(std::string_view text);   // RFC 1123, 253 bytes
NameProblems check_dns_1035_label(std::string_view text);  // starts with a letter
NameProblems check_wildcard_subdomain(std::string_view text);
NameProblems check_qualified_name(std::string_view text);  // label and annotation keys
NameProblems check_label_value(std::string_view text);
NameProblems check_config_key(std::string_view text);  // ConfigMap and Secret keys
NameProblems check_env_name(std::string_view text);
NameProblems check_port_name(std::string_view text);  // IANA service name, 15 bytes
NameProblems check_port_number(int64_t port);
NameProblems check_ip(std::string_view text);
// Of an address that traffic cannot be led to: unspecified, loopback, link-local. Nothing for what is no address.
NameProblems check_special_ip(std::string_view text);
NameProblems check_path_segment(std::string_view text);   // names of RBAC and the like
NameProblems check_percent_or_count(const Value& value);  // int-or-string: 0.., "0%"..

// "10.0.0.0/8" or "fd00::/8"; nothing for anything else. The bits behind the prefix stay as they were given.
struct IpNetwork {
  bool six = false;
  std::array<unsigned char, 16> bytes = {};
  int bits = 0;
};
std::optional<IpNetwork> parse_network(std::string_view text);

// "25%" as 25; nothing for anything else.
bool is_percent(std::string_view text);

}  // namespace minik::control
