// The fields of a Service's spec that name addresses and IP families, as far as they must agree with each other:
// clusterIP, clusterIPs, ipFamilies. Which families and addresses the cluster has is not asked here.
//
// Both validation and the allocation of addresses begin with it: what contradicts itself is given no address.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

bool is_ipv6(std::string_view address);

void check_address_fields(const Value& spec, const FieldPath& at, FieldErrors& errors);

}  // namespace minik::control
