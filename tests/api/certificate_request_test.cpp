// CertificateSigningRequests at the API: who asked, and who may decide.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr const char* kMerge = "application/merge-patch+json";

class CertificateRequests : public HttpWorld {
 protected:
  Answer create() {
    return call(
        "POST", std::string(kRequests),
        R"({"metadata":{"name":"jane"},"spec":{"request":"cGVt","signerName":"example.com/s","username":"god",
                "usages":["client auth"]}})");
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

TEST_F(CertificateRequests, SayALifetimeAndASignerThatThereMayBe) {
  const auto refused = call("POST", std::string(kRequests),
                            R"({"metadata":{"name":"x"},"spec":{"request":"cGVt","signerName":"nobody","expirationSeconds":60,"usages":["client auth"]}})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(0), "spec.expirationSeconds FieldValueInvalid");
  EXPECT_EQ(refused.cause(1), "spec.signerName FieldValueInvalid");
}

}  // namespace
}  // namespace minik::control
