// HttpResponseReader: an HTTP/1.x response out of bytes, by Boost.Beast's parser: the head first,
// then the body piece by piece, without keeping it.
//
// Pure: bytes in, states out; no socket, no thread. Interim responses (1xx but 101) are skipped.
// After 101 the rest of the bytes is the other protocol's. What breaks the grammar or a limit ends
// in kFailed. RFC 9112.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "minik/net/http_message.h"

namespace minik {

class HttpResponseReader {
 public:
  enum class State { kHead, kBody, kComplete, kFailed };

  // The answer to HEAD has no body whatever its head says.
  explicit HttpResponseReader(std::string_view request_method);
  ~HttpResponseReader();

  // Takes what it can and says how much; the rest must be offered again with what follows.
  size_t feed(std::string_view bytes);
  // The peer has closed: the end of a body without a length, a failure otherwise.
  void end();
  State state() const;
  // From kBody on; without body.
  const HttpResponse& head() const;
  // Known from the head: a body's length, 0 for none. Absent for chunks or up to the end.
  std::optional<uint64_t> content_length() const;
  // What has come of the body since the last call.
  std::string take_body();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik
