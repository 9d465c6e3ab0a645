// CertificateSigningRequests at the API: who asked, and who may decide.
#include "tests/api/certificate_requests.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr const char* kMerge = "application/merge-patch+json";

class CertificateRequests : public HttpWorld {
 protected:
  Answer create() {
    return request("jane", kJanesRequest, "example.com/s");
  }
  Answer request(const std::string& name, const std::string& pem, const std::string& signer, std::optional<UserInfo> user = {}) {
    const std::string body = cat(R"({"metadata":{"name":")", name, R"("},"spec":{"request":")", pem, R"(","signerName":")", signer,
                                 R"(","username":"god","usages":["client auth"]}})");
    return user ? call_as(*user, "POST", std::string(kRequests), body) : call("POST", std::string(kRequests), body);
  }
};

TEST_F(CertificateRequests, SayWhoAskedByTheServersWord) {
  const auto made = create();
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.body[keys::kSpec][keys::kUsername].as_string(), "tester");
  const auto changed =
      call("PATCH", cat(kRequests, "/jane"), R"({"spec":{"username":"god"}})", kMerge);
  EXPECT_EQ(changed.body[keys::kSpec][keys::kUsername].as_string(), "tester");
}

TEST_F(CertificateRequests, AreApprovedBySubresourceWithTheTimeOfTheDecision) {
  create();
  const auto approved = call(
      "PATCH", cat(kRequests, "/jane/approval"),
      R"({"status":{"conditions":[{"type":"Approved","status":"True","reason":"Yes"}]}})", kMerge);
  ASSERT_EQ(approved.status, 200) << approved.message();
  const auto told = call("GET", cat(kRequests, "/jane")).body[keys::kStatus][keys::kConditions];
  ASSERT_EQ(told.size(), 1U);
  EXPECT_FALSE(told.items()[0][keys::kLastUpdateTime].as_string().empty());
}

TEST_F(CertificateRequests, AreNotApprovedAndDenied) {
  create();
  const auto both = call(
      "PATCH", cat(kRequests, "/jane/approval"),
      R"({"status":{"conditions":[{"type":"Approved","status":"True"},{"type":"Denied","status":"True"}]}})",
      kMerge);
  EXPECT_EQ(both.status, 422);
}

// Whoever may write the status, as signers do, may not decide by it.
TEST_F(CertificateRequests, AreNotDecidedOnByTheirStatus) {
  create();
  const auto by_status = [&](const std::string& conditions) {
    return call("PATCH", cat(kRequests, "/jane/status"), cat(R"({"status":{"conditions":[)", conditions, "]}}"), kMerge);
  };
  const auto added = by_status(R"({"type":"Approved","status":"True","reason":"Mine"})");
  EXPECT_EQ(added.status, 422);
  EXPECT_NE(added.message().find(R"(updates may not add a condition of type "Approved")"), std::string::npos) << added.message();
  ASSERT_EQ(call("PATCH", cat(kRequests, "/jane/approval"), R"({"status":{"conditions":[{"type":"Approved","status":"True","reason":"Yes"}]}})",
                 kMerge).status, 200);
  EXPECT_EQ(by_status("").status, 422) << "nor taken back";
  EXPECT_EQ(call("PATCH", cat(kRequests, "/jane/approval"), R"({"status":{"conditions":[]}})", kMerge).status, 422);
  const auto failed = by_status(R"({"type":"Approved","status":"True","reason":"Mine"},{"type":"Failed","status":"True","reason":"No"})");
  ASSERT_EQ(failed.status, 200) << failed.message();
  const Value told = failed.body[keys::kStatus][keys::kConditions];
  EXPECT_EQ(told.items()[0][keys::kReason].as_string(), "Yes");
  EXPECT_EQ(told.items()[1][keys::kType].as_string(), "Failed");
  const std::string approved = R"({"type":"Approved","status":"True","reason":"Yes"})";
  const auto saved = by_status(approved);
  EXPECT_EQ(saved.status, 422) << "who has failed has failed";
  EXPECT_NE(saved.message().find(R"(updates may not remove a condition of type "Failed")"), std::string::npos) << saved.message();
  EXPECT_EQ(call("PATCH", cat(kRequests, "/jane/approval"), cat(R"({"status":{"conditions":[)", approved, "]}}"), kMerge).status, 422);
  const auto twice = by_status(cat(approved, ",", approved, R"(,{"type":"Failed","status":"True"})"));
  EXPECT_EQ(twice.status, 422);
  EXPECT_NE(twice.message().find(R"(updates may not add a condition of type "Approved")"), std::string::npos) << twice.message();
}

