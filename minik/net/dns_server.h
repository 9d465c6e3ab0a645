// DnsServer: the cluster's name server, over UDP and TCP, on one I/O thread.
//
//   query --> react_to_dns_query(zone) --> reply
//                 └─ not ours: upstream server of the machine's /etc/resolv.conf, over UDP or TCP
//                 as it came
//
// The sockets that it serves are handed in (they live in the node's network namespace); upstream
// sockets are opened here, in the machine's. A query goes to one upstream server after another, two
// seconds each, and gets SERVFAIL when none answers or none is known. Upstream queries have ids and
// ports of their own, and only an answer to the same question from that server counts.
//
// The zone belongs to the loop's thread; apply() may be called from any other and takes effect in
// order. The server must go before its IoThreads.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/network/dns_zone.h"
#include "minik/net/io_threads.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct DnsServerOptions {
  control::DnsZoneOptions zone;
  // Asked at each forwarded query, on the loop's thread: the machine may have moved to another
  // network.
  std::function<std::vector<uint32_t>()> upstream;  // IPv4, host order
  uint16_t upstream_port = 53;
  Duration upstream_timeout = seconds(2);
};

class DnsServer {
 public:
  // Both sockets non-blocking: a bound UDP one and a listening TCP one.
  DnsServer(IoThreads& threads, DnsServerOptions options, UniqueFd udp, UniqueFd tcp);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  void apply(control::DnsChange change);

  struct State;

 private:
  IoThreads& threads_;
  std::shared_ptr<State> state_;
};

// The IPv4 name servers of a resolv.conf file, in order; empty when it cannot be read.
std::vector<uint32_t> name_servers_of(const std::string& resolv_conf);

}  // namespace minik
