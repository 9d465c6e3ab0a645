#include "control/api/writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/api/admission.h"
#include "control/api/admission_gate.h"
#include "control/api/custom_resources.h"
#include "control/api/errors.h"
#include "control/api/field_selection.h"
#include "control/api/local_api_services.h"
#include "control/api/metadata.h"
#include "control/api/strategy.h"
#include "control/api/warnings.h"
#include "control/base/text.h"
#include "control/extension/format_warnings.h"
#include "control/object/keys.h"
#include "control/object/patch.h"
#include "control/object/refusal_warnings.h"
#include "control/object/selector.h"
#include "control/schema/decode.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kOrphanFinalizer = "orphan";
constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";

class SchemaRules : public PatchSchema {
 public:
  PatchRule rule(const void* type, const Key& key) const override {
    const FieldInfo* field = static_cast<const TypeInfo*>(type)->field(key);
    if (!field) return {};
    return {field->patch_merge, field->patch_retain_keys, field->merge_key, field->type};
  }
};

// A certificate request says who has sent it, by the word of the server.
Value asked_by(const Value& object, const UserInfo& user) {
  const auto list = [](const std::vector<std::string>& texts) {
    return texts.empty() ? Value() : Value::array(std::vector<Value>(texts.begin(), texts.end()));
  };
  MapBuilder extra;
  for (const auto& [name, values] : user.extra) extra.set(Key(name), list(values));
  MapBuilder spec(object[keys::kSpec]);
  spec.set(keys::kUsername, user.name);
  spec.set(keys::kUid, user.uid.empty() ? Value() : Value(user.uid));
  spec.set(keys::kGroups, list(user.groups));
  spec.set(keys::kExtra, extra.empty() ? Value() : std::move(extra).build());
  return object.with(keys::kSpec, std::move(spec).build());
}

// Kinds of which a PUT makes what is not there, as it was from the first; newer ones refuse it.
bool is_created_by_put(const ResourceInfo& resource) {
  constexpr KindId kCreated[] = {kinds::kClusterrolebindings, kinds::kClusterroles, kinds::kEndpoints,
                                 kinds::kEvents,              kinds::kLeases,       kinds::kLimitranges,
                                 kinds::kRolebindings,        kinds::kRoles,        kinds::kServices};
  return std::ranges::find(kCreated, resource.id) != std::end(kCreated);
}

// Kinds that a PUT may not overwrite without saying which version it has seen.
bool is_versioned_strictly(const ResourceInfo& resource) {
  constexpr KindId kStrict[] = {kinds::kApiservices,
                                kinds::kCustomresourcedefinitions,
                                kinds::kMutatingadmissionpolicies,
                                kinds::kMutatingadmissionpolicybindings,
                                kinds::kMutatingwebhookconfigurations,
                                kinds::kPoddisruptionbudgets,
                                kinds::kRuntimeclasses,
                                kinds::kServiceaccounts,
                                kinds::kValidatingadmissionpolicies,
                                kinds::kValidatingadmissionpolicybindings,
                                kinds::kValidatingwebhookconfigurations};
  return resource.custom != nullptr || std::ranges::find(kStrict, resource.id) != std::end(kStrict);
}

// How the lists of a custom resource merge is not said by its schema in the way of that patch.
Error no_strategic_merge() {
  return Error(ErrorCode::kUnsupportedMediaType,
               "the body of the request was in an unknown format - accepted media types include: "
               "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
}

}  // namespace

Status check_namespace(const ResourceInfo& resource, const ApiRequest& request, const Value& body) {
  const auto namespace_ = object_namespace(body);
  if (!resource.namespaced || namespace_.empty() || namespace_ == request.namespace_) return {};
  return Error(ErrorCode::kBadRequest,
               "the namespace of the provided object does not match the namespace sent on the request");
}

Status check_name(const ResourceInfo& resource, const ApiRequest& request, const Value& body) {
  const auto name = object_name(body);
  if (!name.empty() && name != request.name) {
    return Error(ErrorCode::kBadRequest, cat("the name of the object (", name,
                                             ") does not match the name on the URL (", request.name, ")"));
  }
  return check_namespace(resource, request, body);
}

Status check_kind(const ResourceInfo& resource, const Value& body) {
  if (!body.is_map()) return Error(ErrorCode::kBadRequest, "the request body must be an object");
  const auto kind = body[keys::kKind].as_string();
  const auto version = body[keys::kApiVersion].as_string();
  if ((!kind.empty() && kind != resource.kind) || (!version.empty() && version != resource.api_version)) {
    return Error(ErrorCode::kBadRequest,
                 cat("the API version or kind in the data (", version, ", ", kind,
                     ") does not match the expected ", resource.api_version, ", ", resource.kind));
  }
  return {};
}

Value success_status(const ResourceInfo& resource, const Value& object) {
  return Value::map({{keys::kApiVersion, "v1"},
                     {keys::kKind, "Status"},
                     {keys::kMetadata, Value::empty_map()},
                     {keys::kStatus, "Success"},
                     {keys::kDetails, Value::map({{keys::kName, object_name(object)},
                                                  {keys::kGroup, resource.group.empty()
                                                                     ? Value()
                                                                     : Value(resource.group)},
                                                  {keys::kKind, resource.plural},
                                                  {keys::kUid, object_uid(object)}})}});
}

Writer::Writer(ApiServer& server, const ApiRequest& request)
    : server_(server), request_(request), resource_(server.schema_.resource(request.kind)) {}

Status Writer::check_body_names() const {
  MINIK_TRY(check_kind(resource_, request_.body));
  return check_name(resource_, request_, request_.body);
}

Result<Value> Writer::current() const {
  const Value& found = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (found.has_value()) return found;
  const bool is_own = request_.kind == kinds::kApiservices && local_api_service(server_.schema_, request_.name, {}).has_value();
  if (!is_own) return not_found(resource_, request_.name);
  return Error(ErrorCode::kMethodNotAllowed,
               cat(resource_.group_resource(), " ", quoted(request_.name),
                   " says what this API server itself serves: it can be neither changed nor deleted"));
}

Status Writer::check_preconditions(const Value& object) const {
  const auto& wanted = request_.options.preconditions;
  const auto uid = object_uid(object);
  if (!wanted.uid.empty() && wanted.uid != uid) {
    return conflict(resource_, object_name(object),
                    cat("Precondition failed: UID in precondition: ", wanted.uid,
                        ", UID in object meta: ", uid));
  }
  const auto version = object[keys::kMetadata][keys::kResourceVersion].as_string();
  if (!wanted.resource_version.empty() && wanted.resource_version != version) {
    return conflict(resource_, object_name(object),
                    cat("Precondition failed: ResourceVersion in precondition: ",
                        wanted.resource_version, ", ResourceVersion in object meta: ", version));
  }
  return {};
}

Result<Value> Writer::decoded(const Value& body, const Value& known) {
  return decode_and_default(resource_, body, known, request_.options.field_validation, warnings_);
}

void Writer::warn_of(const Value& object, const Value& old) {
  if (!is_from_network()) return;
  const auto add = [this](std::vector<std::string> more) { std::ranges::move(more, std::back_inserter(warnings_)); };
  add(old.is_absent() ? object_warnings(resource_, object) : change_warnings(resource_, object));
  if (resource_.id == kinds::kCustomresourcedefinitions) add(format_warnings(object, old));
  if (resource_.id == kinds::kSecrets && object[keys::kType].as_string() == "kubernetes.io/tls" && server_.options_.key_pair_problem) {
    const auto part = [&object](std::string_view name) { return from_base64(object[keys::kData].get(name).as_string()).value_or(""); };
    auto problem = server_.options_.key_pair_problem(part("tls.crt"), part("tls.key"));
    if (!problem.empty()) warnings_.push_back(std::move(problem));
  }
}

WriteAttributes Writer::attributes(Operation operation, const Value& object, const Value& old) const {
  const Value& known = object.has_value() ? object : old;
  return {operation,
          &resource_,
          request_.subresource,
          request_.subresource.empty() ? std::string(object_namespace(known)) : request_.namespace_,
          request_.subresource.empty() ? std::string(object_name(known)) : request_.name,
          object,
          old,
          request_.user,
          request_.options.dry_run,
          options_document(operation, request_)};
}

Result<Value> Writer::reviewed_part(Operation operation, const Value& part, const Value& old) const {
  if (!server_.gate_) return part;
  WriteAttributes seen = attributes(operation, part, old);
  // What comes back is of the part's own kind again, as far as that has types.
  const TypeInfo* type = server_.schema_.find_document(part[keys::kApiVersion].as_string(), part[keys::kKind].as_string());
  MINIK_ASSIGN(seen.object, server_.gate_->mutate(seen, [type](const Value& document) -> Result<Value> {
    if (!type) return document;
    MINIK_ASSIGN(auto decoded, decode(*type, document));
    return std::move(decoded.object);
  }));
  MINIK_TRY(server_.gate_->validate(seen));
  return seen.object;
}

Result<Value> Writer::mutated_by_webhooks(Operation operation, Value object, const Value& old) {
  if (!server_.gate_) return object;
  return server_.gate_->mutate(attributes(operation, object, old), [&](const Value& document) -> Result<Value> {
    MINIK_ASSIGN(const Value same, as_the_same(document, old));
    std::vector<std::string> unseen;
    MINIK_ASSIGN(Value next, decode_and_default(resource_, same.with(keys::kApiVersion, resource_.api_version), old,
                                                FieldValidation::kIgnore, unseen));
    if (old.is_absent()) return next;
    return request_.subresource == "status" ? prepare_for_status_update(resource_, next, old)
                                            : prepare_for_update(resource_, next, old);
  });
}

// Whoever changes an object may not make another of it: what was authorized and looked up is the one that was asked for.
// A new one may still be given a name.
Result<Value> Writer::as_the_same(const Value& changed, const Value& old) const {
  const Value& metadata = changed[keys::kMetadata];
  MINIK_TRY(check_namespace(resource_, request_, changed));
  if (old.has_value() && object_name(changed) != object_name(old)) {
    return invalid(resource_, object_name(old),
                   {{"FieldValueInvalid", cat("Invalid value: ", quoted(object_name(changed)), ": field is immutable"),
                     "metadata.name"}});
  }
  const Value home = resource_.namespaced ? Value(request_.namespace_) : Value();
  return metadata[keys::kNamespace] == home ? changed : changed.with(keys::kMetadata, metadata.with(keys::kNamespace, home));
}

Status Writer::allowed_by_users(Operation operation, const Value& object, const Value& old) const {
  return server_.gate_ ? server_.gate_->validate(attributes(operation, object, old)) : Status();
}

Result<ApiResponse> Writer::write() {
  auto result = by_verb();
  if (!result && is_from_network()) return with_warnings(std::move(result).error(), warnings_);
  return result;
}

Result<ApiResponse> Writer::by_verb() {
  switch (request_.verb) {
    case Verb::kCreate: return create();
    case Verb::kUpdate: return update();
    case Verb::kPatch: return patch();
    case Verb::kDelete: return remove();
    case Verb::kDeleteCollection: return remove_collection();
    default: return Error(ErrorCode::kMethodNotAllowed, "the server does not allow this method on the requested resource");
  }
}

Result<ApiResponse> Writer::create() {
  MINIK_TRY(check_kind(resource_, request_.body));
  MINIK_TRY(check_namespace(resource_, request_, request_.body));
  MINIK_ASSIGN(Value object, server_.admission_->cached_decode(
                                 resource_, request_, [&] { return decoded(request_.body, Value()); }));
  const auto& metadata = object[keys::kMetadata];
  if (!metadata[keys::kResourceVersion].as_string().empty()) {
    return Error(ErrorCode::kBadRequest, "resourceVersion should not be set on objects to be created");
  }
  // Asked before anything is allocated: a name that is taken must not look like an address that is.
  const auto exists = [&](std::string_view name) {
    if (request_.kind == kinds::kApiservices && is_taken_by_local_api(server_.schema_, name)) return true;
    return !name.empty() && server_.store_.find(request_.kind, request_.namespace_, name).has_value();
  };
  if (exists(object_name(object))) return already_exists(resource_, object_name(object));
  object = prepare_for_create(resource_, object);
  if (request_.kind == kinds::kCertificatesigningrequests) object = asked_by(object, request_.user);
  object = stamp_new(object, resource_.namespaced ? std::string_view(request_.namespace_) : "",
                     server_.times_.of(server_.executor_.wall_now()), has_generation(resource_), server_.rng_);
  object = complete_new(resource_, object);
  if (request_.kind == kinds::kApiservices) object = with_first_status(object, server_.executor_.wall_now());
  MINIK_ASSIGN(object, server_.admission_->admit_create(resource_, std::move(object)));
  const Value asked_for = object;
  MINIK_ASSIGN(object, mutated_by_webhooks(Operation::kCreate, std::move(object), Value()));
  if (!object.same_node(asked_for)) {
    MINIK_ASSIGN(object, server_.admission_->admit_again(resource_, std::move(object)));
  }
  MINIK_ASSIGN(object, server_.admission_->allocate(resource_, std::move(object), Value()));
  MINIK_TRY(server_.admission_->cached_validate(
      resource_, object, [&] { return validate_create(resource_, object); }));
  warn_of(object, Value());
  MINIK_TRY(server_.admission_->check_limits(resource_, object, Value()));
  MINIK_TRY(allowed_by_users(Operation::kCreate, object, Value()));
  if (exists(object_name(object))) return already_exists(resource_, object_name(object));
  MINIK_TRY(check_rules(object, Value()));
  MINIK_TRY(server_.admission_->check_quota(resource_, object, Value()));
  MINIK_ASSIGN(object, accounted(object, Value()));
  if (!request_.options.dry_run) {
    object = with_revision(object, server_.store_.next_revision());
    server_.store_.put(request_.kind, object);
    server_.admission_->created(resource_, object);
    if (resource_.id == kinds::kEvents) {
      for (const auto& event : server_.admission_->events().surplus()) store_removal(event);
    }
  }
  ApiResponse response;
  response.object = std::move(object);
  response.created = true;
  response.warnings = std::move(warnings_);
  return response;
}

