#include "control/api/strategy.h"

#include <algorithm>
#include <span>
#include <utility>

#include "control/admission/policy_validation.h"
#include "control/admission/webhooks.h"
#include "control/api/errors.h"
#include "control/api/flow_control_keeper.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/extension/definition_rules.h"
#include "control/extension/stored_form.h"
#include "control/schema/custom_kind.h"
#include "control/schema/decode.h"
#include "control/schema/defaults.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

// What a client may change of metadata; the rest stays what the server made it.
Value merged_metadata(const Value& updated, const Value& old) {
  MapBuilder metadata(updated);
  for (const auto& key : {keys::kUid, keys::kCreationTimestamp, keys::kGeneration, keys::kNamespace,
                          keys::kDeletionTimestamp, keys::kDeletionGracePeriodSeconds, keys::kGenerateName,
                          keys::kResourceVersion, keys::kSelfLink, keys::kManagedFields}) {
    metadata.set(key, old[key]);
  }
  return std::move(metadata).build();
}

Value gated_condition() {
  return Value::map({{keys::kType, "PodScheduled"},
                     {keys::kStatus, "False"},
                     {keys::kReason, "SchedulingGated"},
                     {keys::kMessage, "Scheduling is blocked due to non-empty scheduling gates"},
                     {keys::kLastProbeTime, nullptr},
                     {keys::kLastTransitionTime, nullptr}});
}

// A Job's pods are told apart by its uid, unless somebody insists on a selector of their own.
Value with_job_selector(const Value& job) {
  const Value& spec = job[keys::kSpec];
  if (spec[keys::kManualSelector].as_bool()) return job;
  const Value& uid = job[keys::kMetadata][keys::kUid];
  const Value& name = job[keys::kMetadata][keys::kName];
  MapBuilder labels(spec[keys::kTemplate][keys::kMetadata][keys::kLabels]);
  // Once by the names of today and once by those that older clients look for.
  labels.set("batch.kubernetes.io/controller-uid", uid).set("batch.kubernetes.io/job-name", name);
  labels.set("controller-uid", uid).set("job-name", name);
  const Value pod_labels = std::move(labels).build();
  Value next = job.with_at({keys::kSpec, keys::kTemplate, keys::kMetadata, keys::kLabels}, pod_labels);
  next = next.with_at({keys::kSpec, keys::kSelector, keys::kMatchLabels, "batch.kubernetes.io/controller-uid"}, uid);
  if (!next[keys::kMetadata][keys::kLabels].empty()) return next;
  return next.with_at({keys::kMetadata, keys::kLabels}, pod_labels);
}

// Rules of what is defined at run time, of its definitions, and of what every cluster has in the same words.
void check_extension(const ResourceInfo& resource, const Value& object, const Value& old, FieldErrors& errors) {
  if (resource.custom) {
    resource.custom->check(object, old, errors);
  } else if (resource.id == kinds::kCustomresourcedefinitions) {
    check_definition(object, old, errors);
  } else if (resource.id == kinds::kValidatingadmissionpolicies) {
    check_validating_policy(object, errors);
  } else if (resource.id == kinds::kValidatingadmissionpolicybindings) {
    check_validating_binding(object, errors);
  } else if (resource.id == kinds::kMutatingadmissionpolicies) {
    check_mutating_policy(object, errors);
  } else if (resource.id == kinds::kMutatingadmissionpolicybindings) {
    check_mutating_binding(object, errors);
  } else if (resource.id == kinds::kValidatingwebhookconfigurations || resource.id == kinds::kMutatingwebhookconfigurations) {
    check_webhooks(object, errors);
  } else if (resource.id == kinds::kPrioritylevelconfigurations || resource.id == kinds::kFlowschemas) {
    check_mandatory_flow_control(resource, object, errors);
  }
}

}  // namespace

bool has_status_subresource(const ResourceInfo& resource) {
  return resource.subresource("status") != nullptr;
}

bool has_generation(const ResourceInfo& resource) {
  if (resource.custom) return true;
  if (!resource.type || !resource.type->field(keys::kSpec)) return false;
  return resource.id != kinds::kNamespaces && resource.id != kinds::kNodes &&
         resource.id != kinds::kServices && resource.id != kinds::kLeases &&
         resource.id != kinds::kPersistentvolumes && resource.id != kinds::kPersistentvolumeclaims;
}

