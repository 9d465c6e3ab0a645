// Netlink: one routing socket and the few requests that a pod network needs, over libnl-3 and
// libnl-route-3: links (bridge, veth pairs), addresses, routes. The requests act in the network
// namespace in which the object was made. Blocking; one thread at a time. rtnetlink(7).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "control/base/result.h"

namespace minik::runtime {

class Netlink {
 public:
  // In the calling thread's network namespace.
  static Result<std::unique_ptr<Netlink>> open();
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  // With a hardware address of its own (six bytes, "02:00:…"): without one the kernel takes that of
  // a port, and another's when that port goes, which neighbours learn only half a minute later.
  Status add_bridge(const std::string& name, const std::string& hardware_address);
  // Both ends are made here; the peer is put into the other namespace at once (a descriptor of it).
  Status add_veth(const std::string& name, const std::string& peer, int peer_namespace);
  Status remove_link(const std::string& name);  // missing is fine
  Status set_master(const std::string& name, const std::string& bridge);
  Status set_up(const std::string& name);
  Status add_address(const std::string& name, const std::string& address_with_prefix);
  // Destination "default" or a network with prefix.
  Status add_route(const std::string& destination, const std::string& gateway);
  // What is reached on the device itself, without a gateway.
  Status add_link_route(const std::string& destination, const std::string& name);
  // Whoever asks for it is told at once that nobody is there.
  Status add_unreachable_route(const std::string& destination);
  Status remove_link_route(const std::string& destination,
                           const std::string& name);  // missing is fine
  bool has_link(const std::string& name);

 private:
  struct Impl;
  explicit Netlink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik::runtime
