// Addresses and ranges that are taken although nobody should write them so: an IPv4 address in the dress of IPv6, IPv6
// that is not in RFC 5952's form, a range with bits set behind its prefix. In kube-apiserver's words; pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/schema/field_error.h"

namespace minik::control {

// Nothing of a text that is no address or range: validation has refused it.
void add_address_warnings(std::vector<std::string>& warnings, const FieldPath& at, std::string_view address);
void add_range_warnings(std::vector<std::string>& warnings, const FieldPath& at, std::string_view range);

}  // namespace minik::control
