#include "runtime/image/peer_stream.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "control/base/check.h"
#include "control/base/text.h"
#include "runtime/image/disk.h"

namespace minik::runtime {
namespace {

constexpr Duration kCancelCheck = milliseconds(100);
constexpr size_t kTlsBytes = 32U << 10;

Duration monotonic() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

Error unreachable(const std::string& peer, std::string_view why) {
  return Error(ErrorCode::kServiceUnavailable, cat(peer, " cannot be reached: ", why));
}

class TcpStream : public PeerStream {
 public:
  TcpStream(std::string peer, const PeerOptions& options)
      : peer_(std::move(peer)), options_(options) {}

  Status connect_to(const addrinfo& address) {
    fd_ = UniqueFd(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) return unreachable(peer_, error_from_errno(errno, "socket").message);
    if (::connect(fd_.get(), address.ai_addr, address.ai_addrlen) == 0) return {};
    if (errno == EINPROGRESS) {
      MINIK_TRY(wait(POLLOUT, options_.connect_limit));
      int failure = 0;
      socklen_t size = sizeof failure;
      ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &failure, &size);
      errno = failure;
      if (failure == 0) return {};
    }
    return unreachable(peer_, error_from_errno(errno, "connect").message);
  }

  void expect_answer() override {
    since_ = monotonic();
    got_since_ = 0;
  }

  Result<size_t> read_some(char* buffer, size_t capacity) override {
    while (true) {
      const ssize_t got = ::recv(fd_.get(), buffer, capacity, 0);
      if (got >= 0) {
        got_since_ += static_cast<size_t>(got);
        return static_cast<size_t>(got);
      }
      if (errno == EAGAIN) {
        if (monotonic() - since_ >= options_.idle_limit) {
          if (got_since_ < options_.progress_bytes) return silent(options_.idle_limit);
          expect_answer();
        }
        MINIK_TRY(wait(POLLIN, options_.idle_limit));
      } else if (errno != EINTR) {
        return Error(ErrorCode::kServiceUnavailable, error_from_errno(errno, peer_).message);
      }
    }
  }

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put >= 0) {
        bytes.remove_prefix(static_cast<size_t>(put));
      } else if (errno == EAGAIN) {
        MINIK_TRY(wait(POLLOUT, options_.idle_limit));
      } else if (errno != EINTR) {
        return Error(ErrorCode::kServiceUnavailable, error_from_errno(errno, peer_).message);
      }
    }
    return {};
  }

  bool still_open() const override {
    char byte = 0;
    const ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && errno == EAGAIN);
  }

  const std::string& peer() const { return peer_; }

 private:
  Status wait(short events, Duration limit) {
    const Duration end = monotonic() + limit;
    while (true) {
      if (options_.cancelled != nullptr && options_.cancelled->load()) {
        return Error(ErrorCode::kConflict, cat(peer_, ": cancelled"));
      }
      const Duration left = std::min(end - monotonic(), kCancelCheck);
      if (left <= Duration{}) {
        return silent(limit);
      }
      pollfd poll_fd{fd_.get(), events, 0};
      const int ready = ::poll(&poll_fd, 1, static_cast<int>(left.milliseconds()) + 1);
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return error_from_errno(errno, cat("wait for ", peer_));
    }
  }

  Error silent(Duration limit) const {
    return Error(ErrorCode::kTimeout, cat(peer_, " did not answer within ", format_duration(limit)));
  }

  std::string peer_;
  PeerOptions options_;
  UniqueFd fd_;
  Duration since_ = monotonic();  // got_since_ is counted from then
  size_t got_since_ = 0;
};

Result<std::unique_ptr<TcpStream>> connect_tcp(const std::string& host, const std::string& port,
                                               const PeerOptions& options) {
  const std::string peer = cat(host, ":", port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return unreachable(peer, ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Status last = unreachable(peer, "it has no address");
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    auto stream = std::make_unique<TcpStream>(peer, options);
    last = stream->connect_to(*address);
    if (last) return stream;
  }
  return std::move(last).error();
}

}  // namespace

class TlsContext {
 public:
  TlsContext() : context(SSL_CTX_new(TLS_client_method())) { CHECK(context != nullptr); }
  ~TlsContext() { SSL_CTX_free(context); }
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  SSL_CTX* const context;
};

Result<std::shared_ptr<TlsContext>> make_tls_context(const PeerOptions& options) {
  auto made = std::make_shared<TlsContext>();
  SSL_CTX_set_min_proto_version(made->context, TLS1_2_VERSION);
  SSL_CTX_set_verify(made->context, SSL_VERIFY_PEER, nullptr);
  const bool named = !options.authorities_file.empty();
  const int loaded = named ? SSL_CTX_load_verify_locations(
                                 made->context, options.authorities_file.c_str(), nullptr)
                           : SSL_CTX_set_default_verify_paths(made->context);
  // Debian's bundle, which a static OpenSSL finds only where the openssl package made its links.
  if (!named) SSL_CTX_load_verify_file(made->context, "/etc/ssl/certs/ca-certificates.crt");
  ERR_clear_error();
  if (loaded == 1) return made;
  return Error(ErrorCode::kInvalid,
               cat("no certificate authorities in ", options.authorities_file));
}

