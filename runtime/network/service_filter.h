// ServiceFilter: the packet filter of a node's network namespace, which leads a Service's addresses
// to its backends. One table `minik`; every update is one transaction that touches only what it
// names.
//
//   prerouting, output ── services ─┬─ map destinations: address . protocol . port ──> rule's chain
//                                   ├─ map node-ports: protocol . port (local address) ──> the same
//                                   └─ rest of the Service range but the DNS address: refused
//                      └─ egress: other destinations of TCP leave through a port of our own
//                         (egress_port), where a relay takes them up
//   a rule's chain: pick a backend (at random, or by the client's address) and translate; without
//                   any: refuse
//   gone: TCP to a pod that no longer exists is reset
//   postrouting: a pod that reaches itself through a Service is masqueraded, so that its answer
//                comes back
//
// Connections that are under way stay with their backend (conntrack). Two rules that claim one
// destination: the first by name has it. Blocking; one thread at a time. Requires nf_tables with
// nat, numgen, hash and fib.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/network/nf_tables.h"

namespace minik::runtime {

struct Ipv4Range {
  uint32_t address = 0;
  int prefix = 32;
};

struct ServiceFilterConfig {
  Ipv4Range pods;
  Ipv4Range services;
  uint32_t dns_address = 0;
  uint16_t egress_port = 0;  // 0: packets to other networks are left alone
};

struct FilterBackend {
  uint32_t address = 0;
  uint16_t port = 0;
};

struct FilterRule {
  std::string name;  // unique; also the chain's name
  uint8_t protocol = 6;
  uint16_t port = 0;
  uint16_t node_port = 0;  // 0: none
  std::vector<uint32_t> addresses;
  bool client_affinity = false;
  std::vector<FilterBackend> backends;
};

class ServiceFilter {
 public:
  // Opens the filter of the namespace and installs the part that does not change, without any rule.
  static Result<std::unique_ptr<ServiceFilter>> open(const std::string& namespace_path,
                                                     ServiceFilterConfig config);

  // The table anew with exactly these rules.
  Status replace(const std::vector<FilterRule>& rules);
  // After a failure nothing of the update is installed; replace() then.
  Status update(const std::vector<FilterRule>& changed, const std::vector<std::string>& removed);

 private:
  // Names of the rules that claim a key of one of the two maps; the first has it.
  using Claims = std::map<std::string, std::set<std::string>>;

  ServiceFilter(ServiceFilterConfig config, std::unique_ptr<NftSocket> socket);
  void add_frame(NftBatch& batch) const;
  void add_refusal_of_unknown(NftBatch& batch) const;
  void add_refusal_of_gone(NftBatch& batch) const;
  void add_egress(NftBatch& batch) const;
  // One map's or set's part of an update: `touched` keys, and what each led to before.
  static void add_map_changes(NftBatch& batch, const char* map,
                              const std::map<std::string, std::string>& before,
                              const Claims& after);
  void add_changes(NftBatch& batch, const std::vector<FilterRule>& changed,
                   const std::vector<std::string>& removed);
  void claim(const FilterRule& rule);
  void unclaim(const FilterRule& rule);

  const ServiceFilterConfig config_;
  std::unique_ptr<NftSocket> socket_;
  // What the kernel has; after a failed update, what it was to have.
  std::map<std::string, FilterRule> rules_;
  Claims destinations_;
  Claims node_ports_;
  std::map<uint32_t, size_t> backends_;  // how many at an address
};

}  // namespace minik::runtime
