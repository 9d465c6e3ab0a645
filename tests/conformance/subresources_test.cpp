// The parts of objects that have addresses of their own: what they answer, what they change, what they refuse.
#include "control/api/proxy_target.h"
#include "control/schema/kinds.h"
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

const std::string kPods = "/api/v1/namespaces/default/pods";
const std::string kDeployments = "/apis/apps/v1/namespaces/default/deployments";

class Subresource : public Conformance {
 protected:
  Answer make_pod(const std::string& name, const std::string& more = "") {
    return create(kPods, cat("{metadata: {name: ", name, ", labels: {app: web}}, spec: {containers: [{name: main, image: 'a:1', "
                             "ports: [{name: http, containerPort: 8080}], resources: {requests: {cpu: 100m, memory: 64Mi}, "
                             "limits: {cpu: 200m, memory: 128Mi}}}]", more, "}}"));
  }
  void make_deployment() {
    create(kDeployments, "{metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}}, "
                         "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: 'a:1'}]}}}}");
  }
};

TEST_F(Subresource, ScaleReadsAndWritesTheReplicas) {
  make_deployment();
  const auto scale = get(cat(kDeployments, "/web/scale"));
  EXPECT_EQ(scale.body[keys::kKind].string(), "Scale");
  EXPECT_EQ(scale.body[keys::kApiVersion].string(), "autoscaling/v1");
  EXPECT_EQ(scale.body[keys::kSpec][keys::kReplicas].as_int(), 2);
  EXPECT_EQ(scale.body[keys::kStatus][keys::kSelector].string(), "app=web");
  const auto table = get(cat(kDeployments, "/web/scale"), kAsTable).body;
  EXPECT_EQ(table[keys::kKind].as_string(), "Table");
  EXPECT_EQ(table["rows"].items()[0]["cells"], Value::array({"web", 2, 0, "0s"}));
  EXPECT_EQ(get(cat(kDeployments, "/web/scale"), kAsMetadata).body[keys::kKind].as_string(), "PartialObjectMetadata");
  const auto put = call("PUT", cat(kDeployments, "/web/scale"),
                        to_json(scale.body.with_at({keys::kSpec, keys::kReplicas}, 5)));
  ASSERT_EQ(put.status, 200) << put.message();
  EXPECT_EQ(get(cat(kDeployments, "/web")).body[keys::kSpec][keys::kReplicas].as_int(), 5);
  EXPECT_EQ(call("PUT", cat(kDeployments, "/web/scale"), to_json(scale.body)).status, 409);
  EXPECT_EQ(patch(cat(kDeployments, "/web/scale"), R"({"spec":{"replicas":-1}})").status, 422);
  EXPECT_EQ(patch(cat(kDeployments, "/web/scale?dryRun=All"), R"({"spec":{"replicas":9}})").status, 200);
  EXPECT_EQ(get(cat(kDeployments, "/web")).body[keys::kSpec][keys::kReplicas].as_int(), 5);
  EXPECT_EQ(call("DELETE", cat(kDeployments, "/web/scale")).status, 405);
}

TEST_F(Subresource, BindingTiesAPodToANodeOnce) {
  make_pod("p");
  const std::string binding = R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"kind":"Node","name":"one"}})";
  EXPECT_EQ(call("POST", cat(kPods, "/p/binding"), binding).status, 201);
  EXPECT_EQ(get(cat(kPods, "/p")).body[keys::kSpec][keys::kNodeName].string(), "one");
  EXPECT_EQ(call("POST", cat(kPods, "/p/binding"), binding).status, 409);
  make_pod("q");
  EXPECT_EQ(call("POST", cat(kPods, "/q/binding?dryRun=All"), R"({"metadata":{"name":"q"},"target":{"name":"two"}})").status, 201);
  EXPECT_TRUE(get(cat(kPods, "/q")).body[keys::kSpec][keys::kNodeName].is_absent());
  EXPECT_EQ(call("POST", "/api/v1/namespaces/default/bindings",
                 R"({"metadata":{"name":"q"},"target":{"name":"two"}})").status, 201);
  EXPECT_EQ(get(cat(kPods, "/q")).body[keys::kSpec][keys::kNodeName].string(), "two");
}

