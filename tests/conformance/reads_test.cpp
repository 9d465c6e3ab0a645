// Lists: selectors, pages of one snapshot, the version that is asked for.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";

class Reads : public Conformance {
 protected:
  std::string names(const Answer& list) {
    std::string text;
    for (const auto& item : list.body[keys::kItems].items()) text += cat(text.empty() ? "" : " ", object_name(item));
    return text;
  }
  std::string chosen(std::string_view collection, const std::string& selector) {
    const auto list = get(cat(collection, "?fieldSelector=", selector));
    return list.status == 200 ? names(list) : cat(list.status, " ", list.message());
  }
  void labelled(const std::string& name, const std::string& labels) {
    create(kConfigMaps, cat("{metadata: {name: ", name, ", labels: ", labels, "}}"));
  }
  std::string selected(const std::string& selector) {
    const auto list = get(cat(kConfigMaps, "?labelSelector=", selector));
    return list.status == 200 ? names(list) : cat(list.status);
  }
};

TEST_F(Reads, SelectByEveryFormOfALabelSelector) {
  labelled("a", "{tier: front, n: '1'}");
  labelled("b", "{tier: back, n: '5'}");
  labelled("c", "{}");
  EXPECT_EQ(selected("tier%3Dfront"), "a");
  EXPECT_EQ(selected("tier%3D%3Dfront"), "a");
  EXPECT_EQ(selected("tier%21%3Dfront"), "b c");
  EXPECT_EQ(selected("tier"), "a b");
  EXPECT_EQ(selected("%21tier"), "c");
  EXPECT_EQ(selected("tier%20in%20%28front%2Cback%29"), "a b");
  EXPECT_EQ(selected("tier%20notin%20%28front%29"), "b c");
  EXPECT_EQ(selected("n%3E2"), "b");
  EXPECT_EQ(selected("tier%3Dfront%2Cn%3D1"), "a");
  EXPECT_EQ(selected("tier%3D%3D%3D"), "400");
}

TEST_F(Reads, SelectByTheFieldsThatAKindOffers) {
  create(kPods, "{metadata: {name: p}, spec: {nodeName: one, schedulerName: mine, restartPolicy: Never, "
                "containers: [{name: main, image: 'a:1'}]}}");
  create(kPods, "{metadata: {name: q}, spec: {containers: [{name: main, image: 'a:1'}]}}");
  EXPECT_EQ(chosen(kPods, "spec.nodeName%3Done"), "p");
  EXPECT_EQ(chosen(kPods, "spec.nodeName%3D"), "q");
  EXPECT_EQ(chosen(kPods, "spec.schedulerName%3Dmine"), "p");
  EXPECT_EQ(chosen(kPods, "spec.restartPolicy%21%3DNever"), "q");
  EXPECT_EQ(chosen(kPods, "spec.serviceAccountName%3Ddefault"), "p q");
  EXPECT_EQ(chosen(kPods, "status.phase%3DPending"), "p q");
  EXPECT_EQ(chosen(kPods, "spec.hostNetwork%3Dfalse"), "p q");
  EXPECT_EQ(chosen(kPods, "status.podIP%3D"), "p q");
  EXPECT_EQ(chosen(kPods, "metadata.name%3Dp"), "p");
  EXPECT_EQ(chosen("/api/v1/pods", "metadata.namespace%3Ddefault"), "p q");
}

