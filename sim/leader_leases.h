// LeaderLeases: which processes of the control plane lead, by whether they can renew their leases, as client-go's leader
// election has it with Kubernetes' own times.
//
//   leads --cannot renew for 10 s--> ends itself; its host starts it anew, and it waits
//   waits --can renew again--> leads within 1 to 10 s, when it has been started with a back-off and has tried
//
// Whether a lease can be renewed is known to whoever knows the faults: with no API server, one that fails each request, or a
// full store nobody's can, with a link that is cut, holds every message, or has no valid certificate only those that use it. Owned by the FaultInjector.
// Not modelled: the Lease objects themselves, and renewals that fail by chance five times in a row.
#pragma once

#include <functional>
#include <map>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "sim/component.h"
#include "sim/transport.h"

namespace minik::sim {

// Whether a renewal comes through and its answer back.
bool can_renew(const LinkFaults& link);
bool can_renew(const ApiGate::Trouble& server);

class LeaderLeases {
 public:
  // `changed` is told after one has begun or ceased to lead.
  LeaderLeases(Executor& executor, Rng rng, std::function<void(const Component&)> changed)
      : executor_(executor), rng_(rng), changed_(std::move(changed)) {}

  void set_renewable(const Component& component, bool renewable);
  bool leads(const Component& component) const;

 private:
  struct Lease {
    explicit Lease(Executor& executor) : timer(executor) {}
    bool renewable = true, held = true;
    ScopedTimer timer;
  };
  Executor& executor_;
  Rng rng_;
  std::function<void(const Component&)> changed_;
  std::map<Component, Lease> leases_;  // of those that were ever in trouble
};

}  // namespace minik::sim
