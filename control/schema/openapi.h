// OpenAPI: the types and paths of the API for tools. `kubectl explain` reads the descriptions,
// `kubectl apply` whether a kind takes strategic merge patches and how its lists merge, editors the
// rest.
//
//   /openapi/v3              openapi_v3_index: where the document of each group version is
//   /openapi/v3/apis/G/V     openapi_v3: paths and schemas of one group version, and what those refer to
//   /openapi/v2              openapi_v2: all in one
//
// Made from the schema on every call: a caller that serves them keeps the text. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/object/value.h"
#include "control/schema/discovery.h"
#include "control/schema/schema.h"

namespace minik::control {

// `hash_of` gives what changes with the document at a path ("apis/apps/v1").
Value openapi_v3_index(EnabledResources enabled, const std::function<std::string(const std::string& path)>& hash_of);
// Absent when nothing of this group version is enabled.
Value openapi_v3(EnabledResources enabled, std::string_view group, std::string_view version);
Value openapi_v2(EnabledResources enabled);

}  // namespace minik::control
