// Server-side apply over HTTP: who owns what, what is a conflict, and what goes when nobody names it any more.
#include "control/apply/field_set.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kDeployments = "/apis/apps/v1/namespaces/default/deployments";
constexpr const char* kApplyPatch = "application/apply-patch+yaml";

class Apply : public HttpWorld {
 protected:
  Answer apply(const std::string& manager, const std::string& data, const std::string& query = "") {
    return call("PATCH", cat(path("c"), "?fieldManager=", manager, query),
                cat("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: ", data, "\n"), kApplyPatch);
  }
  Answer apply_deployment(const std::string& manager, const std::string& spec, const std::string& query = "") {
    return call("PATCH", cat(kDeployments, "/web?fieldManager=", manager, query),
                cat("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n", spec), kApplyPatch);
  }
  // "name operation: path path; …"
  std::string owners(const Answer& answer) {
    std::string text;
    for (const auto& entry : answer.body[keys::kMetadata][keys::kManagedFields].items()) {
      const auto set = FieldSet::from_fields_v1(entry[keys::kFieldsV1]);
      text += cat(text.empty() ? "" : "; ", entry[keys::kManager].as_string(), " ", entry[keys::kOperation].as_string(),
                  ": ", set ? join(set->paths(), " ") : set.error().message);
    }
    return text;
  }
  std::string data(const Answer& answer) { return to_json(answer.body["data"]); }
};

constexpr const char* kWeb = R"(
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 80}]
)";

TEST_F(Apply, MakesWhatIsNotThereAndOwnsWhatItNames) {
  const auto made = apply("one", "{a: '1', b: '2'}");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(owners(made), "one Apply: .data.a .data.b");
  const auto again = apply("one", "{a: '1', b: '2'}");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.version(), made.version()) << "nothing changed, so nothing is written";
}

TEST_F(Apply, TakesAwayWhatItNamesNoMore) {
  apply("one", "{a: '1', b: '2'}");
  const auto less = apply("one", "{a: '1'}");
  EXPECT_EQ(data(less), R"({"a":"1"})");
  EXPECT_EQ(owners(less), "one Apply: .data.a");
}

TEST_F(Apply, SharesWhatTwoSayAlikeAndKeepsWhatTheOtherStillNames) {
  apply("one", "{a: '1', b: '2'}");
  const auto two = apply("two", "{a: '1', c: '3'}");
  ASSERT_EQ(two.status, 200) << two.message();
  const auto one = apply("one", "{b: '2'}");
  EXPECT_EQ(data(one), R"({"a":"1","b":"2","c":"3"})") << "two still names a";
  EXPECT_EQ(owners(one), "one Apply: .data.b; two Apply: .data.a .data.c");
}

TEST_F(Apply, RefusesAConflictAndNamesTheManagerAndTheField) {
  apply("one", "{a: '1'}");
  const auto refused = apply("two", "{a: '2'}");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.message(), R"(Apply failed with 1 conflict: conflict with "one": .data.a)");
  EXPECT_EQ(refused.cause(), ".data.a FieldManagerConflict");
  const auto forced = apply("two", "{a: '2'}", "&force=true");
  EXPECT_EQ(data(forced), R"({"a":"2"})");
  EXPECT_EQ(owners(forced), "two Apply: .data.a");
}

TEST_F(Apply, MeetsThoseWhoUpdatedAndSaysWhen) {
  apply("one", "{a: '1'}");
  const auto edited = call("PATCH", cat(path("c"), "?fieldManager=editor"), R"({"data":{"a":"9"}})", "application/merge-patch+json");
  EXPECT_EQ(owners(edited), "editor Update: .data.a") << "an update takes";
  const auto refused = apply("one", "{a: '1'}");
  EXPECT_EQ(refused.message(),
            R"(Apply failed with 1 conflict: conflict with "editor" using v1 at 2026-01-01T00:00:00Z: .data.a)");
}

TEST_F(Apply, ListsAllConflictsByManager) {
  apply("one", "{a: '1', b: '1'}");
  apply("two", "{c: '1'}");
  EXPECT_EQ(apply("three", "{a: '3', b: '3', c: '3'}").message(),
            "Apply failed with 3 conflicts: conflicts with \"one\":\n- .data.a\n- .data.b\nconflicts with \"two\":\n- .data.c");
}

