// An endpoint's answer under any bytes, cut into pieces of the size that the first byte says: the
// reader takes no more than it was given, and a complete answer takes nothing further.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/ingress_proxy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto path = minik::normalised_path(input);
  CHECK(path.empty() || path.starts_with('/')) << path;
  minik::HttpResponseReader reader((data[0] & 1) != 0 ? "HEAD" : "GET");
  size_t body = 0;
  while (!input.empty()) {
    const auto part = input.substr(0, piece);
    const size_t taken = reader.feed(part);
    CHECK(taken <= part.size());
    body += reader.take_body().size();
    if (reader.state() == minik::HttpResponseReader::State::kComplete || taken == 0) break;
    input.remove_prefix(taken);
  }
  reader.end();
  if (reader.content_length() && reader.state() == minik::HttpResponseReader::State::kComplete &&
      (data[0] & 1) == 0) {
    CHECK(body <= *reader.content_length()) << body;
  }
  return 0;
}