TEST_F(Subresource, EvictionHonoursTheBudget) {
  make_pod("p", ", nodeName: one");
  patch(cat(kPods, "/p/status"), R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
  create("/apis/policy/v1/namespaces/default/poddisruptionbudgets",
         "{metadata: {name: b}, spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}}");
  patch("/apis/policy/v1/namespaces/default/poddisruptionbudgets/b/status",
        R"({"status":{"observedGeneration":1,"disruptionsAllowed":0,"currentHealthy":1,"desiredHealthy":1,"expectedPods":1}})");
  const std::string eviction = R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p","namespace":"default"}})";
  const auto refused = call("POST", cat(kPods, "/p/eviction"), eviction);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.reason(), "TooManyRequests");
  EXPECT_EQ(refused.body[keys::kDetails][keys::kCauses].items()[0][keys::kReason].string(), "DisruptionBudget");
  call("DELETE", "/apis/policy/v1/namespaces/default/poddisruptionbudgets/b");
  EXPECT_EQ(call("POST", cat(kPods, "/p/eviction"), eviction).status, 201);
  EXPECT_FALSE(get(cat(kPods, "/p")).metadata("deletionTimestamp").string().empty());
}

TEST_F(Subresource, EphemeralContainersAreAddedAndStay) {
  make_pod("p");
  const std::string debugger =
      R"({"spec":{"ephemeralContainers":[{"name":"debugger","image":"b:1","targetContainerName":"main","stdin":true}]}})";
  const auto added = patch(cat(kPods, "/p/ephemeralcontainers"), debugger, kStrategicPatch);
  ASSERT_EQ(added.status, 200) << added.message();
  EXPECT_EQ(added.body[keys::kSpec]["ephemeralContainers"].size(), 1U);
  EXPECT_EQ(added.metadata("generation").as_int(), 2);
  EXPECT_EQ(added.body[keys::kSpec]["ephemeralContainers"].items()[0]["terminationMessagePath"].string(), "/dev/termination-log");
  const auto changed = patch(cat(kPods, "/p/ephemeralcontainers"),
                             R"({"spec":{"ephemeralContainers":[{"name":"debugger","image":"c:1"}]}})", kStrategicPatch);
  EXPECT_EQ(changed.status, 422);
  EXPECT_NE(changed.message().find("may not be changed"), std::string::npos) << changed.message();
  const auto removed = patch(cat(kPods, "/p/ephemeralcontainers"), R"({"spec":{"ephemeralContainers":[]}})");
  EXPECT_EQ(removed.status, 422);
  EXPECT_NE(removed.message().find("may not be removed"), std::string::npos) << removed.message();
}

TEST_F(Subresource, EphemeralContainersMustFitThePod) {
  make_pod("p");
  const auto add = [&](const std::string& container) {
    return patch(cat(kPods, "/p/ephemeralcontainers"), cat("{\"spec\":{\"ephemeralContainers\":[", container, "]}}"), kStrategicPatch);
  };
  EXPECT_EQ(add(R"({"name":"main","image":"b:1"})").status, 422);
  EXPECT_EQ(add(R"({"name":"d","image":"b:1","targetContainerName":"nobody"})").cause(),
            "spec.ephemeralContainers[0].targetContainerName FieldValueNotFound");
  EXPECT_EQ(add(R"({"name":"d","image":"b:1","ports":[{"containerPort":80}]})").cause(),
            "spec.ephemeralContainers[0].ports FieldValueForbidden");
  EXPECT_EQ(add(R"({"name":"d"})").status, 422);
  EXPECT_EQ(patch(cat(kPods, "/p"), R"({"spec":{"ephemeralContainers":[{"name":"d","image":"b:1"}]}})", kStrategicPatch).status, 422);
}

TEST_F(Subresource, ResizeChangesCpuAndMemoryAndNothingElse) {
  make_pod("p");
  const auto resized = patch(cat(kPods, "/p/resize"),
                             R"({"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"150m"},"limits":{"cpu":"300m"}}}]}})",
                             kStrategicPatch);
  ASSERT_EQ(resized.status, 200) << resized.message();
  const Value& resources = resized.body[keys::kSpec][keys::kContainers].items()[0][keys::kResources];
  EXPECT_EQ(to_json(resources), R"({"limits":{"cpu":"300m","memory":"128Mi"},"requests":{"cpu":"150m","memory":"64Mi"}})");
  EXPECT_EQ(resized.metadata("generation").as_int(), 2);
  const auto image = patch(cat(kPods, "/p/resize"), R"({"spec":{"containers":[{"name":"main","image":"b:2"}]}})", kStrategicPatch);
  EXPECT_EQ(image.status, 422);
  EXPECT_NE(image.message().find("only cpu and memory resources are mutable"), std::string::npos) << image.message();
  const auto direct = patch(cat(kPods, "/p"), R"({"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"1m"}}}]}})",
                            kStrategicPatch);
  EXPECT_EQ(direct.status, 422);
}