TEST_F(Apply, MergesListsByTheirKeysAndKeepsDefaultsUnowned) {
  const auto made = apply_deployment("one", kWeb);
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.body[keys::kSpec][keys::kProgressDeadlineSeconds].as_int(), 600) << "defaulted";
  const std::string list = R"(.spec.template.spec.containers[name="web"])";
  EXPECT_EQ(owners(made),
            cat("one Apply: .spec.replicas .spec.selector .spec.template.metadata.labels.app ", list, " ", list, ".image ", list,
                ".name ", list, R"(.ports[containerPort=80,protocol="TCP"] )", list,
                R"(.ports[containerPort=80,protocol="TCP"].containerPort)"));
  const auto sidecar = apply_deployment("two", R"(
  template:
    spec:
      containers:
      - name: side
        image: side:1
)");
  ASSERT_EQ(sidecar.status, 200) << sidecar.message();
  const auto containers = sidecar.body[keys::kSpec][keys::kTemplate][keys::kSpec][keys::kContainers].items();
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(containers[0][keys::kName].as_string(), "web");
  const auto without = apply_deployment("two", "  minReadySeconds: 3\n");
  EXPECT_EQ(without.body[keys::kSpec][keys::kTemplate][keys::kSpec][keys::kContainers].size(), 1U);
}

TEST_F(Apply, LeavesAnItemOfWhichAnotherOwnsAPart) {
  apply_deployment("one", kWeb);
  apply_deployment("two", R"(
  template:
    spec:
      containers:
      - name: web
        imagePullPolicy: Always
)");
  const auto left = apply_deployment("one", "  replicas: 2\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: web}}}\n");
  // What is left of the container has no image any more, and that is what validation says.
  EXPECT_EQ(left.status, 422) << left.message();
  EXPECT_EQ(left.cause(), "spec.template.spec.containers[0].image FieldValueRequired");
}

TEST_F(Apply, LetsAScaleTakeTheReplicas) {
  apply_deployment("one", kWeb);
  const auto scaled = call("PATCH", cat(kDeployments, "/web/scale?fieldManager=hpa"), R"({"spec":{"replicas":5}})", "application/merge-patch+json");
  ASSERT_EQ(scaled.status, 200) << scaled.message();
  EXPECT_EQ(apply_deployment("one", kWeb).cause(), ".spec.replicas FieldManagerConflict");
}

TEST_F(Apply, GivesWhatWasThereBeforeAManagerOfItsOwn) {
  create_config_map("c");
  const auto refused = apply("one", "{a: '2'}");
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.message().find("\"before-first-apply\" using v1"), std::string::npos) << refused.message();
}

TEST_F(Apply, KnowsAClientByItsAgentAndForgetsAllAtAReset) {
  const auto made = create_config_map("c", "?fieldManager=kubectl-create");
  EXPECT_EQ(owners(made), "kubectl-create Update: .data .data.a");
  const auto reset = call("PATCH", path("c") + "?fieldManager=x", R"({"metadata":{"managedFields":[{}]}})", "application/merge-patch+json");
  EXPECT_EQ(owners(reset), "");
}

TEST_F(Apply, SaysWhatIsMissingFromAnApply) {
  EXPECT_EQ(call("PATCH", path("c"), "apiVersion: v1\nkind: ConfigMap\n", kApplyPatch).status, 422);
  EXPECT_EQ(call("PATCH", path("c") + "?fieldManager=x", "data: {a: '1'}\n", kApplyPatch).status, 400);
  EXPECT_EQ(call("PATCH", path("c") + "?fieldManager=x", "apiVersion: v1\nkind: ConfigMap\nmetadata: {managedFields: []}\n", kApplyPatch).message(),
            "metadata.managedFields must be nil");
  const auto twins = apply_deployment("one", cat(kWeb, "      - {name: web, image: again}\n"));
  EXPECT_EQ(twins.status, 422) << twins.message();
}

TEST_F(Apply, WritesNothingInADryRun) {
  EXPECT_EQ(apply("one", "{a: '1'}", "&dryRun=All").status, 201);
  EXPECT_EQ(call("GET", path("c")).status, 404);
}

}  // namespace
}  // namespace minik::control
