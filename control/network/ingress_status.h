// The ingress status controller: writes into our Ingresses where they are reached, so that `kubectl
// get ingress` shows an address, and takes it out of those that are no longer ours.
#pragma once

#include <string>
#include <vector>

#include "control/client/controller.h"

namespace minik::control {

struct IngressAddress {
  std::string ip;
  std::vector<int64_t> ports;
};

Plan reconcile_ingress_status(const Snapshot& snapshot, const ObjectKey& key,
                              const IngressAddress& address);
ControllerSpec ingress_status_controller(IngressAddress address);

}  // namespace minik::control
