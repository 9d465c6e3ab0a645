// Taint eviction: pods leave a node whose NoExecute taints they do not tolerate, at once or after their
// tolerationSeconds. Decided pod by pod; the clock starts at the taint's timeAdded, and goes on when another
// taint takes its place. What was awaited and is not to happen any more is told by an Event; a restart forgets
// what was awaited, so that nothing is told of it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/client/controller.h"

namespace minik::control {

// The pods that go when their time has run out. A pod that goes by other ways stays here until then.
class AwaitedEvictions {
 public:
  // Forgets it; nothing when none is awaited of this very pod.
  std::optional<WallTime> take(const ObjectKey& key, std::string_view pod_uid);
  void put(const ObjectKey& key, std::string_view pod_uid, WallTime at);

 private:
  struct Eviction {
    std::string pod_uid;
    WallTime at;
  };
  std::map<std::string, Eviction, std::less<>> evictions_;  // by key
};

Plan reconcile_taint_eviction(const Snapshot& snapshot, const ObjectKey& key, Env& env, AwaitedEvictions& awaited);
ControllerSpec taint_eviction_controller();

}  // namespace minik::control