Result<ApiResponse> Writer::update() {
  MINIK_TRY(check_body_names());
  const bool is_there = server_.store_.find(request_.kind, request_.namespace_, request_.name).has_value();
  if (!is_there && request_.subresource.empty() && is_created_by_put(resource_)) return create_by_put();
  MINIK_ASSIGN(const Value old, current());
  if (is_versioned_strictly(resource_) && request_.body[keys::kMetadata][keys::kResourceVersion].as_string().empty()) {
    return invalid(resource_, request_.name,
                   {{"FieldValueInvalid", "Invalid value: 0x0: must be specified for an update",
                     "metadata.resourceVersion"}});
  }
  MINIK_ASSIGN(Value updated, decoded(request_.body, old));
  return write_over(old, std::move(updated));
}

Result<ApiResponse> Writer::create_by_put() {
  const std::string_view uid = object_uid(request_.body);
  if (!uid.empty()) {
    return conflict(resource_, request_.name,
                    cat("Precondition failed: UID in precondition: ", uid, ", UID in object meta: "));
  }
  ApiRequest creation = request_;
  creation.verb = Verb::kCreate;
  creation.body = request_.body.with(
      keys::kMetadata,
      request_.body[keys::kMetadata].with(keys::kName, request_.name).without(keys::kResourceVersion));
  // Who may change what is there may still not make what is not.
  MINIK_TRY(server_.authorize(creation));
  return Writer(server_, creation).write();
}

Result<ApiResponse> Writer::patch() {
  if (request_.patch_type == PatchType::kApply) return apply();
  if (request_.patch_type == PatchType::kStrategicMerge && resource_.custom) return no_strategic_merge();
  MINIK_ASSIGN(const Value old, current());
  MINIK_ASSIGN(const Value document, patched(old));
  MINIK_ASSIGN(Value updated, decoded(document, old));
  return write_over(old, std::move(updated));
}

Result<Value> Writer::patched(const Value& old) const {
  MINIK_ASSIGN(Value document, apply_patch(old));
  MINIK_TRY(check_kind(resource_, document));
  MINIK_TRY(check_name(resource_, request_, document));
  return document;
}

Result<Value> Writer::apply_patch(const Value& old) const {
  // A patch is written against what clients see, which names its kind.
  const Value document =
      old.with(keys::kApiVersion, resource_.api_version).with(keys::kKind, resource_.kind);
  switch (request_.patch_type) {
    case PatchType::kJson: return apply_json_patch(document, request_.body);
    case PatchType::kMerge: return apply_merge_patch(document, request_.body);
    case PatchType::kStrategicMerge: {
      static const SchemaRules rules;
      return apply_strategic_merge_patch(document, request_.body, rules, resource_.type);
    }
    case PatchType::kApply: break;  // apply() does it
  }
  return Error(ErrorCode::kUnsupportedMediaType, "this is no patch of a document");
}

