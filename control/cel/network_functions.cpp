// Kubernetes' addresses and ranges: ip() and cidr(), as Go's net/netip reads them. Addresses that
// carry an IPv4 address in IPv6 (::ffff:1.2.3.4) and zones are refused, as Kubernetes does.
#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "control/base/text.h"
#include "control/cel/extensions.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

using Address = AddressBox;

const Address& address(const Datum& d) {
  return d.as<Address>();
}

std::shared_ptr<Address> parse_ip(std::string_view text) {
  auto ip = std::make_shared<Address>();
  const std::string zero_ended(text.substr(0, INET6_ADDRSTRLEN + 1));
  ip->v6 = text.find(':') != std::string_view::npos;
  if (text.find('\0') != std::string_view::npos) return nullptr;
  if (inet_pton(ip->v6 ? AF_INET6 : AF_INET, zero_ended.c_str(), ip->bytes.data()) != 1)
    return nullptr;
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (ip->v6 && std::memcmp(ip->bytes.data(), kMapped, sizeof kMapped) == 0) return nullptr;
  ip->prefix = ip->bits();
  return ip;
}

std::shared_ptr<Address> parse_range(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return nullptr;
  auto range = parse_ip(text.substr(0, slash));
  const auto digits = text.substr(slash + 1);
  const auto prefix = parse_uint64(digits);
  const bool padded = digits.size() > 1 && digits[0] == '0';
  if (range == nullptr || !prefix || padded || *prefix > static_cast<uint64_t>(range->bits()))
    return nullptr;
  range->prefix = static_cast<int>(*prefix);
  return range;
}

std::string text_of(const Address& ip) {
  char buffer[INET6_ADDRSTRLEN];
  return inet_ntop(ip.v6 ? AF_INET6 : AF_INET, ip.bytes.data(), buffer, sizeof buffer);
}

Address masked(Address range) {
  for (int bit = range.prefix; bit < range.bits(); ++bit) {
    uint8_t& byte = range.bytes[static_cast<size_t>(bit / 8)];
    byte = static_cast<uint8_t>(byte & ~(0x80 >> (bit % 8)));
  }
  return range;
}

bool contains(const Address& range, Address inner) {
  if (range.v6 != inner.v6 || inner.prefix < range.prefix) return false;
  inner.prefix = range.prefix;
  return masked(range) == masked(inner);
}

Datum bad(const Datum& text, std::string_view what) {
  return Datum::error(cat(what, " Address ", quoted(text.as_text().substr(0, 64)),
                          " parse error during conversion from string"));
}

Datum box(Kind kind, std::shared_ptr<Address> made) {
  return Datum::extension(kind, std::move(made));
}

Datum ip(const Call& c) {
  auto parsed = parse_ip(c[0].as_text());
  return parsed == nullptr ? bad(c[0], "IP") : box(Kind::kIp, std::move(parsed));
}

Datum cidr(const Call& c) {
  auto parsed = parse_range(c[0].as_text());
  return parsed == nullptr ? bad(c[0], "CIDR") : box(Kind::kCidr, std::move(parsed));
}

Datum is_canonical(const Call& c) {
  const auto parsed = parse_ip(c[0].as_text());
  return parsed == nullptr ? bad(c[0], "IP") : Datum::boolean(text_of(*parsed) == c[0].as_text());
}

Datum family(const Call& c) {
  return Datum::integer(address(c[0]).v6 ? 6 : 4);
}

bool starts(const Address& ip, std::initializer_list<uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), ip.bytes.begin());
}
bool zero_until(const Address& ip, size_t end) {
  return std::all_of(ip.bytes.begin(), ip.bytes.begin() + static_cast<std::ptrdiff_t>(end),
                     [](uint8_t b) { return b == 0; });
}

