#include "control/api/subresources.h"

#include <utility>

#include "control/api/errors.h"
#include "control/api/metadata.h"
#include "control/api/node_restriction.h"
#include "control/api/options.h"
#include "control/api/scale.h"
#include "control/api/strategy.h"
#include "control/api/writer.h"
#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/patch.h"
#include "control/object/selector.h"
#include "control/schema/decode.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

Value success(int code) {
  static const Value status = Value::map({{keys::kApiVersion, "v1"},
                                          {keys::kKind, "Status"},
                                          {keys::kMetadata, Value::empty_map()},
                                          {keys::kStatus, "Success"}});
  return status.with(keys::kCode, code);
}

// Disruptions that were granted and have not happened yet; more than this and the controller is behind.
constexpr size_t kDisruptedPodsMax = 2000;

// A pod that has ended, has not begun or is leaving serves nobody. One that is not ready spends nothing
// while the budget's policy lets it go.
bool needs_budget(const Value& pod, const Value& budget) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  if (phase == "Succeeded" || phase == "Failed" || phase == "Pending" || is_deleting(pod)) return false;
  for (const auto& c : pod[keys::kStatus][keys::kConditions].items()) {
    if (c[keys::kType].as_string() == "Ready" && c[keys::kStatus].as_string() == "True") return true;
  }
  if (budget[keys::kSpec][keys::kUnhealthyPodEvictionPolicy].as_string() == "AlwaysAllow") return false;
  const Value& status = budget[keys::kStatus];
  const int64_t desired = status[keys::kDesiredHealthy].as_int();
  return desired <= 0 || status[keys::kCurrentHealthy].as_int() < desired;
}

// A running pod that leaves says who sent it away, for whoever replaces it.
Value evicted(const Value& pod, WallTime now) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  if (phase == "Succeeded" || phase == "Failed" || phase == "Pending") return pod;
  std::vector<Value> conditions;
  for (const auto& c : pod[keys::kStatus][keys::kConditions].items()) {
    if (c[keys::kType].as_string() != "DisruptionTarget") conditions.push_back(c);
  }
  conditions.push_back(Value::map({{keys::kType, "DisruptionTarget"},
                                   {keys::kStatus, "True"},
                                   {keys::kReason, "EvictionByEvictionAPI"},
                                   {keys::kMessage, "Eviction API: evicting"},
                                   {keys::kLastTransitionTime, format_time(now)}}));
  return pod.with_at({keys::kStatus, keys::kConditions}, Value::array(std::move(conditions)));
}

Error disruption_refused(std::string cause) {
  Error error(ErrorCode::kTooManyRequests,
              "Cannot evict pod as it would violate the pod's disruption budget.");
  error.causes.push_back({"DisruptionBudget", std::move(cause), ""});
  return error;
}

Result<void> check_budget(const Value& budget) {
  const Value& status = budget[keys::kStatus];
  const auto name = object_name(budget);
  if (status[keys::kObservedGeneration].as_int() <
      budget[keys::kMetadata][keys::kGeneration].as_int()) {
    Error error = disruption_refused(
        cat("The disruption budget ", name, " is still being processed by the server."));
    error.retry_after_seconds = 10;
    return error;
  }
  if (status[keys::kDisruptedPods].size() > kDisruptedPodsMax) {
    return Error(ErrorCode::kForbidden,
                 cat("the disruption budget ", name, " has too many evictions under way"));
  }
  if (status[keys::kDisruptionsAllowed].as_int() > 0) return {};
  return disruption_refused(cat("The disruption budget ", name, " needs ",
                                status[keys::kDesiredHealthy].as_int(), " healthy pods and has ",
                                status[keys::kCurrentHealthy].as_int(), " currently"));
}

Error negative_replicas(const ResourceInfo& resource, std::string_view name, int64_t replicas) {
  return invalid(resource, name,
                 {{"FieldValueInvalid", cat("Invalid value: ", replicas, ": must be greater than or equal to 0"), "spec.replicas"}});
}

// A pod is bound to a node by its name, and to nothing else.
Status check_target(const ResourceInfo& resource, std::string_view pod, const Value& target) {
  constexpr std::string_view kTargetKinds[] = {"<empty>", "Node"};
  const FieldPath at("target");
  const FieldPath kind = at.field("kind"), name = at.field("name");
  FieldErrors errors;
  const auto said = target[keys::kKind].as_string();
  if (!said.empty() && said != "Node") errors.not_supported(kind, target[keys::kKind], kTargetKinds);
  if (target[keys::kName].as_string().empty()) errors.required(name);
  return errors.empty() ? Status() : errors.to_error(resource, pod);
}

