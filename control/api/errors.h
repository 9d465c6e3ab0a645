// The sentences that a kube-apiserver answers with, one function each, so that kubectl and scripts that
// match on them see what they know.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/schema/schema.h"

namespace minik::control {

Error not_found(const ResourceInfo& resource, std::string_view name);
Error already_exists(const ResourceInfo& resource, std::string_view name);
Error conflict(const ResourceInfo& resource, std::string_view name, std::string_view why);
Error modified_conflict(const ResourceInfo& resource, std::string_view name);
// One or more causes; the message is built from them.
Error invalid(const ResourceInfo& resource, std::string_view name, std::vector<ErrorCause> causes);
Error forbidden(const ResourceInfo& resource, std::string_view name, std::string_view why);

}  // namespace minik::control
