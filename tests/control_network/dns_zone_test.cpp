#include "control/network/dns_zone.h"

#include <gtest/gtest.h>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

Value yaml(std::string_view text) {
  auto parsed = parse_yaml(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed->at(0).value;
}

std::string described(const DnsRecord& record) {
  switch (record.type) {
    case DnsType::kA:
      return format_ipv4(record.address);
    case DnsType::kSrv:
      return cat(record.port, " ", record.target);
    default:
      return record.target;
  }
}

class DnsZoneTest : public ::testing::Test {
 protected:
  DnsZoneTest() : zone({.domain = "cluster.local", .server_address = 0x0a60000a}) {
    DnsChange change;
    change.namespaces = {"default", "empty"};
    change.services = {dns_service(yaml(R"(
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]}
)"),
                                   {yaml(R"(
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.244.0.20], conditions: {ready: true}}]
)")}),
                       dns_service(yaml(R"(
metadata: {name: db, namespace: default}
spec: {clusterIP: None, ports: [{name: sql, port: 5432, protocol: TCP}]}
)"),
                                   {yaml(R"(
addressType: IPv4
ports: [{name: sql, port: 5432, protocol: TCP}]
endpoints:
- {addresses: [10.244.0.12], hostname: db-1, conditions: {ready: true}}
- {addresses: [10.244.0.11], hostname: db-0, conditions: {ready: true}}
- {addresses: [10.244.0.13], hostname: db-2, conditions: {ready: false}}
)")}),
                       dns_service(yaml(R"(
metadata: {name: outside, namespace: default}
spec: {type: ExternalName, externalName: Www.Example.org.}
)"),
                                   {}),
                       dns_service(yaml("metadata: {name: nobody, namespace: default}\nspec: "
                                        "{clusterIP: None, ports: [{port: 1}]}"),
                                   {})};
    zone.apply(change);
  }

  std::string ask(std::string_view name, DnsType type = DnsType::kA) const {
    const auto answer = zone.answer(name, type);
    if (answer.outcome == DnsOutcome::kNotOurs) return "not ours";
    if (answer.outcome == DnsOutcome::kNoSuchName) return "no such name";
    if (answer.records.empty()) return "nothing of this type";
    std::vector<std::string> parts;
    for (const auto& record : answer.records) parts.push_back(described(record));
    return join(parts, ", ");
  }

  DnsZone zone;
};

TEST_F(DnsZoneTest, KnowsServicesByTheirAddress) {
  EXPECT_EQ(ask("web.default.svc.cluster.local"), "10.96.0.9");
  EXPECT_EQ(ask("WEB.Default.svc.Cluster.Local."), "10.96.0.9");
  EXPECT_EQ(ask("web.default.svc.cluster.local", DnsType::kAaaa), "nothing of this type");
  EXPECT_EQ(ask("other.default.svc.cluster.local"), "no such name");
}

TEST_F(DnsZoneTest, KnowsTheReadyEndpointsOfHeadlessServices) {
  EXPECT_EQ(ask("db.default.svc.cluster.local"), "10.244.0.11, 10.244.0.12");
  EXPECT_EQ(ask("db-0.db.default.svc.cluster.local"), "10.244.0.11");
  EXPECT_EQ(ask("db-2.db.default.svc.cluster.local"), "no such name") << "not ready";
  EXPECT_EQ(ask("nobody.default.svc.cluster.local"), "no such name") << "no endpoints at all";
  EXPECT_EQ(ask("10-244-0-20.web.default.svc.cluster.local"), "10.244.0.20");
}

TEST_F(DnsZoneTest, GivesPortsByName) {
  EXPECT_EQ(ask("_http._tcp.web.default.svc.cluster.local", DnsType::kSrv),
            "80 web.default.svc.cluster.local");
  EXPECT_EQ(ask("_dns._udp.web.default.svc.cluster.local", DnsType::kSrv),
            "53 web.default.svc.cluster.local");
  EXPECT_EQ(ask("_http._udp.web.default.svc.cluster.local", DnsType::kSrv), "no such name");
  EXPECT_EQ(ask("_tcp.web.default.svc.cluster.local", DnsType::kSrv), "nothing of this type");
  EXPECT_EQ(ask("_sql._tcp.db.default.svc.cluster.local", DnsType::kSrv),
            "5432 db-0.db.default.svc.cluster.local, 5432 db-1.db.default.svc.cluster.local");
  const auto answer = zone.answer("_sql._tcp.db.default.svc.cluster.local", DnsType::kSrv);
  ASSERT_EQ(answer.additional.size(), 2U);
  EXPECT_EQ(answer.additional[0].name, "db-0.db.default.svc.cluster.local");
}

TEST_F(DnsZoneTest, SendsExternalNamesOn) {
  EXPECT_EQ(ask("outside.default.svc.cluster.local"), "www.example.org");
  EXPECT_EQ(zone.answer("outside.default.svc.cluster.local", DnsType::kA).records[0].type,
            DnsType::kCname);
}

TEST_F(DnsZoneTest, NamesAddressesInReverse) {
  EXPECT_EQ(ask("9.0.96.10.in-addr.arpa", DnsType::kPtr), "web.default.svc.cluster.local");
  EXPECT_EQ(ask("11.0.244.10.in-addr.arpa", DnsType::kPtr), "db-0.db.default.svc.cluster.local");
  EXPECT_EQ(ask("8.8.8.8.in-addr.arpa", DnsType::kPtr), "not ours");
}

TEST_F(DnsZoneTest, AnswersPodsByTheirAddressInNamespacesThatExist) {
  EXPECT_EQ(ask("10-244-0-7.default.pod.cluster.local"), "10.244.0.7");
  EXPECT_EQ(ask("10-244-0-7.nowhere.pod.cluster.local"), "no such name");
  EXPECT_EQ(ask("a-b-c-d.default.pod.cluster.local"), "no such name");
}

TEST_F(DnsZoneTest, DistinguishesEmptyNamesFromNoNames) {
  for (const auto* name :
       {"cluster.local", "svc.cluster.local", "empty.svc.cluster.local", "dns.cluster.local"}) {
    EXPECT_EQ(ask(name), "nothing of this type") << name;
  }
  for (const auto* name :
       {"nowhere.svc.cluster.local", "a.b.c.d.default.svc.cluster.local", "x.cluster.local"}) {
    EXPECT_EQ(ask(name), "no such name") << name;
  }
  EXPECT_EQ(ask("example.org"), "not ours");
  EXPECT_EQ(ask("notcluster.local"), "not ours");
}

TEST_F(DnsZoneTest, SaysItsVersionAndItsServer) {
  EXPECT_EQ(ask("dns-version.cluster.local", DnsType::kTxt), "1.1.0");
  EXPECT_EQ(ask("cluster.local", DnsType::kNs), "ns.dns.cluster.local");
  EXPECT_EQ(ask("ns.dns.cluster.local"), "10.96.0.10");
}

TEST_F(DnsZoneTest, ForgetsWhatIsGoneAndCountsItsChanges) {
  const auto before = zone.serial();
  zone.apply({.services = {}, .removed = {"default/web"}, .namespaces = {}, .gone = {"empty"}});
  EXPECT_GT(zone.serial(), before);
  EXPECT_EQ(ask("web.default.svc.cluster.local"), "no such name");
  EXPECT_EQ(ask("9.0.96.10.in-addr.arpa", DnsType::kPtr), "not ours");
  EXPECT_EQ(ask("empty.svc.cluster.local"), "no such name");
}

}  // namespace
}  // namespace minik::control
