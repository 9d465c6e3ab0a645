// A small shop of three nodes as a real cluster exports it (data/), and the scenario that comes of it.
#include "sim/import/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "control/object/json.h"
#include "control/object/yaml.h"
#include "sim/scenario.h"

namespace minik::sim {
namespace {

using control::Value;

std::string file(const std::string& name) {
  std::ifstream in("tests/import/data/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

ImportedScenario import_texts(const std::string& objects, const std::string& audit = "") {
  ImportSources sources;
  sources.objects = {"shop.yaml", objects};
  if (!audit.empty()) sources.audit = ImportText{"audit.log", audit};
  auto imported = import_scenario(sources);
  EXPECT_TRUE(imported) << (imported ? "" : imported.error().message);
  return imported ? *imported : ImportedScenario{};
}

const ImportedScenario& shop() {
  static const ImportedScenario imported = import_texts(file("shop.yaml"), file("audit.log"));
  return imported;
}

Value spec() { return (*control::parse_yaml(shop().yaml))[0].value.get("spec"); }

// The entry of a list that has this field.
Value entry(const Value& list, std::string_view field, const Value& value) {
  for (const auto& item : list.items()) {
    if (item.get(field) == value) return item;
  }
  return {};
}

Value manifest(std::string_view kind) {
  const Value all = spec();
  for (const auto& action : all.get("timeline").items()) {
    const Value found = entry(action.get("apply"), "kind", kind);
    if (found.has_value()) return found;
  }
  return {};
}

// Everything that the timeline does once the manifests are there, as "at action {…}".
std::vector<std::string> history() {
  std::vector<std::string> actions;
  const Value all = spec();
  for (const auto& action : all.get("timeline").items()) {
    if (action.contains("apply") || action.get("at").as_string() == "6s") continue;
    for (const auto& [key, value] : action.entries()) {
      if (key.text() != "at") actions.push_back(action.get("at").string() + " " + std::string(key.text()) + " " + control::to_json(value));
    }
  }
  return actions;
}

bool noted(std::string_view text) {
  return std::ranges::any_of(shop().notes, [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

TEST(Import, GivesAScenarioThatIsValid) {
  const auto scenario = parse_scenario(shop().yaml, "imported.yaml");
  ASSERT_TRUE(scenario) << scenario.error().message << "\n" << shop().yaml;
  EXPECT_EQ(scenario->pools.size(), 2U);
}

TEST(Import, MachinesOfOneKindAreOnePoolWithItsZones) {
  const Value pool = entry(spec().get("nodes"), "name", "general-pool");
  EXPECT_EQ(pool.get("count").as_int(), 2);
  EXPECT_EQ(control::to_json(pool.get("zones")), R"(["eu-1a","eu-1b"])");
  EXPECT_EQ(control::to_json(pool.get("capacity")), R"({"cpu":"3920m","ephemeral-storage":"80Gi","memory":"15460Mi","pods":"58"})");
  EXPECT_EQ(pool.get("labels").get("tier").as_string(), "web");
  EXPECT_TRUE(pool.get("labels").get("kubernetes.io/hostname").is_absent());
  // What the control plane taints by a node's state it will taint again.
  EXPECT_TRUE(pool.get("taints").is_absent());
  EXPECT_EQ(entry(spec().get("nodes"), "name", "node").get("taints").items()[0].get("key").as_string(), "dedicated");
}

TEST(Import, ManifestsLoseWhatTheServerWrote) {
  const Value deployment = manifest("Deployment");
  EXPECT_TRUE(deployment.get("status").is_absent());
  EXPECT_EQ(control::to_json(deployment.get("metadata")), R"({"annotations":{"team":"shop"},"name":"web","namespace":"shop"})");
  EXPECT_EQ(control::to_json(manifest("Service").get("spec")), R"({"ports":[{"port":80}],"selector":{"app":"web"}})")
      << "addresses and families are the cluster's own";
  const Value job = manifest("Job");
  EXPECT_TRUE(job.get("spec").get("selector").is_absent());
  EXPECT_EQ(control::to_json(job.get("spec").get("template").get("metadata")), R"({"labels":{"app":"import"}})");
}

TEST(Import, WhatControllersMakeTheyWillMakeAgain) {
  EXPECT_TRUE(manifest("ReplicaSet").is_absent());
  EXPECT_TRUE(manifest("Pod").is_absent());
  EXPECT_TRUE(manifest("Event").is_absent());
}

TEST(Import, SecretsLoseTheirValues) {
  EXPECT_EQ(control::to_json(manifest("Secret").get("data")), R"({"password":""})");
  EXPECT_EQ(shop().yaml.find("aHVudGVyMg"), std::string::npos);
  EXPECT_TRUE(noted("values of Secrets"));
}

TEST(Import, ObservedTimesBecomeTheImagesBehaviour) {
  const Value web = entry(spec().get("images"), "match", "shop/web:1.4");
  EXPECT_EQ(web.get("pull").as_string(), "4.21s");
  EXPECT_EQ(control::to_json(web.get("ready")), R"({"max":"9s","min":"4s"})");
  // 200Mi were reached in 100 minutes.
  EXPECT_EQ(web.get("uses").get("memoryGrowthPerSecond").as_int(), (200 << 20) / 6000);
  EXPECT_EQ(entry(spec().get("images"), "match", "shop/import:2").get("exitAfter").as_string(), "2m0s");
}

TEST(Import, HowSeldomAnImageCrashesIsTheTimeThatAllItsContainersRanOverTheCrashes) {
  const auto imported = import_texts(R"({"kind":"List","apiVersion":"v1","items":[
    {"kind":"Node","apiVersion":"v1","metadata":{"name":"n"},"status":{"allocatable":{"cpu":"1","memory":"1Gi","pods":"10"},
     "conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2026-03-01T12:00:00Z"}]}},
    {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"containerStatuses":[
      {"name":"c","ready":true,"state":{"running":{"startedAt":"2026-03-01T10:00:00Z"}},
       "lastState":{"terminated":{"exitCode":3,"startedAt":"2026-03-01T09:00:00Z","finishedAt":"2026-03-01T10:00:00Z"}}}]}},
    {"kind":"Pod","apiVersion":"v1","metadata":{"name":"b"},"spec":{"containers":[{"name":"c","image":"i"}]},"status":{"containerStatuses":[
      {"name":"c","ready":true,"state":{"running":{"startedAt":"2026-03-01T11:00:00Z"}}}]}}]})");
  const Value images = (*control::parse_yaml(imported.yaml))[0].value.get("spec").get("images");
  EXPECT_EQ(control::to_json(entry(images, "match", "i").get("crash")), R"({"after":{"exponential":{"mean":"4h0m0s"}},"exitCode":3})");
}

TEST(Import, TheAuditLogsUserWritesAreTheTimeline) {
  const std::vector<std::string> expected = {
      R"(5m0s patch {"kind":"Deployment","name":"web","namespace":"shop","patch":{"spec":{"template":{"spec":{"containers":[{"image":"shop/web:1.5","name":"web"}]}}}}})",
      R"(5m30s scale {"kind":"Deployment","name":"web","namespace":"shop","replicas":4})",
      R"(6m0s cordon {"names":["general-pool-0"]})",
      R"(7m0s delete {"kind":"Service","name":"web","namespace":"shop"})",
      R"(14m10s partitionNodes {"names":["general-pool-1"]})",
      R"(20m0s healNodes {"names":["general-pool-1"]})",
  };
  EXPECT_EQ(history(), expected);
  EXPECT_TRUE(noted("does not say what was written"));
}

TEST(Import, FieldsOfANewerClusterAreLeftOut) {
  const auto imported = import_texts(
      "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Node, metadata: {name: a}}, {apiVersion: apps/v1, kind: Deployment, metadata: {name: "
      "web}, spec: {novel: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: w}]}}}}]}");
  EXPECT_EQ(imported.yaml.find("novel: 1"), std::string::npos);
  EXPECT_TRUE(parse_scenario(imported.yaml, "imported.yaml").ok());
  EXPECT_TRUE(std::ranges::any_of(imported.notes, [](const std::string& note) {
    return note == "what Kubernetes 1.35 does not know is left out, the unknown field \"spec.novel\": Deployment web";
  }));
}

TEST(Import, WhatIsLostIsSaidInWords) {
  EXPECT_TRUE(noted("the kind Certificate of cert-manager.io/v1: tls"));
  EXPECT_TRUE(noted("simulated machines have no nvidia.com/gpu: ip-10-0-1-17"));
  for (const auto& note : shop().notes) EXPECT_NE(shop().yaml.find("#   " + note), std::string::npos) << note;
}

TEST(Import, WhatWasWholeIsExpectedToBeWholeAgain) {
  const Value expectation = spec().get("expect").items()[0];
  EXPECT_EQ(expectation.get("name").as_string(), "Deployment shop/web is whole");
  EXPECT_EQ(control::to_json(expectation.get("matches")), R"({"status":{"readyReplicas":2}})");
}

TEST(Import, ZonesOfDifferentSizesArePoolsOfTheirOwn) {
  std::string nodes = R"({"kind":"List","apiVersion":"v1","items":[)";
  for (const auto& [name, zone] : {std::pair{"a1", "a"}, {"a2", "a"}, {"b1", "b"}}) {
    nodes += R"({"kind":"Node","apiVersion":"v1","metadata":{"name":")" + std::string(name) +
             R"(","labels":{"topology.kubernetes.io/zone":")" + zone + R"("}},"status":{"allocatable":{"cpu":"1","memory":"1Gi","pods":"10"}}},)";
  }
  nodes.back() = ']';
  const auto imported = import_texts(nodes + "}");
  const Value pools = (*control::parse_yaml(imported.yaml))[0].value.get("spec").get("nodes");
  ASSERT_EQ(pools.size(), 2U);
  EXPECT_EQ(entry(pools, "name", "node-a").get("count").as_int(), 2);
  EXPECT_EQ(entry(pools, "name", "node-b").get("count").as_int(), 1);
}

