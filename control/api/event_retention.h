// EventRetention: which Events have to go. Events say what happened; nobody reads those of an hour ago, and
// nobody reads a hundred thousand.
//
// Outdated are those that were not seen again in their time to live, surplus the first that came of too many.
// A rollout of a million pods writes eight million Events within minutes, which would need more memory than
// everything else about it; kube-apiserver leaves it to etcd's quota to stop that.
//
// Owned by Admission; the API server removes what it is told to, as writes like any other.
#pragma once

#include <deque>
#include <vector>

#include "control/base/time.h"
#include "control/object/value.h"
#include "control/store/store.h"

namespace minik::control {

class EventRetention {
 public:
  // Knows the Events that the store has already.
  explicit EventRetention(Store& store, size_t events_max = kEventsMax);

  void created(const Value& event);
  // Both oldest first. What is surplus is told once.
  std::vector<Value> surplus();
  std::vector<Value> outdated(WallTime oldest);

 private:
  static constexpr size_t kEventsMax = 100'000;  // about 100 MiB

  struct Name {
    Key namespace_, name;
  };
  const Value& find(const Name& name) const;

  Store& store_;
  size_t events_max_;
  std::deque<Name> order_;  // as they came; some may be gone
};

}  // namespace minik::control
