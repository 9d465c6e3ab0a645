// Objects in Kubernetes' protobuf form, as bodies of requests: kubectl's own `create` commands
// (deployment, configmap, namespace, token…) and Go clients of built-in kinds send nothing else.
//
//   "k8s\0" | runtime.Unknown { typeMeta { apiVersion, kind }, raw } | raw: the kind's own message
//
// decode_protobuf() gives the same document that the client's JSON would have been: field names,
// omitted zeros, times, quantities, base64. Which number means which field stands in
// protobuf_fields.txt, as data. Fields that are not known are skipped, as protobuf wants it.
// Answers are always JSON, which those clients accept.
//
// Pure; any thread. Depth and memory are bounded by the body. A message that is cut off or nested
// beyond measure, and a kind without a message, are kBadRequest.
#pragma once

#include <string_view>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik {

// Whether a Content-Type asks for this form.
bool is_protobuf(std::string_view content_type);

Result<control::Value> decode_protobuf(std::string_view body);

}  // namespace minik