Result<ApiResponse> Writer::write_over(const Value& old, Value updated) {
  const auto& metadata = updated[keys::kMetadata];
  const auto version = metadata[keys::kResourceVersion].as_string();
  if (!version.empty() && version != old[keys::kMetadata][keys::kResourceVersion].as_string()) {
    return modified_conflict(resource_, request_.name);
  }
  const auto uid = metadata[keys::kUid].as_string();
  if (!uid.empty() && uid != object_uid(old)) {
    return conflict(resource_, request_.name,
                    cat("Precondition failed: UID in precondition: ", uid,
                        ", UID in object meta: ", object_uid(old)));
  }
  MINIK_TRY(check_preconditions(old));
  const bool status_only = request_.subresource == "status";
  const Value given_account = metadata[keys::kManagedFields];
  updated = status_only ? prepare_for_status_update(resource_, updated, old)
                        : prepare_for_update(resource_, updated, old);
  // What has not changed keeps its nodes, so that memory is shared with the version before.
  for (const auto& key : {keys::kSpec, keys::kStatus}) {
    if (!updated[key].same_node(old[key]) && updated[key] == old[key]) updated = updated.with(key, old[key]);
  }
  if (status_only) {
    updated = server_.admission_->admit_status(resource_, std::move(updated));
  } else {
    MINIK_ASSIGN(updated, server_.admission_->admit_update(resource_, std::move(updated), old));
  }
  MINIK_ASSIGN(updated, mutated_by_webhooks(Operation::kUpdate, std::move(updated), old));
  if (!status_only) {
    MINIK_ASSIGN(updated, server_.admission_->allocate(resource_, std::move(updated), old));
  }
  MINIK_TRY(validate_update(resource_, updated, old, request_.subresource));
  if (!status_only && desired_state_changed(resource_, updated, old)) warn_of(updated, old);
  const bool is_claim = resource_.id == kinds::kPersistentvolumeclaims;
  if (is_claim && !status_only) MINIK_TRY(server_.admission_->check_limits(resource_, updated, old));
  MINIK_TRY(allowed_by_users(Operation::kUpdate, updated, old));
  MINIK_TRY(check_rules(updated, old));
  if (!status_only) MINIK_TRY(server_.admission_->check_quota(resource_, updated, old));
  if (!status_only && has_generation(resource_) && desired_state_changed(resource_, updated, old)) {
    updated = with_generation(updated, old[keys::kMetadata][keys::kGeneration].as_int() + 1);
  }
  if (is_from_network() && given_account.is_array())
    updated = updated.with(keys::kMetadata, updated[keys::kMetadata].with(keys::kManagedFields, given_account));
  MINIK_ASSIGN(updated, accounted(updated, old));
  ApiResponse response;
  response.object = request_.options.dry_run ? updated : store_update(updated, old);
  response.warnings = std::move(warnings_);
  return response;
}

Value Writer::store_update(const Value& next, const Value& old) {
  if (next == old) return old;
  const bool last_finalizer_gone =
      is_deleting(next) && !has_finalizers(next) &&
      next[keys::kMetadata][keys::kDeletionGracePeriodSeconds].as_int() == 0 &&
      next[keys::kSpec][keys::kFinalizers].empty();
  if (last_finalizer_gone) return store_removal(next);
  Value stamped = with_revision(next, server_.store_.next_revision());
  server_.store_.put(resource_.id, stamped);
  server_.admission_->updated(resource_, stamped, old);
  return stamped;
}

Value Writer::store_removal(const Value& object) {
  const Value stored = server_.store_.find(resource_.id, object_namespace(object), object_name(object));
  Value last = with_revision(object, server_.store_.next_revision());
  server_.store_.erase(resource_.id, last);
  server_.admission_->deleted(resource_, stored);  // which may write on its own, as of a quota
  return last;
}

int64_t Writer::grace_seconds(const Value& object) const {
  if (resource_.id != kinds::kPods) return 0;
  const auto& spec = object[keys::kSpec];
  const auto phase = object[keys::kStatus][keys::kPhase].as_string();
  if (spec[keys::kNodeName].as_string().empty() || phase == "Succeeded" || phase == "Failed") return 0;
  const int64_t own = spec[keys::kTerminationGracePeriodSeconds].as_int(30);
  const int64_t wanted = request_.options.grace_period_seconds.value_or(own);
  return wanted < 0 ? 1 : wanted;
}

