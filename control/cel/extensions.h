// Kubernetes' own values: quantities, URLs, addresses and their ranges, versions, named formats.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/cel/datum.h"
#include "control/object/quantity.h"

namespace minik::control::cel {

struct QuantityBox : Extension {
  Quantity quantity;
};

// An address, and for a range its prefix length.
struct AddressBox : Extension {
  std::array<uint8_t, 16> bytes{};  // four of them for IPv4
  bool v6 = false;
  int prefix = 0;

  int bits() const { return v6 ? 128 : 32; }
  bool operator==(const AddressBox& other) const {
    return bytes == other.bytes && v6 == other.v6 && prefix == other.prefix;
  }
};

struct UrlBox : Extension {
  std::string text, scheme, host, path, query;
};

// Semantic Versioning 2.0.0.
struct SemverBox : Extension {
  std::array<uint64_t, 3> numbers{};
  std::vector<std::string> pre_release;
};

struct FormatBox : Extension {
  std::string name;
};

// An absolute URI or an absolute path.
bool is_url(std::string_view text);
// Both of the same one of the kinds above.
bool extension_equals(const Datum& a, const Datum& b);
std::strong_ordering compare_versions(const SemverBox& a, const SemverBox& b);

}  // namespace minik::control::cel
