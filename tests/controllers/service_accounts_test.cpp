#include "control/controllers/service_accounts.h"

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
