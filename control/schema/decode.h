// Decoding: from any document to one that the rest of the control plane may trust in its shape.
//
// Every field is of its type, unknown fields are gone, and equal content has one form: nulls
// dropped, optional zero values dropped where Kubernetes drops them, quantities and times in
// canonical text. What is wrong with a document is said as kube-apiserver says it: a wrong type
// ends the decoding with
//   json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32
// and each unknown field is listed (`unknown field "spec.foo"`), for the caller to refuse, to warn
// of or to ignore. Whether required fields are there and values make sense is validation's
// question.
//
// Sharing: a subtree that needs no change is returned as the node that came in. `known`, when
// given, is an earlier decoded version of the document: subtrees that are the same node as there
// are taken as they are, so that the price of a small change is small.
//
// Pure functions; any thread. Recursion is bounded by the depth that parse_json admits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

struct Decoded {
  Value object;
  // `unknown field "spec.foo"`, in the order of the document.
  std::vector<std::string> unknown_fields;
};

// The error is BadRequest with the bare sentence of the JSON decoder.
Result<Decoded> decode(const TypeInfo& type, const Value& document,
                       const Value& known = Value::absent());

// What the server answers about a body that it could not take:
//   Deployment in version "v1" cannot be handled as a Deployment: <sentence>
Error cannot_be_handled(std::string_view api_version, std::string_view kind,
                        std::string_view wanted_kind, std::string_view sentence);
// "strict decoding error: unknown field "spec.foo", duplicate field "spec.bar"".
std::string strict_decoding_sentence(const std::vector<std::string>& complaints);

}  // namespace minik::control
