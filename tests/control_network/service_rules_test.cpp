#include "control/network/service_rules.h"

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

// What a person would write down of the rules, a line each.
std::string described(const std::vector<ServiceRule>& rules) {
  std::string text;
  for (const auto& rule : rules) {
    text += cat(rule.name, " ", rule.port, rule.node_port != 0 ? cat(" node:", rule.node_port) : "",
                rule.client_affinity ? " sticky" : "", " at");
    for (const uint32_t address : rule.addresses) text += cat(" ", format_ipv4(address));
    text += " ->";
    for (const auto& backend : rule.backends)
      text += cat(" ", format_ipv4(backend.address), ":", backend.port);
    text += "\n";
  }
  return text;
}

std::string decide(std::string_view service, const std::vector<std::string_view>& slices) {
  std::vector<Value> values;
  for (const auto text : slices) values.push_back(yaml(text));
  return described(service_rules(yaml(service), values));
}

constexpr std::string_view kWeb = R"(
metadata: {name: web, namespace: default}
spec: {type: ClusterIP, clusterIP: 10.96.0.9, ports: [{name: http, port: 80, protocol: TCP}]}
)";

TEST(ServiceRules, LeadToTheReadyEndpointsOfAllSlices) {
  EXPECT_EQ(
      decide(kWeb, {R"(
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.0.12], conditions: {ready: true}}
- {addresses: [10.244.0.11], conditions: {ready: false, serving: false}}
- {addresses: [10.244.0.13]}
)",
                    R"(
addressType: IPv4
ports: [{name: http, port: 9090, protocol: TCP}]
endpoints: [{addresses: [10.244.0.10], conditions: {ready: true}}, {addresses: [10.244.0.12], conditions: {ready: true}}]
)"}),
      "default/web/tcp/http 80 at 10.96.0.9 -> 10.244.0.10:9090 10.244.0.12:8080 10.244.0.12:9090 "
      "10.244.0.13:8080\n");
}

TEST(ServiceRules, UseEndpointsThatLeaveOnlyWhenNoneIsReady) {
  constexpr std::string_view kLeaving =
      "addressType: IPv4\nports: [{name: http, port: 80}]\nendpoints:\n"
      "- {addresses: [10.244.0.1], conditions: {ready: false, serving: true, terminating: true}}\n"
      "- {addresses: [10.244.0.2], conditions: {ready: false, serving: false, terminating: "
      "true}}\n";
  EXPECT_EQ(decide(kWeb, {kLeaving}), "default/web/tcp/http 80 at 10.96.0.9 -> 10.244.0.1:80\n");
  constexpr std::string_view kReady =
      "addressType: IPv4\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.244.0.3]}]";
  EXPECT_EQ(decide(kWeb, {kLeaving, kReady}),
            "default/web/tcp/http 80 at 10.96.0.9 -> 10.244.0.3:80\n");
}

TEST(ServiceRules, StandAlsoForPortsThatNobodyServes) {
  EXPECT_EQ(decide(kWeb, {}), "default/web/tcp/http 80 at 10.96.0.9 ->\n");
}

TEST(ServiceRules, HaveNodePortsExternalAddressesAndAffinity) {
  EXPECT_EQ(decide(R"(
metadata: {name: dns, namespace: kube-system}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.20
  externalIPs: [192.0.2.1, "2001:db8::1"]
  sessionAffinity: ClientIP
  ports:
  - {name: udp, port: 53, nodePort: 30053, protocol: UDP}
  - {name: tcp, port: 53, nodePort: 30053, protocol: TCP}
status: {loadBalancer: {ingress: [{ip: 192.0.2.9}, {ip: 192.0.2.10, ipMode: Proxy}]}}
)",
                   {}),
            "kube-system/dns/tcp/tcp 53 node:30053 sticky at 10.96.0.20 192.0.2.1 192.0.2.9 ->\n"
            "kube-system/dns/udp/udp 53 node:30053 sticky at 10.96.0.20 192.0.2.1 192.0.2.9 ->\n");
}

TEST(ServiceRules, DoNotExistForHeadlessAndExternalNames) {
  EXPECT_EQ(
      decide("metadata: {name: a, namespace: d}\nspec: {clusterIP: None, ports: [{port: 80}]}", {}),
      "");
  EXPECT_EQ(decide("metadata: {name: a, namespace: d}\nspec: {type: ExternalName, externalName: "
                   "example.org}",
                   {}),
            "");
}

}  // namespace
}  // namespace minik::control
