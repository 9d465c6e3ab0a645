// DnsZone: the names of cluster.local and what stands behind them, per the specification of
// Kubernetes' DNS-based service discovery 1.1, with the habits of CoreDNS where that is silent
// (endpoints by dashed address, pods' addresses answered from their names alone, a TTL short enough
// for a rolling update).
//
// An answer costs a few map look-ups; a change of a Service touches that Service's entry only. A
// plain object with one owner: the DNS server keeps it on its own thread and is told changes as
// values, so that no question ever waits for the control thread. Not here: bytes
// (minik/net/dns_message.h), other zones.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

// Numbers as in the IANA registry.
enum class DnsType : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kAny = 255
};

struct DnsRecord {
  std::string name;  // without the last dot
  DnsType type = DnsType::kA;
  uint32_t address = 0;  // A: host order
  std::string target;    // CNAME, PTR, NS, SRV: a name; TXT: the text
  uint16_t port = 0;     // SRV
  uint16_t weight = 0;   // SRV
  bool operator==(const DnsRecord&) const = default;
};

enum class DnsOutcome { kFound, kNoSuchName, kNotOurs };

struct DnsAnswer {
  DnsOutcome outcome = DnsOutcome::kNotOurs;
  // Found and without records: the name exists, but has nothing of this type.
  std::vector<DnsRecord> records;
  std::vector<DnsRecord> additional;
};

struct DnsPort {
  std::string name;
  std::string protocol;  // lower case
  uint16_t port = 0;
  bool operator==(const DnsPort&) const = default;
};

struct DnsEndpoint {
  std::string hostname;  // the pod's, or its address with dashes
  uint32_t address = 0;
  std::vector<DnsPort> ports;
  bool operator==(const DnsEndpoint&) const = default;
};

// What DNS has to know of one Service.
struct DnsService {
  std::string namespace_;
  std::string name;
  uint32_t cluster_address = 0;  // 0: headless
  std::string external_name;     // of type ExternalName
  std::vector<DnsPort> ports;
  std::vector<DnsEndpoint> endpoints;  // the ready ones; sorted
  bool operator==(const DnsService&) const = default;
};

DnsService dns_service(const Value& service, const std::vector<Value>& slices);

// A change to the zone, as a value that crosses threads.
struct DnsChange {
  std::vector<DnsService> services;     // new or changed
  std::vector<std::string> removed;     // "namespace/name"
  std::vector<std::string> namespaces;  // new
  std::vector<std::string> gone;        // namespaces
};

struct DnsZoneOptions {
  std::string domain = "cluster.local";
  uint32_t server_address = 0;  // where the zone is served
};

constexpr uint32_t kDnsTtlSeconds = 5;

class DnsZone {
 public:
  explicit DnsZone(DnsZoneOptions options);

  void apply(const DnsChange& change);
  // Names compare without regard to case; records carry the name as it was asked.
  DnsAnswer answer(std::string_view name, DnsType type) const;

  const std::string& domain() const { return options_.domain; }
  // Grows with each change: the SOA record's serial.
  uint32_t serial() const { return serial_; }

 private:
  struct Question;
  void remove(const std::string& key);
  std::string full_name(const DnsService& service) const;
  const DnsService* find(std::string_view namespace_, std::string_view name) const;
  DnsAnswer answer_in_domain(const Question& question) const;
  DnsAnswer answer_service(const Question& question, const DnsService& service) const;
  DnsAnswer answer_port(const Question& question, const DnsService& service, std::string_view port,
                        std::string_view protocol) const;
  DnsAnswer answer_endpoint(const Question& question, const DnsService& service) const;
  DnsAnswer answer_pod(const Question& question) const;
  DnsAnswer answer_reverse(const Question& question) const;

  const DnsZoneOptions options_;
  std::map<std::string, DnsService, std::less<>> services_;  // by "namespace/name"
  std::set<std::string, std::less<>> namespaces_;
  // Which Services have an address, for PTR: their keys.
  std::map<uint32_t, std::set<std::string>> by_address_;
  uint32_t serial_ = 1;
};

}  // namespace minik::control
