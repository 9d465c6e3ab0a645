// Transport: one accepted socket, plain or under TLS, as non-blocking reads and writes; TlsServer:
// the certificates and settings that new connections start from. OpenSSL stays in the .cpp.
//
// TLS 1.2 and 1.3, ALPN http/1.1, session tickets. A client certificate is asked for and never
// demanded; whether our CA signed it is said by peer_identity(). A Transport belongs to one loop's
// thread; a TlsServer may be used by all and lives as long as its connections need it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "minik/net/http_message.h"
#include "minik/net/unique_fd.h"

struct ssl_ctx_st;
struct ssl_st;

namespace minik {

struct TlsMaterial {
  std::string certificate_pem;  // the server's, followed by intermediates
  std::string private_key_pem;
  std::string client_ca_pem;  // empty: client certificates are not asked for
};

class TlsServer {
 public:
  // Another one for the name that a client asks for (SNI), or null for this one. On I/O threads.
  using Choose = std::function<std::shared_ptr<TlsServer>(std::string_view name)>;

  static Result<std::shared_ptr<TlsServer>> create(const TlsMaterial& material, Choose choose = {});
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

 private:
  friend class Transport;
  explicit TlsServer(ssl_ctx_st* context) : context_(context) {}
  static int on_name(ssl_st* session, int* alert, void* server);
  ssl_ctx_st* context_;
  Choose choose_;
};

enum class IoStatus { kOk, kWantRead, kWantWrite, kClosed, kFailed };

struct IoResult {
  IoStatus status;
  size_t bytes = 0;
};

class Transport {
 public:
  // Plain when tls is null. The socket must be non-blocking.
  Transport(UniqueFd fd, const TlsServer* tls);
  ~Transport();
  Transport(Transport&& other) noexcept;
  Transport& operator=(Transport&&) = delete;

  int fd() const { return fd_.get(); }
  IoStatus handshake();
  IoResult read(std::span<char> buffer);
  IoResult write(std::string_view bytes);
  // TLS holds bytes that no readiness of the socket will announce.
  bool has_pending() const;
  // Says goodbye in TLS and ends our side of the socket.
  void shutdown_write();
  PeerIdentity peer_identity() const;

 private:
  IoStatus status_of(int result) const;
  UniqueFd fd_;
  ssl_st* ssl_ = nullptr;
};

}  // namespace minik