TEST_F(Reads, RefuseFieldsThatAreNotOffered) {
  EXPECT_EQ(chosen(kPods, "spec.color%3Dred"), "400 field label not supported: spec.color") << "kubectl adds the rest";
  EXPECT_EQ(chosen("/api/v1/namespaces/default/configmaps", "data.a%3Db"),
            "400 \"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
  EXPECT_EQ(chosen("/apis/batch/v1/namespaces/default/jobs", "spec.suspend%3Dtrue"), "400 field label \"spec.suspend\" not supported for Job");
  auto watching = watch(cat(kConfigMaps, "?watch=true&fieldSelector=data.a%3D1"));
  EXPECT_EQ(watching->ended.error().code, ErrorCode::kBadRequest);
  EXPECT_EQ(call("DELETE", cat(kConfigMaps, "?fieldSelector=data.a%3D1")).status, 400);
}

TEST_F(Reads, SelectEventsByWhatTheyAreAbout) {
  const std::string events = "/api/v1/namespaces/default/events";
  create(events, "{metadata: {name: e}, involvedObject: {kind: Pod, namespace: default, name: web, uid: u}, reason: R, "
                 "type: Warning, source: {component: kubelet}}");
  EXPECT_EQ(chosen(events, "involvedObject.name%3Dweb%2CinvolvedObject.kind%3DPod%2CinvolvedObject.uid%3Du"), "e");
  create(events, "{metadata: {name: f}, involvedObject: {kind: Pod, namespace: default, name: db}, reason: R, type: Normal, "
                 "reportingComponent: scheduler, source: {}}");
  EXPECT_EQ(chosen(events, "source%3Dkubelet"), "e");
  EXPECT_EQ(chosen(events, "source%3Dscheduler"), "f") << "the younger field where the older says nothing";
  EXPECT_EQ(chosen(events, "type%21%3DNormal%2Creason%3DR"), "e");
  EXPECT_EQ(chosen(events, "source%3Dkubelet"), "e");
  EXPECT_EQ(chosen("/apis/events.k8s.io/v1/namespaces/default/events", "regarding.name%3Dweb"), "e");
  EXPECT_EQ(chosen("/apis/events.k8s.io/v1/namespaces/default/events", "regarding.name%3Dother"), "");
}

TEST_F(Reads, SelectNodesNamespacesSecretsAndJobsByTheirs) {
  create("/api/v1/nodes", "{metadata: {name: n}, spec: {unschedulable: true}}");
  create("/api/v1/nodes", "{metadata: {name: m}}");
  EXPECT_EQ(chosen("/api/v1/nodes", "spec.unschedulable%3Dtrue"), "n");
  EXPECT_EQ(chosen("/api/v1/nodes", "spec.unschedulable%3Dfalse"), "m");
  EXPECT_NE(chosen("/api/v1/namespaces", "status.phase%3DActive").find("default"), std::string::npos);
  create("/api/v1/namespaces/default/secrets", "{metadata: {name: s}, type: example.com/t}");
  EXPECT_EQ(chosen("/api/v1/namespaces/default/secrets", "type%3Dexample.com%2Ft"), "s");
  EXPECT_EQ(chosen("/apis/batch/v1/namespaces/default/jobs", "status.successful%3D0"), "");
}

TEST_F(Reads, PageThroughOneSnapshotWhateverHappensMeanwhile) {
  for (const auto* name : {"a", "b", "c", "d"}) create_config_map(name);
  const auto first = get(cat(kConfigMaps, "?limit=2"));
  EXPECT_EQ(names(first), "a b");
  EXPECT_EQ(first.metadata("remainingItemCount").as_int(), 2);
  create_config_map("bb");
  call("DELETE", path("c"));
  const auto rest = get(cat(kConfigMaps, "?limit=2&continue=", first.metadata("continue").string()));
  EXPECT_EQ(names(rest), "c d");
  EXPECT_EQ(rest.version(), first.version());
  EXPECT_TRUE(rest.metadata("continue").string().empty());
  EXPECT_TRUE(rest.metadata("remainingItemCount").is_absent());
}

TEST_F(Reads, DoNotCountWhatASelectorMightLeaveOut) {
  for (const auto* name : {"a", "b", "c"}) labelled(name, "{x: y}");
  const auto first = get(cat(kConfigMaps, "?limit=1&labelSelector=x%3Dy"));
  EXPECT_FALSE(first.metadata("continue").string().empty());
  EXPECT_TRUE(first.metadata("remainingItemCount").is_absent());
}

TEST_F(Reads, OfAForgottenSnapshotGoOnInTheNewestWithAFreshToken) {
  for (const auto* name : {"a", "b", "c", "d"}) create_config_map(name);
  const auto first = get(cat(kConfigMaps, "?limit=2"));
  // Enough other lists that the first one is forgotten.
  for (int i = 0; i < 80; ++i) {
    create_config_map(cat("x", i));
    get(cat(kConfigMaps, "?limit=1"));
  }
  store.forget_windows();
  const auto gone = get(cat(kConfigMaps, "?limit=2&continue=", first.metadata("continue").string()));
  EXPECT_EQ(gone.status, 410);
  EXPECT_EQ(gone.reason(), "Expired");
  const std::string fresh = gone.metadata("continue").string();
  ASSERT_FALSE(fresh.empty());
  const auto on = get(cat(kConfigMaps, "?limit=2&continue=", fresh));
  EXPECT_EQ(on.status, 200) << on.message();
  EXPECT_EQ(names(on), "c d");
}

TEST_F(Reads, RefuseATokenThatIsNone) {
  EXPECT_EQ(get(cat(kConfigMaps, "?limit=2&continue=made-up")).status, 400);
  EXPECT_EQ(get(cat(kConfigMaps, "?limit=2&continue=made-up&resourceVersion=7")).status, 400);
}

TEST_F(Reads, OfExactlyAVersionAreThatVersion) {
  create_config_map("a");
  const auto list = get(cat(kConfigMaps, "?limit=1"));
  create_config_map("b");
  const auto newest = get(std::string(kConfigMaps));
  EXPECT_EQ(names(get(cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", newest.version()))), "a b");
  EXPECT_EQ(names(get(cat(kConfigMaps, "?resourceVersionMatch=NotOlderThan&resourceVersion=", list.version()))), "a b");
  EXPECT_EQ(names(get(cat(kConfigMaps, "?resourceVersion=0"))), "a b");
}

TEST_F(Reads, OfAnOldVersionSeeNothingOfWhatCameLater) {
  for (const auto* name : {"a", "b"}) create_config_map(name);
  const auto then = get(std::string(kConfigMaps)).version();
  patch(path("a"), R"({"data":{"a":"2"}})");
  call("DELETE", path("b"));
  create_config_map("c");
  const auto old = get(cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", then));
  EXPECT_EQ(names(old), "a b");
  EXPECT_EQ(old.version(), then);
  EXPECT_EQ(old.body[keys::kItems].items()[0]["data"]["a"].string(), "1");
  store.forget_windows();
  EXPECT_EQ(get(cat(kConfigMaps, "?resourceVersionMatch=Exact&resourceVersion=", then)).status, 410);
}

TEST_F(Reads, OfAVersionToComeAreAskedToWait) {
  const auto early = get(cat(kConfigMaps, "?resourceVersion=999999"));
  EXPECT_EQ(early.status, 504);
  EXPECT_EQ(early.reason(), "Timeout");
  EXPECT_EQ(early.body[keys::kDetails][keys::kRetryAfterSeconds].as_int(), 1);
  EXPECT_EQ(get(cat(kConfigMaps, "?resourceVersion=newest")).status, 400);
}

TEST_F(Reads, OfWhatIsNotThereNameIt) {
  const auto missing = get(path("none"));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.message(), "configmaps \"none\" not found");
  EXPECT_EQ(missing.body[keys::kDetails][keys::kName].string(), "none");
  EXPECT_EQ(missing.body[keys::kDetails][keys::kKind].string(), "configmaps");
  EXPECT_EQ(get("/apis/apps/v1/namespaces/default/nothings").status, 404);
}

TEST_F(Reads, ComeAsYamlToWhoAsksForIt) {
  create_config_map("a");
  HttpCall http = http_call("GET", path("a"), "", "", "application/yaml");
  auto parsed = parse_call(Schema::builtin(), http);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(std::get<ResourceCall>(*parsed).format.yaml);
}

TEST_F(Reads, InNoFormThatIsServedAreNotAcceptable) {
  create_config_map("a");
  EXPECT_EQ(get(path("a"), "image/png").status, 406);
  EXPECT_EQ(get(path("a"), "application/vnd.kubernetes.protobuf,application/json").status, 200);
  EXPECT_EQ(get(path("a"), "").status, 200);
}

TEST_F(Reads, OfComponentStatusesFindThePartsWellAndWarn) {
  const auto all = get("/api/v1/componentstatuses");
  EXPECT_EQ(all.body[keys::kItems].size(), 3U);
  EXPECT_EQ(all.warnings, std::vector<std::string>{"v1 ComponentStatus is deprecated in v1.19+"});
  const auto one = get("/api/v1/componentstatuses/scheduler");
  EXPECT_EQ(one.body[keys::kConditions].items()[0][keys::kType].string(), "Healthy");
  EXPECT_EQ(get("/api/v1/componentstatuses/none").status, 404);
  EXPECT_EQ(to_json(get("/api/v1/componentstatuses", kAsTable).body["rows"].items()[0]["cells"]),
            R"(["controller-manager","Healthy","ok",""])");
}

}  // namespace
}  // namespace minik::control
