// ConversionReview, apiextensions.k8s.io/v1: the question to the webhook that turns custom resources of one version into
// another, and its answer.
//
// read_conversion() takes bytes from outside and refuses whatever is not an answer to the question. Of metadata a
// webhook may change labels and annotations alone; the rest is taken from the question. Errors are worded as
// kube-apiserver words them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

struct ConversionQuestion {
  std::string uid;
  std::string kind;                    // "Widget"
  std::string from_version, to_version;  // "example.com/v1"
  std::vector<Value> objects;          // with their apiVersion and kind
};

std::string conversion_body(const ConversionQuestion& question);
// An object for each of the question's, in their order, without apiVersion and kind.
Result<std::vector<Value>> read_conversion(std::string_view body, const ConversionQuestion& question);
// `conversion webhook for example.com/v1, Kind=Widget failed: …`
Error conversion_failure(const ConversionQuestion& question, std::string_view why);

}  // namespace minik::control
