#include "sim/patient_client.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/custom_kinds.h"

namespace minik::sim {

namespace keys = control::keys;
using control::ApiRequest;
using control::Value;

namespace {

// Errors of the moment: the next try may go well.
bool is_of_the_moment(ErrorCode code) {
  switch (code) {
    case ErrorCode::kServiceUnavailable:
    case ErrorCode::kTooManyRequests:
    case ErrorCode::kTimeout:
    case ErrorCode::kServerTimeout:
    case ErrorCode::kInternalError:
    case ErrorCode::kConflict: return true;
    default: return false;
  }
}

}  // namespace

ApiRequest request_for(control::Verb verb, control::KindId kind, std::string namespace_, std::string name) {
  ApiRequest request;
  request.verb = verb;
  request.kind = kind;
  request.namespace_ = std::move(namespace_);
  request.name = std::move(name);
  return request;
}

void PatientClient::send(ApiRequest request, const std::string& what, Done done) {
  if (const auto served = served_kind(cluster_.schema(), request.kind)) {
    request.kind = *served;
  } else {
    const Status refused = Error(ErrorCode::kNotFound, "its kind is not served");
    if (done) return done(refused);
    return failed(what, refused.error().message);
  }
  try_send(std::make_shared<const ApiRequest>(std::move(request)), what, cluster_.executor().now() + kGiveUp, std::move(done));
}

void PatientClient::try_send(std::shared_ptr<const ApiRequest> request, const std::string& what, Instant give_up, Done done) {
  cluster_.request(*request, [this, request, what, give_up, done = std::move(done)](const Result<control::ApiResponse>& result) {
    const auto now = cluster_.executor().now();
    const ErrorCode code = result ? ErrorCode::kInternalError : result.error().code;
    // Who has asked before and finds what he deletes gone has what he wanted.
    const bool again = now + kGiveUp >= give_up + kRetry;
    const bool is_gone = code == ErrorCode::kNotFound && again && request->verb == control::Verb::kDelete;
    // What is not there may be among what is still being applied.
    const bool of_the_moment = is_of_the_moment(code) || (code == ErrorCode::kNotFound && applying_ > 0);
    if (!result && !is_gone && of_the_moment && now < give_up) {
      // Patience is for what the server answers: who finds it away comes back when it is there.
      const Instant until = code == ErrorCode::kServiceUnavailable ? now + kGiveUp : give_up;
      cluster_.executor().after(kRetry, [this, request, what, until, done] { try_send(request, what, until, done); });
      return;
    }
    if (done) {
      done(result || is_gone ? Status() : Status(result.error()));
    } else if (!result && !is_gone) {
      failed(what, result.error().message);
    }
  });
}

void PatientClient::set_unschedulable(const std::string& node, bool unschedulable, Done done) {
  ApiRequest request = request_for(control::Verb::kPatch, control::kinds::kNodes, "", node);
  request.patch_type = control::PatchType::kStrategicMerge;
  request.body = Value::empty_map().with_at({keys::kSpec, keys::kUnschedulable}, Value(unschedulable));
  const std::string what = cat(unschedulable ? "cordon " : "uncordon ", node);
  note(what);
  send(std::move(request), what, std::move(done));
}

}  // namespace minik::sim
