// What the audit log is told: by which rule, at which stage, of whom and of what.
#include "control/audit/auditor.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

AuditPolicy policy_of(std::string_view rules) {
  const auto documents = parse_yaml(cat("apiVersion: audit.k8s.io/v1\nkind: Policy\n", rules), "p.yaml");
  CHECK(documents.ok()) << documents.error().message;
  auto policy = AuditPolicy::from((*documents)[0].value, (*documents)[0].lines, "p.yaml");
  CHECK(policy.ok()) << policy.error().message;
  return *std::move(policy);
}

std::string error_of(std::string_view text) {
  const auto documents = parse_yaml(text, "p.yaml");
  CHECK(documents.ok()) << documents.error().message;
  const auto policy = AuditPolicy::from((*documents)[0].value, (*documents)[0].lines, "p.yaml");
  return policy ? "none" : policy.error().message;
}

AuditLevel level(const AuditPolicy& policy, const UserInfo& user, const Attributes& asked) { return policy.choose(user, asked).level; }

TEST(AuditPolicy, TakesTheFirstRuleThatFits) {
  const auto policy = policy_of(R"(
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services]}]
- level: None
  nonResourceURLs: ["/healthz*", /version]
- level: Request
  resources: [{group: "", resources: [configmaps], resourceNames: [settings]}]
  namespaces: [kube-system]