TEST_F(Subresource, ResizeKeepsTheQualityOfService) {
  make_pod("p");
  const auto changed = patch(cat(kPods, "/p/resize"),
                             R"({"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"200m","memory":"128Mi"}}}]}})",
                             kStrategicPatch);
  EXPECT_EQ(changed.status, 422);
  EXPECT_NE(changed.message().find("Pod QOS Class may not change"), std::string::npos) << changed.message();
}

TEST_F(Subresource, TokensAreAskedOfServiceAccounts) {
  const std::string token = "/api/v1/namespaces/default/serviceaccounts/default/token";
  EXPECT_EQ(call("POST", token, R"({"spec":{}})").status, 503) << "this world has no key to sign with";
  EXPECT_EQ(get(token).status, 405);
  EXPECT_EQ(call("POST", "/api/v1/namespaces/default/serviceaccounts/nobody/token", "{}").status, 404);
}

TEST_F(Subresource, ApprovalAloneSaysWhetherACertificateIsSigned) {
  const auto* resource = Schema::builtin().find("certificates.k8s.io", "v1", "certificatesigningrequests");
  const std::string csr = cat(collection_of(*resource), "/example");
  create(*resource, example_of(*resource));
  const std::string approved = R"({"status":{"conditions":[{"type":"Approved","status":"True","reason":"Fine"}]}})";
  EXPECT_EQ(patch(cat(csr, "/approval"), approved).status, 200);
  EXPECT_EQ(get(csr).body[keys::kStatus][keys::kConditions].items()[0][keys::kType].string(), "Approved");
  const auto both = patch(cat(csr, "/approval"),
                          R"({"status":{"conditions":[{"type":"Approved","status":"True"},{"type":"Denied","status":"True"}]}})");
  EXPECT_EQ(both.status, 422);
}

TEST_F(Subresource, FinalizeLetsANamespaceGo) {
  create("/api/v1/namespaces", "{metadata: {name: n}}");
  call("DELETE", "/api/v1/namespaces/n");
  EXPECT_EQ(get("/api/v1/namespaces/n").body[keys::kStatus][keys::kPhase].string(), "Terminating");
  const auto done = call("PUT", "/api/v1/namespaces/n/finalize", R"({"metadata":{"name":"n"},"spec":{"finalizers":[]}})");
  EXPECT_EQ(done.status, 200) << done.message();
  EXPECT_EQ(get("/api/v1/namespaces/n").status, 404);
}

// What a typed client could not read would spoil every list of the kind.
TEST_F(Subresource, TakeOnlyWhatCanBeStored) {
  make_pod("p");
  const auto bound = call("POST", cat(kPods, "/p/binding"),
                          R"({"metadata":{"name":"p","labels":{"a":{"b":1}}},"target":{"kind":"Node","name":"n1"}})");
  EXPECT_EQ(bound.status, 400);
  EXPECT_NE(bound.message().find("Binding in version \"v1\" cannot be handled as a Binding: json: cannot unmarshal object"),
            std::string::npos) << bound.message();
  EXPECT_EQ(to_json(get(cat(kPods, "/p")).metadata("labels")), R"({"app":"web"})");

  create("/api/v1/namespaces", "{metadata: {name: n}}");
  EXPECT_EQ(call("PUT", "/api/v1/namespaces/n/finalize", R"({"metadata":{"name":"n"},"spec":{"finalizers":[{"a":1}]}})").status, 400);
  EXPECT_EQ(to_json(get("/api/v1/namespaces/n").body[keys::kSpec][keys::kFinalizers]), R"(["kubernetes"])");

  const auto* requests = Schema::builtin().find("certificates.k8s.io", "v1", "certificatesigningrequests");
  const std::string approval = cat(collection_of(*requests), "/example/approval");
  create(*requests, example_of(*requests));
  EXPECT_EQ(patch(approval, R"({"status":{"conditions":[{"type":{"a":1},"status":"True"}]}})").status, 400);
  EXPECT_EQ(patch(approval, R"({"status":{"conditions":[{"status":"True"}]}})").status, 422);
  EXPECT_TRUE(get(cat(collection_of(*requests), "/example")).body[keys::kStatus][keys::kConditions].empty());
}