// The budget after it let this pod go; its controller forgets the note when the pod is leaving.
Value spent(const Value& budget, const Value& pod, WallTime now) {
  const Value& status = budget[keys::kStatus];
  MapBuilder noted(status[keys::kDisruptedPods]);
  noted.set(Key(object_name(pod)), format_time(now));
  MapBuilder next(status);
  next.set(keys::kDisruptionsAllowed, status[keys::kDisruptionsAllowed].as_int() - 1);
  next.set(keys::kDisruptedPods, std::move(noted).build());
  return budget.with(keys::kStatus, std::move(next).build());
}

}  // namespace

Subresources::Subresources(ApiServer& server, const ApiRequest& request)
    : server_(server), request_(request), resource_(server.schema_.resource(request.kind)) {}

Result<ApiResponse> Subresources::handle() {
  const auto name = std::string_view(request_.subresource);
  if (name == "scale") return scale();
  if (name == "binding") return bind();
  if (name == "eviction") return evict();
  if (name == "finalize") return finalize();
  if (name == "token") return token();
  if (name == "approval") return approve();
  if (name == "ephemeralcontainers") return ephemeral_containers();
  if (name == "resize") return resize();
  return Error(ErrorCode::kMethodNotAllowed,
               cat("the subresource ", name, " of ", resource_.plural, " is not there yet"));
}

Result<Value> Subresources::sent_as(std::string_view api_version, std::string_view kind, const Value& body) const {
  const TypeInfo* type = server_.schema_.find_document(api_version, kind);
  CHECK(type != nullptr) << kind;
  auto decoded = decode(*type, body.is_map() ? body : Value::empty_map());
  if (!decoded) return cannot_be_handled(api_version, kind, kind, decoded.error().message);
  if (!decoded->unknown_fields.empty() && request_.options.field_validation == FieldValidation::kStrict)
    return cannot_be_handled(api_version, kind, kind, strict_decoding_sentence(decoded->unknown_fields));
  return decoded->object.with(keys::kApiVersion, api_version).with(keys::kKind, kind);
}

Status Subresources::check_sent_name(std::string_view kind, const Value& sent) const {
  MINIK_TRY(check_namespace(resource_, request_, sent));
  if (object_name(sent) == request_.name) return {};
  return Error(ErrorCode::kBadRequest, cat("name in URL does not match name in ", kind, " object"));
}

Result<ApiResponse> Subresources::scale() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  MINIK_ASSIGN(const Value scale_now, scale_of(resource_, old));
  if (request_.verb == Verb::kGet) return ApiResponse{scale_now, false, false, {}};
  Value wanted = request_.body;
  if (request_.verb == Verb::kPatch) {
    if (request_.patch_type == PatchType::kApply) return apply_scale();
    if (request_.patch_type == PatchType::kJson) {
      MINIK_ASSIGN(wanted, apply_json_patch(scale_now, request_.body));
    } else {
      wanted = apply_merge_patch(scale_now, request_.body);
    }
  }
  MINIK_TRY(check_name(resource_, request_, wanted));
  MINIK_ASSIGN(wanted, sent_as("autoscaling/v1", "Scale", wanted));
  const auto version = wanted[keys::kMetadata][keys::kResourceVersion].as_string();
  if (!version.empty() && version != old[keys::kMetadata][keys::kResourceVersion].as_string()) {
    return modified_conflict(resource_, request_.name);
  }
  const Value& replicas = wanted[keys::kSpec][keys::kReplicas];
  if (replicas.as_int(0) < 0) return negative_replicas(resource_, request_.name, replicas.as_int());
  const Value sent = scale_now.with(keys::kSpec, Value::map({{keys::kReplicas, replicas.as_int(0)}}));
  MINIK_ASSIGN(const Value reviewed, Writer(server_, request_).reviewed_part(Operation::kUpdate, sent, scale_now));
  const int64_t count = reviewed[keys::kSpec][keys::kReplicas].as_int(0);
  if (count < 0) return negative_replicas(resource_, request_.name, count);
  Value next = with_replicas(resource_, old, count);
  if (!(next == old)) {
    if (resource_.custom) MINIK_TRY(validate_update(resource_, next, old, ""));
    next = with_generation(next, old[keys::kMetadata][keys::kGeneration].as_int() + 1);
    MINIK_ASSIGN(next, Writer(server_, request_).accounted(next, old));
  }
  if (!request_.options.dry_run) next = Writer(server_, request_).store_update(next, old);
  MINIK_ASSIGN(Value scale_then, scale_of(resource_, next));
  return ApiResponse{std::move(scale_then), false, false, {}};
}

