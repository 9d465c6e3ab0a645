// What a pod's spec says of its containers by their places in it: which of them stay, and what they take of their node's ports.
// Pure readers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

// Of an init container: it stays beside the others instead of ending before them.
bool is_sidecar(const Value& init_container);

// All that run together as long as the pod does: its containers, then its sidecars.
void for_each_lasting_container(const Value& pod_spec, const std::function<void(const Value& container)>& visit);

// A port of the node that a container wants for itself.
struct HostPort {
  std::string ip;  // empty: all addresses
  std::string protocol;
  int64_t port = 0;
  bool conflicts_with(const HostPort& other) const;
  bool operator==(const HostPort&) const = default;
};
std::vector<HostPort> host_ports(const Value& pod_spec);

}  // namespace minik::control
