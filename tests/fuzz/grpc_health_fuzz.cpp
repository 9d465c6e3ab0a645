// A health service's answer under any bytes, cut into pieces of the size that the first byte says: there is an outcome at
// the end, with words that an Event can hold.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/base/utf8.h"
#include "minik/net/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  minik::GrpcHealthCheck check({"10.244.0.5:9000", "shop", minik::seconds(1)});
  CHECK(!check.take_output().empty());
  for (; !input.empty() && !check.outcome(); input.remove_prefix(std::min(piece, input.size()))) {
    check.feed(input.substr(0, piece));
    CHECK(check.take_output().size() < 1024 * 1024);
  }
  check.end();
  CHECK(check.outcome().has_value());
  if (!check.outcome()->ok()) {
    const auto& words = check.outcome()->error().message;
    CHECK(!words.empty() && words.size() < 64 * 1024 && minik::is_utf8(words)) << words;
  }
  return 0;
}
