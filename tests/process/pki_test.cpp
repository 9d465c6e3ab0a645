#include "minik/process/pki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "control/base/text.h"
#include "minik/process/private_file.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using ::testing::HasSubstr;

const WallTime kNow = *parse_time("2026-11-23T15:00:00Z");

ClusterPki open_or_die(const std::string& folder, const ServerNames& names = {},
                       WallTime now = kNow) {
  auto pki = open_pki(folder, names, now);
  EXPECT_TRUE(pki) << pki.error().message;
  return *pki;
}

void overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

TEST(Pki, MakesEverythingInPrivateFiles) {
  const TemporaryFolder folder;
  open_or_die(folder.file("pki"));
  for (const char* name :
       {"ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "admin.crt", "admin.key", "sa.key", "front-proxy-ca.crt",
        "front-proxy-ca.key", "front-proxy-client.crt", "front-proxy-client.key"}) {
    struct stat status {};
    ASSERT_EQ(stat((folder.file("pki/") + name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
}

TEST(Pki, IsReusedByTheNextStart) {
  const TemporaryFolder folder;
  const ClusterPki first = open_or_die(folder.path());
  const ClusterPki second = open_or_die(folder.path());
  EXPECT_EQ(first.ca.certificate_pem, second.ca.certificate_pem);
  EXPECT_EQ(first.server.certificate_pem, second.server.certificate_pem);
  EXPECT_EQ(first.admin.private_key_pem, second.admin.private_key_pem);
  EXPECT_EQ(first.service_account_key_pem, second.service_account_key_pem);
}

TEST(Pki, RenewsCertificatesThatSoonExpireUnderTheSameCa) {
  const TemporaryFolder folder;
  const ClusterPki first = open_or_die(folder.path());
  const ClusterPki later = open_or_die(folder.path(), {}, kNow + hours(24 * 340));
  EXPECT_EQ(first.ca.certificate_pem, later.ca.certificate_pem);
  EXPECT_EQ(first.service_account_key_pem, later.service_account_key_pem);
  EXPECT_NE(first.server.certificate_pem, later.server.certificate_pem);
  EXPECT_NE(first.admin.certificate_pem, later.admin.certificate_pem);
}

TEST(Pki, RenewsTheServerCertificateForANewName) {
  const TemporaryFolder folder;
  const ClusterPki first = open_or_die(folder.path());
  const ServerNames names{{"node-1"}, {"10.200.0.1"}};
  const ClusterPki named = open_or_die(folder.path(), names);
  EXPECT_NE(first.server.certificate_pem, named.server.certificate_pem);
  EXPECT_EQ(first.admin.certificate_pem, named.admin.certificate_pem);
  EXPECT_EQ(open_or_die(folder.path(), names).server.certificate_pem, named.server.certificate_pem);
}

TEST(Pki, MakesALeafAnewWhenItsFileIsDamaged) {
  const TemporaryFolder folder;
  const ClusterPki first = open_or_die(folder.path());
  overwrite(folder.file("apiserver.crt"), "");
  const ClusterPki second = open_or_die(folder.path());
  EXPECT_EQ(first.ca.certificate_pem, second.ca.certificate_pem);
  EXPECT_THAT(second.server.certificate_pem, HasSubstr("BEGIN CERTIFICATE"));
}

TEST(Pki, NeverReplacesADamagedCaOrTokenKeyButNamesTheRemedy) {
  for (const char* name : {"ca.crt", "ca.key", "sa.key", "front-proxy-ca.crt", "front-proxy-ca.key"}) {
    const TemporaryFolder folder;
    open_or_die(folder.path());
    overwrite(folder.file(name), "-----BEGIN NONSENSE-----\n");
    const auto opened = open_pki(folder.path(), {}, kNow);
    ASSERT_FALSE(opened) << name;
    EXPECT_THAT(opened.error().message, HasSubstr(folder.file(name)));
    EXPECT_THAT(opened.error().message, HasSubstr("minik delete"));
    EXPECT_THAT(opened.error().message, Not(HasSubstr("\n")));
  }
}

TEST(Pki, RefusesAKeyThatBelongsToAnotherCa) {
  const TemporaryFolder one, other;
  open_or_die(one.path());
  const ClusterPki foreign = open_or_die(other.path());
  overwrite(one.file("ca.key"), foreign.ca.private_key_pem);
  const auto opened = open_pki(one.path(), {}, kNow);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("does not belong to ca.crt"));
}

TEST(Pki, FinishesAFirstStartThatWasCutShort) {
  const TemporaryFolder folder;
  overwrite(folder.file("ca.key"), "half a ke");
  EXPECT_TRUE(open_pki(folder.path(), {}, kNow));
}

// Made with `openssl req -new` and EC keys: O=team, CN=jane; and a node's with other names.
constexpr const char* kJane = R"(-----BEGIN CERTIFICATE REQUEST-----
MIHZMIGAAgEAMB4xDTALBgNVBAoMBHRlYW0xDTALBgNVBAMMBGphbmUwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQpS+27EqIQVZT3WsVLUgO4Wfolq53PbI1kHj65
RlmK2mhWarXJCbR/SwkT4uBA6IAKwOEXmn8XVTpRnFitUgv4oAAwCgYIKoZIzj0E
AwIDSAAwRQIhANw+tDHLNJi2Iq56LIlhGJFpiTcbdRyA//ltW5OeeeyoAiAj6Aee
sNqVbRzZURVugc4r5o5DvOQn0xUOSvIfSKBcUw==
-----END CERTIFICATE REQUEST-----
)";
constexpr const char* kNode = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBEDCBtgIBADAvMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFjAUBgNVBAMMDXN5
c3RlbTpub2RlOmEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQpS+27EqIQVZT3
WsVLUgO4Wfolq53PbI1kHj65RlmK2mhWarXJCbR/SwkT4uBA6IAKwOEXmn8XVTpR
nFitUgv4oCUwIwYJKoZIhvcNAQkOMRYwFDASBgNVHREECzAJggFhhwQKAAABMAoG
CCqGSM49BAMCA0kAMEYCIQCG9H4MUhg4dDuP5Dtk45VEpRa8mEuznhwzQ/V4bGXm
MAIhAMFj7V0QVolMyow4blwc/9aZDnPbjhnRMSMeUKws/cyN
-----END CERTIFICATE REQUEST-----
)";

TEST(Pki, SignsARequestForTheKeyAndTheNameThatItHas) {
  const TemporaryFolder folder;
  const KeyPair ca = open_or_die(folder.file("pki")).ca;
  const auto signed_for_jane = sign_certificate_request(ca, kJane, {}, kNow, hours(1));
  ASSERT_TRUE(signed_for_jane) << signed_for_jane.error().message;
  EXPECT_THAT(*signed_for_jane, HasSubstr("BEGIN CERTIFICATE"));
  RequestRules kubelet;
  kubelet.organization = "system:nodes";
  kubelet.name_prefix = "system:node:";
  kubelet.server = kubelet.must_have_other_names = kubelet.key_encipherment = true;
  EXPECT_TRUE(sign_certificate_request(ca, kNode, kubelet, kNow, hours(1)));
}

TEST(Pki, RefusesToSignWhatBreaksARule) {
  const TemporaryFolder folder;
  const KeyPair ca = open_or_die(folder.file("pki")).ca;
  const auto why = [&ca](const std::string& request, const RequestRules& rules) {
    const auto result = sign_certificate_request(ca, request, rules, kNow, hours(1));
    return result ? "signed" : cat(result.error().code == ErrorCode::kInvalid ? "Invalid: " : "", result.error().message);
  };
  RequestRules rules;
  EXPECT_EQ(why("nonsense", rules), "Invalid: the certificate request is not a PKCS #10 request in PEM");
  std::string forged = kJane;
  forged[forged.size() / 2] = forged[forged.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_THAT(why(forged, rules), HasSubstr("Invalid: the certificate request is not"));
  rules.organization = "system:nodes";
  EXPECT_THAT(why(kJane, rules), HasSubstr("of the organization system:nodes alone"));
  rules = {};
  rules.name_prefix = "system:node:";
  EXPECT_THAT(why(kJane, rules), HasSubstr("begins with system:node:"));
  rules = {};
  rules.must_have_other_names = true;
  EXPECT_THAT(why(kJane, rules), HasSubstr("must have a subjectAltName"));
  rules = {};
  rules.may_have_other_names = false;
  EXPECT_THAT(why(kNode, rules), HasSubstr("must not have a subjectAltName"));
}

}  // namespace
}  // namespace minik