bool is_unspecified(const Address& ip) {
  return zero_until(ip, 16);
}
bool is_loopback(const Address& ip) {
  return ip.v6 ? zero_until(ip, 15) && ip.bytes[15] == 1 : ip.bytes[0] == 127;
}
bool is_link_local_multicast(const Address& ip) {
  return ip.v6 ? ip.bytes[0] == 0xff && (ip.bytes[1] & 0x0f) == 2 : starts(ip, {224, 0, 0});
}
bool is_link_local_unicast(const Address& ip) {
  return ip.v6 ? ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80 : starts(ip, {169, 254});
}
bool is_multicast(const Address& ip) {
  return ip.v6 ? ip.bytes[0] == 0xff : (ip.bytes[0] & 0xf0) == 0xe0;
}
bool is_global_unicast(const Address& ip) {
  const bool broadcast = !ip.v6 && starts(ip, {255, 255, 255, 255});
  return !broadcast && !is_unspecified(ip) && !is_loopback(ip) && !is_multicast(ip) &&
         !is_link_local_unicast(ip);
}

template <bool (*test)(const Address&)>
Datum ask(const Call& c) {
  return Datum::boolean(test(address(c[0])));
}

// The argument is an address or range, or the text of one.
template <bool is_range>
Datum range_contains(const Call& c) {
  if (c[1].kind() != Kind::kString) return Datum::boolean(contains(address(c[0]), address(c[1])));
  const auto inner = is_range ? parse_range(c[1].as_text()) : parse_ip(c[1].as_text());
  if (inner == nullptr) return bad(c[1], is_range ? "CIDR" : "IP");
  return Datum::boolean(contains(address(c[0]), *inner));
}

Datum range_ip(const Call& c) {
  auto ip_only = std::make_shared<Address>(address(c[0]));
  ip_only->prefix = ip_only->bits();
  return box(Kind::kIp, std::move(ip_only));
}

constexpr OverloadText kNetworkFunctions[] = {
    {"ip(string) -> IP", ip, Cost::kTraverse},
    {"isIP(string) -> bool",
     [](const Call& c) { return Datum::boolean(parse_ip(c[0].as_text()) != nullptr); },
     Cost::kTraverse},
    {"ip.isCanonical(string) -> bool", is_canonical, Cost::kTraverse},
    {"string(IP) -> string", [](const Call& c) { return Datum::text(text_of(address(c[0]))); }},
    {"IP.family() -> int", family},
    {"IP.isUnspecified() -> bool", ask<is_unspecified>},
    {"IP.isLoopback() -> bool", ask<is_loopback>},
    {"IP.isLinkLocalMulticast() -> bool", ask<is_link_local_multicast>},
    {"IP.isLinkLocalUnicast() -> bool", ask<is_link_local_unicast>},
    {"IP.isGlobalUnicast() -> bool", ask<is_global_unicast>},

    {"cidr(string) -> CIDR", cidr, Cost::kTraverse},
    {"isCIDR(string) -> bool",
     [](const Call& c) { return Datum::boolean(parse_range(c[0].as_text()) != nullptr); },
     Cost::kTraverse},
    {"string(CIDR) -> string",
     [](const Call& c) {
       return Datum::text(cat(text_of(address(c[0])), "/", address(c[0]).prefix));
     }},
    {"CIDR.containsIP(IP) -> bool", range_contains<false>},
    {"CIDR.containsIP(string) -> bool", range_contains<false>, Cost::kTraverse},
    {"CIDR.containsCIDR(CIDR) -> bool", range_contains<true>},
    {"CIDR.containsCIDR(string) -> bool", range_contains<true>, Cost::kTraverse},
    {"CIDR.ip() -> IP", range_ip},
    {"CIDR.masked() -> CIDR",
     [](const Call& c) {
       return box(Kind::kCidr, std::make_shared<Address>(masked(address(c[0]))));
     }},
    {"CIDR.prefixLength() -> int",
     [](const Call& c) { return Datum::integer(address(c[0]).prefix); }},
};

}  // namespace

std::span<const OverloadText> network_functions() {
  return kNetworkFunctions;
}

}  // namespace minik::control::cel
