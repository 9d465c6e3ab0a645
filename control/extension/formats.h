// Named formats of texts: date-time, uuid, ipv4 and the like, as far as Kubernetes checks them in custom
// resources. Pure.
#pragma once

#include <string_view>

namespace minik::control {

// True for a format that is not known: it says nothing.
bool has_format(std::string_view format, std::string_view text);

}  // namespace minik::control
