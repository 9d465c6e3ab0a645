// Addresses and ports of Services: which are taken and by whom, and what a new version of a Service gets.
//
//   new version as sent   what its sender left out comes from the old one    an address stays, a port's node port stays
//        |                                                                   with the port's name
//        |                what its type has no use for goes, unless its
//        |                sender has changed it: then validation refuses it
//        v
//   IP families           of those that the cluster has, which is IPv4 alone
//   addresses, ports      found, or taken as asked for
//
// As a kube-apiserver does it, after webhooks and policies and before validation. admit() takes nothing: what has been
// stored is claimed, by the uid of the Service, and only its owner can give it back. Errors are Invalid as validation
// words them, or InternalError when a range is used up. Owned by Admission, on the control thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "control/schema/schema.h"

namespace minik::control {

class ServiceAdmission {
 public:
  // `cidr`: the range of addresses, "10.96.0.0/12".
  ServiceAdmission(const Schema& schema, std::string_view cidr);

  // `old` is absent for a new one.
  Result<Value> admit(const Value& service, const Value& old);
  void claim(const Value& service);
  void release(const Value& service);

 private:
  // Of one Service: who it is, and the node ports that it names itself, which no other port of it gets.
  struct Asking {
    std::string_view name, uid;
    std::set<int64_t> node_ports;  // what it names, and what it has been given since
  };

  Status allocate_addresses(MapBuilder& spec, const Value& old_spec, const Asking& asking);
  Status allocate_node_ports(MapBuilder& spec, bool is_new, Asking& asking);
  Status allocate_health_check_port(MapBuilder& spec, Asking& asking);
  // What of a kind is wanted, or the next that is free. The error is the reason alone.
  Result<std::string> take_address(std::string_view wanted, std::string_view uid);
  Result<int64_t> take_node_port(int64_t wanted, Asking& asking);

  const Schema& schema_;
  uint32_t network_ = 0;
  int prefix_ = 12;
  uint32_t next_address_ = 0;
  std::map<uint32_t, std::string> addresses_;  // whose they are
  std::map<int64_t, std::string> node_ports_;
};

}  // namespace minik::control
