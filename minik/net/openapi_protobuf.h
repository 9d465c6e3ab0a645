// The OpenAPI v2 document in gnostic's protobuf form, which kubectls up to 1.26 ask for and cannot do without: apply,
// explain and the validation of manifests stop where it is missing.
//
//   Document { swagger 1, info 2, paths 8 { path 2 { name 1, PathItem 2 } }, definitions 9 { 1 { name 1, Schema 2 } } }
//
// Made from the same document as the JSON; what has no number there (x-kubernetes-…) travels as a named text. Pure.
#pragma once

#include <string>
#include <string_view>

#include "control/object/value.h"

namespace minik {

constexpr std::string_view kOpenApiProtobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
// The name with an @, which is no valid media type but the one that those kubectls send.
constexpr std::string_view kOpenApiProtobufOld = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

std::string openapi_v2_protobuf(const control::Value& document);

}  // namespace minik
