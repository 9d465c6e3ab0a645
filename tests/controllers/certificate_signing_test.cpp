#include "control/controllers/certificate_signing.h"

#include "decision_world.h"

namespace minik::control {
namespace {

std::string request(std::string_view signer, std::string_view usages, std::string_view conditions) {
  return cat(R"(
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane, uid: c-1, resourceVersion: "1", creationTimestamp: "2026-03-01T11:59:00Z"}
spec: {request: cGVt, signerName: )",
             signer, ", expirationSeconds: 7200, usages: [", usages, "]}\nstatus: {conditions: [",
             conditions, "]}\n");
}
constexpr std::string_view kClient = "kubernetes.io/kube-apiserver-client";
constexpr std::string_view kApproved =
    "{type: Approved, status: 'True', lastUpdateTime: '2026-03-01T11:59:30Z'}";

class CertificateSigning : public ::testing::Test {
 protected:
  std::vector<CertificateOrder> orders;
  Result<std::string> answer = std::string("signed");
  DecisionWorld world{certificate_signing_controller([this](const CertificateOrder& order) {
    orders.push_back(order);
    return answer;
  })};
};

TEST_F(CertificateSigning, SignsWhatIsApprovedForAsLongAsItAsks) {
  world.add(request(kClient, "client auth, key encipherment", kApproved));
  const Plan plan = world.decide("", "jane");
  ASSERT_EQ(text_of(plan), "update certificatesigningrequests jane/status\n");
  EXPECT_EQ(plan.writes[0].request.body[keys::kStatus][keys::kCertificate].as_string(),
            to_base64("signed"));
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].request_pem, "pem");
  EXPECT_EQ(orders[0].lifetime, hours(2));
  EXPECT_TRUE(orders[0].key_encipherment);
  EXPECT_FALSE(orders[0].server);
}

TEST_F(CertificateSigning, WaitsForADecisionForADayAndKeepsADecidedOneForAnHour) {
  world.add(request(kClient, "client auth", ""));
  EXPECT_EQ(world.decide("", "jane").requeue_after, hours(24) - minutes(1));
  world.add(request(kClient, "client auth",
                    "{type: Denied, status: 'True', lastUpdateTime: '2026-03-01T11:00:00Z'}"));
  EXPECT_EQ(text_of(world.decide("", "jane")), "delete certificatesigningrequests jane\n");
  EXPECT_TRUE(orders.empty());
}

TEST_F(CertificateSigning, LeavesTheRequestsOfOtherSignersAlone) {
  world.add(request("example.com/mine", "client auth", kApproved));
  EXPECT_TRUE(world.decide("", "jane").writes.empty());
}

TEST_F(CertificateSigning, FailsARequestForMoreThanItsSignerAllows) {
  world.add(request(kClient, "client auth, server auth", kApproved));
  const Plan plan = world.decide("", "jane");
  const Value conditions = plan.writes.at(0).request.body[keys::kStatus][keys::kConditions];
  EXPECT_EQ(conditions.items()[1][keys::kType].as_string(), "Failed");
  EXPECT_EQ(conditions.items()[1][keys::kReason].as_string(), "SignerValidationFailure");
  EXPECT_EQ(conditions.items()[1][keys::kMessage].as_string(), "invalid usage for client certificate: server auth");
  EXPECT_TRUE(orders.empty());
}

TEST_F(CertificateSigning, AsksOfEachSignerTheUsagesThatMakeItsCertificates) {
  const auto refusal = [&](std::string_view signer, std::string_view usages) {
    world.add(request(signer, usages, kApproved));
    const Plan plan = world.decide("", "jane");
    return plan.writes.at(0).request.body[keys::kStatus][keys::kConditions].items().back()[keys::kMessage].string();
  };
  EXPECT_EQ(refusal(kClient, "digital signature"), "missing required usage for client certificate: client auth");
  EXPECT_EQ(refusal("kubernetes.io/kube-apiserver-client-kubelet", "client auth"),
            "usages did not match [client auth digital signature key encipherment]");
  EXPECT_EQ(refusal("kubernetes.io/kubelet-serving", "client auth, digital signature"),
            "usages did not match [digital signature key encipherment server auth]");
  EXPECT_TRUE(orders.empty());
}

TEST_F(CertificateSigning, HoldsNodesToTheirNames) {
  world.add(request("kubernetes.io/kubelet-serving", "server auth, digital signature", kApproved));
  answer = Error(ErrorCode::kInvalid, "no name");
  const Plan plan = world.decide("", "jane");
  EXPECT_EQ(orders.at(0).organization, "system:nodes");
  EXPECT_EQ(orders.at(0).name_prefix, "system:node:");
  EXPECT_EQ(orders.at(0).other_names, CertificateOrder::OtherNames::kRequired);
  EXPECT_TRUE(orders.at(0).server);
  EXPECT_EQ(plan.writes.at(0)
                .request.body[keys::kStatus][keys::kConditions]
                .items()[1][keys::kMessage]
                .as_string(),
            "no name");
}

}  // namespace
}  // namespace minik::control
