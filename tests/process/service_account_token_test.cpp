#include "minik/process/service_account_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/net/event_loop.h"
#include "minik/process/authenticator.h"
#include "minik/process/pki.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using ::testing::HasSubstr;

const WallTime kNow = *parse_time("2026-11-23T15:00:00Z");
constexpr const char* kIssuer = "https://kubernetes.default.svc.cluster.local";

class ServiceAccountToken : public ::testing::Test {
 protected:
  TokenSigner new_signer(const std::string& issuer = kIssuer) {
    const TemporaryFolder folder;
    const auto pki = open_pki(folder.path(), {}, kNow);
    return *TokenSigner::create(pki->service_account_key_pem, issuer);
  }
  TokenClaims claims() {
    TokenClaims claims;
    claims.audiences = {kIssuer};
    claims.issued_at = claims.not_before = kNow;
    claims.expires_at = kNow + hours(1);
    claims.id = "6f5902ac-237e-4a5a-b5a1-000000000001";
    claims.namespace_ = "default";
    claims.service_account = {"web", "u-1"};
    claims.pod = {"web-0", "u-2"};
    claims.node = {"minik", "u-3"};
    return claims;
  }
  TokenSigner signer = new_signer();
};

TEST_F(ServiceAccountToken, IsVerifiedByItsOwnCluster) {
  const auto token = signer.sign(claims());
  ASSERT_TRUE(token);
  const auto verified = signer.verify(*token, kNow + minutes(1));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->subject(), "system:serviceaccount:default:web");
  EXPECT_EQ(verified->pod, (TokenObject{"web-0", "u-2"}));
  EXPECT_EQ(verified->node, (TokenObject{"minik", "u-3"}));
  EXPECT_EQ(verified->audiences, claims().audiences);
  EXPECT_EQ(verified->expires_at, kNow + hours(1));
}

TEST_F(ServiceAccountToken, IsRefusedByAnotherClusterAfterItsEndAndBeforeItsBeginning) {
  const std::string token = *signer.sign(claims());
  EXPECT_FALSE(new_signer().verify(token, kNow));
  EXPECT_FALSE(signer.verify(token, kNow + hours(1)));
  EXPECT_FALSE(signer.verify(token, kNow - seconds(1)));
}

TEST_F(ServiceAccountToken, IsRefusedWithAnyByteChanged) {
  const std::string token = *signer.sign(claims());
  for (size_t i = 0; i < token.size(); i += 7) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(signer.verify(changed, kNow)) << i;
  }
  EXPECT_FALSE(signer.verify("", kNow));
  EXPECT_FALSE(signer.verify("a.b.c", kNow));
  EXPECT_FALSE(signer.verify("..", kNow));
}

TEST_F(ServiceAccountToken, IsRefusedWhenItChoosesItsOwnAlgorithm) {
  // {"alg":"none"} and an empty signature.
  const std::string token = *signer.sign(claims());
  const auto body = split(token, '.')[1];
  EXPECT_FALSE(signer.verify(cat("eyJhbGciOiJub25lIn0.", body, "."), kNow));
}

TEST_F(ServiceAccountToken, SpeaksForItsAccountAndTellsWhatItIsBoundTo) {
  EventLoop clock;
  TokenClaims today = claims();
  today.issued_at = today.not_before = clock.wall_now() - seconds(1);
  today.expires_at = clock.wall_now() + hours(1);
  today.pod = {"web-1", "uid-of-pod"};
  const std::string token = *signer.sign(today);
  StaticTokens tokens;
  tokens["letmein"] = {"jane", "7", {"dev", "system:authenticated"}, {}};
  const auto verify = token_verifier(std::make_shared<const TokenSigner>(std::move(signer)), tokens, clock);
  const auto identity = verify(token);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->user.name, "system:serviceaccount:default:web");
  EXPECT_THAT(identity->user.groups, ::testing::Contains("system:serviceaccounts:default"));
  EXPECT_EQ(identity->audiences, today.audiences);
  ASSERT_TRUE(identity->bond);
  EXPECT_EQ(identity->bond->pod.uid, "uid-of-pod");
  const auto jane = verify("letmein");
  ASSERT_TRUE(jane);
  EXPECT_EQ(jane->user.uid, "7");
  EXPECT_FALSE(jane->bond) << "nothing can go that it would be bound to";
  EXPECT_FALSE(verify("letmeout"));
}

TEST_F(ServiceAccountToken, OfASecretHasNoEndAndSaysWhatKeepsIt) {
  TokenClaims lasting;
  lasting.end = TokenEnd::kWithSecret;
  lasting.namespace_ = "default";
  lasting.service_account = {"web", "u-1"};
  lasting.secret.name = "web-token";
  const std::string token = *signer.sign(lasting);
  const auto verified = signer.verify(token, kNow + hours(24 * 365 * 50));
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->subject(), "system:serviceaccount:default:web");
  EXPECT_FALSE(new_signer().verify(token, kNow));
  EventLoop clock;
  const auto verify = token_verifier(std::make_shared<const TokenSigner>(std::move(signer)), {}, clock);
  const auto identity = verify(token);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->user.name, "system:serviceaccount:default:web");
  EXPECT_TRUE(identity->audiences.empty()) << "it is for whoever takes this cluster's tokens";
  ASSERT_TRUE(identity->bond);
  EXPECT_EQ(identity->bond->kept, token);
  EXPECT_EQ(identity->bond->secret.name, "web-token");
  EXPECT_EQ(identity->bond->account.uid, "u-1");
}

TEST_F(ServiceAccountToken, HasItsPublicKeyInTheKeySet) {
  const auto keys = control::parse_json(signer.jwks());
  ASSERT_TRUE(keys);
  const control::Value& key = keys->get("keys").items()[0];
  EXPECT_EQ(key.get("alg").as_string(), "ES256");
  EXPECT_EQ(key.get("x").as_string().size(), 43u);
}

}  // namespace
}  // namespace minik
