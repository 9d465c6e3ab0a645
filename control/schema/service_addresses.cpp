#include "control/schema/service_addresses.h"

#include <algorithm>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/names.h"

namespace minik::control {

bool is_ipv6(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

void check_address_fields(const Value& spec, const FieldPath& at, FieldErrors& errors) {
  const std::string_view first = spec[keys::kClusterIP].as_string();
  const Value& list = spec[keys::kClusterIPs];
  const auto addresses = list.items();
  const FieldPath list_at = at.field("clusterIPs");
  if (first.empty()) {
    if (!addresses.empty()) errors.invalid(list_at, list, "must be empty when `clusterIP` is not specified");
  } else if (addresses.empty()) {
    errors.required(list_at);
  } else if (addresses[0].as_string() != first) {
    errors.invalid(list_at, list, "first value must match `clusterIP`");
  }

  const auto families = spec[keys::kIpFamilies].items();
  const FieldPath families_at = at.field("ipFamilies");
  std::set<std::string_view> seen;
  for (size_t i = 0; i < families.size(); ++i) {
    if (!seen.insert(families[i].as_string()).second) errors.duplicate(families_at.index(i), families[i]);
  }

  bool readable = true;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (i == 0 && addresses[i].as_string() == "None") {
      if (addresses.size() == 1) return;
      errors.invalid(list_at, list, "'None' must be the first and only value");
      readable = false;
      continue;
    }
    const auto problems = check_ip(addresses[i].as_string());
    errors.invalid_each(list_at.index(i), addresses[i], problems);
    readable = readable && problems.empty();
  }
  if (addresses.size() > 2) errors.invalid(list_at, list, "may only hold up to 2 values");
  if (!readable) return;

  const auto six = std::ranges::count_if(addresses, [](const Value& address) { return is_ipv6(address.as_string()); });
  if (six > 1 || static_cast<size_t>(six) + 1 < addresses.size())
    errors.invalid(list_at, list, "may specify no more than one IP for each IP family");
  for (size_t i = 0; i < std::min(addresses.size(), families.size()); ++i) {
    const bool is_six = is_ipv6(addresses[i].as_string()), wants_six = families[i].as_string() == "IPv6";
    if (is_six == wants_six) continue;
    errors.invalid(list_at.index(i), addresses[i],
                   cat("expected an ", wants_six ? "IPv6" : "IPv4", " value as indicated by `ipFamilies[", i, "]`"));
  }
}

}  // namespace minik::control
