// BlockingStream: one conversation on a connected socket, plain or under TLS, for a thread that has nothing else to do:
// a webhook's question, a probe. Every wait ends at one Deadline, which the whole exchange shares.
//
// Belongs to one thread. A deadline that has passed is kTimeout with Go's words; what breaks the connection is
// kServiceUnavailable, a certificate that is not trusted kForbidden, a TLS server that speaks plain HTTP kBadRequest.
#pragma once

#include <poll.h>

#include <span>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"
#include "minik/net/tls_client.h"
#include "minik/net/unique_fd.h"

struct ssl_st;

namespace minik {

// How long one waits: until a moment, or until the descriptor `stop` is readable, if there is one (who waits for others
// must not hold up the end of the process).
class Deadline {
 public:
  explicit Deadline(Duration limit, int stop = -1);
  int left_ms() const;  // 0 when it has passed
  // poll() of these, at most three, into their revents. Whether one of them was ready before the end.
  bool wait(std::span<pollfd> fds) const;
  // Lets the time go by, no longer than there is.
  void pause(Duration time) const;
  // For what waits by itself.
  int stop() const { return stop_; }
  static Error passed();

 private:
  bool stopped() const;

  int64_t end_ns_;
  int stop_;
};

class BlockingStream {
 public:
  BlockingStream(UniqueFd fd, const Deadline& deadline);
  ~BlockingStream();
  BlockingStream(const BlockingStream&) = delete;
  BlockingStream& operator=(const BlockingStream&) = delete;

  // `name` is whom the certificate must name if the client checks, and what is asked for by SNI unless it is an address.
  Status shake_hands(const TlsClient& client, const std::string& name);
  Status write(std::string_view bytes);
  // Some bytes; none at the end.
  Result<std::string> read();

 private:
  enum class Way { kRead, kWrite };
  Status wait_for(Way way);
  Status wait_for_tls(int result);
  bool answers_in_plain_http() const;

  UniqueFd fd_;
  const Deadline deadline_;
  ssl_st* tls_ = nullptr;  // null: plain
};

}  // namespace minik
