// What holds of every write whatever its kind: names, versions, validation of options, warnings, deletion.
#include <algorithm>

#include "tests/conformance/world.h"

namespace minik::control {
namespace {

constexpr std::string_view kDeployments = "/apis/apps/v1/namespaces/default/deployments";
constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";

class Writes : public Conformance {
 protected:
  Answer create_deployment(const std::string& spec) {
    return create(kDeployments, cat("{metadata: {name: web}, spec: ", spec, "}"));
  }
};

TEST_F(Writes, NameTheFieldTheBadValueAndTheReason) {
  const auto refused = create_deployment(
      "{replicas: -1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: other}}, "
      "spec: {containers: [{name: Web, image: 'a:1', ports: [{containerPort: 70000}]}]}}}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.reason(), "Invalid");
  EXPECT_TRUE(refused.message().starts_with("Deployment.apps \"web\" is invalid: [")) << refused.message();
  std::vector<std::string> causes;
  for (size_t i = 0; i < refused.body[keys::kDetails][keys::kCauses].size(); ++i) causes.push_back(refused.cause(i));
  const auto has = [&](const char* cause) { return std::ranges::find(causes, cause) != causes.end(); };
  EXPECT_TRUE(has("spec.replicas FieldValueInvalid")) << join(causes, "; ");
  EXPECT_TRUE(has("spec.template.metadata.labels FieldValueInvalid")) << join(causes, "; ");
  EXPECT_TRUE(has("spec.template.spec.containers[0].name FieldValueInvalid")) << join(causes, "; ");
  EXPECT_TRUE(has("spec.template.spec.containers[0].ports[0].containerPort FieldValueInvalid")) << join(causes, "; ");
  const auto& details = refused.body[keys::kDetails];
  EXPECT_EQ(details[keys::kGroup].as_string(), "apps");
  EXPECT_EQ(details[keys::kKind].as_string(), "Deployment");
  EXPECT_EQ(details[keys::kName].as_string(), "web");
}

TEST_F(Writes, RefuseChangesOfWhatIsImmutable) {
  ASSERT_EQ(create_deployment("{selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web, a: b}}, "
                              "spec: {containers: [{name: web, image: 'a:1'}]}}}").status, 201);
  const auto refused = patch(cat(kDeployments, "/web"), R"({"spec":{"selector":{"matchLabels":{"a":"b"}}}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(), "spec.selector FieldValueInvalid");
  EXPECT_NE(refused.message().find("field is immutable"), std::string::npos);
}

TEST_F(Writes, OfASuspendedJobSayWhereItsPodsGoButNotWhatTheyAre) {
  const std::string jobs = "/apis/batch/v1/namespaces/default/jobs";
  create(jobs, "{metadata: {name: j}, spec: {suspend: true, template: {spec: {restartPolicy: Never, "
               "containers: [{name: m, image: 'a:1'}]}}}}");
  const auto change = [&](const std::string& of_template) {
    return patch(cat(jobs, "/j"), cat(R"({"spec":{"template":)", of_template, "}}"), kStrategicPatch);
  };
  const auto image = change(R"({"spec":{"containers":[{"name":"m","image":"b:1"}]}})");
  EXPECT_EQ(image.status, 422);
  EXPECT_EQ(image.cause(), "spec.template FieldValueInvalid");
  EXPECT_EQ(change(R"({"spec":{"containers":[{"name":"m","resources":{"requests":{"cpu":"1"}}}]}})").status, 422)
      << "resources may change from 1.36 on";
  EXPECT_EQ(change(R"({"spec":{"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
      {"topologyKey":"zone","labelSelector":{}}]}}}})").status, 422) << "of the affinity only that to nodes may";
  const auto placed = change(R"({"metadata":{"labels":{"queue":"q"},"annotations":{"by":"q"}},"spec":{"nodeSelector":{"zone":"a"},
      "tolerations":[{"key":"k","operator":"Exists"}],"schedulingGates":[{"name":"example.com/wait"}],
      "affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
        {"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}]}}}}})");
  EXPECT_EQ(placed.status, 200) << placed.message();
  EXPECT_EQ(change(R"({"spec":{"affinity":null,"nodeSelector":null}})").status, 200);
  patch(cat(jobs, "/j/status"), R"({"status":{"startTime":"2026-01-01T00:00:00Z"}})");
  EXPECT_EQ(change(R"({"spec":{"nodeSelector":{"zone":"b"}}})").status, 422) << "it has been started";
}

TEST_F(Writes, ByPutMakeWhatIsMissingOfSomeKindsOnly) {
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/reader";
  EXPECT_EQ(call("PUT", roles, R"({"metadata":{"name":"reader"},"rules":[]})").status, 201);
  EXPECT_EQ(call("PUT", roles, R"({"metadata":{"name":"reader"},"rules":[]})").status, 200);
  EXPECT_EQ(call("PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/leader", R"({"metadata":{"name":"leader"}})").status, 201);
  EXPECT_EQ(call("PUT", path("none"), R"({"metadata":{"name":"none"}})").status, 404);
  const auto known = call("PUT", cat(roles, "2"), R"({"metadata":{"name":"reader2","uid":"u"}})");
  EXPECT_EQ(known.status, 409) << known.message();
}

TEST_F(Writes, ByPutMustNameTheVersionOfKindsThatMayNotBeOverwrittenBlindly) {
  const std::string budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  const std::string budget = R"({"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}})";
  ASSERT_EQ(call("POST", budgets, budget).status, 201);
  const auto blind = call("PUT", cat(budgets, "/b"), budget);
  EXPECT_EQ(blind.status, 422);
  EXPECT_EQ(blind.message(), "PodDisruptionBudget.policy \"b\" is invalid: metadata.resourceVersion: Invalid value: 0x0: "
                             "must be specified for an update");
}

TEST_F(Writes, GenerateNamesOfTheirBase) {
  const auto made = create(kConfigMaps, "{metadata: {generateName: part-}}");
  EXPECT_EQ(made.status, 201);
  EXPECT_TRUE(object_name(made.body).starts_with("part-"));
  EXPECT_NE(object_name(made.body), object_name(create(kConfigMaps, "{metadata: {generateName: part-}}").body));
}

TEST_F(Writes, MustAgreeWithTheirAddress) {
  EXPECT_EQ(create(kConfigMaps, "{kind: Secret, apiVersion: v1, metadata: {name: a}}").status, 400);
  EXPECT_EQ(create(kConfigMaps, "{metadata: {name: a, namespace: other}}").status, 400);
  create_config_map("a");
  EXPECT_EQ(call("PUT", path("a"), R"({"metadata":{"name":"b"}})").status, 400);
  EXPECT_EQ(create("/api/v1/namespaces/nowhere/configmaps", "{metadata: {name: a}}").status, 404);
  EXPECT_EQ(call("PUT", path("none"), R"({"metadata":{"name":"none"}})").status, 404);
}

TEST_F(Writes, ThatTheServerOwnsAreNotTheClients) {
  const auto made = create(kConfigMaps, "{metadata: {name: a, uid: mine, generation: 7, creationTimestamp: "
                                        "'2001-01-01T00:00:00Z', deletionTimestamp: '2001-01-01T00:00:00Z'}}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_NE(made.metadata("uid").string(), "mine");
  EXPECT_TRUE(made.metadata("creationTimestamp").string().starts_with("2026-"));
  EXPECT_TRUE(made.metadata("deletionTimestamp").is_absent());
  EXPECT_EQ(create(kConfigMaps, "{metadata: {name: b, resourceVersion: '5'}}").status, 400);
}

TEST_F(Writes, OfAnObjectThatWasMadeAnewMeanwhileAreRefusedByItsUid) {
  const auto first = create_config_map("a").body;
  call("DELETE", path("a"));
  create_config_map("a");
  const Value old = first.with(keys::kMetadata, first[keys::kMetadata].without(keys::kResourceVersion));
  const auto refused = call("PUT", path("a"), to_json(old));
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.message().find("UID in precondition"), std::string::npos) << refused.message();
}

