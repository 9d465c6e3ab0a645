#include "control/audit/auditor.h"

#include "control/base/text.h"
#include "control/object/given_status.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

Attributes attributes_of(const ResourceInfo& resource, const ApiRequest& request) {
  Attributes asked{verb_name(request.verb), resource.group,     resource.plural, request.subresource,
                   request.namespace_,      request.name};
  if (resource.plural == "namespaces") asked.namespace_ = request.name;
  return asked;
}

// Of a component, which speaks no HTTP.
std::string path_of(const ResourceInfo& resource, const ApiRequest& request) {
  std::string path = resource.group.empty() ? cat("/api/", resource.version) : cat("/apis/", resource.group, "/", resource.version);
  if (!request.namespace_.empty() && resource.namespaced) path += cat("/namespaces/", request.namespace_);
  path += cat("/", resource.plural);
  if (!request.name.empty()) path += cat("/", request.name);
  if (!request.subresource.empty()) path += cat("/", request.subresource);
  if (request.verb == Verb::kWatch) path += "?watch=true";
  return path;
}

// Who is known by his credentials chooses the rule, whoever he wants to be: nobody leaves the log as somebody else.
const UserInfo& sender(const AuditContext* context, const UserInfo& user) {
  return context && context->origin.impersonator ? *context->origin.impersonator : user;
}

Value status_of_error(const Error& error) {
  if (Value given = given_status(error); given.is_map()) return given;
  return Value::map({{keys::kStatus, "Failure"},
                     {keys::kMessage, error.message},
                     {keys::kReason, code_reason(error.code)}});
}

}  // namespace

void Auditor::tell(const AuditContext& context, AuditRecord record) const {
  if (!context.request || context.request->choice.omits(record.stage)) return;
  record.request = context.request;
  if (record.stage != AuditStage::kRequestReceived) record.annotations = context.annotations;
  sink_(std::move(record));
}

void Auditor::receive(AuditContext& context, const UserInfo& user, AuditedRequest request, WallTime now) {
  if (request.choice.level == AuditLevel::kNone) return;
  const AuditOrigin& origin = context.origin;
  request.id = rng_.uuid();
  request.user = origin.impersonator.value_or(user);
  if (origin.impersonator) request.impersonated = user;
  request.source_ips = origin.source_ips;
  request.user_agent = origin.user_agent;
  if (!origin.uri.empty()) request.uri = origin.uri;
  request.received = now;
  context.request = std::make_shared<const AuditedRequest>(std::move(request));
  tell(context, {.stage = AuditStage::kRequestReceived, .at = now});
}

void Auditor::begin(const Schema& schema, ApiRequest& request, WallTime now) {
  const auto& resource = schema.resource(request.kind);
  const Attributes asked = attributes_of(resource, request);
  AuditedRequest audited;
  audited.choice = policy_.choose(sender(request.audit.get(), request.user), asked);
  if (audited.choice.level == AuditLevel::kNone) return;
  const bool of_process = !request.audit;
  if (of_process) {
    request.audit = std::make_shared<AuditContext>();
    request.audit->origin.user_agent = cat("minik/", request.user.name);
    audited.uri = path_of(resource, request);
  }
  const Value& metadata = request.body[keys::kMetadata];
  audited.verb = asked.verb;
  audited.group = resource.group;
  audited.version = resource.version;
  audited.resource = resource.plural;
  audited.subresource = request.subresource;
  audited.namespace_ = asked.namespace_;
  audited.name = request.name.empty() && request.verb == Verb::kCreate ? metadata[keys::kName].string() : request.name;
  audited.uid = metadata[keys::kUid].string();
  audited.resource_version = metadata[keys::kResourceVersion].string();
  if (audited.choice.level >= AuditLevel::kRequest && request.body.has_value()) {
    const bool whole = request.verb == Verb::kCreate || request.verb == Verb::kUpdate;
    audited.object = request.body;
    if (whole && request.subresource.empty() && request.body.is_map()) {
      audited.object = request.body.with(keys::kKind, resource.kind).with(keys::kApiVersion, resource.api_version);
    }
  }
  receive(*request.audit, request.user, std::move(audited), now);
}

void Auditor::begin(AuditContext& context, const UserInfo& user, const Attributes& asked, WallTime now) {
  AuditedRequest audited;
  audited.choice = policy_.choose(sender(&context, user), asked);
  audited.verb = asked.verb;
  audited.uri = asked.path;
  audited.group = asked.group;
  audited.resource = asked.resource;
  audited.subresource = asked.subresource;
  audited.namespace_ = asked.namespace_;
  audited.name = asked.name;
  receive(context, user, std::move(audited), now);
}

void Auditor::respond(const AuditContext& context, int code, WallTime now) const {
  tell(context, {.stage = AuditStage::kResponseStarted, .at = now, .code = code});
}

void Auditor::complete(const AuditContext& context, int code, const Error* error, WallTime now) const {
  AuditRecord record{.stage = AuditStage::kResponseComplete, .at = now, .code = code};
  if (error) record.status = status_of_error(*error);
  tell(context, std::move(record));
}

void Auditor::complete(const AuditContext& context, const ResourceInfo& resource, const Result<ApiResponse>& result,
                       WallTime now) const {
  if (!context.request) return;
  if (!result) return complete(context, result.error().http_status(), &result.error(), now);
  AuditRecord record{.stage = AuditStage::kResponseComplete, .at = now, .code = result->created ? 201 : 200};
  const Value& object = result->object;
  if (context.request->choice.level == AuditLevel::kRequestResponse && object.is_map()) {
    const bool named = object[keys::kKind].has_value();
    record.object = named ? object : object.with(keys::kKind, resource.kind).with(keys::kApiVersion, resource.api_version);
  }
  tell(context, std::move(record));
}

}  // namespace minik::control