TEST_F(Subresource, AScaleIsANumberOfThirtyTwoBits) {
  make_deployment();
  const std::string scale = cat(kDeployments, "/web/scale");
  const auto large = patch(scale, R"({"spec":{"replicas":99999999999}})");
  EXPECT_EQ(large.status, 400);
  EXPECT_NE(large.message().find("cannot unmarshal number 99999999999"), std::string::npos) << large.message();
  EXPECT_EQ(patch(scale, R"({"spec":{"replicas":"3"}})").status, 400);
  EXPECT_EQ(get(scale).body[keys::kSpec][keys::kReplicas].as_int(), 2);
}

TEST_F(Subresource, TheOnesThatAKindHasNotAreNotFound) {
  make_pod("p");
  EXPECT_EQ(get(cat(kPods, "/p/scale")).status, 404);
  EXPECT_EQ(get(cat(path("a"), "/status")).status, 404);
  EXPECT_EQ(get(cat(kPods, "/p/colour")).status, 404);
}

class ProxyTargets : public Subresource {
 protected:
  Result<ProxyTarget> target(KindId kind, const std::string& name) {
    ApiRequest request;
    request.kind = kind;
    request.namespace_ = kind == kinds::kNodes ? "" : "default";
    request.name = name;
    return find_proxy_target(store, Schema::builtin(), request);
  }
  static std::string text(const Result<ProxyTarget>& target) {
    if (!target) return cat(code_http(target.error().code), " ", target.error().message);
    std::string all = target->agent_of.empty() ? "" : cat("agent of ", target->agent_of);
    for (const auto& e : target->endpoints) all += cat(all.empty() ? "" : " ", e.address, ":", e.port);
    return all;
  }
};

TEST_F(ProxyTargets, APodIsItsFirstPortOrTheOneThatIsNamed) {
  make_pod("p");
  EXPECT_EQ(text(target(kinds::kPods, "p")), "400 pod p does not have an IP address yet");
  patch(cat(kPods, "/p/status"), R"({"status":{"podIP":"10.1.0.7"}})");
  EXPECT_EQ(text(target(kinds::kPods, "p")), "10.1.0.7:8080");
  EXPECT_EQ(text(target(kinds::kPods, "p:9")), "10.1.0.7:9");
  EXPECT_EQ(text(target(kinds::kPods, "http:p:http")), "10.1.0.7:8080");
  EXPECT_EQ(text(target(kinds::kPods, "p:none")), "400 invalid port \"none\"");
  EXPECT_EQ(text(target(kinds::kPods, "q")), "404 pods \"q\" not found");
}

TEST_F(ProxyTargets, AServiceIsItsReadyEndpoints) {
  create("/api/v1/namespaces/default/services", "{metadata: {name: web}, spec: {ports: [{name: http, port: 80, targetPort: 8080}]}}");
  EXPECT_EQ(text(target(kinds::kServices, "web:http")), "503 no endpoints available for service \"web:http\"");
  create("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
         "{metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: http, port: 8080}], "
         "endpoints: [{addresses: [10.1.0.7], conditions: {ready: true}}, {addresses: [10.1.0.8], conditions: {ready: false}}]}");
  EXPECT_EQ(text(target(kinds::kServices, "web:http")), "10.1.0.7:8080");
  EXPECT_EQ(text(target(kinds::kServices, "web:80")), "10.1.0.7:8080");
  EXPECT_EQ(text(target(kinds::kServices, "http:web:http")), "10.1.0.7:8080");
  EXPECT_EQ(text(target(kinds::kServices, "web:81")), "503 no service port 81 found for service \"web\"");
}

TEST_F(ProxyTargets, ANodeIsItsAgentOrAPortOfIt) {
  create("/api/v1/nodes", "{metadata: {name: one}}");
  patch("/api/v1/nodes/one/status", R"({"status":{"addresses":[{"type":"InternalIP","address":"10.0.0.5"}]}})");
  EXPECT_EQ(text(target(kinds::kNodes, "one")), "agent of one");
  EXPECT_EQ(text(target(kinds::kNodes, "one:10250")), "agent of one");
  EXPECT_EQ(text(target(kinds::kNodes, "one:9100")), "10.0.0.5:9100");
}

}  // namespace
}  // namespace minik::control
