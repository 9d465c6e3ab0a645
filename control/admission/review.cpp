#include "control/admission/review.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/given_status.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kVersion = "admission.k8s.io/v1";
constexpr size_t kWarningsMax = 64, kAnswerAnnotationsMax = 64;

Value group_version(const ResourceInfo& resource, std::string_view field, std::string_view what) {
  return Value::map({{keys::kGroup, Value(resource.group)}, {keys::kVersion, Value(resource.version)}, {Key(field), Value(what)}});
}

// Of what is sent to a subresource (a Scale, an Eviction, PodExecOptions) the kind is its own.
Value body_kind(const WriteAttributes& request, const ResourceInfo& as) {
  const Value& sent = request.object.has_value() ? request.object : request.old_object;
  const std::string_view kind = sent[keys::kKind].as_string(), version = sent[keys::kApiVersion].as_string();
  if (request.subresource.empty() || kind.empty()) return group_version(as, "kind", as.kind);
  const size_t slash = version.find('/');
  return Value::map({{keys::kGroup, slash == std::string_view::npos ? std::string_view() : version.substr(0, slash)},
                     {keys::kVersion, slash == std::string_view::npos ? version : version.substr(slash + 1)},
                     {keys::kKind, kind}});
}

// A webhook that says no may choose the HTTP status, but none of success.
int64_t http_status_of(const Value& status) {
  constexpr int64_t kFirst = 400, kLast = 599;
  return std::clamp(status[keys::kCode].as_int(), kFirst, kLast);
}

Value text_or_absent(const Value& given) { return given.as_string().empty() ? Value() : Value(given.as_string()); }

// What metav1.StatusDetails has room for; absent when nothing of it is given.
Value details_of(const Value& given) {
  std::vector<Value> causes;
  for (const auto& cause : given[keys::kCauses].items()) {
    causes.push_back(Value::map({{keys::kReason, text_or_absent(cause[keys::kReason])},
                                 {keys::kMessage, text_or_absent(cause[keys::kMessage])},
                                 {keys::kField, text_or_absent(cause[keys::kField])}}));
  }
  const int64_t retry = given[keys::kRetryAfterSeconds].as_int();
  const Value details = Value::map({{keys::kName, text_or_absent(given[keys::kName])},
                                    {keys::kGroup, text_or_absent(given[keys::kGroup])},
                                    {keys::kKind, text_or_absent(given[keys::kKind])},
                                    {keys::kUid, text_or_absent(given[keys::kUid])},
                                    {keys::kCauses, causes.empty() ? Value() : Value::array(std::move(causes))},
                                    {keys::kRetryAfterSeconds, retry > 0 ? Value(retry) : Value()}});
  return given.is_map() ? details : Value();
}

}  // namespace

Value review_request(const WriteAttributes& request, const ResourceInfo& as) {
  const Value sub = request.subresource.empty() ? Value() : Value(request.subresource);
  const ResourceInfo& own = *request.resource;
  return Value::map({{keys::kKind, body_kind(request, as)},
                     {keys::kResource, group_version(as, "resource", as.plural)},
                     {"subResource", sub},
                     {"requestKind", body_kind(request, own)},
                     {"requestResource", group_version(own, "resource", own.plural)},
                     {"requestSubResource", sub},
                     {keys::kName, request.name.empty() ? Value() : Value(request.name)},
                     {keys::kNamespace, request.namespace_.empty() ? Value() : Value(request.namespace_)},
                     {"operation", operation_name(request.operation)},
                     {keys::kUserInfo, user_document(request.user)},
                     {keys::kObject, named_object(as, request.object)},
                     {"oldObject", named_object(as, request.old_object)},
                     {"dryRun", request.dry_run},
                     {"options", request.options.has_value() ? request.options : Value(nullptr)}});
}

std::string review_body(const Value& request, std::string_view uid) {
  return to_json(Value::map({{keys::kApiVersion, kVersion},
                             {keys::kKind, "AdmissionReview"},
                             {"request", request.with(keys::kUid, Value(uid))}}));
}

Result<ReviewAnswer> read_review(std::string_view body, std::string_view uid) {
  auto document = parse_json(body);
  if (!document) return std::move(document).error().in("received invalid webhook response");
  const auto wrong = [](std::string text) { return Error(ErrorCode::kInternalError, cat("received invalid webhook response: ", text)); };
  const Value& given = *document;
  if (given[keys::kApiVersion].as_string() != kVersion || given[keys::kKind].as_string() != "AdmissionReview") {
    return wrong(cat("expected webhook response of ", kVersion, ", Kind=AdmissionReview, got ",
                     given[keys::kApiVersion].as_string(), ", Kind=", given[keys::kKind].as_string()));
  }
  const Value& response = given.get("response");
  if (!response.is_map()) return Error(ErrorCode::kInternalError, "webhook response was absent");
  if (response[keys::kUid].as_string() != uid) {
    return wrong(cat("expected response.uid=", quoted(uid), ", got ", quoted(response[keys::kUid].as_string())));
  }
  ReviewAnswer answer;
  answer.allowed = response.get("allowed").as_bool();
  answer.status = response[keys::kStatus];
  for (const auto& warning : response.get("warnings").items()) {
    if (answer.warnings.size() < kWarningsMax) answer.warnings.push_back(warning.string());
  }
  for (const auto& [key, value] : response.get("auditAnnotations").entries()) {
    if (answer.audit_annotations.size() < kAnswerAnnotationsMax && value.is_string()) {
      answer.audit_annotations.emplace(key.text(), value.string());
    }
  }
  const Value& patch = response.get("patch");
  if (!patch.has_value()) return answer;
  if (response.get("patchType").as_string() != "JSONPatch") {
    return wrong("response.patch is set, but response.patchType is not \"JSONPatch\"");
  }
  const auto text = from_base64(patch.as_string());
  if (!text) return wrong("response.patch is not base64");
  auto parsed = parse_json(*text);
  if (!parsed || !parsed->is_array()) return wrong("response.patch is no JSON patch");
  answer.patch = *std::move(parsed);
  return answer;
}

Error denial(std::string_view webhook, const Value& status) {
  const std::string denied = cat("admission webhook ", quoted(webhook), " denied the request");
  const std::string_view message = status[keys::kMessage].as_string(), reason = status[keys::kReason].as_string();
  const std::string_view why = message.empty() ? reason : message;
  return error_of_given_status(
      Value::map({{keys::kApiVersion, "v1"},
                  {keys::kKind, "Status"},
                  {keys::kMetadata, Value::empty_map()},
                  {keys::kStatus, "Failure"},
                  {keys::kMessage, why.empty() ? cat(denied, " without explanation") : cat(denied, ": ", why)},
                  {keys::kReason, text_or_absent(status[keys::kReason])},
                  {keys::kDetails, details_of(status[keys::kDetails])},
                  {keys::kCode, http_status_of(status)}}));
}

}  // namespace minik::control
