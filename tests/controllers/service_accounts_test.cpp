#include "control/controllers/service_accounts.h"

#include "control/controllers/service_account_tokens.h"
#include "tests/controllers/decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kShop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";

TEST(ServiceAccounts, EveryNamespaceHasADefaultOne) {
  DecisionWorld world(service_account_controller());
  world.add(kShop);
  EXPECT_EQ(text_of(world.decide("", "shop")), "create serviceaccounts \n");
  world.add("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: shop}\n");
  EXPECT_EQ(text_of(world.decide("", "shop")), "");
}

TEST(ServiceAccounts, ANamespaceThatGoesGetsNoneAnyMore) {
  DecisionWorld world(service_account_controller());
  world.add("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, deletionTimestamp: '2026-03-01T12:00:00Z'}\n");
  EXPECT_EQ(text_of(world.decide("", "shop")), "");
}

TEST(ServiceAccounts, OneThatIsTakenAwayIsMissedAtOnce) {
  DecisionWorld world(service_account_controller());
  const Value account = Value::map(
      {{keys::kMetadata, Value::map({{keys::kName, "default"}, {keys::kNamespace, "shop"}})}});
  const auto woken = world.woken_by(kinds::kServiceaccounts, account, Value());
  ASSERT_EQ(woken.size(), 1U);
  EXPECT_EQ(woken[0].name, "shop");
}

class ServiceAccountTokens : public ::testing::Test {
 protected:
  void add_account(std::string_view uid) {
    world.add(cat("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: shop, uid: ", uid, ", resourceVersion: '7'}\n"));
  }
  void add_secret(std::string_view more = "", std::string_view data = "{}") {
    world.add(cat("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: s, namespace: shop, uid: s-1, "
                  "resourceVersion: '5', annotations: {kubernetes.io/service-account.name: robot", more, "}}\ndata: ", data, "\n"));
  }
  DecisionWorld world{service_account_token_controller(
      [](const SecretTokenOrder& order) -> Result<std::string> {
        return cat(order.namespace_, "/", order.account, "/", order.account_uid, "/", order.secret);
      },
      "PEM")};
};

TEST_F(ServiceAccountTokens, FillASecretThatNamesAnAccountOnce) {
  add_account("a-1");
  add_secret();
  const Plan plan = world.decide("shop", "s");
  ASSERT_EQ(text_of(plan), "update secrets s\n");
  const Value& filled = plan.writes[0].request.body;
  EXPECT_EQ(*from_base64(filled[keys::kData].get("token").as_string()), "shop/robot/a-1/s");
  EXPECT_EQ(*from_base64(filled[keys::kData].get("namespace").as_string()), "shop");
  EXPECT_EQ(*from_base64(filled[keys::kData].get("ca.crt").as_string()), "PEM");
  EXPECT_EQ(filled[keys::kMetadata][keys::kAnnotations].get("kubernetes.io/service-account.uid").as_string(), "a-1");
  world.cache(kinds::kSecrets).put(filled);
  EXPECT_EQ(text_of(world.decide("shop", "s")), "");
  world.cache(kinds::kSecrets).put(filled.with_at({keys::kData, "ca.crt"}, to_base64("old")));
  EXPECT_EQ(text_of(world.decide("shop", "s")), "update secrets s\n") << "the cluster's CA has changed";
}

TEST_F(ServiceAccountTokens, GoWithTheirAccountWhenTheServerSaysThatItIsGone) {
  add_secret();
  const Plan plan = world.decide("shop", "s");
  ASSERT_EQ(text_of(plan), "list serviceaccounts \ndelete secrets s\n");
  EXPECT_TRUE(plan.writes[0].expect_empty) << "a cache may be behind";
  add_account("a-2");
  add_secret(", kubernetes.io/service-account.uid: a-1");
  EXPECT_EQ(text_of(world.decide("shop", "s")), "update serviceaccounts robot\ndelete secrets s\n")
      << "another has the name; the update says whether it is the newest";
  const auto woken = world.woken_by(kinds::kServiceaccounts, Value::map({{keys::kMetadata, Value::map({{keys::kName, "robot"}, {keys::kNamespace, "shop"}})}}), Value());
  ASSERT_EQ(woken.size(), 1U);
  EXPECT_EQ(woken[0].name, "s");
}

TEST_F(ServiceAccountTokens, LeaveOtherSecretsAlone) {
  world.add("apiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata: {name: s, namespace: shop, annotations: {kubernetes.io/service-account.name: robot}}\n");
  EXPECT_EQ(text_of(world.decide("shop", "s")), "");
}

TEST(RootCertificate, IsInEveryNamespaceAndPutRightWhenItIsChanged) {
  DecisionWorld world(root_ca_controller("PEM"));
  world.add(kShop);
  const Plan first = world.decide("", "shop");
  ASSERT_EQ(text_of(first), "create configmaps \n");
  EXPECT_EQ(first.writes[0].request.body[keys::kData].get("ca.crt").as_string(), "PEM");
  world.add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-root-ca.crt, namespace: shop}\ndata: {ca.crt: other}\n");
  const Plan again = world.decide("", "shop");
  ASSERT_EQ(text_of(again), "update configmaps kube-root-ca.crt\n");
  EXPECT_EQ(again.writes[0].request.body[keys::kData].get("ca.crt").as_string(), "PEM");
}

}  // namespace
}  // namespace minik::control