namespace {

class TlsStream : public PeerStream {
 public:
  TlsStream(std::unique_ptr<TcpStream> tcp, std::shared_ptr<TlsContext> context)
      : tcp_(std::move(tcp)), context_(std::move(context)), ssl_(SSL_new(context_->context)) {
    CHECK(ssl_ != nullptr);
    from_peer_ = BIO_new(BIO_s_mem());
    to_peer_ = BIO_new(BIO_s_mem());
    CHECK(from_peer_ != nullptr && to_peer_ != nullptr);
    SSL_set_bio(ssl_, from_peer_, to_peer_);
  }
  ~TlsStream() override { SSL_free(ssl_); }

  Status handshake(const std::string& host) {
    SSL_set_tlsext_host_name(ssl_, host.c_str());
    // An address is verified as an address; anything else as a name.
    X509_VERIFY_PARAM* verify = SSL_get0_param(ssl_);
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) != 1) {
      CHECK(SSL_set1_host(ssl_, host.c_str()) == 1);
    }
    while (true) {
      const int result = SSL_connect(ssl_);
      if (result == 1) return flush();
      MINIK_ASSIGN(const bool more, progress(result));
      if (!more) return unreachable(tcp_->peer(), "it closed the connection during the handshake");
    }
  }

  void expect_answer() override { tcp_->expect_answer(); }

  Result<size_t> read_some(char* buffer, size_t capacity) override {
    while (true) {
      size_t got = 0;
      const int result = SSL_read_ex(ssl_, buffer, capacity, &got);
      if (result == 1) return got;
      MINIK_ASSIGN(const bool more, progress(result));
      if (!more) return size_t{0};
    }
  }

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      size_t put = 0;
      const int result = SSL_write_ex(ssl_, bytes.data(), std::min(bytes.size(), kTlsBytes), &put);
      if (result == 1) {
        bytes.remove_prefix(put);
        MINIK_TRY(flush());
        continue;
      }
      MINIK_ASSIGN(const bool more, progress(result));
      if (!more) return unreachable(tcp_->peer(), "it closed the connection");
    }
    return {};
  }

  bool still_open() const override { return tcp_->still_open(); }

 private:
  // Moves what TLS wants moved; false when the peer has closed.
  Result<bool> progress(int result) {
    const int wanted = SSL_get_error(ssl_, result);
    MINIK_TRY(flush());
    if (wanted == SSL_ERROR_ZERO_RETURN) return false;
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) return failure();
    char buffer[kTlsBytes];
    MINIK_ASSIGN(const size_t got, tcp_->read_some(buffer, sizeof buffer));
    if (got == 0) return false;
    CHECK(BIO_write(from_peer_, buffer, static_cast<int>(got)) == static_cast<int>(got));
    return true;
  }

  Status flush() {
    char buffer[kTlsBytes];
    while (true) {
      const int pending = BIO_read(to_peer_, buffer, sizeof buffer);
      if (pending <= 0) return {};
      MINIK_TRY(tcp_->write({buffer, static_cast<size_t>(pending)}));
    }
  }

  Error failure() const {
    const long verified = SSL_get_verify_result(ssl_);
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (verified != X509_V_OK) {
      return Error(ErrorCode::kForbidden,
                   cat("the certificate of ", tcp_->peer(),
                       " is not trusted: ", X509_verify_cert_error_string(verified),
                       "; install ca-certificates, or give its authority to update-ca-certificates"));
    }
    char text[256] = "TLS failure";
    if (code != 0) ERR_error_string_n(code, text, sizeof text);
    return unreachable(tcp_->peer(), text);
  }

  std::unique_ptr<TcpStream> tcp_;
  std::shared_ptr<TlsContext> context_;
  SSL* ssl_;
  BIO* from_peer_ = nullptr;  // owned by ssl_
  BIO* to_peer_ = nullptr;    // owned by ssl_
};

}  // namespace

Result<std::unique_ptr<PeerStream>> PeerStream::connect(const std::string& host,
                                                        const std::string& port,
                                                        const PeerOptions& options,
                                                        std::shared_ptr<TlsContext> tls) {
  MINIK_ASSIGN(std::unique_ptr<TcpStream> tcp, connect_tcp(host, port, options));
  if (tls == nullptr) return std::unique_ptr<PeerStream>(std::move(tcp));
  auto stream = std::make_unique<TlsStream>(std::move(tcp), std::move(tls));
  MINIK_TRY(stream->handshake(host));
  return std::unique_ptr<PeerStream>(std::move(stream));
}

}  // namespace minik::runtime
