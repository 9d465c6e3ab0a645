#include "control/controllers/endpoints.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kService = R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default, uid: svc-1, labels: {tier: front}}
spec:
  clusterIP: 10.0.0.1
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http, protocol: TCP}]
)";

std::string pod_of(std::string_view name, std::string_view ip, bool ready, bool deleting = false) {
  return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
             ", namespace: default, uid: uid-", name, ", labels: {app: web}",
             deleting ? ", deletionTimestamp: '2026-03-01T12:00:30Z'" : "",
             "}\nspec: {nodeName: node-1, containers: [{name: web, ports: [{name: http, "
             "containerPort: 8080, protocol: "
             "TCP}]}]}\nstatus: {phase: Running, podIP: '",
             ip, "', conditions: [{type: Ready, status: '", ready ? "True" : "False", "'}]}\n");
}

TEST(EndpointSlices, SayOfEachPodWhetherItIsReadyServingOrLeaving) {
  DecisionWorld world(endpoint_slice_controller());
  world.add(cat(kService, pod_of("a", "10.1.0.1", true), pod_of("b", "10.1.0.2", false),
                pod_of("c", "10.1.0.3", true, true)));
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(plan.writes.size(), 1U);
  const Value& slice = plan.writes[0].request.body;
  EXPECT_EQ(slice[keys::kPorts].items()[0][keys::kPort].as_int(), 8080);
  const auto& labels = slice[keys::kMetadata][keys::kLabels];
  EXPECT_EQ(labels.get("kubernetes.io/service-name").as_string(), "web");
  EXPECT_EQ(labels.get("tier").as_string(), "front");
  const auto endpoints = slice[keys::kEndpoints].items();
  ASSERT_EQ(endpoints.size(), 3U);
  const auto conditions = [&](size_t i) {
    const auto& c = endpoints[i][keys::kConditions];
    return cat(c[keys::kReady].as_bool() ? "ready " : "",
               c[keys::kServing].as_bool() ? "serving " : "",
               c[keys::kTerminating].as_bool() ? "terminating" : "");
  };
  EXPECT_EQ(conditions(0), "ready serving ");
  EXPECT_EQ(conditions(1), "");
  EXPECT_EQ(conditions(2), "serving terminating");
}

TEST(EndpointSlices, FindThePortsOfSidecarsByName) {
  DecisionWorld world(endpoint_slice_controller());
  std::string pod = pod_of("a", "10.1.0.1", true);
  pod.replace(pod.find("containers:"), 11,
              "initContainers: [{name: setup, ports: [{name: http, containerPort: 1}]}, {name: proxy, restartPolicy: Always, "
              "ports: [{name: http, containerPort: 15000}]}], containers:");
  pod.replace(pod.find("[{name: http, containerPort: 8080"), 12, "[{name: admin");
  world.add(cat(kService, pod));
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(plan.writes.size(), 1U);
  const auto ports = plan.writes[0].request.body[keys::kPorts].items();
  ASSERT_EQ(ports.size(), 1U);
  EXPECT_EQ(ports[0][keys::kPort].as_int(), 15000);
}

TEST(EndpointSlices, SayForWhomAReadyPodIsTheNearestWhereTheServiceAsks) {
  const auto hints = [](std::string_view preference) {
    DecisionWorld world(endpoint_slice_controller());
    std::string service(kService);
    service += cat("  trafficDistribution: ", preference, "\n");
    world.add(cat(service, pod_of("a", "10.1.0.1", true), pod_of("b", "10.1.0.2", false),
                  "\n---\n{apiVersion: v1, kind: Node, metadata: {name: node-1, labels: {topology.kubernetes.io/zone: z1}}}"));
    const auto plan = world.decide("default", "web");
    const auto endpoints = plan.writes.at(0).request.body[keys::kEndpoints].items();
    EXPECT_FALSE(endpoints[1][keys::kHints].has_value()) << "not ready, for nobody";
    const Value& told = endpoints[0][keys::kHints];
    const auto names = [](const Value& list) {
      return list.empty() ? std::string("-") : list.items()[0][keys::kName].string();
    };
    return cat(names(told[keys::kForZones]), " ", names(told[keys::kForNodes]));
  };
  EXPECT_EQ(hints("PreferClose"), "z1 -");
  EXPECT_EQ(hints("PreferSameZone"), "z1 -");
  EXPECT_EQ(hints("PreferSameNode"), "z1 node-1");
}

TEST(EndpointSlices, OfAServiceWhosePodsAreGoneAreOneWithoutPorts) {
  DecisionWorld world(endpoint_slice_controller());
  world.add(kService);
  world.add(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, uid: slice-1, labels: {kubernetes.io/service-name: web},
  ownerReferences: [{apiVersion: v1, kind: Service, name: web, uid: svc-1, controller: true}]}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.1.0.1], targetRef: {kind: Pod, name: a, uid: uid-a}}]
)");
  const Plan plan = world.decide("default", "web");
  EXPECT_EQ(text_of(plan), "create endpointslices \ndelete endpointslices web-1\n");
  EXPECT_TRUE(plan.writes[0].request.body[keys::kPorts].empty());
}

