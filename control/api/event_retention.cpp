#include "control/api/event_retention.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

EventRetention::EventRetention(Store& store, size_t events_max) : store_(store), events_max_(events_max) {
  std::vector<Value> known;
  store_.for_each(kinds::kEvents, [&](const Value& event) { known.push_back(event); });
  std::ranges::sort(known, {}, [](const Value& event) { return object_revision(event); });
  for (const auto& event : known) created(event);
}

void EventRetention::created(const Value& event) {
  const Value& metadata = event[keys::kMetadata];
  order_.push_back({Key(metadata[keys::kNamespace]), Key(metadata[keys::kName])});
}

const Value& EventRetention::find(const Name& name) const {
  return store_.find(kinds::kEvents, name.namespace_.text(), name.name.text());
}

std::vector<Value> EventRetention::surplus() {
  std::vector<Value> surplus;
  for (size_t count = store_.count(kinds::kEvents); count > events_max_ && !order_.empty();) {
    const Value& event = find(order_.front());
    if (event.has_value()) {
      surplus.push_back(event);
      --count;
    }
    order_.pop_front();
  }
  return surplus;
}

std::vector<Value> EventRetention::outdated(WallTime oldest) {
  std::erase_if(order_, [this](const Name& name) { return !find(name).has_value(); });
  std::vector<Value> outdated;
  for (const auto& name : order_) {
    const Value& event = find(name);
    auto seen = parse_time(event[keys::kLastTimestamp].as_string());
    if (!seen) seen = parse_time(event[keys::kMetadata][keys::kCreationTimestamp].as_string());
    if (!seen || *seen < oldest) outdated.push_back(event);
  }
  return outdated;
}

}  // namespace minik::control
