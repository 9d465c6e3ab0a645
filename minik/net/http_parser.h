// HttpRequestParser: HTTP/1.x requests out of bytes, by Boost.Beast's parser, into an HttpRequest.
//
// Pure: bytes in, a state out; no socket, no thread of its own. One parser reads one request. Bytes
// that belong to the next request are left to the caller. A body that is streamed is taken away by pieces and has no
// limit. What breaks the grammar or a limit ends
// in kFailed with the status to answer; the connection cannot be used after that. So does a request
// about whose end a second reader could be of another mind. Spec: RFC 9112.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "minik/net/http_message.h"
#include "minik/net/limits.h"

namespace minik {

struct HttpParserLimits {
  size_t header_bytes_max = kHttpHeaderBytesMax;
  size_t body_bytes_max = kHttpBodyBytesMax;
  size_t headers_max = kHttpHeadersMax;
};

class HttpRequestParser {
 public:
  enum class State { kHead, kBody, kComplete, kFailed };
  // Asked of a head: whether the body that follows is streamed.
  using Streams = std::function<bool(const HttpRequest& head)>;

  explicit HttpRequestParser(HttpParserLimits limits, Streams streams = {});
  ~HttpRequestParser();

  // Returns how many bytes it took; the rest must be offered again with what follows.
  size_t feed(std::string_view bytes);
  State state() const;
  // After kFailed: 400, 413, 431 or 501, and why.
  int error_status() const;
  const std::string& error_message() const;
  // From kBody on: whether the client waits for "100 Continue", and whether the connection lives
  // on.
  bool expects_continue() const;
  bool keep_alive() const;
  // In kBody: what has come so far, with all headers.
  const HttpRequest& request() const;
  // After kComplete, once.
  HttpRequest take_request();
  // From kBody on. If so: the request without its body, once, and what has come of that since it was last asked for.
  bool streams_body() const;
  HttpRequest take_head();
  std::string take_body();

  // Makes it ready for the next request.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik
