// NodeServices: what makes a node's network useful: Services, the ways in from 127.0.0.1 and the
// way out.
//
//   ServiceProxy -> ServiceFilter            addresses of Services, in the node's namespace
//   DnsPublisher -> DnsServer                names in cluster.local, and all others by the
//   machine's servers 127.0.0.1:<node port> -> relay -> node   so that `curl localhost:30080`
//   works, as on k3s pods -> egress port -> relay -> host     TCP to other networks, although the
//   host routes nothing for us
//
// A node port that somebody else uses on 127.0.0.1 is left to them, with a line in the log; inside
// the cluster it works all the same. Not here: UDP node ports on 127.0.0.1, and UDP or ICMP to
// other networks.
//
// Control thread. Must go before the executor, the informers' owner, the network and the I/O
// threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "control/client/informer.h"
#include "control/network/dns_publisher.h"
#include "control/network/service_proxy.h"
#include "minik/net/dns_server.h"
#include "minik/net/tcp_relay.h"
#include "minik/process/node_network.h"
#include "minik/process/service_carrier.h"
#include "minik/process/worker_pool.h"

namespace minik {

class NodeServices {
 public:
  // Opens the packet filter and the way out; blocking.
  static Result<std::unique_ptr<NodeServices>> open(Executor& executor, IoThreads& io,
                                                    NodeNetwork& network);
  ~NodeServices();

  // Before the informers start.
  void start(control::InformerSet& informers);

 private:
  NodeServices(Executor& executor, IoThreads& io, NodeNetwork& network);
  Status open_filter();
  Status open_egress();
  Status open_dns();
  void follow_node_ports();
  void open_node_port(uint16_t port);

  Executor& executor_;
  IoThreads& io_;
  NodeNetwork& network_;
  // Of its own: rules must not wait behind an image that is unpacked.
  WorkerPool workers_;
  std::unique_ptr<ServiceCarrierOnWorkers> carrier_;
  std::unique_ptr<control::ServiceProxy> proxy_;
  TcpRelay relay_;
  std::unique_ptr<DnsServer> dns_;
  std::unique_ptr<control::DnsPublisher> dns_publisher_;
  std::map<uint16_t, uint64_t> node_ports_;  // to the relay's number
  std::set<uint16_t> taken_by_others_;
};

}  // namespace minik