TEST_F(Writes, WarnOfUnknownAndDoubledFieldsOrRefuseThem) {
  const std::string odd = R"({"metadata":{"name":"a"},"dat":{"x":"1"},"data":{"a":"1"},"data":{"a":"2"}})";
  const auto strict = call("POST", cat(kConfigMaps, "?fieldValidation=Strict"), odd);
  EXPECT_EQ(strict.status, 400);
  EXPECT_EQ(strict.message(), "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: "
                              "duplicate field \"data\", unknown field \"dat\"");
  const auto warned = call("POST", cat(kConfigMaps, "?fieldValidation=Warn"), odd);
  EXPECT_EQ(warned.status, 201);
  EXPECT_EQ(warned.warnings.size(), 2U);
  const auto quiet = call("POST", cat(kConfigMaps, "?fieldValidation=Ignore"), R"({"metadata":{"name":"b"},"dat":1})");
  EXPECT_EQ(quiet.status, 201);
  EXPECT_TRUE(quiet.warnings.empty());
}

TEST_F(Writes, OfADryRunAnswerAsIfTheyHadHappened) {
  const auto made = create_config_map("a", "?dryRun=All");
  EXPECT_EQ(made.status, 201);
  EXPECT_FALSE(made.metadata("uid").string().empty());
  EXPECT_EQ(made.version(), "");
  EXPECT_EQ(get(path("a")).status, 404);
  create_config_map("a");
  EXPECT_EQ(patch(cat(path("a"), "?dryRun=All"), R"({"data":{"a":"2"}})").body["data"]["a"].string(), "2");
  EXPECT_EQ(get(path("a")).body["data"]["a"].string(), "1");
  EXPECT_EQ(call("DELETE", cat(kConfigMaps, "?dryRun=All")).status, 200);
  EXPECT_EQ(get(path("a")).status, 200);
  EXPECT_EQ(create_config_map("", "?dryRun=All").status, 422);
}

TEST_F(Writes, CountTheGenerationOfWhatIsWanted) {
  create_deployment("{selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, "
                    "spec: {containers: [{name: web, image: 'a:1'}]}}}");
  const std::string web = cat(kDeployments, "/web");
  EXPECT_EQ(get(web).metadata("generation").as_int(), 1);
  EXPECT_EQ(patch(web, R"({"spec":{"replicas":3}})").metadata("generation").as_int(), 2);
  EXPECT_EQ(patch(web, R"({"metadata":{"labels":{"a":"b"}}})").metadata("generation").as_int(), 2);
  EXPECT_EQ(patch(cat(web, "/status"), R"({"status":{"replicas":3}})").metadata("generation").as_int(), 2);
  EXPECT_EQ(patch(cat(web, "/scale"), R"({"spec":{"replicas":4}})").status, 200);
  EXPECT_EQ(get(web).metadata("generation").as_int(), 3);
}

TEST_F(Writes, OfADeletionFollowTheirPolicy) {
  create_config_map("owner");
  EXPECT_EQ(call("DELETE", cat(path("owner"), "?propagationPolicy=Foreground")).status, 200);
  EXPECT_EQ(to_json(get(path("owner")).metadata("finalizers")), R"(["foregroundDeletion"])");
  create_config_map("orphaner");
  call("DELETE", path("orphaner"), R"({"propagationPolicy":"Orphan"})");
  EXPECT_EQ(to_json(get(path("orphaner")).metadata("finalizers")), R"(["orphan"])");
  create_config_map("plain");
  const auto gone = call("DELETE", cat(path("plain"), "?propagationPolicy=Background"));
  EXPECT_EQ(gone.body[keys::kStatus].string(), "Success");
  EXPECT_EQ(get(path("plain")).status, 404);
}

