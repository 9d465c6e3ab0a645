// AdmissionReview, admission.k8s.io/v1: the question to a webhook and its answer.
//
// read_review() takes bytes from outside and refuses whatever is not an answer to the question. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/admission/attributes.h"

namespace minik::control {

// Without the uid, which each call has of its own. `as` is the kind as which the request matched.
Value review_request(const WriteAttributes& request, const ResourceInfo& as);
std::string review_body(const Value& request, std::string_view uid);

struct ReviewAnswer {
  bool allowed = false;
  Value status;  // of a denial: metav1.Status, or absent
  Value patch;   // a JSON patch; absent: none
  std::vector<std::string> warnings;
  std::map<std::string, std::string> audit_annotations;
};
// The error names what is wrong with the answer.
Result<ReviewAnswer> read_review(std::string_view body, std::string_view uid);

// `admission webhook "x" denied the request: …`, with the reason, the details and the HTTP status of the webhook's own
// Status (control/object/given_status.h).
Error denial(std::string_view webhook, const Value& status);

}  // namespace minik::control