// What is applied to the scale is applied to the object: its replicas, under the name of the subresource.
Result<ApiResponse> Subresources::apply_scale() {
  const bool is_scale = request_.body[keys::kKind].as_string() == "Scale";
  MINIK_ASSIGN(const Value scale, sent_as("autoscaling/v1", "Scale", request_.body));
  const Value& replicas = request_.body[keys::kSpec][keys::kReplicas];
  if (!is_scale || !replicas.is_int()) {
    return Error(ErrorCode::kBadRequest, "an autoscaling/v1 Scale with spec.replicas is needed");
  }
  ApiRequest whole = request_;
  whole.body = Value::map({{keys::kApiVersion, resource_.api_version},
                           {keys::kKind, resource_.kind},
                           {keys::kMetadata, scale[keys::kMetadata]},
                           {keys::kSpec, Value::map({{keys::kReplicas, replicas}})}});
  MINIK_ASSIGN(auto response, Writer(server_, whole).patch());
  MINIK_ASSIGN(response.object, scale_of(resource_, response.object));
  return response;
}

Result<ApiResponse> Subresources::bind() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  const auto wrong = [&](std::string_view why) {
    return Error(ErrorCode::kConflict,
                 cat("Operation cannot be fulfilled on pods/binding ", quoted(request_.name), ": ", why));
  };
  MINIK_ASSIGN(const Value sent, sent_as("v1", "Binding", request_.body));
  MINIK_TRY(check_sent_name("Binding", sent));
  const auto uid = object_uid(sent);
  if (!uid.empty() && uid != object_uid(old)) {
    return wrong(cat("Precondition failed: UID in precondition: ", uid, ", UID in object meta: ",
                     object_uid(old)));
  }
  if (is_deleting(old)) return wrong(cat("pod ", request_.name, " is being deleted, cannot be assigned to a host"));
  const auto current = old[keys::kSpec][keys::kNodeName].as_string();
  if (!current.empty()) {
    return wrong(cat("pod ", request_.name, " is already assigned to node ", quoted(current)));
  }
  MINIK_ASSIGN(const Value binding, Writer(server_, request_).reviewed_part(Operation::kCreate, sent, Value()));
  const auto node = binding[keys::kTarget][keys::kName].as_string();
  MINIK_TRY(check_target(resource_, request_.name, binding[keys::kTarget]));
  const Value condition =
      Value::map({{keys::kType, "PodScheduled"},
                  {keys::kStatus, "True"},
                  {keys::kObservedGeneration, old[keys::kMetadata][keys::kGeneration]},
                  {keys::kLastProbeTime, nullptr},
                  {keys::kLastTransitionTime, format_time(server_.executor_.wall_now())}});
  std::vector<Value> conditions;
  for (const auto& c : old[keys::kStatus][keys::kConditions].items()) {
    if (c[keys::kType].as_string() != "PodScheduled") conditions.push_back(c);
  }
  conditions.push_back(condition);
  // What was nominated is decided now.
  const Value status = old[keys::kStatus]
                           .with(keys::kConditions, Value::array(std::move(conditions)))
                           .without(keys::kNominatedNodeName);
  Value next = old.with_at({keys::kSpec, keys::kNodeName}, node).with(keys::kStatus, status);
  // What a binding says of the pod becomes the pod's.
  for (const auto& key : {keys::kLabels, keys::kAnnotations}) {
    for (const auto& [name, value] : binding[keys::kMetadata][key].entries()) {
      next = next.with_at({keys::kMetadata, key, name}, value);
    }
  }
  if (!request_.options.dry_run) Writer(server_, request_).store_update(next, old);
  return ApiResponse{success(201), true, false, {}};
}

Result<Value> Subresources::budget_of(const Value& pod) const {
  Value found;
  const auto budgets = server_.store_.list(kinds::kPoddisruptionbudgets, request_.namespace_);
  for (const auto& budget : budgets->objects) {
    MINIK_ASSIGN(const auto selector,
                 LabelSelector::from_object(budget[keys::kSpec][keys::kSelector]));
    if (!selector.matches(pod[keys::kMetadata][keys::kLabels])) continue;
    if (found.has_value()) {
      return Error(ErrorCode::kInternalError,
                   "This pod has more than one PodDisruptionBudget, which the eviction subresource "
                   "does not support.");
    }
    found = budget;
  }
  return found;
}

