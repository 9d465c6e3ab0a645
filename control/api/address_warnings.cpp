#include "control/api/address_warnings.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <optional>

#include "control/base/text.h"

namespace minik::control {

namespace {

struct Address {
  std::array<uint8_t, 16> bytes{};
  int bits = 32;
};

std::optional<Address> parse(std::string_view text) {
  Address address;
  const bool v6 = text.find(':') != std::string_view::npos;
  if (v6) address.bits = 128;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, std::string(text).c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

bool is_v4_in_v6(const Address& address) {
  constexpr std::array<uint8_t, 12> kPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  for (size_t i = 0; i < kPrefix.size(); ++i) {
    if (address.bytes[i] != kPrefix[i]) return false;
  }
  return address.bits == 128;
}

// What an IPv4 address in IPv6's dress is for everybody who compares addresses.
Address plain(const Address& address) {
  if (!is_v4_in_v6(address)) return address;
  Address v4;
  for (size_t i = 0; i < 4; ++i) v4.bytes[i] = address.bytes[12 + i];
  return v4;
}

std::string text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(address.bits == 128 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
}

Address masked(Address address, int64_t prefix) {
  for (size_t i = 0; i < address.bytes.size(); ++i) {
    const int64_t kept = prefix - static_cast<int64_t>(i) * 8;
    if (kept <= 0) address.bytes[i] = 0;
    else if (kept < 8) address.bytes[i] = static_cast<uint8_t>(address.bytes[i] & (0xff << (8 - kept)));
  }
  return address;
}

}  // namespace

void add_address_warnings(std::vector<std::string>& warnings, const FieldPath& at, std::string_view address) {
  const auto parsed = parse(address);
  if (!parsed) return;
  if (is_v4_in_v6(*parsed)) {
    warnings.push_back(cat(at.text(), ": non-standard IP address ", quoted(address),
                           " will be considered invalid in a future Kubernetes release: use ", quoted(text_of(plain(*parsed)))));
  } else if (text_of(*parsed) != address) {
    warnings.push_back(cat(at.text(), ": IPv6 address ", quoted(address), " should be in RFC 5952 canonical format (",
                           quoted(text_of(*parsed)), ")"));
  }
}

void add_range_warnings(std::vector<std::string>& warnings, const FieldPath& at, std::string_view range) {
  const size_t slash = range.find('/');
  if (slash == std::string_view::npos) return;
  const auto parsed = parse(range.substr(0, slash));
  const auto prefix = parse_int64(range.substr(slash + 1));
  if (!parsed || is_v4_in_v6(*parsed) || !prefix || *prefix < 0 || *prefix > parsed->bits) return;
  const Address network = masked(*parsed, *prefix);
  if (network.bytes != parsed->bytes) {
    warnings.push_back(cat(at.text(), ": CIDR value ", quoted(range), " is ambiguous in this context (should be ",
                           quoted(cat(text_of(network), "/", *prefix)), " or ",
                           quoted(cat(text_of(*parsed), "/", parsed->bits)), "?)"));
  } else if (const std::string canonical = cat(text_of(network), "/", *prefix); canonical != range) {
    warnings.push_back(cat(at.text(), ": IPv6 CIDR value ", quoted(range), " should be in RFC 5952 canonical format (",
                           quoted(canonical), ")"));
  }
}

}  // namespace minik::control
