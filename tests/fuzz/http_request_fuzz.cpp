// The head and body of requests, cut into pieces of the size that the first byte says; what goes to /s… is streamed.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "control/base/check.h"
#include "minik/net/http_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using minik::HttpRequestParser;
  if (size == 0) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto streams = [](const minik::HttpRequest& head) { return head.path.starts_with("/s"); };
  HttpRequestParser parser({.header_bytes_max = 2048, .body_bytes_max = 512}, streams);
  std::string pending;
  bool begun = false;  // a body that is streamed
  for (size_t at = 0; at < input.size();) {
    pending += input.substr(at, piece);
    at += piece;
    while (!pending.empty()) {
      const size_t taken = parser.feed(pending);
      CHECK(taken <= pending.size());
      pending.erase(0, taken);
      if (parser.state() == HttpRequestParser::State::kFailed) {
        CHECK(parser.error_status() >= 400 && !parser.error_message().empty());
        return 0;
      }
      const bool complete = parser.state() == HttpRequestParser::State::kComplete;
      if (parser.streams_body() && !std::exchange(begun, true)) {
        CHECK(!parser.take_head().method.empty());
      }
      if (begun) {
        CHECK(parser.take_body().size() <= 2048 + piece) << "no more can have come";
      }
      if (!complete) break;
      if (std::exchange(begun, false)) {
        parser.reset();
        continue;
      }
      const minik::HttpRequest request = parser.take_request();
      CHECK(!request.method.empty() && request.body.size() <= 512);
      request.header_has_token("connection", "upgrade");
      minik::query_parameters(request.query);
      parser.reset();
    }
    CHECK(pending.size() <= 2048 + piece) << "a head over its limit must be refused";
  }
  return 0;
}
