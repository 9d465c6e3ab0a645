// Who asks, whether he may, and what the audit log is told of it: the part of ApiServer that stands before every
// request.
#include <algorithm>

#include "control/api/api_server.h"
#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kServiceAccount = "system:serviceaccount:";

// exec, attach and portforward act, by whatever method they are asked for.
std::string_view access_verb(const ApiRequest& request) {
  return request.verb == Verb::kConnect ? "create" : verb_name(request.verb);
}

std::string scope_text(std::string_view namespace_) {
  return namespace_.empty() ? std::string(" at the cluster scope") : cat(" in the namespace ", quoted(namespace_));
}

std::string resource_text(const Attributes& wanted) {
  return wanted.subresource.empty() ? std::string(wanted.resource) : cat(wanted.resource, "/", wanted.subresource);
}

// "deployments.apps "web" is forbidden: User "jane" cannot delete resource …", as Kubernetes has it.
Error may_not(const UserInfo& user, const Attributes& wanted, const std::string& reason) {
  const auto name = quoted(user.name.empty() ? "system:anonymous" : user.name);
  const auto why = reason.empty() ? std::string() : cat(": ", reason);
  if (!wanted.path.empty())
    return Error(ErrorCode::kForbidden, cat("forbidden: User ", name, " cannot ", wanted.verb, " path ", quoted(wanted.path), why));
  const auto what = wanted.group.empty() ? std::string(wanted.resource) : cat(wanted.resource, ".", wanted.group);
  return Error(ErrorCode::kForbidden,
               cat(what, wanted.name.empty() ? std::string() : cat(" ", quoted(wanted.name)), " is forbidden: User ", name,
                   " cannot ", wanted.verb, " resource ", quoted(resource_text(wanted)), " in API group ",
                   quoted(wanted.group), scope_text(wanted.namespace_), why));
}

Error gone(std::string_view what) { return Error(ErrorCode::kUnauthorized, std::string(what)); }

}  // namespace

Status ApiServer::may(const UserInfo& user, const Attributes& wanted, const std::shared_ptr<AuditContext>& audit) const {
  const Decision decision = access_.decide(user, wanted);
  if (audit) {
    audit->annotate("authorization.k8s.io/decision", decision.allowed ? "allow" : "forbid");
    audit->annotate("authorization.k8s.io/reason", decision.reason);
  }
  if (decision.allowed) return {};
  return may_not(user, wanted, decision.reason);
}

Status ApiServer::authorize(const ApiRequest& request) const {
  if (!request.audit && is_master(request.user)) return {};
  const auto& resource = schema_.resource(request.kind);
  Attributes wanted{access_verb(request), resource.group,     resource.plural, request.subresource,
                    request.namespace_,   request.name,       "",              request.options.field_selector};
  // A namespace is in itself: who may read all of it may read its name.
  if (request.kind == kinds::kNamespaces) wanted.namespace_ = request.name;
  // Who asks for the one object of a name asks for that object.
  const auto fields = FieldSelector::parse(request.options.field_selector);
  if (wanted.name.empty() && fields) wanted.name = fields->required("metadata.name");
  return may(request.user, wanted, request.audit);
}

Status ApiServer::may_ask(const UserInfo& user, const PathAttributes& asked, const std::shared_ptr<AuditContext>& audit) {
  if (options_.auditor && audit) options_.auditor->begin(*audit, user, asked.view(), executor_.wall_now());
  return may(user, asked.view(), audit);
}

