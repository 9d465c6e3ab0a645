#include "control/controllers/endpoint_mirroring.h"

#include <algorithm>

#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kService = R"(
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default, uid: s-1}
spec: {ports: [{port: 5432}]}
)";
constexpr std::string_view kEndpoints = R"(
---
apiVersion: v1
kind: Endpoints
metadata:
  name: db
  namespace: default
  uid: e-1
  labels: {team: data}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
subsets:
  - addresses: [{ip: 10.1.1.1}, {ip: 10.1.1.2, nodeName: n1}]
    notReadyAddresses: [{ip: 10.1.1.3}]
    ports: [{name: sql, port: 5432, protocol: TCP}]
  - addresses: [{ip: "fd00::1"}]
    ports: [{name: sql, port: 5432, protocol: TCP}]
)";

class EndpointMirroring : public ::testing::Test {
 protected:
  // Does what the plan says, as the API would.
  void apply(const Plan& plan) {
    for (const auto& write : plan.writes) {
      auto& slices = world.cache(kinds::kEndpointslices);
      if (write.request.verb == Verb::kDelete) {
        slices.erase("default", write.request.name);
      } else {
        slices.put(write.request.body);
      }
    }
  }
  // The Service with these Endpoints.
  void add_subsets(std::string_view subsets) {
    world.add(cat(kService, R"(
---
apiVersion: v1
kind: Endpoints
metadata: {name: db, namespace: default, uid: e-1}
subsets:)", subsets));
  }
  DecisionWorld world{endpoint_mirroring_controller()};
};

TEST_F(EndpointMirroring, MakesASliceForEachFamilyOfAddresses) {
  world.add(cat(kService, kEndpoints));
  const Plan plan = world.decide("default", "db");
  ASSERT_EQ(plan.writes.size(), 2U);
  const bool first_is_v4 = plan.writes[0].request.body[keys::kAddressType].as_string() == "IPv4";
  const Value& slice = plan.writes[first_is_v4 ? 0 : 1].request.body;
  const Value& labels = slice[keys::kMetadata][keys::kLabels];
  EXPECT_EQ(labels.get("kubernetes.io/service-name").as_string(), "db");
  EXPECT_EQ(labels.get("team").as_string(), "data");
  EXPECT_EQ(labels.get("endpointslice.kubernetes.io/managed-by").as_string(),
            "endpointslicemirroring-controller.k8s.io");
  EXPECT_TRUE(slice[keys::kMetadata][keys::kAnnotations].empty());
  EXPECT_EQ(controller_of(slice)[keys::kKind].as_string(), "Endpoints");
  const auto endpoints = slice[keys::kEndpoints].items();
  ASSERT_EQ(endpoints.size(), 3U);
  EXPECT_TRUE(endpoints[0][keys::kConditions][keys::kReady].as_bool());
  EXPECT_EQ(endpoints[1][keys::kNodeName].as_string(), "n1");
  EXPECT_FALSE(endpoints[2][keys::kConditions][keys::kReady].as_bool());
  EXPECT_EQ(slice[keys::kPorts].items()[0][keys::kPort].as_int(), 5432);
}

TEST_F(EndpointMirroring, SaysWhatItLeavesOutBeyondAThousandAddresses) {
  std::string addresses;
  for (int i = 0; i < 1002; ++i) addresses += cat(i == 0 ? "" : ", ", "{ip: 10.1.", i / 256, ".", i % 256, "}");
  world.add(cat(kService,
                "\n---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: default, uid: e-1}\nsubsets: "
                "[{addresses: [",
                addresses, "], ports: [{port: 5432}]}]\n"));
  const Plan plan = world.decide("default", "db");
  EXPECT_EQ(plan.writes.at(0).request.body[keys::kEndpoints].items().size(), 1000U);
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].reason, "TooManyAddressesToMirror");
  EXPECT_EQ(plan.events[0].message,
            "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 2 addresses were skipped");
  apply(plan);
  EXPECT_TRUE(world.decide("default", "db").events.empty()) << "told with a change only";
}

TEST_F(EndpointMirroring, PutsPortsWithTheSameAddressesIntoOneSlice) {
  add_subsets(R"(
  - {addresses: [{ip: 10.1.1.1}, {ip: 10.1.1.2}], ports: [{name: sql, port: 5432}]}
  - {addresses: [{ip: 10.1.1.2}, {ip: 10.1.1.1}], ports: [{name: metrics, port: 9187, appProtocol: http}]}
  - {addresses: [{ip: 10.1.1.1}], ports: [{name: admin, port: 80}]}
)");
  const Plan plan = world.decide("default", "db");
  std::vector<std::string> slices;
  for (const auto& write : plan.writes) {
    std::string text;
    for (const auto& port : write.request.body[keys::kPorts].items())
      text += cat(port[keys::kName].as_string(), port[keys::kAppProtocol].as_string().empty() ? " " : "/http ");
    for (const auto& endpoint : write.request.body[keys::kEndpoints].items()) text += cat(endpoint[keys::kAddresses].items()[0].as_string(), " ");
    slices.push_back(text);
  }
  std::ranges::sort(slices);
  EXPECT_EQ(slices, (std::vector<std::string>{"admin 10.1.1.1 ", "metrics/http sql 10.1.1.1 10.1.1.2 "}));
}

