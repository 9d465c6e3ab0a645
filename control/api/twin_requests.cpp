// Requests for a kind that is stored as another one (twin_kinds.h): translated on the way in, and the answer on the
// way out.
#include "control/api/api_server.h"
#include "control/api/errors.h"
#include "control/api/event_rules.h"
#include "control/api/strategy.h"
#include "control/api/twin_kinds.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/given_status.h"
#include "control/object/keys.h"
#include "control/object/patch.h"
#include "control/schema/kinds.h"
#include "control/schema/validation.h"

namespace minik::control {

namespace {

Value served_answer(const TwinKind& twin, const ResourceInfo& resource, const Value& answer) {
  if (is_status(answer)) return answer;
  if (!answer[keys::kItems].is_array()) return twin.to_served(answer);
  std::vector<Value> items;
  for (const auto& item : answer[keys::kItems].items()) items.push_back(twin.to_served(item));
  return answer.with(keys::kKind, cat(resource.kind, "List"))
      .with(keys::kApiVersion, resource.api_version)
      .with(keys::kItems, Value::array(std::move(items)));
}

// Only a new object is asked for more than the stored kind asks, as older writers knew less, but for an Event, of which
// the served form lets hardly anything change.
Status check_strictly(const TwinKind& twin, const ResourceInfo& resource, const Value& served, const Value& next, const Value& old) {
  FieldErrors errors;
  const bool is_event = twin.stored == kinds::kEvents;
  if (old.is_absent()) {
    check_part(*resource.type, served, Value::absent(), FieldPath(), errors);
    if (is_event) check_new_event(next, errors);
  } else if (is_event) {
    check_changed_event(next, old, errors);
  }
  return errors.empty() ? Status() : errors.to_error(resource, object_name(next));
}

// What a configuration names of an Event that is there is named as it is.
Status check_applied(const TwinKind& twin, const ResourceInfo& resource, const Value& config, const Value& old) {
  if (twin.stored != kinds::kEvents || old.is_absent()) return {};
  FieldErrors errors;
  check_changed_event(apply_merge_patch(old, config), old, errors);
  return errors.empty() ? Status() : errors.to_error(resource, object_name(old));
}

// An update keeps what the served form has no word for: its defaults are those of the form that is stored.
Result<Value> stored_body(const TwinKind& twin, const ResourceInfo& resource, const Value& body,
                          const RequestOptions& options, const Value& old, std::vector<std::string>& warnings) {
  MINIK_ASSIGN(const Value object, decode_and_default(resource, body, Value(), options.field_validation, warnings));
  Value next = twin.to_stored(object);
  MINIK_TRY(check_strictly(twin, resource, object, next, old));
  return next;
}

}  // namespace

Result<ApiResponse> ApiServer::perform_twin(const TwinKind& twin, const ApiRequest& request) {
  const ResourceInfo& resource = schema_.resource(request.kind);
  const ResourceInfo& stored = schema_.resource(twin.stored);
  std::vector<std::string> warnings;
  ApiRequest inner = request;
  inner.kind = twin.stored;
  inner.options.field_selector = stored_field_selector(twin, request.options.field_selector);
  const Value& old = store_.find(twin.stored, request.namespace_, request.name);
  const bool applies = request.verb == Verb::kPatch && request.patch_type == PatchType::kApply;
  if (applies) {
    MINIK_TRY(check_kind(resource, request.body));
    MINIK_ASSIGN(const Value config,
                 decode_body(resource, request.body, Value(), request.options.field_validation, warnings));
    const Value stored_config = twin.to_stored(config);
    MINIK_TRY(check_applied(twin, resource, stored_config, old));
    inner.body = stored_config.with(keys::kApiVersion, stored.api_version).with(keys::kKind, stored.kind);
  } else if (request.verb == Verb::kPatch) {
    if (old.is_absent()) return not_found(resource, request.name);
    MINIK_ASSIGN(const Value patched, Writer(*this, request).patched(twin.to_served(old)));
    MINIK_ASSIGN(inner.body, stored_body(twin, resource, patched, request.options, old, warnings));
    inner.verb = Verb::kUpdate;
  } else if (request.verb == Verb::kCreate || request.verb == Verb::kUpdate) {
    MINIK_TRY(check_kind(resource, request.body));
    MINIK_ASSIGN(inner.body, stored_body(twin, resource, request.body, request.options, old, warnings));
  }
  inner.options.field_validation = FieldValidation::kIgnore;  // complained of already
  MINIK_ASSIGN(ApiResponse response, perform(inner));
  response.object = served_answer(twin, resource, response.object);
  response.warnings.insert(response.warnings.begin(), warnings.begin(), warnings.end());
  return response;
}

Result<std::unique_ptr<WatchHandle>> ApiServer::watch_twin(const TwinKind& twin, const ApiRequest& request,
                                                           WatchCallbacks callbacks) {
  const ResourceInfo* resource = &schema_.resource(request.kind);
  ApiRequest inner = request;
  inner.kind = twin.stored;
  inner.options.field_selector = stored_field_selector(twin, request.options.field_selector);
  WatchCallbacks translated;
  translated.on_end = std::move(callbacks.on_end);
  translated.on_event = [&twin, resource, tell = std::move(callbacks.on_event)](const WatchEvent& event) {
    switch (event.type) {
      case WatchEventType::kError: return tell(event);
      case WatchEventType::kBookmark:
        return tell({event.type, event.object.with(keys::kKind, resource->kind)
                                     .with(keys::kApiVersion, resource->api_version)});
      default: return tell({event.type, twin.to_served(event.object)});
    }
  };
  return perform_watch(inner, std::move(translated));
}

}  // namespace minik::control
