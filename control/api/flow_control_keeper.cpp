#include "control/api/flow_control_keeper.h"

#include <map>
#include <string>
#include <utility>

#include "control/api/flow_control.h"
#include "control/api/strategy.h"
#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr KindId kKinds[] = {kinds::kPrioritylevelconfigurations, kinds::kFlowschemas};

bool is_mandatory(std::string_view name) { return name == "exempt" || name == "catch-all"; }

// For how much of the server exempt requests count is the administrator's to say: spec.exempt of that level is free.
bool is_free(KindId kind, std::string_view name) { return kind == kinds::kPrioritylevelconfigurations && name == "exempt"; }

Value fixed_part(KindId kind, std::string_view name, const Value& spec) {
  return is_free(kind, name) ? spec.without(keys::kExempt) : spec;
}

using ObjectPlace = std::pair<KindId, std::string>;

std::map<ObjectPlace, Value> read_mandatory_specs() {
  std::map<ObjectPlace, Value> specs;
  for (const auto& [kind, object] : default_flow_control()) {
    const std::string name(object_name(object));
    if (!is_mandatory(name)) continue;
    std::vector<std::string> unseen;
    const auto complete = decode_and_default(Schema::builtin().resource(kind), object, Value(), FieldValidation::kIgnore, unseen);
    CHECK(complete.ok()) << complete.error().message;
    specs.emplace(ObjectPlace(kind, name), fixed_part(kind, name, (*complete)[keys::kSpec]));
  }
  return specs;
}

// What the fixed part of a mandatory object's spec must be; absent for other objects.
Value mandatory_spec(KindId kind, std::string_view name) {
  // A sweep bootstraps a hundred clusters a second.
  static const auto specs = read_mandatory_specs();
  const auto found = specs.find(ObjectPlace(kind, name));
  return found == specs.end() ? Value() : found->second;
}

}  // namespace

FlowControlKeeper::FlowControlKeeper(Executor& executor, Store& store, Send send)
    : store_(store), send_(std::move(send)), timer_(executor) {
  for (const KindId kind : kKinds) {
    auto watch = store_.watch(kind, store_.durable_revision(), {}, [this](const StoreEvent& event) {
      if (event.type == StoreEvent::Type::kDeleted && !timer_.armed()) look_again();
    });
    CHECK(watch.ok()) << watch.error().message;
    watches_.push_back(*watch);
  }
}

FlowControlKeeper::~FlowControlKeeper() {
  for (const StoreWatchId id : watches_) store_.unwatch(id);
}

// Until nothing is left to do: a user's webhook may have refused what was sent.
void FlowControlKeeper::look_again() {
  timer_.arm(minutes(1), [this] {
    if (restore()) look_again();
  });
}

bool FlowControlKeeper::restore() {
  bool sent = false;
  for (auto& [kind, wanted] : default_flow_control()) {
    const std::string name(object_name(wanted));
    const Value stored = store_.find(kind, "", name);
    ApiRequest request;
    request.kind = kind;
    if (stored.is_absent()) {
      request.verb = Verb::kCreate;
      request.body = std::move(wanted);
    } else {
      const Value must = mandatory_spec(kind, name);
      const Value& spec = stored[keys::kSpec];
      if (!must.has_value() || fixed_part(kind, name, spec) == must) continue;
      request.verb = Verb::kUpdate;
      request.name = name;
      request.body = stored.with(keys::kSpec, wanted[keys::kSpec]);
    }
    send_(std::move(request));
    sent = true;
  }
  return sent;
}

void check_mandatory_flow_control(const ResourceInfo& resource, const Value& object, FieldErrors& errors) {
  const std::string_view name = object_name(object);
  const Value must = mandatory_spec(resource.id, name);
  if (!must.has_value() || fixed_part(resource.id, name, object[keys::kSpec]) == must) return;
  const std::string_view except = is_free(resource.id, name) ? " except the 'spec.exempt' field" : "";
  errors.invalid(FieldPath("spec"), object[keys::kSpec], cat("spec of '", name, "'", except, " must equal the fixed value"));
}

}  // namespace minik::control
