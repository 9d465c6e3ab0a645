// Services over their life: what a change of type takes along, whose node ports are whose, which addresses there are.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

const std::string kServices = "/api/v1/namespaces/default/services";
const std::string kWeb = cat(kServices, "/web");

class Services : public Conformance {
 protected:
  Answer make(const std::string& spec) { return create(kServices, cat("{metadata: {name: web}, spec: ", spec, "}")); }
  Answer put(const std::string& spec) {
    return call("PUT", kWeb, cat("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: ", spec, "}"), "application/yaml");
  }
  static Value spec_of(const Answer& answer) { return answer.body[keys::kSpec]; }
  // "a:30101 b:30102"
  static std::string node_ports(const Answer& answer) {
    std::string text;
    for (const auto& port : spec_of(answer)[keys::kPorts].items()) {
      text += cat(text.empty() ? "" : " ", port[keys::kName].as_string(), ":", port[keys::kNodePort].as_int());
    }
    return text;
  }
  // The fields of `names` that the Service has.
  static std::string fields(const Answer& answer, std::initializer_list<const char*> names) {
    std::string text;
    for (const auto* name : names) {
      if (spec_of(answer).get(name).has_value()) text += cat(text.empty() ? "" : " ", name);
    }
    return text;
  }
};

TEST_F(Services, ChangeTheirTypeByOneWord) {
  const auto balancer = "{type: LoadBalancer, loadBalancerClass: example.com/a, externalTrafficPolicy: Local, ports: [{port: 80, nodePort: 30080}]}";
  for (const auto* type : {kMergePatch, kStrategicPatch}) {
    ASSERT_EQ(make(balancer).status, 201);
    const auto after = patch(kWeb, R"({"spec":{"type":"ClusterIP"}})", type);
    ASSERT_EQ(after.status, 200) << after.message();
    EXPECT_EQ(fields(after, {"externalTrafficPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort"}), "");
    EXPECT_EQ(node_ports(after), ":0");
    EXPECT_EQ(call("DELETE", kWeb).status, 200);
  }
  ASSERT_EQ(make(balancer).status, 201);
  const auto opened = patch(kWeb, R"({"spec":{"type":"NodePort"}})");
  ASSERT_EQ(opened.status, 200) << opened.message();
  EXPECT_EQ(fields(opened, {"externalTrafficPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass", "healthCheckNodePort"}),
            "externalTrafficPolicy");
  EXPECT_EQ(node_ports(opened), ":30080");
}

TEST_F(Services, ThatBecomeANameElsewhereGiveTheirAddressBack) {
  ASSERT_EQ(make("{clusterIP: 10.96.7.7, ports: [{port: 80}]}").status, 201);
  const auto after = patch(kWeb, R"({"spec":{"type":"ExternalName","externalName":"example.com"}})");
  ASSERT_EQ(after.status, 200) << after.message();
  EXPECT_EQ(fields(after, {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}), "");
  EXPECT_EQ(create(kServices, "{metadata: {name: other}, spec: {clusterIP: 10.96.7.7, ports: [{port: 80}]}}").status, 201);
  const auto back = patch(kWeb, R"({"spec":{"type":"ClusterIP","externalName":null}})");
  ASSERT_EQ(back.status, 200) << back.message();
  EXPECT_EQ(fields(back, {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}), "clusterIP clusterIPs ipFamilies ipFamilyPolicy");
}

TEST_F(Services, LoseTheTypeThatIsNoLongerApplied) {
  const auto config = [](const std::string& type) {
    return cat("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {", type, "ports: [{port: 80}]}}");
  };
  ASSERT_EQ(apply(kWeb, "one", config("type: NodePort, ")).status, 201);
  const auto after = apply(kWeb, "one", config(""));
  ASSERT_EQ(after.status, 200) << after.message();
  EXPECT_EQ(spec_of(after)[keys::kType].string(), "ClusterIP");
  EXPECT_EQ(fields(after, {"externalTrafficPolicy"}), "");
  EXPECT_EQ(node_ports(after), ":0");
}

