// PeerStream: a byte stream to a host and port over TCP or TLS, for one blocking thread.
//
// Sockets are non-blocking underneath, so that each wait ends at its limit or when the cancel flag
// is set. TLS runs between memory buffers and the socket is written without SIGPIPE, so the library
// needs nothing of the process' signals. The peer's certificate must be valid for the host and lead
// to a known authority.
//
// Fails with kServiceUnavailable (cannot be reached, closed), kTimeout (silent), kForbidden (not
// trusted), kConflict (cancelled).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::runtime {

struct PeerOptions {
  Duration connect_limit = seconds(15);
  Duration idle_limit = seconds(60);
  // A peer that gives less in the time of the idle limit is taken for silent: a byte now and then holds nobody up.
  size_t progress_bytes = 16U << 10;
  std::string authorities_file;  // PEM; empty: the system's
  const std::atomic<bool>* cancelled = nullptr;
};

// The authorities, read once for many connections.
class TlsContext;
Result<std::shared_ptr<TlsContext>> make_tls_context(const PeerOptions& options);

class PeerStream {
 public:
  // Without a context it is plain TCP.
  static Result<std::unique_ptr<PeerStream>> connect(const std::string& host,
                                                     const std::string& port,
                                                     const PeerOptions& options,
                                                     std::shared_ptr<TlsContext> tls);
  virtual ~PeerStream() = default;

  // What the peer gives is measured anew from here: it was not asked for anything before.
  virtual void expect_answer() = 0;
  // 0 when the peer has closed.
  virtual Result<size_t> read_some(char* buffer, size_t capacity) = 0;
  virtual Status write(std::string_view bytes) = 0;
  // False when the peer has closed a connection that was kept.
  virtual bool still_open() const = 0;
};

}  // namespace minik::runtime