// What is told when the first write fails, of a Service with one pod.
std::string told_upon_failure(ControllerSpec spec) {
  DecisionWorld world(std::move(spec));
  world.add(cat(kService, pod_of("a", "10.1.0.1", true)));
  const Plan plan = world.decide("default", "web");
  const auto& event = plan.writes.at(0).failure_event;
  return event ? cat(event->reason, ": ", event->message) : "nothing";
}

TEST(EndpointSlices, TellTheServiceWhenTheyCannotBeWritten) {
  EXPECT_EQ(told_upon_failure(endpoint_slice_controller()),
            "FailedToUpdateEndpointSlices: Error updating Endpoint Slices for Service default/web: failed to create EndpointSlice for "
            "Service default/web: %error%");
}

TEST(Endpoints, TellWhenTheyCannotBeWritten) {
  EXPECT_EQ(told_upon_failure(endpoints_controller()),
            "FailedToCreateEndpoint: Failed to create endpoint for service default/web: %error%");
}

TEST(EndpointSlices, HoldAHundredEndpointsEach) {
  DecisionWorld world(endpoint_slice_controller());
  world.add(kService);
  for (int i = 0; i < 201; ++i) world.add(pod_of(cat("p", i), cat("10.1.1.", i), true));
  std::vector<size_t> sizes;
  for (const auto& write : world.decide("default", "web").writes) {
    sizes.push_back(write.request.body[keys::kEndpoints].items().size());
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{100, 100, 1}));
}

TEST(Endpoints, HoldAThousandAddressesAndSayThatThereAreMore) {
  DecisionWorld world(endpoints_controller());
  world.add(kService);
  for (int i = 0; i < 1001; ++i)
    world.add(pod_of(cat("p", i), cat("10.1.", i / 250, ".", i % 250), i != 0));
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(plan.writes.size(), 1U);
  const Value& endpoints = plan.writes[0].request.body;
  const auto& subset = endpoints[keys::kSubsets].items()[0];
  EXPECT_EQ(subset[keys::kAddresses].items().size(), 1000U);
  EXPECT_FALSE(subset[keys::kNotReadyAddresses].has_value());
  EXPECT_EQ(endpoints[keys::kMetadata][keys::kAnnotations]
                .get("endpoints.kubernetes.io/over-capacity")
                .as_string(),
            "truncated");
}

TEST(Endpoints, OfAPersonWaitForTheirServiceBeforeTheyAreLeftovers) {
  constexpr std::string_view kByHand = R"(
apiVersion: v1
kind: Endpoints
metadata: {name: db, namespace: default, uid: e-1, creationTimestamp: '2026-03-01T12:00:00Z'}
)";
  DecisionWorld world(endpoints_controller());
  world.add(kByHand);
  world.now = *parse_time("2026-03-01T12:00:01Z");
  const Plan young = world.decide("default", "db");
  EXPECT_TRUE(young.writes.empty());
  EXPECT_EQ(young.requeue_after, seconds(299));
  world.now = *parse_time("2026-03-01T12:05:00Z");
  EXPECT_EQ(world.decide("default", "db").writes.back().request.verb, Verb::kDelete);
}

TEST(Endpoints, OfTheControllerGoWithTheirService) {
  DecisionWorld world(endpoints_controller());
  world.add(R"(
apiVersion: v1
kind: Endpoints
metadata: {name: db, namespace: default, uid: e-1, creationTimestamp: '2026-03-01T12:00:00Z',
  labels: {endpoints.kubernetes.io/managed-by: endpoint-controller}}
)");
  world.now = *parse_time("2026-03-01T12:00:01Z");
  EXPECT_EQ(world.decide("default", "db").writes.back().request.verb, Verb::kDelete);
}

TEST(Endpoints, AreNotDisturbedByARestartCount) {
  DecisionWorld world(endpoints_controller());
  world.add(cat(kService, pod_of("a", "10.1.0.1", true)));
  const Value before = world.cache(kinds::kPods).find("default", "a");
  const Value restarted =
      before.with_at({keys::kStatus, keys::kContainerStatuses}, Value::empty_array());
  EXPECT_TRUE(world.woken_by(kinds::kPods, before, restarted).empty());
  const Value moved = before.with_at({keys::kStatus, keys::kPodIP}, "10.1.0.9");
  EXPECT_EQ(world.woken_by(kinds::kPods, before, moved).size(), 1U);
}

}  // namespace
}  // namespace minik::control