TEST_F(Writes, OfADeletionFollowTheOlderWayToSayWhatBecomesOfDependents) {
  const std::string jobs = "/apis/batch/v1/namespaces/default/jobs", job = cat(jobs, "/j");
  const auto make = [&] {
    ASSERT_EQ(create(jobs, "{metadata: {name: j}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: 'a:1'}]}}}}").status, 201);
  };
  make();
  const auto gone = call("DELETE", job, R"({"orphanDependents":false})");
  EXPECT_TRUE(gone.warnings.empty()) << "its pods go with it";
  EXPECT_EQ(get(job).status, 404);
  make();
  call("DELETE", cat(job, "?orphanDependents=false"));
  EXPECT_EQ(get(job).status, 404);
  make();
  call("DELETE", job, R"({"orphanDependents":true})");
  EXPECT_EQ(to_json(get(job).metadata("finalizers")), R"(["orphan"])");
  EXPECT_EQ(call("DELETE", cat(job, "?orphanDependents=true&propagationPolicy=Orphan")).cause(), "propagationPolicy FieldValueInvalid");
}

TEST_F(Writes, ToWhatIsLeavingMayNotHoldItAnew) {
  create(kConfigMaps, "{metadata: {name: a, finalizers: [example.com/a]}}");
  call("DELETE", path("a"));
  const auto refused = patch(path("a"), R"({"metadata":{"finalizers":["example.com/a","example.com/b"]}})");
  EXPECT_EQ(refused.status, 422) << refused.message();
  EXPECT_EQ(refused.cause(), "metadata.finalizers FieldValueForbidden");
  EXPECT_EQ(patch(path("a"), R"({"metadata":{"finalizers":[]}})").status, 200);
  EXPECT_EQ(get(path("a")).status, 404);
}

TEST_F(Writes, OfACollectionTakeWhatTheSelectorsName) {
  for (const auto* name : {"a", "b", "c"}) create_config_map(name);
  patch(path("b"), R"({"metadata":{"labels":{"keep":"yes"}}})");
  const auto gone = call("DELETE", cat(kConfigMaps, "?labelSelector=%21keep"));
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(get(path("a")).status, 404);
  EXPECT_EQ(get(path("b")).status, 200);
  EXPECT_EQ(get(path("c")).status, 404);
}

TEST_F(Writes, OfPodsHonourTheGraceThatIsAsked) {
  create(kPods, "{metadata: {name: p}, spec: {nodeName: n, containers: [{name: main, image: 'a:1'}]}}");
  const auto accepted = call("DELETE", cat(kPods, "/p?gracePeriodSeconds=7"));
  EXPECT_EQ(accepted.status, 200);
  EXPECT_EQ(accepted.metadata("deletionGracePeriodSeconds").as_int(), 7);
  EXPECT_EQ(call("DELETE", cat(kPods, "/p"), R"({"gracePeriodSeconds":3})").metadata("deletionGracePeriodSeconds").as_int(), 3);
  call("DELETE", cat(kPods, "/p?gracePeriodSeconds=0"));
  EXPECT_EQ(get(cat(kPods, "/p")).status, 404);
}

TEST_F(Writes, RefuseWhatIsNoObject) {
  EXPECT_EQ(call("POST", std::string(kConfigMaps), "").status, 400);
  EXPECT_EQ(call("POST", std::string(kConfigMaps), "[]").status, 400);
  EXPECT_EQ(call("POST", std::string(kConfigMaps), "{").status, 400);
  EXPECT_EQ(call("POST", path("a"), "{}").status, 405);
  EXPECT_EQ(call("PUT", std::string(kConfigMaps), "{}").status, 405);
  EXPECT_EQ(call("POST", "/api/v1/namespaces/default/gadgets", "{}").status, 404);
}

// A client of Go that was told so sends JSON from then on.
TEST_F(Writes, InAFormThatIsNotReadAreUnsupported) {
  const auto answer = call("POST", std::string(kConfigMaps), "k8s", "application/cbor");
  EXPECT_EQ(answer.status, 415);
  EXPECT_EQ(answer.reason(), "UnsupportedMediaType");
}

}  // namespace
}  // namespace minik::control