TEST_F(Services, KeepNoFieldThatTheirTypeHasNoUseForAndThatWasChanged) {
  ASSERT_EQ(make("{type: NodePort, ports: [{port: 80}]}").status, 201);
  const auto refused = patch(kWeb, R"({"spec":{"type":"ClusterIP","externalTrafficPolicy":"Local"}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(), "spec.externalTrafficPolicy FieldValueInvalid");
}

TEST_F(Services, KeepTheNodePortOfAPortByItsName) {
  const std::string a = "{name: a, port: 80}", b = "{name: b, port: 81}";
  ASSERT_EQ(make("{type: NodePort, ports: [{name: a, port: 80, nodePort: 30101}, {name: b, port: 81, nodePort: 30102}]}").status, 201);
  EXPECT_EQ(node_ports(put(cat("{type: NodePort, ports: [", b, "]}"))), "b:30102");
  EXPECT_EQ(node_ports(put(cat("{type: NodePort, ports: [", b, ", {name: a, port: 80, nodePort: 30101}]}"))), "b:30102 a:30101");
  EXPECT_EQ(node_ports(put(cat("{type: NodePort, ports: [", a, ", ", b, "]}"))), "a:30101 b:30102") << "the manifest once more";
  const auto swapped = put(cat("{type: NodePort, ports: [", a, ", {name: b, port: 81, nodePort: 30101}]}"));
  ASSERT_EQ(swapped.status, 200) << swapped.message();
  EXPECT_NE(node_ports(swapped).find(" b:30101"), std::string::npos) << node_ports(swapped);
  EXPECT_EQ(node_ports(swapped).find("a:30101"), std::string::npos) << "one port has it";
}

TEST_F(Services, OfALoadBalancerMayHaveNoNodePorts) {
  const auto made = make("{type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{name: a, port: 80}, {name: b, port: 81, nodePort: 30200}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(node_ports(made), "a:0 b:30200") << "but for those that are asked for";
}

TEST_F(Services, ShareANodePortBetweenTwoProtocolsOfANumber) {
  const auto made = make("{type: NodePort, ports: [{name: tcp, port: 53}, {name: udp, port: 53, protocol: UDP}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  const auto& ports = spec_of(made)[keys::kPorts].items();
  EXPECT_EQ(ports[0][keys::kNodePort], ports[1][keys::kNodePort]);
}

TEST_F(Services, FindAPortForTheHealthChecksOfALocalBalancer) {
  ASSERT_EQ(make("{type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}").status, 201);
  const int64_t port = spec_of(get(kWeb))[keys::kHealthCheckNodePort].as_int();
  EXPECT_GE(port, 30000);
  const auto taken = create(kServices, cat("{metadata: {name: other}, spec: {type: NodePort, ports: [{port: 80, nodePort: ", port, "}]}}"));
  EXPECT_EQ(taken.status, 422);
  EXPECT_EQ(spec_of(put("{type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}"))[keys::kHealthCheckNodePort].as_int(), port);
}

TEST_F(Services, PreferTwoFamiliesAndGetTheOneThereIs) {
  const auto made = make("{ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(spec_of(made)[keys::kIpFamilyPolicy].string(), "PreferDualStack");
  EXPECT_EQ(to_json(spec_of(made)[keys::kIpFamilies]), R"(["IPv4"])");
  const auto again = put("{ports: [{port: 80}]}");
  EXPECT_EQ(spec_of(again)[keys::kIpFamilyPolicy].string(), "PreferDualStack") << "who says nothing keeps it";
  EXPECT_EQ(spec_of(patch(kWeb, R"({"spec":{"ipFamilyPolicy":"SingleStack"}})"))[keys::kIpFamilyPolicy].string(), "SingleStack");
}

TEST_F(Services, WithoutAddressAndSelectorMayHaveEndpointsOfBothFamilies) {
  const auto made = make("{clusterIP: None, ports: [{port: 80}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(spec_of(made)[keys::kIpFamilyPolicy].string(), "RequireDualStack");
  EXPECT_EQ(to_json(spec_of(made)[keys::kIpFamilies]), R"(["IPv4","IPv6"])");
}

// Defaults take them out before validation could refuse them, as in Kubernetes.
TEST_F(Services, ForgetTheSettingsOfAnAffinityThatTheyDoNotHave) {
  const auto made = make("{sessionAffinity: None, sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}, ports: [{port: 80}]}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(fields(made, {"sessionAffinityConfig"}), "");
}

}  // namespace
}  // namespace minik::control
