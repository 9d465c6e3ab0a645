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
  start({std::move(request), what, std::move(done), 0, {}, {}, {}});
}

void PatientClient::send_applied(ApiRequest request, const std::string& what, Done done) {
  start({std::move(request), what, std::move(done), 1, {}, {}, {}});
}

void PatientClient::start(Attempt attempt) {
  if (const auto served = served_kind(cluster_.schema(), attempt.request.kind)) {
    attempt.request.kind = *served;
  } else {
    const Status refused = Error(ErrorCode::kNotFound, "its kind is not served");
    if (attempt.done) return attempt.done(refused);
    return failed(attempt.what, refused.error().message);
  }
  attempt.began = cluster_.executor().now();
  attempt.give_up = attempt.began + kGiveUp;
  const uint64_t number = next_number_++;
  attempts_.emplace(number, std::move(attempt));
  try_send(number);
}

void PatientClient::try_send(uint64_t number) {
  cluster_.request(attempts_.at(number).request, [this, number](const Result<control::ApiResponse>& result) { answered(number, result); });
}

void PatientClient::answered(uint64_t number, const Result<control::ApiResponse>& result) {
  Attempt& attempt = attempts_.at(number);
  const auto now = cluster_.executor().now();
  const ErrorCode code = result ? ErrorCode::kInternalError : result.error().code;
  // Who has asked before and finds what he deletes gone has what he wanted.
  const bool again = now + kGiveUp >= attempt.give_up + kRetry;
  const bool is_gone = code == ErrorCode::kNotFound && again && attempt.request.verb == control::Verb::kDelete;
  const bool may_come = code == ErrorCode::kNotFound && applying_ > attempt.own_applies;
  if (!result && !is_gone && (is_of_the_moment(code) || may_come) && now < attempt.give_up) {
    attempt.told = result.error().message;
    // Patience is for what the server answers: who finds it away comes back when it is there.
    if (code == ErrorCode::kServiceUnavailable) attempt.give_up = now + kGiveUp;
    cluster_.executor().after(kRetry, [this, number] { try_send(number); });
    return;
  }
  const Attempt over = std::move(attempts_.extract(number).mapped());
  if (over.done) {
    over.done(result || is_gone ? Status() : Status(result.error()));
  } else if (!result && !is_gone) {
    failed(over.what, result.error().message);
  }
}

std::vector<std::string> PatientClient::unanswered() const {
  std::vector<std::string> all;
  for (const auto& [number, attempt] : attempts_) {
    if (cluster_.executor().now() - attempt.began <= kRetry) continue;
    all.push_back(cat(attempt.what, ": ", attempt.told.empty() ? "nobody has answered" : attempt.told));
  }
  return all;
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
