// The part of Writer that knows who manages which field: server-side apply, and the account of other writes.
#include "control/api/admission.h"
#include "control/api/errors.h"
#include "control/api/options.h"
#include "control/api/strategy.h"
#include "control/api/writer.h"
#include "control/apply/last_applied.h"
#include "control/apply/typed_document.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// "kubectl/v1.35.0 (linux/amd64)" is kubectl, "system:kube-scheduler" is kube-scheduler. Components are told by their users.
std::string manager_of(const ApiRequest& request) {
  const auto& options = request.options;
  if (!options.field_manager.empty()) return options.field_manager;
  std::string_view name = options.user_agent;
  name = name.substr(0, name.find('/'));
  if (name.empty()) {
    name = request.user.name;
    if (name.starts_with("system:node:")) name = "kubelet";
    if (name == "system:apiserver") name = "kube-apiserver";
    if (name.starts_with("system:")) name.remove_prefix(std::string_view("system:").size());
  }
  return std::string(name.substr(0, kManagerBytesMax));
}

}  // namespace

FieldWriter Writer::field_writer() const {
  return {manager_of(request_), request_.subresource, server_.executor_.wall_now()};
}

bool Writer::is_from_network() const {
  return !request_.options.user_agent.empty() || !request_.options.field_manager.empty();
}

Result<Value> Writer::accounted(const Value& next, const Value& old) const {
  if (account_) return next.with(keys::kMetadata, next[keys::kMetadata].with(keys::kManagedFields, *account_));
  const bool wanted = server_.options_.field_accounts == FieldAccounts::kAlways || is_from_network() ||
                      old[keys::kMetadata][keys::kManagedFields].has_value();
  if (!resource_.type || !wanted || next == old) return next;
  return updated_managers(resource_, old, next, field_writer());
}

Status Writer::check_configuration() const {
  const Value& config = request_.body;
  if (request_.options.field_manager.empty()) {
    Error error(ErrorCode::kInvalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
    error.causes = {{"FieldValueRequired", "Required value: is required for apply patch", "fieldManager"}};
    return error;
  }
  if (!config.is_map() || config[keys::kKind].as_string().empty() || config[keys::kApiVersion].as_string().empty()) {
    return Error(ErrorCode::kBadRequest, "an applied configuration must name its apiVersion and kind");
  }
  if (config[keys::kMetadata][keys::kManagedFields].has_value())
    return Error(ErrorCode::kBadRequest, "metadata.managedFields must be nil");
  return {};
}

// A configuration names only fields that its kind has, whatever field validation its sender asks for.
Result<Value> Writer::decode_configuration() const {
  std::vector<std::string> complaints;
  MINIK_ASSIGN(Value config, decode_body(resource_, request_.body, Value(), FieldValidation::kWarn, complaints));
  if (complaints.empty()) return config;
  std::vector<std::string> lines;
  for (const std::string_view complaint : complaints) {
    const size_t open = complaint.find('"') + 1;
    const auto path = complaint.substr(open, complaint.rfind('"') - open);
    lines.push_back(cat(resource_.type ? path_by_keys(*resource_.type, request_.body, path) : cat(".", path),
                        ": field not declared in schema"));
  }
  const std::string what = lines.size() == 1 ? lines[0] : cat("errors:\n  ", join(lines, "\n  "));
  return Error(ErrorCode::kUnknown, cat("failed to create typed patch object (", request_.namespace_, "/", request_.name, "; ",
                                        resource_.group, "/", resource_.version, ", Kind=", resource_.kind, "): ", what));
}

Result<ApiResponse> Writer::apply() {
  MINIK_TRY(check_configuration());
  MINIK_TRY(check_body_names());
  MINIK_ASSIGN(Value config, decode_configuration());
  const FieldWriter writer = field_writer();
  const Value live = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (live.is_absent()) return create_applied(config, writer);
  MINIK_ASSIGN(auto applied, apply_configuration(resource_, live, config, writer, request_.options.force));
  const bool keeps_last_applied = writer.manager == kLastAppliedManager && writer.subresource.empty();
  const Value last_applied =
      keeps_last_applied ? with_last_applied(applied.object, request_.body) : applied.object;
  if (!applied.changed && last_applied == applied.object) {
    MINIK_TRY(check_preconditions(live));
    return ApiResponse{live, false, false, std::move(warnings_)};
  }
  applied.object = last_applied;
  const Value& metadata = applied.object[keys::kMetadata];
  account_ = metadata[keys::kManagedFields];
  const Value body = applied.object.with(keys::kMetadata, metadata.without(keys::kManagedFields));
  std::vector<std::string> seen_already;
  MINIK_ASSIGN(Value updated, decode_and_default(resource_, body, live, FieldValidation::kIgnore, seen_already));
  return write_over(live, std::move(updated));
}

Result<ApiResponse> Writer::create_applied(const Value& config, const FieldWriter& writer) {
  if (!request_.subresource.empty()) return not_found(resource_, request_.name);
  const auto uid = object_uid(config);
  if (!uid.empty()) {
    return conflict(resource_, request_.name,
                    cat("uid mismatch: the provided object specified uid ", uid, ", and no existing object was found"));
  }
  MINIK_ASSIGN(const auto applied, apply_configuration(resource_, Value(), config, writer, false));
  ApiRequest creation = request_;
  creation.verb = Verb::kCreate;
  creation.body = config.with(keys::kApiVersion, resource_.api_version)
                      .with(keys::kKind, resource_.kind)
                      .with(keys::kMetadata, config[keys::kMetadata].with(keys::kName, request_.name));
  creation.options.field_validation = FieldValidation::kIgnore;  // complained of already
  // Who may change what is there may still not make what is not.
  MINIK_TRY(server_.authorize(creation));
  Writer create(server_, creation);
  create.account_ = applied.object[keys::kMetadata][keys::kManagedFields];
  MINIK_ASSIGN(auto response, create.write());
  response.warnings.insert(response.warnings.begin(), warnings_.begin(), warnings_.end());
  return response;
}

}  // namespace minik::control
