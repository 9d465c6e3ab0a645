#include "control/api/flow_control.h"

#include "control/schema/kinds.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr const char* kGroup = "/apis/flowcontrol.apiserver.k8s.io/v1";

class FlowControl : public HttpWorld {
 protected:
  FlowClass classify(const std::string& user, std::vector<std::string> groups, KindId kind = kinds::kConfigmaps,
                     Verb verb = Verb::kGet, const std::string& namespace_ = "default") {
    ApiRequest request;
    request.kind = kind;
    request.verb = verb;
    request.namespace_ = namespace_;
    request.user.name = user;
    request.user.groups = std::move(groups);
    executor.run_until(executor.now(), [] { return false; });
    return api.flow_classifier().classify(request);
  }
  std::string schema(const std::string& user, std::vector<std::string> groups, KindId kind = kinds::kConfigmaps,
                     Verb verb = Verb::kGet) {
    return classify(user, std::move(groups), kind, verb).schema;
  }
};

TEST_F(FlowControl, BeginsWithKubernetesOwnSchemas) {
  EXPECT_EQ(schema("admin", {"system:masters", "system:authenticated"}), "exempt");
  EXPECT_EQ(schema("system:node:n", {"system:nodes", "system:authenticated"}), "system-nodes");
  EXPECT_EQ(schema("system:node:n", {"system:nodes"}, kinds::kLeases, Verb::kUpdate), "system-node-high");
  EXPECT_EQ(schema("system:kube-scheduler", {"system:authenticated"}), "kube-scheduler");
  EXPECT_EQ(schema("system:kube-scheduler", {"system:authenticated"}, kinds::kLeases, Verb::kUpdate),
            "system-leader-election");
  EXPECT_EQ(schema("system:serviceaccount:kube-system:x", {"system:serviceaccounts"}), "kube-system-service-accounts");
  EXPECT_EQ(schema("system:serviceaccount:default:x", {"system:serviceaccounts"}), "service-accounts");
  EXPECT_EQ(schema("jane", {"system:authenticated"}), "global-default");
}

TEST_F(FlowControl, PutsRequestsOfAUserInOneFlowAndThoseOfANamespaceInAnother) {
  const std::vector<std::string> known{"system:authenticated"};
  EXPECT_EQ(classify("jane", known).flow, classify("jane", known, kinds::kPods).flow);
  EXPECT_NE(classify("jane", known).flow, classify("john", known).flow);
  const auto scheduler = [&](const char* namespace_) {
    return classify("system:kube-scheduler", known, kinds::kPods, Verb::kGet, namespace_).flow;
  };
  EXPECT_NE(scheduler("a"), scheduler("b"));
}

TEST_F(FlowControl, FollowsASchemaFromItsCreationToItsDeletion) {
  ASSERT_EQ(call("POST", cat(kGroup, "/flowschemas"),
                 R"({"metadata":{"name":"jane"},"spec":{"matchingPrecedence":10,)"
                 R"("priorityLevelConfiguration":{"name":"workload-high"},"rules":[{"subjects":[{"kind":"User",)"
                 R"("user":{"name":"jane"}}],"resourceRules":[{"verbs":["list"],"apiGroups":[""],)"
                 R"("resources":["configmaps"],"namespaces":["default"]}]}]}})")
                .status,
            201);
  const std::vector<std::string> known{"system:authenticated"};
  EXPECT_EQ(classify("jane", known, kinds::kConfigmaps, Verb::kList).level->name, "workload-high");
  EXPECT_EQ(schema("jane", known, kinds::kConfigmaps, Verb::kGet), "global-default") << "another verb";
  EXPECT_EQ(schema("jane", known, kinds::kPods, Verb::kList), "global-default") << "another resource";
  ASSERT_EQ(call("DELETE", cat(kGroup, "/flowschemas/jane")).status, 200);
  EXPECT_EQ(schema("jane", known, kinds::kConfigmaps, Verb::kList), "global-default");
}

