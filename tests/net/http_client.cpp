#include "tests/net/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "control/base/text.h"
#include "minik/net/listen.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

thread_local SSL_SESSION* next_session = nullptr;

void use_client_pair(SSL_CTX* context, const KeyPair& pair) {
  BIO* bio =
      BIO_new_mem_buf(pair.certificate_pem.data(), static_cast<int>(pair.certificate_pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(pair.private_key_pem.data(), static_cast<int>(pair.private_key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

void trust(SSL_CTX* context, const std::string& ca_pem) {
  BIO* bio = BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size()));
  X509* ca = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  X509_free(ca);
}

}  // namespace

const ClusterPki& test_pki() {
  static const ClusterPki pki = [] {
    const TemporaryFolder folder;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return *open_pki(folder.path(), {},
                     {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
  }();
  return pki;
}

std::shared_ptr<TlsServer> test_tls() {
  const ClusterPki& pki = test_pki();
  auto tls = TlsServer::create(
      {pki.server.certificate_pem, pki.server.private_key_pem, pki.ca.certificate_pem});
  EXPECT_TRUE(tls) << tls.error().message;
  return *tls;
}

TestConnection::TestConnection(uint16_t port, Kind kind, const KeyPair* client) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval ten_seconds{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &ten_seconds, sizeof ten_seconds);
  if (kind == Kind::kPlain) return;
  context_ = SSL_CTX_new(TLS_client_method());
  trust(context_, test_pki().ca.certificate_pem);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  if (kind == Kind::kTlsWithAdminCertificate) use_client_pair(context_, test_pki().admin);
  if (client != nullptr) use_client_pair(context_, *client);
  static const unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(context_, kProtocols, sizeof kProtocols - 1);
  ssl_ = SSL_new(context_);
  SSL_set1_host(ssl_, "localhost");
  if (next_session != nullptr) {
    SSL_set_session(ssl_, next_session);
    SSL_SESSION_free(std::exchange(next_session, nullptr));
  }
  SSL_set_fd(ssl_, fd_);
  EXPECT_EQ(SSL_connect(ssl_), 1);
}

TestConnection::~TestConnection() {
  // Without a goodbye OpenSSL counts the session as broken and does not resume it.
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  close(fd_);
}

bool TestConnection::session_reused() const {
  return SSL_session_reused(ssl_) == 1;
}
void* TestConnection::session() const {
  return SSL_get1_session(ssl_);
}
void TestConnection::resume_next(void* session) {
  next_session = static_cast<SSL_SESSION*>(session);
}

void TestConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ssl_ != nullptr
                             ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                             : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the answer, or its absence, tells
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool TestConnection::read_some() {
  char piece[16 * 1024];
  ssize_t got;
  do {
    errno = 0;
    got = ssl_ != nullptr ? SSL_read(ssl_, piece, sizeof piece) : recv(fd_, piece, sizeof piece, 0);
  } while (got < 0 && errno == EINTR);  // a child of the test has ended
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(got));
  return true;
}

bool TestConnection::read_until(std::string_view text) {
  while (buffer_.find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

bool TestConnection::read_bytes(size_t count) {
  while (buffer_.size() < count) {
    if (!read_some()) return false;
  }
  return true;
}

std::string TestConnection::read_to_end() {
  while (read_some()) {
  }
  return std::exchange(buffer_, {});
}

std::string TestConnection::take(size_t count) {
  std::string taken = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return taken;
}

ReceivedResponse TestConnection::response(bool has_body) {
  ReceivedResponse response;
  if (!read_until("\r\n\r\n")) return response;
  const std::string head = take(buffer_.find("\r\n\r\n") + 4);
  response.status = std::atoi(head.c_str() + std::string_view("HTTP/1.1 ").size());
  for (std::string_view line : split(head, '\n')) {
    line = trim(line);
    const size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    response.headers[to_lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  if (!has_body) return response;
  if (response.headers["transfer-encoding"] == "chunked") {
    for (;;) {
      if (!read_until("\r\n")) return response;
      const size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
      take(buffer_.find("\r\n") + 2);
      if (!read_bytes(size + 2)) return response;
      response.body += take(size);
      take(2);
      if (size == 0) return response;
    }
  }
  const size_t size = std::strtoul(response.headers["content-length"].c_str(), nullptr, 10);
  if (read_bytes(size)) response.body = take(size);
  return response;
}

TestServer::TestServer(HttpHandler handler, HttpServerOptions options) {
  server_ = std::make_unique<HttpServer>(threads_, std::move(options), std::move(handler));
  auto tls_listener = listen_tcp("127.0.0.1", 0);
  auto plain_listener = listen_tcp("127.0.0.1", 0);
  EXPECT_TRUE(tls_listener && plain_listener);
  tls_port_ = local_port(tls_listener->get());
  plain_port_ = local_port(plain_listener->get());
  server_->serve(*std::move(tls_listener), test_tls());
  server_->serve(*std::move(plain_listener), nullptr);
}

TestServer::~TestServer() {
  server_.reset();
}

}  // namespace minik
