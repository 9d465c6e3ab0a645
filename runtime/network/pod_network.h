// PodNetwork: the network of one node, in a namespace of its own; the machine's stays as it is.
//
//   node namespace:  minik0 (bridge, 10.244.0.1/32) --- veth --- pod namespace: eth0 10.244.x.y/32
//
// A pod's address has no neighbours (/32): even its traffic to other pods passes the node's IP
// layer, both ways, where Services' translations happen and are undone.
//
// Addresses are files named after them, made exclusively, so that they survive any kill and are
// never given twice. Services are rules in the node's namespace (service_filter.h). Sockets into
// the network are opened inside it and used from outside. Blocking, thread-safe. Not here: a way
// from pods to networks outside the machine, several nodes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "control/base/result.h"

namespace minik::runtime {

struct PodNetworkConfig {
  std::string state_directory;
  std::string gateway = "10.244.0.1";
  int prefix = 16;
  // Further addresses of the bridge: where the cluster's own services listen (DNS).
  std::string dns_address = "10.96.0.10";
};

struct PodEndpoint {
  std::string namespace_path;
  std::string address;
};

class PodNetwork {
 public:
  static Result<std::unique_ptr<PodNetwork>> open(PodNetworkConfig config);
  ~PodNetwork();
  PodNetwork(const PodNetwork&) = delete;
  PodNetwork& operator=(const PodNetwork&) = delete;

  // Idempotent for one id.
  Result<PodEndpoint> attach(const std::string& id);
  Status detach(const std::string& id);
  std::string address_of(const std::string& id) const;  // empty: not attached

  const std::string& gateway() const { return config_.gateway; }
  int prefix() const { return config_.prefix; }
  const std::string& dns_address() const { return config_.dns_address; }
  const std::string& node_namespace() const { return node_namespace_; }

  // A new non-blocking socket of the node's namespace. Does not block: the calling thread visits
  // the namespace.
  Result<int> open_socket(int type) const;
  // A connected TCP socket (descriptor, the caller's), or an error in a dialler's words. Gives up early when the descriptor
  // `stop` is readable, if there is one.
  Result<int> connect_tcp(const std::string& address, int port, int timeout_ms, int stop = -1) const;
  // A listening TCP or bound UDP socket on an address of the node's namespace.
  Result<int> listen_tcp(const std::string& address, int port) const;
  Result<int> bind_udp(const std::string& address, int port) const;

 private:
  explicit PodNetwork(PodNetworkConfig config);
  Status set_up_node();
  Result<std::string> allocate(const std::string& id);
  void release(const std::string& id);
  std::string pod_namespace(const std::string& id) const;
  std::string pod_range() const;

  const PodNetworkConfig config_;
  const std::string node_namespace_;
  int node_fd_ = -1;          // of node_namespace_
  mutable std::mutex mutex_;  // of the allocation
  uint32_t next_ = 0;
};

}  // namespace minik::runtime
