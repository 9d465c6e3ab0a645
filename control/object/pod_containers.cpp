#include "control/object/pod_containers.h"

#include <utility>

#include "control/object/keys.h"

namespace minik::control {

bool is_sidecar(const Value& init_container) { return init_container[keys::kRestartPolicy].as_string() == "Always"; }

void for_each_lasting_container(const Value& pod_spec, const std::function<void(const Value& container)>& visit) {
  for (const auto& container : pod_spec[keys::kContainers].items()) visit(container);
  for (const auto& container : pod_spec[keys::kInitContainers].items()) {
    if (is_sidecar(container)) visit(container);
  }
}

bool HostPort::conflicts_with(const HostPort& other) const {
  return port == other.port && protocol == other.protocol && (ip.empty() || other.ip.empty() || ip == other.ip);
}

std::vector<HostPort> host_ports(const Value& pod_spec) {
  std::vector<HostPort> ports;
  for_each_lasting_container(pod_spec, [&ports](const Value& container) {
    for (const auto& port : container[keys::kPorts].items()) {
      const int64_t number = port[keys::kHostPort].as_int();
      if (number <= 0) continue;
      std::string ip = port[keys::kHostIP].string();
      if (ip == "0.0.0.0") ip.clear();
      ports.push_back({std::move(ip), std::string(port[keys::kProtocol].as_string("TCP")), number});
    }
  });
  return ports;
}

}  // namespace minik::control
