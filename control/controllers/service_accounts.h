// Two small controllers of every namespace: the `default` ServiceAccount, and the ConfigMap
// kube-root-ca.crt by which pods trust the API.
#pragma once

#include <string>

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec service_account_controller();
ControllerSpec root_ca_controller(std::string ca_pem);

}  // namespace minik::control
