#include "control/schema/names.h"

#include <arpa/inet.h>

#include <algorithm>

#include "control/base/text.h"

namespace minik::control {

namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_lower_alnum(char c) {
  return is_lower(c) || is_digit(c);
}
bool is_alnum(char c) {
  return is_alpha(c) || is_digit(c);
}

bool is_label(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  while (true) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_name_part(std::string_view text) {
  if (text.empty() || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string too_long(size_t bytes) {
  return cat("must be no more than ", bytes, " bytes");
}

constexpr size_t kLabelMax = 63;
constexpr size_t kSubdomainMax = 253;

constexpr std::string_view kLabelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kSubdomainPattern =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view kQualifiedPattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

// A sentence with examples and the pattern, in the server's peculiar punctuation.
std::string explained(std::string_view what, std::initializer_list<std::string_view> examples,
                      std::string_view pattern) {
  std::string out(what);
  out += examples.size() == 0 ? " (" : " (e.g. ";
  bool first = true;
  for (const auto example : examples) {
    if (!first) out += " or ";
    first = false;
    out += cat("'", example, "', ");
  }
  out += cat("regex used for validation is '", pattern, "')");
  return out;
}

std::string qualified_name_sentence(std::string_view what) {
  return explained(cat(what,
                       " must consist of alphanumeric characters, '-', '_' or '.', and must "
                       "start and end with an alphanumeric character"),
                   {"MyName", "my.name", "123-abc"}, kQualifiedPattern);
}

NameProblems check_v4(std::string_view text) {
  // Leading zeros are ambiguous, and inet_pton refuses them as well.
  in_addr address;
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1
             ? NameProblems{}
             : NameProblems{"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

}  // namespace

NameProblems check_dns_label(std::string_view text) {
  NameProblems problems;
  if (text.size() > kLabelMax) problems.push_back(too_long(kLabelMax));
  if (!is_label(text)) {
    problems.push_back(explained(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        "must start and end with an alphanumeric character",
        {"my-name", "123-abc"}, kLabelPattern));
  }
  return problems;
}

NameProblems check_dns_subdomain(std::string_view text) {
  NameProblems problems;
  if (text.size() > kSubdomainMax) problems.push_back(too_long(kSubdomainMax));
  if (!is_subdomain(text)) {
    problems.push_back(explained(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character",
        {"example.com"}, kSubdomainPattern));
  }
  return problems;
}

NameProblems check_wildcard_subdomain(std::string_view text) {
  NameProblems problems;
  if (text.size() > kSubdomainMax) problems.push_back(too_long(kSubdomainMax));
  if (!text.starts_with("*.") || !is_subdomain(text.substr(2))) {
    problems.push_back(
        explained("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
                  "subdomain, which "
                  "must consist of lower case alphanumeric characters, '-' or '.' and end with an "
                  "alphanumeric "
                  "character",
                  {"*.example.com"}, cat("\\*\\.", kSubdomainPattern)));
  }
  return problems;
}

NameProblems check_dns_1035_label(std::string_view text) {
  NameProblems problems;
  if (text.size() > kLabelMax) problems.push_back(too_long(kLabelMax));
  if (!is_label(text) || !is_lower(text.front())) {
    problems.push_back(explained(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        {"my-name", "abc-123"}, "[a-z]([-a-z0-9]*[a-z0-9])?"));
  }
  return problems;
}

NameProblems check_qualified_name(std::string_view text) {
  NameProblems problems;
  const auto slash = text.find('/');
  if (slash != std::string_view::npos && text.find('/', slash + 1) != std::string_view::npos) {
    return {cat(qualified_name_sentence("a qualified name"),
                " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")};
  }
  std::string_view name = text;
  if (slash != std::string_view::npos) {
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (prefix.empty()) {
      problems.emplace_back("prefix part must be non-empty");
    } else {
      for (const auto& problem : check_dns_subdomain(prefix)) {
        problems.push_back(cat("prefix part ", problem));
      }
    }
  }
  if (name.empty()) problems.emplace_back("name part must be non-empty");
  if (name.size() > kLabelMax) problems.push_back(cat("name part ", too_long(kLabelMax)));
  if (!is_name_part(name)) problems.push_back(qualified_name_sentence("name part"));
  return problems;
}

NameProblems check_label_value(std::string_view text) {
  NameProblems problems;
  if (text.size() > kLabelMax) problems.push_back(too_long(kLabelMax));
  if (!text.empty() && !is_name_part(text)) {
    problems.push_back(explained(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character",
        {"MyValue", "my_value", "12345"}, "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"));
  }
  return problems;
}

NameProblems check_config_key(std::string_view text) {
  NameProblems problems;
  if (text.size() > kSubdomainMax) problems.push_back(too_long(kSubdomainMax));
  const auto allowed = [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; };
  if (text.empty() || !std::ranges::all_of(text, allowed)) {
    problems.push_back(
        explained("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                  {"key.name", "KEY_NAME", "key-name"}, "[-._a-zA-Z0-9]+"));
  }
  if (text == ".") {
    problems.emplace_back("must not be '.'");
  } else if (text == "..") {
    problems.emplace_back("must not be '..'");
  } else if (text.starts_with("..")) {
    problems.emplace_back("must not start with '..'");
  }
  return problems;
}

NameProblems check_env_name(std::string_view text) {
  const auto allowed = [](char c) { return c >= ' ' && c <= '~' && c != '='; };
  if (!text.empty() && std::ranges::all_of(text, allowed)) return {};
  return {
      explained("a valid environment variable name must consist only of printable ASCII "
                "characters other than '='",
                {}, "^[ -<>-~]+$")};
}

NameProblems check_port_name(std::string_view text) {
  NameProblems problems;
  if (text.size() > 15) problems.push_back("must be no more than 15 characters long");
  const auto allowed = [](char c) { return is_lower_alnum(c) || c == '-'; };
  if (!std::ranges::all_of(text, allowed)) {
    problems.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (std::ranges::none_of(text, is_lower)) {
    problems.emplace_back("must contain at least one letter (a-z)");
  }
  if (text.find("--") != std::string_view::npos) {
    problems.emplace_back("must not contain consecutive hyphens");
  }
  if (!text.empty() && (text.front() == '-' || text.back() == '-')) {
    problems.emplace_back("must not begin or end with a hyphen");
  }
  return problems;
}

NameProblems check_port_number(int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

NameProblems check_ip(std::string_view text) {
  if (text.find(':') == std::string_view::npos) return check_v4(text);
  in6_addr address;
  if (inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string address(text.substr(0, slash));
  const auto bits = parse_int64(text.substr(slash + 1));
  IpNetwork network;
  network.six = address.find(':') != std::string::npos;
  if (!bits || *bits < 0 || *bits > (network.six ? 128 : 32)) return std::nullopt;
  if (inet_pton(network.six ? AF_INET6 : AF_INET, address.c_str(), network.bytes.data()) != 1) return std::nullopt;
  network.bits = static_cast<int>(*bits);
  return network;
}

NameProblems check_special_ip(std::string_view ip) {
  const auto network = parse_network(cat(ip, ip.find(':') == std::string_view::npos ? "/32" : "/128"));
  if (!network) return {};
  const auto& bytes = network->bytes;
  const size_t last = network->six ? 15 : 3;
  const auto first_bits = [&](int a, int b, int mask) { return bytes[0] == a && (bytes[1] & mask) == b; };
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(last), [](auto b) { return b == 0; });
  if (zeros && bytes[last] == 0) return {network->six ? "may not be unspecified (::)" : "may not be unspecified (0.0.0.0)"};
  if (network->six ? zeros && bytes[last] == 1 : bytes[0] == 127) return {"may not be in the loopback range (127.0.0.0/8, ::1/128)"};
  if (network->six ? first_bits(0xfe, 0x80, 0xc0) : first_bits(169, 254, 0xff))
    return {"may not be in the link-local range (169.254.0.0/16, fe80::/10)"};
  if (network->six ? first_bits(0xff, 0x02, 0x0f) : first_bits(224, 0, 0xff) && bytes[2] == 0)
    return {"may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"};
  return {};
}

NameProblems check_path_segment(std::string_view text) {
  if (text == "." || text == "..") return {cat("may not be '", text, "'")};
  NameProblems problems;
  for (const char c : {'/', '%'}) {
    if (text.find(c) != std::string_view::npos)
      problems.push_back(cat("may not contain '", c, "'"));
  }
  return problems;
}

bool is_percent(std::string_view text) {
  return text.size() > 1 && text.back() == '%' &&
         std::ranges::all_of(text.substr(0, text.size() - 1), is_digit);
}

NameProblems check_percent_or_count(const Value& value) {
  if (value.is_int()) {
    if (value.as_int() >= 0) return {};
    return {"must be greater than or equal to 0"};
  }
  if (is_percent(value.as_string())) return {};
  return {explained("a valid percent string must be a numeric string followed by an ending '%'",
                    {"1%", "93%"}, "[0-9]+%")};
}

}  // namespace minik::control
