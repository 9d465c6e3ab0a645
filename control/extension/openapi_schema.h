// The OpenAPI definition of a custom kind, made of its schema. Version 2 of OpenAPI cannot say what version
// 3 can (combinations, nullable fields); there the places that use them say less, as kube-apiserver's do.
#pragma once

#include <string_view>

#include "control/object/value.h"
#include "control/schema/custom_kind.h"

namespace minik::control {

Value openapi_definition(const Value& schema, const ResourceInfo& resource, OpenApiDialect dialect,
                         std::string_view prefix);

}  // namespace minik::control