// An event of an audit log: what ann wrote.
std::string audit(const std::string& verb, const std::string& resource, const std::string& name, const std::string& sent, const std::string& more = "200",
                  const std::string& at = "2026-03-01T11:00:00Z") {
  return R"({"kind":"Event","apiVersion":"audit.k8s.io/v1","stage":"ResponseComplete","verb":")" + verb +
         R"(","user":{"username":"ann"},"objectRef":{"resource":")" + resource + R"(","namespace":"default","name":")" + name +
         R"(","apiVersion":"v1"},"requestObject":)" + sent + R"(,"requestReceivedTimestamp":")" + at + R"(","responseStatus":{"code":)" + more + "}}\n";
}

// One node, and these objects.
std::string objects(const std::string& more, const std::string& status = "{}") {
  return R"({"kind":"List","apiVersion":"v1","items":[{"kind":"Node","apiVersion":"v1","metadata":{"name":"n-1","labels":{"kubernetes.io/hostname":"n-1"}},"status":)" +
         status + "}" + (more.empty() ? "" : "," + more) + "]}";
}

TEST(Import, NoPatchOfASecretCarriesItsValues) {
  const std::pair<const char*, const char*> patches[] = {
      {"client-side apply", R"({"data":{"p":"aHVudGVyMg=="},"metadata":{"annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"hunter2"}}})"},
      {"kubectl patch", R"({"stringData":{"p":"hunter2"}})"},
      {"server-side apply", R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"p":"hunter2"}})"},
      {"JSON patch", R"([{"op":"replace","path":"/data/p","value":"aHVudGVyMg=="}])"},
      {"JSON patch of all", R"([{"op":"add","path":"/data","value":{"p":"aHVudGVyMg=="}}])"},
      {"a text", R"("hunter2")"},
  };
  for (const auto& [what, sent] : patches) {
    const auto imported = import_texts(objects(""), audit("patch", "secrets", "s", sent));
    EXPECT_EQ(imported.yaml.find("hunter2"), std::string::npos) << what << "\n" << imported.yaml;
    EXPECT_EQ(imported.yaml.find("aHVudGVyMg"), std::string::npos) << what << "\n" << imported.yaml;
    EXPECT_TRUE(parse_scenario(imported.yaml, "imported.yaml").ok()) << what << "\n" << imported.yaml;
    EXPECT_FALSE(imported.notes.empty()) << what;
  }
  const auto kept = import_texts(objects(""), audit("patch", "secrets", "s", R"({"stringData":{"p":"hunter2"},"data":{"gone":null}})"));
  EXPECT_EQ(control::to_json((*control::parse_yaml(kept.yaml))[0].value.get("spec").get("timeline").items()[0].get("patch").get("patch")),
            R"({"data":{"gone":null,"p":""}})");
}

