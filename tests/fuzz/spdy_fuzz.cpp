// A SPDY server session under any bytes, cut into pieces of the size that the first byte says. It
// answers what it is asked and never holds more streams or headers than its limits allow.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/net/spdy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using minik::SpdySession;
  if (size == 0) return 0;
  const size_t piece = data[0] == 0 ? size : data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  SpdySession* at_work = nullptr;
  SpdySession session(SpdySession::Role::kServer,
                      {.on_stream =
                           [&](uint32_t id, const minik::SpdyHeaders& headers, SpdySession::End) {
                             at_work->reply(id, headers);
                             if (minik::spdy_header(headers, "streamtype") == "error") {
                               at_work->send(id, "no", SpdySession::End::kYes);
                             }
                           },
                       .on_data =
                           [&](uint32_t id, std::string_view bytes, SpdySession::End end) {
                             at_work->consumed(id, bytes.size());
                             at_work->send(id, bytes, end);
                           },
                       .on_reset = [&](uint32_t id) { CHECK(!at_work->is_open(id)); },
                       .on_window = [&](uint32_t id) { at_work->send(id, "more"); }});
  at_work = &session;
  for (size_t at = 0; at < input.size(); at += piece) {
    if (!session.receive(input.substr(at, piece))) {
      CHECK(session.has_output());
      return 0;
    }
    CHECK(session.stream_count() <= minik::kSpdyStreamsMax);
    session.take_output();
  }
  return 0;
}