Result<Value> decode_body(const ResourceInfo& resource, const Value& body, const Value& known,
                          FieldValidation validation, std::vector<std::string>& warnings) {
  auto decoded = resource.custom ? resource.custom->decode(body) : decode(*resource.type, body, known);
  if (!decoded) {
    return cannot_be_handled(resource.api_version, resource.kind, resource.kind, decoded.error().message);
  }
  if (!decoded->unknown_fields.empty() && validation == FieldValidation::kStrict) {
    return cannot_be_handled(resource.api_version, resource.kind, resource.kind,
                             strict_decoding_sentence(decoded->unknown_fields));
  }
  if (validation == FieldValidation::kWarn) {
    for (auto& complaint : decoded->unknown_fields) warnings.push_back(std::move(complaint));
  }
  // Stored objects do not repeat what their kind says of all of them.
  return decoded->object.without(keys::kApiVersion).without(keys::kKind);
}

Result<Value> decode_and_default(const ResourceInfo& resource, const Value& body, const Value& known,
                                 FieldValidation validation, std::vector<std::string>& warnings) {
  MINIK_ASSIGN(const Value bare, decode_body(resource, body, known, validation, warnings));
  if (resource.custom) return resource.custom->with_defaults(bare);
  const Value complete = apply_defaults(*resource.type, bare, known);
  return resource.id == kinds::kCustomresourcedefinitions ? completed_definition(complete) : complete;
}

Value prepare_for_create(const ResourceInfo& resource, const Value& object) {
  if (resource.id == kinds::kNodes) return object;  // a node registers itself with its status
  if (resource.custom) return has_status_subresource(resource) ? object.without(keys::kStatus) : object;
  const FieldInfo* status = resource.type ? resource.type->field(keys::kStatus) : nullptr;
  if (status == nullptr || !has_status_subresource(resource)) return object;
  // Nobody has looked at it yet: what the schema says of a new object's status, and no more.
  Value fresh = object.with(keys::kStatus, apply_defaults(*status->type, Value::empty_map()));
  if (resource.id == kinds::kPods && !object[keys::kSpec][keys::kSchedulingGates].empty()) {
    // Nobody schedules it, so nobody else would say why.
    return fresh.with_at({keys::kStatus, keys::kConditions}, Value::array({gated_condition()}));
  }
  if (resource.id == kinds::kCustomresourcedefinitions) {
    return with_stored_form(with_stored_version(fresh), std::string(storage_version(fresh)));
  }
  if (resource.id != kinds::kNamespaces) return fresh;
  return fresh.with_at({keys::kSpec, keys::kFinalizers}, Value::array({"kubernetes"}));
}

Value complete_new(const ResourceInfo& resource, const Value& object) {
  return resource.id == kinds::kJobs ? with_job_selector(object) : object;
}

Value prepare_for_update(const ResourceInfo& resource, const Value& updated, const Value& old) {
  MapBuilder object(updated);
  const bool same_metadata = updated[keys::kMetadata].same_node(old[keys::kMetadata]);
  if (!same_metadata) object.set(keys::kMetadata, merged_metadata(updated[keys::kMetadata], old[keys::kMetadata]));
  if (has_status_subresource(resource)) object.set(keys::kStatus, old[keys::kStatus]);
  if (resource.id == kinds::kCustomresourcedefinitions) {
    return with_stored_form(with_stored_version(std::move(object).build()), stored_form(old));
  }
  // Who asks for which certificate stands; who may have it is said by the subresource approval.
  if (resource.id == kinds::kCertificatesigningrequests) object.set(keys::kSpec, old[keys::kSpec]);
  if (resource.id == kinds::kNamespaces) {
    MapBuilder spec(updated[keys::kSpec]);
    spec.set(keys::kFinalizers, old[keys::kSpec][keys::kFinalizers]);
    object.set(keys::kSpec, std::move(spec).build());
  }
  return std::move(object).build();
}