Result<UserInfo> ApiServer::impersonate(const UserInfo& real, UserInfo wanted) const {
  constexpr std::string_view kAuthentication = "authentication.k8s.io";
  const auto check = [&](Attributes asked) -> Status {
    asked.verb = "impersonate";
    const Decision decision = access_.decide(real, asked);
    if (decision.allowed) return {};
    const auto what = asked.group.empty() ? std::string(asked.resource) : cat(asked.resource, ".", asked.group);
    return Error(ErrorCode::kForbidden,
                 cat(what, " ", quoted(asked.name), " is forbidden: User ", quoted(real.name), " cannot impersonate resource ",
                     quoted(resource_text(asked)), " in API group ", quoted(asked.group), scope_text(asked.namespace_),
                     decision.reason.empty() ? std::string() : cat(": ", decision.reason)));
  };
  if (wanted.name.empty())
    return Error(ErrorCode::kInternalError, "Internal error occurred: requested groups, uid or extra without impersonating a user");
  const bool own_groups = !wanted.groups.empty();
  std::vector<std::string> implied;
  if (wanted.name.starts_with(kServiceAccount)) {
    const auto parts = split(std::string_view(wanted.name).substr(kServiceAccount.size()), ':');
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty())
      return Error(ErrorCode::kBadRequest, cat(quoted(wanted.name), " names no service account"));
    MINIK_TRY(check({"", "", "serviceaccounts", "", parts[0], parts[1]}));
    if (!own_groups) implied = {"system:serviceaccounts", cat("system:serviceaccounts:", parts[0])};
  } else {
    MINIK_TRY(check({"", "", "users", "", "", wanted.name}));
  }
  for (const auto& group : wanted.groups) MINIK_TRY(check({"", "", "groups", "", "", group}));
  for (const auto& [key, values] : wanted.extra) {
    for (const auto& value : values) MINIK_TRY(check({"", kAuthentication, "userextras", key, "", value}));
  }
  if (!wanted.uid.empty()) MINIK_TRY(check({"", kAuthentication, "uids", "", "", wanted.uid}));
  wanted.groups.insert(wanted.groups.end(), implied.begin(), implied.end());
  const std::string known = wanted.name == "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  if (std::ranges::find(wanted.groups, known) == wanted.groups.end()) wanted.groups.push_back(known);
  return wanted;
}

Status ApiServer::check_bound(const TokenBond& bond) const {
  // As long as Kubernetes lets a token live on after its object began to go.
  constexpr Duration kLeeway = seconds(60);
  const auto check = [&](KindId kind, std::string_view namespace_, const BoundObject& wanted, std::string_view what) -> Status {
    if (wanted.name.empty()) return {};
    const Value& found = store_.find(kind, namespace_, wanted.name);
    if (found.is_absent()) return gone(cat(what, " ", quoted(wanted.name), " not found"));
    if (!wanted.uid.empty() && object_uid(found) != wanted.uid) {
      return gone(cat(what, " UID (", object_uid(found), ") does not match the token's (", wanted.uid, ")"));
    }
    const auto since = parse_time(found[keys::kMetadata][keys::kDeletionTimestamp].as_string());
    if (since && *since + kLeeway < executor_.wall_now()) return gone(cat(what, " ", quoted(wanted.name), " has been deleted"));
    return {};
  };
  if (!bond.kept.empty()) MINIK_TRY(check_kept(bond));
  MINIK_TRY(check(kinds::kServiceaccounts, bond.namespace_, bond.account, "service account"));
  MINIK_TRY(check(kinds::kPods, bond.namespace_, bond.pod, "pod"));
  MINIK_TRY(check(kinds::kSecrets, bond.namespace_, bond.secret, "secret"));
  // A pod's token names its node as well, which may go before the pod does.
  if (!bond.pod.name.empty()) return {};
  return check(kinds::kNodes, "", bond.node, "node");
}

// A token without an end dies at once with what keeps it.
Status ApiServer::check_kept(const TokenBond& bond) const {
  const auto ends = [](const Value& object) { return object.is_absent() || object[keys::kMetadata][keys::kDeletionTimestamp].has_value(); };
  const Value& secret = store_.find(kinds::kSecrets, bond.namespace_, bond.secret.name);
  if (ends(secret)) return gone(cat("secret ", quoted(bond.secret.name), " has been deleted: its token is not valid any more"));
  if (secret[keys::kData][keys::kToken].as_string() != to_base64(bond.kept))
    return gone(cat("the token is not the one of secret ", quoted(bond.secret.name)));
  if (ends(store_.find(kinds::kServiceaccounts, bond.namespace_, bond.account.name)))
    return gone(cat("service account ", quoted(bond.account.name), " has been deleted"));
  return {};
}

void ApiServer::begin_audit(ApiRequest& request) {
  if (options_.auditor) options_.auditor->begin(schema_, request, executor_.wall_now());
}

void ApiServer::end_audit(const std::shared_ptr<AuditContext>& audit, KindId kind, const Result<ApiResponse>& result) const {
  if (audit && options_.auditor) options_.auditor->complete(*audit, schema_.resource(kind), result, executor_.wall_now());
}

void ApiServer::end_connection_audit(const ApiRequest& request, const Error* error) const {
  constexpr int kSwitchingProtocols = 101;
  if (!request.audit || !options_.auditor) return;
  const auto now = executor_.wall_now();
  const int code = error ? error->http_status() : request.subresource == "log" ? 200 : kSwitchingProtocols;
  if (!error) options_.auditor->respond(*request.audit, code, now);
  options_.auditor->complete(*request.audit, code, error, now);
}

}  // namespace minik::control
