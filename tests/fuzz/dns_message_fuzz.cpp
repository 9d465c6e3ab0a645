// A name server's reaction to any bytes: as a client's query over either transport, and as what an
// upstream server says to the target of an alias. Answers fit their transport and carry the query's
// id.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/net/dns_message.h"

namespace {

minik::control::DnsZone sample_zone() {
  minik::control::DnsZone zone({.domain = "cluster.local", .server_address = 1});
  minik::control::DnsChange change;
  change.namespaces = {"a"};
  change.services = {{"a", "web", 7, "", {{"http", "tcp", 80}}, {{"one", 9, {}}}},
                     {"a", "out", 0, "example.org", {}, {}},
                     {"a", "in", 0, "web.a.svc.cluster.local", {}, {}}};
  zone.apply(change);
  return zone;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto zone = sample_zone();
  const std::string_view query(reinterpret_cast<const char*>(data), size);
  for (const auto transport : {minik::DnsTransport::kUdp, minik::DnsTransport::kTcp}) {
    const auto reaction = minik::react_to_dns_query(query, zone, transport);
    if (reaction.step != minik::DnsStep::kReply) continue;
    CHECK(reaction.bytes.size() >= 12 && reaction.bytes.substr(0, 2) == query.substr(0, 2));
    CHECK(transport == minik::DnsTransport::kTcp || reaction.bytes.size() <= 1232)
        << reaction.bytes.size();
  }
  (void)minik::answers_dns_query(query, query);
  (void)minik::dns_server_failure(query);
  const auto half = query.substr(0, size / 2);
  (void)minik::finish_alias(half, query.substr(size / 2), zone, minik::DnsTransport::kUdp);
  return 0;
}