namespace {

constexpr std::string_view kDecisions[] = {"Approved", "Denied"}, kFinal[] = {"Approved", "Denied", "Failed"};

std::vector<Value> conditions_of(const Value& status, std::string_view type) {
  std::vector<Value> found;
  for (const auto& condition : status[keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == type) found.push_back(condition);
  }
  return found;
}

// Whether a certificate request was approved is the subresource approval's to say: the words of it stay as they are.
Value with_decisions_of(const Value& status, const Value& old) {
  std::vector<Value> conditions(status[keys::kConditions].items().begin(), status[keys::kConditions].items().end());
  for (const std::string_view type : kDecisions) {
    const auto before = conditions_of(old, type);
    // Added and taken away ones are refused.
    if (conditions_of(status, type).size() != before.size()) continue;
    auto same = before.begin();
    for (Value& condition : conditions) {
      if (condition[keys::kType].as_string() == type) condition = *same++;
    }
  }
  return conditions.empty() ? status : status.with(keys::kConditions, Value::array(std::move(conditions)));
}

// The types of which `one` has more conditions than `other`.
std::vector<ErrorCause> more_conditions(const Value& one, const Value& other, std::span<const std::string_view> types, std::string_view deed) {
  std::vector<ErrorCause> causes;
  for (const std::string_view type : types) {
    if (conditions_of(one[keys::kStatus], type).size() <= conditions_of(other[keys::kStatus], type).size()) continue;
    causes.push_back({"FieldValueForbidden", cat("Forbidden: updates may not ", deed, " a condition of type ", quoted(type)), "status.conditions"});
  }
  return causes;
}

}  // namespace

std::vector<ErrorCause> removed_decisions(const Value& updated, const Value& old) {
  return more_conditions(old, updated, kFinal, "remove");
}

std::vector<ErrorCause> added_decisions(const Value& updated, const Value& old) {
  return more_conditions(updated, old, kDecisions, "add");
}

Value prepare_for_status_update(const ResourceInfo& resource, const Value& updated, const Value& old) {
  MapBuilder object(old);
  const bool certificate = resource.id == kinds::kCertificatesigningrequests;
  object.set(keys::kStatus, certificate ? with_decisions_of(updated[keys::kStatus], old[keys::kStatus]) : updated[keys::kStatus]);
  if (resource.id == kinds::kCustomresourcedefinitions) return with_stored_form(std::move(object).build(), stored_form(old));
  if (resource.id == kinds::kPods || resource.id == kinds::kNodes) {
    // The node agent reports labels and annotations of what it runs together with the status.
    for (const auto& key : {keys::kLabels, keys::kAnnotations}) {
      const Value& said = updated[keys::kMetadata][key];
      if (said == old[keys::kMetadata][key]) continue;
      object.set(keys::kMetadata, object.get(keys::kMetadata).with(key, said));
    }
  }
  return std::move(object).build();
}

namespace {
// What a new object may not say, though old ones that say it may stay.
void check_new(const ResourceInfo& resource, const Value& object, FieldErrors& errors) {
  if (resource.id != kinds::kIngresses) return;
  constexpr std::string_view kClass = "kubernetes.io/ingress.class";
  const Value& annotated = object[keys::kMetadata][keys::kAnnotations].get(kClass);
  if (annotated.has_value() && object[keys::kSpec].get("ingressClassName").has_value()) {
    const FieldPath annotations("metadata.annotations");
    errors.invalid(annotations.field(kClass), annotated, "can not be set when the class field is also set");
  }
}
}  // namespace

Status validate_create(const ResourceInfo& resource, const Value& object) {
  FieldErrors errors = check_object(resource, object);
  check_new(resource, object, errors);
  check_extension(resource, object, Value(), errors);
  if (!errors.empty()) return errors.to_error(resource, object_name(object));
  return {};
}

Status validate_update(const ResourceInfo& resource, const Value& object, const Value& old,
                       std::string_view subresource) {
  if (subresource == "status" && !resource.custom) return {};  // only components write it
  FieldErrors errors = check_object(resource, object, old);
  errors.add(check_change(resource, object, old));
  check_extension(resource, object, old, errors);
  if (!errors.empty()) return errors.to_error(resource, object_name(object));
  return {};
}

bool desired_state_changed(const ResourceInfo& resource, const Value& updated, const Value& old) {
  const bool status_counts = resource.custom && !has_status_subresource(resource);
  const auto differs = [&](const Value& a, const Value& b) {
    for (const auto& [key, value] : a.entries()) {
      if (key == keys::kMetadata || (key == keys::kStatus && !status_counts)) continue;
      if (!(b[key] == value)) return true;
    }
    return false;
  };
  return differs(updated, old) || differs(old, updated);
}

}  // namespace minik::control