Value Writer::with_propagation(const Value& object) {
  PropagationPolicy propagation = request_.options.propagation;
  if (propagation == PropagationPolicy::kUnset && resource_.id == kinds::kJobs) {
    // The one kind of today whose first clients were promised this.
    propagation = PropagationPolicy::kOrphan;
    warnings_.emplace_back(
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them "
        "or set propagationPolicy=Orphan to suppress this warning");
  }
  switch (propagation) {
    case PropagationPolicy::kOrphan:
      return without_finalizer(with_finalizer(object, kOrphanFinalizer), kForegroundFinalizer);
    case PropagationPolicy::kForeground:
      return without_finalizer(with_finalizer(object, kForegroundFinalizer), kOrphanFinalizer);
    case PropagationPolicy::kBackground:
      if (!has_finalizers(object)) return object;
      return without_finalizer(without_finalizer(object, kOrphanFinalizer), kForegroundFinalizer);
    case PropagationPolicy::kUnset: break;
  }
  return object;
}

Result<ApiResponse> Writer::remove_object(const Value& object) {
  MINIK_TRY(check_removal_rules(object));
  MINIK_TRY(server_.admission_->admit_delete(resource_, object));
  MINIK_ASSIGN(const Value nothing, mutated_by_webhooks(Operation::kDelete, Value(), object));
  MINIK_TRY(allowed_by_users(Operation::kDelete, nothing, object));
  Value marked = with_propagation(object);
  // Its objects go first (custom_resources.h).
  if (resource_.id == kinds::kCustomresourcedefinitions && !is_deleting(object)) {
    marked = with_finalizer(marked, kCustomResourceCleanup);
  }
  const int64_t grace = grace_seconds(object);
  const bool held = has_finalizers(marked) || !marked[keys::kSpec][keys::kFinalizers].empty();
  ApiResponse response;
  if (grace == 0 && !held) {
    if (!request_.options.dry_run) store_removal(marked);
    response.object = success_status(resource_, object);
    response.warnings = std::move(warnings_);
    return response;
  }
  if (is_deleting(object)) {
    const int64_t pending = object[keys::kMetadata][keys::kDeletionGracePeriodSeconds].as_int();
    const bool sooner = grace < pending;
    const Value next = sooner ? with_deletion(marked, server_.executor_.wall_now(), grace) : marked;
    response.object = request_.options.dry_run ? next : store_update(next, object);
    return response;
  }
  Value next = with_deletion(marked, server_.executor_.wall_now(), grace);
  if (has_generation(resource_)) {
    next = with_generation(next, object[keys::kMetadata][keys::kGeneration].as_int() + 1);
  }
  if (resource_.id == kinds::kNamespaces) {
    next = next.with_at({keys::kStatus, keys::kPhase}, "Terminating");
  }
  response.object = request_.options.dry_run ? next : store_update(next, object);
  response.accepted = true;
  response.warnings = std::move(warnings_);
  return response;
}

Result<ApiResponse> Writer::remove() {
  MINIK_ASSIGN(const Value object, current());
  MINIK_TRY(check_preconditions(object));
  return remove_object(object);
}

Result<ApiResponse> Writer::remove_collection() {
  MINIK_ASSIGN(const auto labels, LabelSelector::parse(request_.options.label_selector));
  MINIK_ASSIGN(const auto fields, FieldSelection::parse(resource_, request_.options.field_selector));
  AdmissionGate::Collection own;
  auto& collection = server_.gate_ ? server_.gate_->collection() : own;
  if (!std::exchange(collection.listed, true)) {
    const auto snapshot = server_.store_.list(request_.kind, request_.namespace_);
    std::ranges::copy_if(snapshot->objects, std::back_inserter(collection.objects), [&](const Value& object) {
      return labels.matches(object[keys::kMetadata][keys::kLabels]) && fields.matches(object);
    });
  }
  for (; collection.gone < collection.objects.size(); ++collection.gone) {
    const Value& listed = collection.objects[collection.gone];
    // Others may have been there while somebody was asked.
    const Value now = server_.store_.find(request_.kind, object_namespace(listed), object_name(listed));
    if (now.has_value() && object_uid(now) == object_uid(listed)) MINIK_TRY(remove_object(now));
  }
  ApiResponse response;
  response.object =
      Value::map({{keys::kKind, cat(resource_.kind, "List")},
                  {keys::kApiVersion, resource_.api_version},
                  {keys::kMetadata,
                   Value::map({{keys::kResourceVersion, cat(server_.store_.revision().value)}})},
                  {keys::kItems, Value::array(collection.objects)}});
  return response;
}

}  // namespace minik::control
