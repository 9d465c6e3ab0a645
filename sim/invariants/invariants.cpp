#include "sim/invariants.h"

namespace minik::sim {

Invariants::Invariants(const std::function<Instant()>& now) {
  all_.push_back(make_no_overcommitment());
  all_.push_back(make_rollout_bounds());
  all_.push_back(make_disruption_budgets());
  all_.push_back(make_ready_endpoints(now));
  all_.push_back(make_owned_objects(now));
  all_.push_back(make_faithful_watches());
  for (const auto& invariant : all_) {
    for (const auto kind : invariant->kinds()) by_kind_[kind].push_back(invariant.get());
  }
}

void Invariants::watch(control::Store& store) {
  for (const auto& invariant : all_) invariant->forget();
  for (const auto& [kind, listeners] : by_kind_) {
    const auto tell = [kind = kind, &listeners = listeners](const control::StoreEvent& event) {
      for (auto* invariant : listeners) invariant->on_event(kind, event);
    };
    store.for_each(kind, [&](const control::Value& object) {
      tell({control::StoreEvent::Type::kAdded, control::object_revision(object), object, {}});
    });
    const auto watching = store.watch(kind, store.revision(), {}, tell);
    CHECK(watching.ok()) << watching.error().message;
  }
}

void Invariants::look(const control::Store& store, Instant now, Instant calm_since) {
  for (const auto& invariant : all_) invariant->look(store, now, calm_since);
}

void Invariants::compare(const control::Store& store) {
  for (const auto& invariant : all_) invariant->compare(store);
}

}  // namespace minik::sim