TEST(Import, WhatServerSideApplyMakesIsAppliedWhateverItsKind) {
  const char* sent = R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c2"},"data":{"a":"b"}})";
  const auto imported = import_texts(objects(""), audit("patch", "configmaps", "c2", sent, "201"));
  const Value done = (*control::parse_yaml(imported.yaml))[0].value.get("spec").get("timeline").items()[0];
  EXPECT_EQ(done.get("apply").get("data").get("a").as_string(), "b") << imported.yaml;
}

TEST(Import, WhatTheHistoryMakesIsNotThereBeforeIt) {
  const auto imported = import_texts(
      objects(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"c","namespace":"default"},"data":{"a":"last"}},
                 {"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"old","namespace":"default"},"data":{"a":"old"}})"),
      audit("create", "configmaps", "c", R"({"metadata":{"name":"c"},"data":{"a":"first"}})", "201") +
          audit("patch", "configmaps", "c", R"({"data":{"a":"last"}})", "200", "2026-03-01T11:00:01Z"));
  const auto timeline = (*control::parse_yaml(imported.yaml))[0].value.get("spec").get("timeline");
  ASSERT_EQ(timeline.size(), 3U) << imported.yaml;
  ASSERT_EQ(timeline.items()[0].get("apply").size(), 1U);
  EXPECT_EQ(timeline.items()[0].get("apply").items()[0].get("metadata").get("name").as_string(), "old");
  EXPECT_EQ(timeline.items()[1].get("apply").get("data").get("a").as_string(), "first");
}