TEST_F(EndpointMirroring, TakesAnAddressThatIsBothReadyAndNotForOneThatIsNot) {
  add_subsets(R"(
  - {addresses: [{ip: 10.1.1.1}], ports: [{port: 5432}]}
  - {notReadyAddresses: [{ip: 10.1.1.1}], ports: [{port: 5432}]}
)");
  const Plan plan = world.decide("default", "db");
  ASSERT_EQ(plan.writes.size(), 1U);
  const auto endpoints = plan.writes[0].request.body[keys::kEndpoints].items();
  ASSERT_EQ(endpoints.size(), 1U);
  EXPECT_FALSE(endpoints[0][keys::kConditions][keys::kReady].as_bool());
}

TEST_F(EndpointMirroring, MirrorsAddressesWithoutPorts) {
  world.add(cat(kService,
                "\n---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: default, uid: e-1}\n"
                "subsets: [{addresses: [{ip: 10.1.1.1}]}]\n"));
  const Plan plan = world.decide("default", "db");
  ASSERT_EQ(plan.writes.size(), 1U);
  EXPECT_TRUE(plan.writes[0].request.body[keys::kPorts].empty());
  EXPECT_EQ(plan.writes[0].request.body[keys::kEndpoints].size(), 1U);
}

TEST_F(EndpointMirroring, CopiesWhatEndpointsSayOfThemselvesWithEachChange) {
  world.add(cat(kService, kEndpoints));
  apply(world.decide("default", "db"));
  const Value endpoints = world.cache(kinds::kEndpoints).find("default", "db");
  world.cache(kinds::kEndpoints)
      .put(endpoints.with_at({keys::kMetadata, keys::kAnnotations},
                             Value::map({{"team", "data"}, {"endpoints.kubernetes.io/last-change-trigger-time", "x"}})));
  const Plan plan = world.decide("default", "db");
  ASSERT_EQ(plan.writes.size(), 2U);
  EXPECT_EQ(plan.writes[0].request.verb, Verb::kUpdate);
  const Value& annotations = plan.writes[0].request.body[keys::kMetadata][keys::kAnnotations];
  EXPECT_EQ(annotations.get("team").as_string(), "data");
  EXPECT_EQ(annotations.size(), 1U);
}

TEST_F(EndpointMirroring, LeavesTheEndpointsOfAnElectionAlone) {
  world.add(cat(kService, kEndpoints));
  const Value endpoints = world.cache(kinds::kEndpoints).find("default", "db");
  world.cache(kinds::kEndpoints)
      .put(endpoints.with_at({keys::kMetadata, keys::kAnnotations}, Value::map({{"control-plane.alpha.kubernetes.io/leader", "{}"}})));
  EXPECT_TRUE(world.decide("default", "db").empty());
}

TEST_F(EndpointMirroring, IsSilentWhenTheSlicesAreThere) {
  world.add(cat(kService, kEndpoints));
  apply(world.decide("default", "db"));
  EXPECT_TRUE(world.decide("default", "db").empty());
}

TEST_F(EndpointMirroring, TakesItsSlicesBackWhenTheServiceGetsASelector) {
  world.add(cat(kService, kEndpoints));
  apply(world.decide("default", "db"));
  const Value service = world.cache(kinds::kServices).find("default", "db");
  world.cache(kinds::kServices)
      .put(service.with_at({keys::kSpec, keys::kSelector}, Value::map({{"app", "db"}})));
  const Plan plan = world.decide("default", "db");
  ASSERT_EQ(plan.writes.size(), 2U);
  EXPECT_EQ(plan.writes[0].request.verb, Verb::kDelete);
}

TEST_F(EndpointMirroring, LeavesEndpointsAloneThatSaySo) {
  world.add(cat(kService, kEndpoints));
  const Value endpoints = world.cache(kinds::kEndpoints).find("default", "db");
  world.cache(kinds::kEndpoints)
      .put(endpoints.with_at({keys::kMetadata, keys::kLabels},
                             Value::map({{"endpointslice.kubernetes.io/skip-mirror", "true"}})));
  EXPECT_TRUE(world.decide("default", "db").empty());
}

}  // namespace
}  // namespace minik::control
