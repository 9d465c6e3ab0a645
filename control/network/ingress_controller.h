// The Ingress controller's word to users: the address of an Ingress in its status, and Events about
// what it says and we cannot do. Requests are carried by others (ingress_publisher.h).
//
// A decision for a ControllerRunner; see control/client/controller.h. An Ingress that has gone over
// to another class keeps its status: it belongs to that class's controller now.
#pragma once

#include <cstdint>
#include <string>

#include "control/client/controller.h"

namespace minik::control {

struct IngressAddress {
  std::string ip;
  uint16_t http_port = 0;
  uint16_t https_port = 0;
};

ControllerSpec ingress_controller(IngressAddress address);

}  // namespace minik::control
