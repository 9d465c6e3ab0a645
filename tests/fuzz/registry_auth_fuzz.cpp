// What a registry says about itself: challenges, tokens, redirects; and saved credentials.
#include <cstddef>
#include <cstdint>

#include "control/base/check.h"
#include "runtime/image/http_client.h"
#include "runtime/image/registry_auth.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::runtime;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto challenge = parse_challenge(text)) {
    CHECK(challenge->scheme == AuthChallenge::Scheme::kBasic || !challenge->realm.empty());
  }
  if (const auto token = parse_token(text)) {
    CHECK(!token->empty() && token->find('\n') == std::string::npos);
  }
  (void)parse_docker_credentials(text, "docker.io");
  const auto base = parse_url("https://registry.test/v2/a/blobs/x?y=z");
  if (const auto url = resolve_url(*base, text)) {
    // Nothing of it can start another header or another request.
    for (const char c : url->text()) CHECK(static_cast<unsigned char>(c) > 0x20);
    const auto again = parse_url(url->text());
    CHECK(again.ok() && again->text() == url->text()) << url->text();
  }
  return 0;
}
