// serviceaccounts/token: a token for an account, as long and for whom the TokenRequest says, that dies with the pod,
// secret or node which it is bound to.
#include "control/api/errors.h"
#include "control/api/node_audience.h"
#include "control/api/node_restriction.h"
#include "control/api/subresources.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr int64_t kTokenSecondsMin = 600, kTokenSecondsDefault = 3600, kTokenSecondsMax = int64_t{1} << 32;

Error invalid_order(std::string_view field, std::string why) {
  Error error(ErrorCode::kInvalid, cat("TokenRequest.authentication.k8s.io \"\" is invalid: ", field, ": ", why));
  error.causes.push_back({"FieldValueInvalid", std::move(why), std::string(field)});
  return error;
}

}  // namespace

Status Subresources::bind_token(const Value& reference, const Value& account, TokenBond& bond) const {
  if (!reference.has_value()) return {};
  const auto kind = reference[keys::kKind].as_string(), name = reference[keys::kName].as_string();
  const auto version = reference[keys::kApiVersion].as_string();
  const bool pod = kind == "Pod", secret = kind == "Secret", node = kind == "Node";
  if ((version != "v1" && !version.empty()) || (!pod && !secret && !node)) {
    return Error(ErrorCode::kBadRequest, cat("cannot bind token for serviceaccount to type ",
                                             quoted(cat(version.empty() ? "v1" : version, ", Kind=", kind))));
  }
  const KindId id = pod ? kinds::kPods : secret ? kinds::kSecrets : kinds::kNodes;
  const Value& object = server_.store_.find(id, node ? std::string_view() : request_.namespace_, name);
  if (object.is_absent()) return not_found(server_.schema_.resource(id), name);
  const auto uid = reference[keys::kUid].as_string();
  if (!uid.empty() && uid != object_uid(object)) {
    return conflict(server_.schema_.resource(id), name,
                    cat("the UID in the bound object reference (", uid,
                        ") does not match the UID in record. The object might have been deleted and then recreated"));
  }
  const BoundObject bound{std::string(name), std::string(object_uid(object))};
  if (secret) bond.secret = bound;
  if (node) bond.node = bound;
  if (!pod) return {};
  if (object[keys::kSpec][keys::kServiceAccountName].as_string() != object_name(account)) {
    return Error(ErrorCode::kBadRequest, cat("cannot bind token for serviceaccount ", quoted(object_name(account)),
                                             " to pod running with different serviceaccount name."));
  }
  bond.pod = bound;
  const Value& home = server_.store_.find(kinds::kNodes, "", object[keys::kSpec][keys::kNodeName].as_string());
  if (home.has_value()) bond.node = {std::string(object_name(home)), std::string(object_uid(home))};
  return {};
}

Result<ApiResponse> Subresources::token() {
  const Value& account = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (account.is_absent()) return not_found(resource_, request_.name);
  if (!server_.options_.issue_token) {
    return Error(ErrorCode::kServiceUnavailable, "this cluster issues no tokens");
  }
  MINIK_TRY(check_node_restriction(server_.store_, resource_, request_, request_.body, account));
  MINIK_TRY(check_node_audience(server_.store_, server_.access_, resource_, request_));
  const Value sent = request_.body.with(keys::kApiVersion, "authentication.k8s.io/v1").with(keys::kKind, "TokenRequest");
  MINIK_ASSIGN(const Value asked, Writer(server_, request_).reviewed_part(Operation::kCreate, sent, Value()));
  MINIK_TRY(check_namespace(resource_, request_, sent));
  if (const Value& name = sent[keys::kMetadata][keys::kName]; !name.as_string().empty() && name.as_string() != request_.name)
    return invalid_order("metadata.name", cat("Invalid value: ", quoted(name.as_string()), ": must match the service account name if specified"));
  const Value& spec = asked[keys::kSpec];
  const int64_t wanted = spec[keys::kExpirationSeconds].as_int(kTokenSecondsDefault);
  if (wanted < kTokenSecondsMin || wanted > kTokenSecondsMax) {
    const auto* why = wanted < kTokenSecondsMin ? "may not specify a duration less than 10 minutes"
                                                : "may not specify a duration larger than 2^32 seconds";
    return invalid_order("spec.expirationSeconds", cat("Invalid value: ", wanted, ": ", why));
  }
  TokenOrder order;
  order.bond.namespace_ = request_.namespace_;
  order.bond.account = {request_.name, std::string(object_uid(account))};
  for (const auto& audience : spec[keys::kAudiences].items()) order.audiences.push_back(audience.string());
  if (order.audiences.empty() && !server_.options_.api_audience.empty()) order.audiences.push_back(server_.options_.api_audience);
  MINIK_TRY(bind_token(spec[keys::kBoundObjectRef], account, order.bond));
  order.issued = server_.executor_.wall_now();
  order.expires = order.issued + seconds(wanted);
  MINIK_ASSIGN(const std::string text, server_.options_.issue_token(order));
  const Value status = Value::map({{keys::kToken, text}, {keys::kExpirationTimestamp, format_time(order.expires)}});
  const Value audiences = Value::array(std::vector<Value>(order.audiences.begin(), order.audiences.end()));
  return ApiResponse{Value::map({{keys::kApiVersion, "authentication.k8s.io/v1"},
                                 {keys::kKind, "TokenRequest"},
                                 {keys::kMetadata, Value::map({{keys::kName, request_.name}, {keys::kNamespace, request_.namespace_}})},
                                 {keys::kSpec, spec.with(keys::kExpirationSeconds, wanted).with(keys::kAudiences, audiences)},
                                 {keys::kStatus, status}}),
                     true, false, {}};
}

}  // namespace minik::control