TEST(Import, WhatTheSimulatedApiServerDoesNotTakeIsLeftOutAndSaid) {
  const auto imported = import_texts(
      objects(R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"odd","namespace":"default"},"spec":{"replicas":2}})"),
      audit("create", "configmaps", "A_b", R"({"data":{"a":"b"}})", "201") + audit("patch", "configmaps", "c", R"({"dta":{"a":"b"}})"));
  EXPECT_TRUE(parse_scenario(imported.yaml, "imported.yaml").ok()) << imported.yaml;
  EXPECT_EQ(imported.notes.size(), 3U) << imported.yaml;
}

TEST(Import, SelectorsNameTheMachineThatStandsForTheNode) {
  const auto imported = import_texts(objects(R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}],
    "nodeSelector":{"kubernetes.io/hostname":"n-1"},"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
    {"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["n-1"]}],"matchFields":[{"key":"metadata.name","operator":"In","values":["n-1"]}]}]}}}}})"));
  EXPECT_EQ(imported.yaml.find("n-1"), std::string::npos) << imported.yaml;
  EXPECT_NE(imported.yaml.find("- node-0"), std::string::npos) << imported.yaml;
}

TEST(Import, ANodeThatIsReadyHasComeBackAlthoughNoEventSaysSo) {
  const std::string lost = R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"e"},"reason":"NodeNotReady","lastTimestamp":"2026-03-01T11:00:00Z",
                               "involvedObject":{"kind":"Node","name":"n-1"}})";
  const auto end = [&](const std::string& ready) {
    const auto imported = import_texts(objects(lost, R"({"conditions":[{"type":"Ready","lastTransitionTime":"2026-03-01T11:05:00Z","status":")" + ready + "\"}]}"));
    const auto timeline = (*control::parse_yaml(imported.yaml))[0].value.get("spec").get("timeline");
    return control::to_json(timeline.items().back());
  };
  EXPECT_EQ(end("True"), R"({"at":"10m50s","healNodes":{"names":["node-0"]}})");
  EXPECT_EQ(end("Unknown"), R"({"at":"5m0s","partitionNodes":{"names":["node-0"]}})");
}

TEST(Import, BadInputIsRefusedWithItsPlace) {
  ImportSources sources;
  sources.objects = {"dump.yaml", "kind: List\napiVersion: v1\nitems: []\n"};
  EXPECT_NE(import_scenario(sources).error().message.find("there is no Node"), std::string::npos);
  sources.objects.text = file("shop.yaml");
  sources.audit = ImportText{"audit.log", "\n{\"kind\": \"Event\"}\nnot json\n"};
  EXPECT_NE(import_scenario(sources).error().message.find("audit.log:3: "), std::string::npos);
}

}  // namespace
}  // namespace minik::sim
