// The two parts of a running pod that may change through subresources of their own: ephemeral containers, which
// kubectl debug adds, and the cpu and memory of its containers (resize).
#include <algorithm>

#include "control/api/admission.h"
#include "control/api/errors.h"
#include "control/api/metadata.h"
#include "control/api/strategy.h"
#include "control/api/subresources.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/pod_containers.h"
#include "control/object/qos_class.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

const Value* named(const Value& containers, const Value& name) {
  for (const auto& container : containers.items()) {
    if (container[keys::kName] == name) return &container;
  }
  return nullptr;
}

void check_ephemeral(const Value& spec, const Value& before, FieldErrors& errors) {
  const Value& now = spec[keys::kEphemeralContainers];
  const FieldPath at("spec.ephemeralContainers");
  for (const auto& old : before[keys::kEphemeralContainers].items()) {
    const Value* kept = named(now, old[keys::kName]);
    const auto name = quoted(old[keys::kName].as_string());
    if (kept == nullptr) {
      errors.forbidden(at, cat("existing ephemeral containers ", name, " may not be removed\n"));
    } else if (!(*kept == old)) {
      errors.forbidden(at, cat("existing ephemeral containers ", name, " may not be changed\n"));
    }
  }
  const auto containers = now.items();
  for (size_t i = 0; i < containers.size(); ++i) {
    const Value& added = containers[i];
    const FieldPath here = at.index(i);
    for (const auto* field : {"lifecycle", "livenessProbe", "ports", "readinessProbe", "resizePolicy", "resources",
                              "restartPolicy", "startupProbe"}) {
      if (!added.get(field).empty() || added.get(field).is_string()) {
        errors.forbidden(here.field(field), "cannot be set for an Ephemeral Container");
      }
    }
    const Value& target = added[keys::kTargetContainerName];
    const bool known = target.as_string().empty() || named(spec[keys::kContainers], target) != nullptr ||
                       named(spec[keys::kInitContainers], target) != nullptr;
    if (!known) errors.not_found(here.field("targetContainerName"), target);
  }
}

// A container as it would be with the other's cpu and memory.
Value with_amounts_of(const Value& container, const Value& other) {
  return container.with(keys::kResources, other[keys::kResources]);
}

void check_resized(const Value& now, const Value& before, const FieldPath& at, FieldErrors& errors) {
  for (const auto& list : {keys::kRequests, keys::kLimits}) {
    const Value& wanted = now[keys::kResources][list];
    const Value& had = before[keys::kResources][list];
    const FieldPath resources = at.field("resources");
    const FieldPath here = resources.field(list.text());
    for (const auto& [name, amount] : had.entries()) {
      const bool resizable = name == keys::kCpu || name == keys::kMemory;
      if (!resizable && !(wanted[name] == amount)) {
        errors.forbidden(here, "only cpu and memory resources are mutable");
      } else if (wanted[name].is_absent()) {
        errors.forbidden(here, cat("resource ", list.text(), " cannot be removed"));
      }
    }
    for (const auto& [name, amount] : wanted.entries()) {
      const bool resizable = name == keys::kCpu || name == keys::kMemory;
      if (!resizable && had[name].is_absent()) {
        errors.forbidden(here, "only cpu and memory resources are mutable");
      }
    }
  }
}