- level: RequestResponse
  userGroups: [dev]
  resources: [{group: apps}, {group: "", resources: [pods/*]}]
- level: Metadata
  omitStages: [RequestReceived]
)");
  const UserInfo proxy{"system:kube-proxy", "", {}, {}}, jane{"jane", "", {"dev"}, {}}, bob{"bob", "", {}, {}};
  EXPECT_EQ(level(policy, proxy, {"watch", "", "endpoints", "", "", ""}), AuditLevel::kNone);
  EXPECT_EQ(level(policy, proxy, {"get", "", "endpoints", "", "", ""}), AuditLevel::kMetadata);
  EXPECT_EQ(level(policy, bob, {"get", "", "", "", "", "", "/healthz/ping"}), AuditLevel::kNone);
  EXPECT_EQ(level(policy, bob, {"get", "", "", "", "", "", "/metrics"}), AuditLevel::kMetadata);
  EXPECT_EQ(level(policy, bob, {"get", "", "configmaps", "", "kube-system", "settings"}), AuditLevel::kRequest);
  EXPECT_EQ(level(policy, bob, {"get", "", "configmaps", "", "default", "settings"}), AuditLevel::kMetadata);
  EXPECT_EQ(level(policy, jane, {"update", "apps", "deployments", "scale", "default", "web"}), AuditLevel::kRequestResponse);
  EXPECT_EQ(level(policy, jane, {"get", "", "pods", "log", "default", "web"}), AuditLevel::kRequestResponse);
  EXPECT_EQ(level(policy, jane, {"get", "", "services", "", "default", "web"}), AuditLevel::kMetadata);
  EXPECT_TRUE(policy.choose(bob, {"get", "", "pods", "", "", ""}).omits(AuditStage::kRequestReceived));
}

TEST(AuditPolicy, TellsTheLineOfWhatItDoesNotKnow) {
  EXPECT_EQ(error_of("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  user: [bob]\n"),
            "p.yaml:5: rules[0].user: unknown field");
  EXPECT_EQ(error_of("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n"), "p.yaml:3: rules: there must be at least one rule");
  EXPECT_EQ(error_of("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]\n"), "p.yaml:1: apiVersion: must be audit.k8s.io/v1");
  EXPECT_EQ(error_of("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  nonResourceURLs: [/x]\n  namespaces: [a]\n"),
            "p.yaml:5: rules[0].nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs");
}

TEST(Auditor, ChoosesTheRuleByWhoHasSentARequestWhoeverHeWantsToBe) {
  std::vector<AuditRecord> records;
  Auditor auditor(policy_of("rules:\n- level: None\n  users: [bob]\n- level: Metadata\n"), Rng(1),
                  [&](AuditRecord record) { records.push_back(std::move(record)); });
  const UserInfo bob{"bob", "", {}, {}}, admin{"admin", "", {"system:masters"}, {}};
  const auto send_as = [&](const UserInfo& sender, const UserInfo& wanted) {
    records.clear();
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kConfigmaps;
    request.user = wanted;
    request.audit = std::make_shared<AuditContext>();
    request.audit->origin.impersonator = sender;
    auditor.begin(Schema::builtin(), request, {});
    AuditContext page;
    page.origin.impersonator = sender;
    auditor.begin(page, wanted, {"get", "", "", "", "", "", "/metrics"}, {});
    return records.size();
  };
  EXPECT_EQ(send_as(admin, bob), 2U) << "an admin who calls himself bob is still seen";
  EXPECT_EQ(records[0].request->user.name, "admin");
  EXPECT_EQ(send_as(bob, admin), 0U);
}

class Audit : public HttpWorld {
 protected:
  Audit() : HttpWorld(options(*this)) {
    call("GET", "/api/v1/nodes");  // after it all that the start has written is told
    events.clear();
  }
  static ApiServerOptions options(Audit& world) {
    ApiServerOptions options;
    options.auditor = std::make_shared<Auditor>(policy_of(R"(
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  resources: [{group: "", resources: [configmaps]}]
- level: Metadata
)"), Rng(2), [&world](AuditRecord record) { world.events.push_back(audit_event(record)); });
    return options;
  }
  const Value& last() { return events.back(); }

  std::vector<Value> events;
};

TEST_F(Audit, ShowsWhoDidWhatWithRequestAndAnswer) {
  create_config_map("c");
  ASSERT_EQ(events.size(), 1U) << "the stage RequestReceived is left out";
  EXPECT_EQ(last().get("kind").string(), "Event");
  EXPECT_EQ(last().get("apiVersion").string(), "audit.k8s.io/v1");
  EXPECT_EQ(last().get("level").string(), "RequestResponse");
  EXPECT_EQ(last().get("stage").string(), "ResponseComplete");
  EXPECT_EQ(last().get("verb").string(), "create");
  EXPECT_EQ(last().get("requestURI").string(), kConfigMaps);
  EXPECT_EQ(last().get("user").get("username").string(), "tester");
  EXPECT_EQ(to_json(last().get("objectRef")), R"({"apiVersion":"v1","name":"c","namespace":"default","resource":"configmaps"})");
  EXPECT_EQ(last().get("responseStatus").get("code").as_int(), 201);
  EXPECT_EQ(last().get("requestObject").get("data").get("a").string(), "1");
  EXPECT_FALSE(last().get("responseObject").get("metadata").get("uid").string().empty());
  EXPECT_EQ(last().get("requestReceivedTimestamp").string(), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(last().get("annotations").get("authorization.k8s.io/decision").string(), "allow");
}

TEST_F(Audit, TellsOfWhatWasRefusedAndWhy) {
  call_as({"jane", "", {"system:authenticated"}, {}}, "DELETE", "/api/v1/nodes/n1");
  EXPECT_EQ(last().get("level").string(), "Metadata");
  EXPECT_EQ(last().get("responseStatus").get("code").as_int(), 403);
  EXPECT_EQ(last().get("responseStatus").get("reason").string(), "Forbidden");
  EXPECT_EQ(last().get("annotations").get("authorization.k8s.io/decision").string(), "forbid");
  EXPECT_TRUE(last().get("requestObject").is_absent());
}

TEST_F(Audit, HasWhatPodSecuritySays) {
  call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
  call("PATCH", "/api/v1/namespaces/default", R"({"metadata":{"labels":{"pod-security.kubernetes.io/audit":"baseline"}}})", "application/merge-patch+json");
  call("POST", "/api/v1/namespaces/default/pods", R"({"metadata":{"name":"p"},"spec":{"hostPID":true,"containers":[{"name":"a","image":"i"}]}})");
  EXPECT_EQ(last().get("annotations").get("pod-security.kubernetes.io/audit-violations").string(),
            R"(would violate PodSecurity "baseline:latest": host namespaces (hostPID=true))");
}

TEST_F(Audit, HasWhatPoliciesSay) {
  const std::string where = "/apis/admissionregistration.k8s.io/v1/";
  ASSERT_EQ(call("POST", cat(where, "validatingadmissionpolicies"), R"json({"metadata":{"name":"small"},"spec":{
    "matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"resources":["configmaps"],"operations":["CREATE"]}]},
    "validations":[{"expression":"true"},{"expression":"!has(object.data.a)","message":"no a"}],
    "auditAnnotations":[{"key":"name","valueExpression":"object.metadata.name"},{"key":"none","valueExpression":"null"}]}})json").status, 201);
  ASSERT_EQ(call("POST", cat(where, "validatingadmissionpolicybindings"),
                 R"({"metadata":{"name":"all"},"spec":{"policyName":"small","validationActions":["Audit","Warn"]}})").status, 201);
  const auto made = create_config_map("c");
  EXPECT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.warnings, std::vector<std::string>{"Validation failed for ValidatingAdmissionPolicy 'small' with binding 'all': no a"});
  EXPECT_EQ(last().get("annotations").get("validation.policy.admission.k8s.io/validation_failure").string(),
            R"([{"message":"no a","policy":"small","binding":"all","expressionIndex":1,"validationActions":["Audit","Warn"]}])");
  EXPECT_EQ(last().get("annotations").get("small/name").string(), "c");
  EXPECT_TRUE(last().get("annotations").get("small/none").is_absent());
}

TEST_F(Audit, TellsWhenAWatchBeginsAndEnds) {
  ApiRequest request;
  request.verb = Verb::kWatch;
  request.kind = kinds::kNodes;
  auto watch = client.watch(request, {[](const WatchEvent&) {}, [](const Status&) {}});
  executor.run_until(executor.now(), [&] { return !events.empty(); });
  EXPECT_EQ(last().get("stage").string(), "ResponseStarted");
  EXPECT_EQ(last().get("requestURI").string(), "/api/v1/nodes?watch=true");
  watch.reset();
  EXPECT_EQ(last().get("stage").string(), "ResponseComplete");
}

}  // namespace
}  // namespace minik::control