Result<ApiResponse> Subresources::evict() {
  const Value pod = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (pod.is_absent()) return not_found(resource_, request_.name);
  MINIK_ASSIGN(const Value budget, budget_of(pod));
  MINIK_TRY(check_node_restriction(server_.store_, resource_, request_, Value(), pod));
  MINIK_ASSIGN(const Value sent, sent_as("policy/v1", "Eviction", request_.body));
  MINIK_TRY(check_sent_name("Eviction", sent));
  MINIK_ASSIGN(const Value eviction, Writer(server_, request_).reviewed_part(Operation::kCreate, sent, Value()));
  const bool spends = budget.has_value() && needs_budget(pod, budget);
  if (spends) MINIK_TRY(check_budget(budget));
  ApiRequest removal = request_;
  removal.verb = Verb::kDelete;
  removal.subresource.clear();
  if (const Value& options = eviction[keys::kDeleteOptions]; options.is_map()) MINIK_TRY(read_delete_options(options, removal.options));
  // Who was to see it has seen the eviction; the deletion that it becomes is the server's own.
  AdmissionGate* const gate = std::exchange(server_.gate_, nullptr);
  auto removed = Writer(server_, removal).remove();
  server_.gate_ = gate;
  MINIK_ASSIGN(auto response, std::move(removed));
  const Value leaving = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (leaving.has_value() && !is_deleting(pod) && !removal.options.dry_run) {
    Writer(server_, removal).store_update(evicted(leaving, server_.executor_.wall_now()), leaving);
  }
  response.object = success(201);
  response.created = true;
  if (spends && !removal.options.dry_run) {
    ApiRequest write = request_;
    write.kind = kinds::kPoddisruptionbudgets;
    write.name = object_name(budget);
    write.subresource = "status";
    Writer(server_, write).store_update(spent(budget, pod, server_.executor_.wall_now()), budget);
  }
  return response;
}

// The admission plugins CertificateApproval and CertificateSigning: who may write certificate requests may still not
// decide on those of a signer that is not his.
Status Subresources::may_decide(const Value& certificate_request, std::string_view verb) const {
  const auto signer = certificate_request[keys::kSpec][keys::kSignerName].as_string();
  const auto domain = cat(signer.substr(0, signer.find('/')), "/*");
  for (const std::string_view name : {signer, std::string_view(domain)}) {
    if (server_.access_.allows(request_.user, {verb, "certificates.k8s.io", "signers", "", "", name})) return {};
  }
  return forbidden(resource_, request_.name, cat("user not permitted to ", verb, " requests with signerName ", quoted(signer)));
}

// The conditions of a certificate request, which its status leaves alone.
Result<ApiResponse> Subresources::approve() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  if (request_.verb == Verb::kGet) return ApiResponse{old, false, false, {}};
  if (request_.verb == Verb::kPatch && request_.patch_type == PatchType::kApply)
    return Error(ErrorCode::kUnsupportedMediaType, "an approval is not applied: send a JSON, merge or strategic merge patch");
  MINIK_ASSIGN(const Value told, wanted(old));
  const std::string now = format_time(server_.executor_.wall_now());
  std::vector<Value> conditions;
  std::vector<ErrorCause> missing;
  bool approved = false, denied = false;
  for (const auto& condition : told[keys::kStatus][keys::kConditions].items()) {
    approved = approved || condition[keys::kType].as_string() == "Approved";
    denied = denied || condition[keys::kType].as_string() == "Denied";
    MapBuilder dated(condition);
    for (const auto& key : {keys::kLastUpdateTime, keys::kLastTransitionTime}) {
      if (!dated.get(key).has_value()) dated.set(key, now);
    }
    for (const auto& key : {keys::kType, keys::kStatus}) {
      if (!condition[key].as_string().empty()) continue;
      missing.push_back({"FieldValueRequired", "Required value", cat("status.conditions[", conditions.size(), "].", key.text())});
    }
    conditions.push_back(std::move(dated).build());
  }
  MINIK_TRY(may_decide(old, "approve"));
  if (!missing.empty()) return invalid(resource_, request_.name, std::move(missing));
  if (approved && denied) {
    return invalid(resource_, request_.name,
                   {{"FieldValueInvalid", "Invalid value: Approved and Denied conditions are mutually exclusive",
                     "status.conditions"}});
  }
  Value next = old.with_at({keys::kStatus, keys::kConditions}, Value::array(std::move(conditions)));
  if (auto removed = removed_decisions(next, old); !removed.empty())
    return invalid(resource_, request_.name, std::move(removed));
  MINIK_TRY(Writer(server_, request_).allowed_by_users(Operation::kUpdate, next, old));
  MINIK_ASSIGN(next, Writer(server_, request_).accounted(next, old));
  if (!request_.options.dry_run) next = Writer(server_, request_).store_update(next, old);
  return ApiResponse{std::move(next), false, false, {}};
}

Result<ApiResponse> Subresources::finalize() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  MINIK_ASSIGN(const Value told, wanted(old));
  const Value& finalizers = told[keys::kSpec][keys::kFinalizers];
  const Value next = old.with_at({keys::kSpec, keys::kFinalizers},
                                 finalizers.empty() ? Value() : finalizers);
  if (request_.options.dry_run) return ApiResponse{next, false, false, {}};
  return ApiResponse{Writer(server_, request_).store_update(next, old), false, false, {}};
}

}  // namespace minik::control