void check_resize(const Value& spec, const Value& before, FieldErrors& errors) {
  Value rest = spec;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    if (spec[list].size() != before[list].size()) {
      return errors.forbidden(FieldPath("spec"), "pod updates may not add or remove containers");
    }
    std::vector<Value> restored;
    for (size_t i = 0; i < spec[list].size(); ++i) {
      const Value& now = spec[list].items()[i];
      const Value& old = before[list].items()[i];
      restored.push_back(with_amounts_of(now, old));
      const FieldPath root("spec");
      const FieldPath at = root.field(list.text());
      const FieldPath here = at.index(i);
      check_resized(now, old, here, errors);
      const bool once = list == keys::kInitContainers && !is_sidecar(now);
      if (once && !(now == old)) errors.forbidden(here, "resources for non-sidecar init containers are immutable");
    }
    if (!restored.empty()) rest = rest.with(list, Value::array(std::move(restored)));
  }
  if (!(rest == before)) errors.forbidden(FieldPath("spec"), "only cpu and memory resources are mutable");
  if (qos_class(spec) != qos_class(before)) {
    errors.invalid(FieldPath("spec"), Value(qos_class(spec)), "Pod QOS Class may not change as a result of resizing");
  }
}

}  // namespace

Result<Value> Subresources::wanted(const Value& old) {
  Value document = request_.body;
  if (request_.verb == Verb::kPatch) {
    MINIK_ASSIGN(document, Writer(server_, request_).patched(old));
  } else {
    MINIK_TRY(check_kind(resource_, document));
    MINIK_TRY(check_name(resource_, request_, document));
  }
  const auto version = document[keys::kMetadata][keys::kResourceVersion].as_string();
  if (!version.empty() && version != old[keys::kMetadata][keys::kResourceVersion].as_string()) {
    return modified_conflict(resource_, request_.name);
  }
  std::vector<std::string> ignored;
  return decode_and_default(resource_, document, old, request_.options.field_validation, ignored);
}

Result<ApiResponse> Subresources::changed_pod(const Value& changed, const Value& old) {
  if (changed == old) return ApiResponse{old, false, false, {}};
  FieldErrors errors = check_object(resource_, changed, old);
  if (!errors.empty()) return errors.to_error(resource_, request_.name);
  MINIK_ASSIGN(Value next, server_.admission_->admit_update(resource_, changed, old));
  Writer writer(server_, request_);
  MINIK_ASSIGN(next, writer.mutated_by_webhooks(Operation::kUpdate, std::move(next), old));
  errors = check_object(resource_, next, old);
  if (!errors.empty()) return errors.to_error(resource_, request_.name);
  if (request_.subresource == "resize") MINIK_TRY(server_.admission_->check_limits(resource_, next, old));
  MINIK_TRY(writer.allowed_by_users(Operation::kUpdate, next, old));
  next = with_generation(next, old[keys::kMetadata][keys::kGeneration].as_int() + 1);
  MINIK_TRY(writer.check_rules(next, old));
  MINIK_TRY(server_.admission_->check_quota(resource_, next, old));
  MINIK_ASSIGN(next, writer.accounted(next, old));
  if (!request_.options.dry_run) next = writer.store_update(next, old);
  return ApiResponse{std::move(next), false, false, {}};
}

Result<ApiResponse> Subresources::ephemeral_containers() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  if (request_.verb == Verb::kGet) return ApiResponse{old, false, false, {}};
  MINIK_ASSIGN(const Value document, wanted(old));
  FieldErrors errors;
  check_ephemeral(document[keys::kSpec], old[keys::kSpec], errors);
  if (!errors.empty()) return errors.to_error(resource_, request_.name);
  return changed_pod(old.with_at({keys::kSpec, keys::kEphemeralContainers}, document[keys::kSpec][keys::kEphemeralContainers]),
                     old);
}

Result<ApiResponse> Subresources::resize() {
  const Value old = server_.store_.find(request_.kind, request_.namespace_, request_.name);
  if (old.is_absent()) return not_found(resource_, request_.name);
  if (request_.verb == Verb::kGet) return ApiResponse{old, false, false, {}};
  MINIK_ASSIGN(const Value document, wanted(old));
  FieldErrors errors;
  check_resize(document[keys::kSpec], old[keys::kSpec], errors);
  if (!errors.empty()) return errors.to_error(resource_, request_.name);
  return changed_pod(old.with(keys::kSpec, document[keys::kSpec]), old);
}

}  // namespace minik::control
