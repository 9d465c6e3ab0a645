// An endpoint's answer under any bytes, cut into pieces of the size that the first byte says: the
// reader takes no more than it was given, and gives no more of a body than was announced.
#include <algorithm>
#include <cstdint>
#include <string>
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
  std::string pending;
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    pending += input.substr(0, piece);
    const size_t taken = reader.feed(pending);
    CHECK(taken <= pending.size());
    pending.erase(0, taken);
    body += reader.take_body().size();
    using State = minik::HttpResponseReader::State;
    if (reader.state() == State::kComplete || reader.state() == State::kFailed) break;
  }
  reader.end();
  if (reader.content_length() && reader.state() == minik::HttpResponseReader::State::kComplete &&
      (data[0] & 1) == 0) {
    CHECK(body <= *reader.content_length()) << body;
  }
  return 0;
}
