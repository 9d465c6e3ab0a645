// TlsClient: what our side of a TLS connection to somebody else's server starts from: whom it trusts and which
// certificate it shows. TlsClientStream: one such connection over a socket, as a ByteStream.
//
//   FdChannel (ciphertext) <-> TlsClientStream <-> its user (plaintext)
//
// TLS 1.2 and 1.3, ALPN http/1.1. A TlsClient is immutable and used by any thread; a stream belongs to its loop.
// Errors are in the words of Go's clients, which end up in conditions and answers that people search for:
// `tls: failed to verify certificate: x509: …`. RFC 8446; OpenSSL stays in the .cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/base/result.h"
#include "minik/net/byte_stream.h"
#include "minik/net/unique_fd.h"

struct ssl_ctx_st;

namespace minik {

// Whether a server's certificate must be signed by somebody we trust and name the server.
enum class ServerCheck { kFull, kNone };

struct TlsClientMaterial {
  std::string ca_pem = {};           // empty: the system's authorities
  std::string certificate_pem = {};  // ours; empty: none is shown
  std::string private_key_pem = {};
  ServerCheck check = ServerCheck::kFull;
};

class TlsClient {
 public:
  static Result<std::shared_ptr<const TlsClient>> create(const TlsClientMaterial& material);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  ssl_ctx_st* context() const { return context_; }
  ServerCheck check() const { return check_; }

 private:
  TlsClient(ssl_ctx_st* context, ServerCheck check) : context_(context), check_(check) {}
  ssl_ctx_st* const context_;
  const ServerCheck check_;
};

// A connected socket as a stream without TLS.
std::shared_ptr<ByteStream> plain_stream(std::shared_ptr<EventLoop> loop, UniqueFd fd);

// A handshake under way. `done` comes once, later, on the loop; dropping the handle before that ends the connection
// without a call.
class TlsHandshake {
 public:
  using Done = std::function<void(Result<std::shared_ptr<ByteStream>>)>;
  // `name` is whom the certificate must name, a host or an address, and what is asked for by SNI; empty: nobody.
  static std::shared_ptr<TlsHandshake> begin(std::shared_ptr<EventLoop> loop, UniqueFd fd, const TlsClient& client,
                                             const std::string& name, Done done);
  virtual ~TlsHandshake() = default;
};

}  // namespace minik
