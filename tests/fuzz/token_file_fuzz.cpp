// Files of static tokens that somebody has written by hand: every token has a user, or the file is refused.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/process/token_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tokens = minik::parse_token_file({reinterpret_cast<const char*>(data), size}, "tokens.csv");
  if (!tokens) {
    CHECK(tokens.error().message.starts_with("tokens.csv:")) << tokens.error().message;
    return 0;
  }
  for (const auto& [token, user] : *tokens) CHECK(!token.empty() && !user.name.empty() && !user.groups.empty());
  return 0;
}
