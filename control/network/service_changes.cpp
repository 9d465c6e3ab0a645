#include "control/network/service_changes.h"

#include <utility>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kByService = "network/service";

std::string service_of_slice(const Value& slice) {
  const auto name =
      slice[keys::kMetadata][keys::kLabels].get("kubernetes.io/service-name").as_string();
  return name.empty() ? std::string() : cat(object_namespace(slice), "/", name);
}

}  // namespace

ServiceChanges::ServiceChanges(Executor& executor, InformerSet& informers, Listener listener)
    : executor_(executor),
      services_(informers.of(kinds::kServices)),
      slices_(informers.of(kinds::kEndpointslices)),
      listener_(std::move(listener)),
      alive_(std::make_shared<bool>(true)) {
  slices_.cache().add_index(kByService, [](const Value& slice, std::vector<Key>& out) {
    if (const auto service = service_of_slice(slice); !service.empty()) out.emplace_back(service);
  });
  const std::weak_ptr<bool> alive = alive_;
  services_.subscribe([this, alive](const Value& before, const Value& after) {
    if (!alive.expired()) mark(key_of(after.has_value() ? after : before).text());
  });
  slices_.subscribe([this, alive](const Value& before, const Value& after) {
    if (alive.expired()) return;
    // The label may have moved the slice from one Service to another.
    for (const Value* slice : {&before, &after}) {
      if (slice->has_value()) mark(service_of_slice(*slice));
    }
  });
}

ServiceChanges::~ServiceChanges() = default;

void ServiceChanges::start() {
  const std::weak_ptr<bool> alive = alive_;
  const auto begin = [this, alive] {
    if (alive.expired() || started_ || !services_.synced() || !slices_.synced()) return;
    started_ = true;
    // Informers that had listed before this subscribed told it nothing.
    services_.cache().for_each(
        [this](const Value& service) { dirty_.insert(key_of(service).text()); });
    schedule();
  };
  services_.when_synced(begin);
  slices_.when_synced(begin);
}

const Value& ServiceChanges::service(const std::string& key) const {
  const size_t slash = key.find('/');
  return services_.cache().find(key.substr(0, slash), key.substr(slash + 1));
}

std::vector<Value> ServiceChanges::slices(const std::string& key) const {
  return slices_.cache().indexed(kByService, key);
}

void ServiceChanges::mark(const std::string& service) {
  if (service.empty()) return;
  dirty_.insert(service);
  schedule();
}

// In a turn of its own, so that all changes of one watch delivery are told together.
void ServiceChanges::schedule() {
  if (!started_ || scheduled_) return;
  scheduled_ = true;
  executor_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    listener_(std::exchange(dirty_, {}));
  });
}

}  // namespace minik::control