TEST_F(FlowControl, ClassifiesWhatOtherServersAnswerByItsPath) {
  executor.run_until(executor.now(), [] { return false; });
  const auto schema_of = [&](const UserInfo& user, const std::string& path) {
    return api.flow_classifier().classify(user, attributes_of_path("GET", path).view()).schema;
  };
  const UserInfo account{"system:serviceaccount:default:x", "", {"system:serviceaccounts", "system:authenticated"}, {}};
  EXPECT_EQ(schema_of(account, "/apis/fish.org/v1/namespaces/n/fishes"), "service-accounts");
  EXPECT_EQ(schema_of(account, "/apis/fish.org/v1"), "service-accounts") << "no resource";
  EXPECT_EQ(schema_of({"jane", "", {"system:authenticated"}, {}}, "/apis/fish.org/v1/fishes"), "global-default");
  EXPECT_EQ(schema_of({"jane", "", {"system:authenticated"}, {}}, "/healthz"), "probes");
}

TEST_F(FlowControl, SkipsASchemaWhoseLevelIsMissing) {
  ASSERT_EQ(call("DELETE", cat(kGroup, "/prioritylevelconfigurations/global-default")).status, 200);
  EXPECT_EQ(schema("jane", {"system:authenticated"}), "catch-all");
  ASSERT_EQ(call("DELETE", cat(kGroup, "/prioritylevelconfigurations/catch-all")).status, 200);
  const auto last = classify("jane", {"system:authenticated"});
  EXPECT_FALSE(last.level->exempt) << "without any level nobody goes unlimited";
}

TEST_F(FlowControl, HasWhatWasDeletedOfKubernetesOwnAgainAfterAMinute) {
  const std::string exempt = cat(kGroup, "/prioritylevelconfigurations/exempt"), last = cat(kGroup, "/flowschemas/catch-all");
  ASSERT_EQ(call("DELETE", exempt).status, 200);
  ASSERT_EQ(call("DELETE", last).status, 200);
  executor.run_until(executor.now() + seconds(59), [] { return false; });
  EXPECT_EQ(call("GET", exempt).status, 404);
  executor.run_until(executor.now() + seconds(2), [] { return false; });
  EXPECT_EQ(call("GET", exempt).status, 200);
  EXPECT_EQ(call("GET", last).status, 200);
  EXPECT_EQ(schema("admin", {"system:masters"}), "exempt");
}

TEST_F(FlowControl, LetsNobodyMakeSomethingElseOfAMandatoryObject) {
  constexpr const char* kMerge = "application/merge-patch+json";
  const std::string exempt = cat(kGroup, "/prioritylevelconfigurations/exempt"), last = cat(kGroup, "/prioritylevelconfigurations/catch-all");
  const auto limited = call("PATCH", exempt, R"({"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":0},"exempt":null}})", kMerge);
  EXPECT_EQ(limited.status, 422);
  EXPECT_EQ(limited.cause(), "spec.type FieldValueInvalid");
  EXPECT_NE(limited.message().find("spec of 'exempt' except the 'spec.exempt' field must equal the fixed value"), std::string::npos)
      << limited.message();
  EXPECT_EQ(call("PATCH", exempt, R"({"spec":{"exempt":{"lendablePercent":30}}})", kMerge).status, 200) << "which is free";
  EXPECT_EQ(call("PATCH", last, R"({"spec":{"limited":{"nominalConcurrencyShares":50}}})", kMerge).status, 422);
  EXPECT_EQ(call("PATCH", last, R"({"metadata":{"labels":{"a":"b"}}})", kMerge).status, 200);
  EXPECT_EQ(call("PATCH", cat(kGroup, "/flowschemas/catch-all"), R"({"spec":{"matchingPrecedence":3}})", kMerge).status, 422);
  EXPECT_EQ(call("PATCH", cat(kGroup, "/prioritylevelconfigurations/system"), R"({"spec":{"limited":{"nominalConcurrencyShares":50}}})", kMerge).status, 200);
}

TEST_F(FlowControl, ReadsTheFiguresOfALevel) {
  const auto low = classify("system:serviceaccount:default:x", {"system:serviceaccounts"}).level;
  EXPECT_EQ(low->shares, 100);
  EXPECT_EQ(low->flow_queue_max, 6 * 50);
  EXPECT_EQ(low->lendable_percent, 90);
  EXPECT_FALSE(low->borrowing_limit_percent) << "as much as there is";
  EXPECT_TRUE(classify("admin", {"system:masters"}).level->exempt);
  EXPECT_EQ(api.flow_classifier().total_shares(), 5 + 10 + 40 + 30 + 40 + 100 + 20);
}

}  // namespace
}  // namespace minik::control
