// Clients for the tests of minik/net: a blocking raw connection, plain or under TLS, that sends
// bytes and reads until it has seen what it waits for, and a server with keys of its own around a
// handler.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "minik/net/http_server.h"
#include "minik/process/pki.h"

struct ssl_ctx_st;
struct ssl_st;

namespace minik {

// One cluster's keys for the whole test program.
const ClusterPki& test_pki();
std::shared_ptr<TlsServer> test_tls();

struct ReceivedResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class TestConnection {
 public:
  enum class Kind { kPlain, kTls, kTlsWithAdminCertificate };

  TestConnection(uint16_t port, Kind kind, const KeyPair* client = nullptr);
  ~TestConnection();
  TestConnection(const TestConnection&) = delete;
  TestConnection& operator=(const TestConnection&) = delete;

  void send(std::string_view bytes);
  // What has arrived and was not taken; grows until it holds `text`. False at the end of the stream
  // or after ten seconds.
  bool read_until(std::string_view text);
  bool read_bytes(size_t count);
  // Everything until the server closes.
  std::string read_to_end();
  std::string take(size_t count);
  // One whole response with a length, or chunked.
  ReceivedResponse response(bool has_body = true);
  ReceivedResponse request(std::string_view text) {
    send(text);
    return response();
  }
  const std::string& buffer() const { return buffer_; }
  int fd() const { return fd_; }
  bool session_reused() const;
  void* session() const;  // SSL_SESSION*, one reference, for resume
  static void resume_next(void* session);

 private:
  bool read_some();
  int fd_ = -1;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  std::string buffer_;
};

class TestServer {
 public:
  explicit TestServer(HttpHandler handler, HttpServerOptions options = {});
  ~TestServer();
  uint16_t tls_port() const { return tls_port_; }
  uint16_t plain_port() const { return plain_port_; }
  HttpServer& server() { return *server_; }
  IoThreads& threads() { return threads_; }

 private:
  IoThreads threads_{2};
  std::unique_ptr<HttpServer> server_;
  uint16_t tls_port_ = 0;
  uint16_t plain_port_ = 0;
};

}  // namespace minik