TEST_F(CertificateRequests, FailOnlyByWhoMaySign) {
  create();
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/";
  call("POST", cat(rbac, "clusterroles"),
       R"({"metadata":{"name":"w"},"rules":[{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests/status"],"verbs":["*"]}]})");
  call("POST", cat(rbac, "clusterrolebindings"),
       R"({"metadata":{"name":"w"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"w"},
           "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"ann"}]})");
  const UserInfo ann{"ann", "", {"system:authenticated"}, {}};
  const auto refused = call_as(ann, "PATCH", cat(kRequests, "/jane/status"),
                               R"({"status":{"conditions":[{"type":"Failed","status":"True","reason":"No"}]}})", kMerge);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(), "certificatesigningrequests.certificates.k8s.io \"jane\" is forbidden: user not permitted to sign requests "
                               "with signerName \"example.com/s\"");
}

TEST_F(CertificateRequests, AreRequestsOfCertificates) {
  const auto refused = request("x", "cGVt", "example.com/s");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(0), "spec.request FieldValueInvalid");
  EXPECT_NE(refused.message().find("PEM block type must be CERTIFICATE REQUEST"), std::string::npos) << refused.message();
}

// A signer reads the first block that begins with a line of its own, so what else looks like one would be for this reader alone.
TEST_F(CertificateRequests, HaveOneBlockThatEverybodyReadsAlike) {
  const std::string n1 = *from_base64(kN1sRequest), n2 = *from_base64(kN2sRequest);
  const auto status = [&](const std::string& pem) { return request("x", to_base64(pem), "example.com/s").status; };
  EXPECT_EQ(status(cat("x", n1, n2)), 422);
  EXPECT_EQ(status(cat(n1, n2)), 422);
  EXPECT_EQ(status(cat("x", n1)), 422) << "begins within a line";
  std::string longer = n1;
  longer.insert(longer.find('\n'), " -----");
  EXPECT_EQ(status(longer), 422) << "more on the line";
  EXPECT_EQ(status(cat("of n1\n", n1, "and that was it\n")), 201);
}

TEST_F(CertificateRequests, AreInTheShortestForm) {
  const auto made = [&](std::string_view head) {
    // Version 0, no name; of the key and what follows nothing is read.
    const std::string der = cat("\x30", head, std::string_view("\x30\x05\x02\x01\x00\x30\x00", 7));
    return request(cat("x", head.size()), to_base64(cat("-----BEGIN CERTIFICATE REQUEST-----\n", to_base64(der),
                                                        "\n-----END CERTIFICATE REQUEST-----\n")), "example.com/s").status;
  };
  EXPECT_EQ(made("\x07"), 201);
  EXPECT_EQ(made("\x81\x07"), 422);
  EXPECT_EQ(made(std::string_view("\x82\x00\x07", 3)), 422);
}

TEST_F(CertificateRequests, MakeNobodyAMaster) {
  const auto refused = request("root", kMastersRequest, "kubernetes.io/kube-apiserver-client");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(), "certificatesigningrequests.certificates.k8s.io \"root\" is forbidden: use of "
                               "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
  EXPECT_EQ(request("root", kMastersRequest, "example.com/s").status, 201) << "whose groups mean nothing here";
}

TEST_F(CertificateRequests, OfANodesAgentAreForItself) {
  const UserInfo n1{"system:node:n1", "", {"system:nodes", "system:authenticated"}, {}};
  for (const std::string signer : {"kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"}) {
    const auto refused = request("theirs", kN2sRequest, signer, n1);
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.message(), "certificatesigningrequests.certificates.k8s.io \"theirs\" is forbidden: can only create a node CSR "
                                 "with CN=system:node:n1");
    EXPECT_EQ(request(cat("mine-", signer.substr(signer.find('/') + 1)), kN1sRequest, signer, n1).status, 201);
  }
  EXPECT_EQ(request("for-n2", kN2sRequest, "kubernetes.io/kubelet-serving").status, 201) << "from who is no node's agent";
}

TEST_F(CertificateRequests, SayALifetimeAndASignerThatThereMayBe) {
  const auto refused = call("POST", std::string(kRequests),
                            cat(R"({"metadata":{"name":"x"},"spec":{"request":")", kJanesRequest,
                                R"(","signerName":"nobody","expirationSeconds":60,"usages":["client auth"]}})"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(0), "spec.expirationSeconds FieldValueInvalid");
  EXPECT_EQ(refused.cause(1), "spec.signerName FieldValueInvalid");
}

}  // namespace
}  // namespace minik::control
