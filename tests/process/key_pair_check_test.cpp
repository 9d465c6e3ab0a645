#include "minik/process/key_pair_check.h"

#include <gtest/gtest.h>

#include "minik/process/pki.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

// As Go's crypto/tls words it, which is what a kube-apiserver says.
TEST(KeyPairCheck, SaysWhyACertificateAndAKeyDoNotBelongTogether) {
  const WallTime now = *parse_time("2026-11-23T15:00:00Z");
  const TemporaryFolder folder;
  const auto pki = open_pki(folder.file("pki"), {}, now);
  ASSERT_TRUE(pki) << pki.error().message;
  const std::string certificate = pki->ca.certificate_pem, key = pki->ca.private_key_pem;
  const KeyPair& other = pki->front_proxy_ca;
  EXPECT_EQ(key_pair_problem(certificate, key), "");
  EXPECT_EQ(key_pair_problem(certificate + other.certificate_pem, certificate + key), "");
  EXPECT_EQ(key_pair_problem(certificate, other.private_key_pem), "tls: private key does not match public key");
  EXPECT_EQ(key_pair_problem("", ""), "tls: failed to find any PEM data in certificate input");
  EXPECT_EQ(key_pair_problem(certificate, "x"), "tls: failed to find any PEM data in key input");
  EXPECT_EQ(key_pair_problem(key, certificate),
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched");
  EXPECT_EQ(key_pair_problem(certificate, certificate), "tls: found a certificate rather than a key in the PEM for the private key");
  EXPECT_EQ(key_pair_problem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key), "x509: malformed certificate");
  EXPECT_EQ(key_pair_problem(certificate, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"),
            "tls: failed to parse private key");
}

}  // namespace
}  // namespace minik
