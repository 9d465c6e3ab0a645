// HttpServer: HTTP/1.1 on listening sockets, with or without TLS, spread over the I/O threads.
//
// Keep-alive, pipelining (one request at a time), chunked requests and responses, "100 Continue",
// gzip of large answers, protocol upgrades. HTTP/2 is not offered: clients fall back through ALPN.
// What is malformed, too large or too slow is answered where an answer can arrive and closed; it
// costs neither memory nor a log line. Bodies and unsent answers are bounded for all connections
// together, and a flood of connections pushes out those that idle, not those that work.
//
//   listener (loop 0) --accept--> connection (its own loop for life) --handler()--> Responder
//
// The handler runs on I/O threads, must not block, and may answer later from any thread. Everything
// public may be called from any thread but an I/O thread. The server must go before its IoThreads;
// Responders may outlive it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "minik/net/http_parser.h"
#include "minik/net/io_threads.h"
#include "minik/net/limits.h"
#include "minik/net/responder.h"
#include "minik/net/transport.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct HttpServerOptions {
  HttpParserLimits parser = {};
  size_t connections_max = kHttpConnectionsMax;
  size_t gzip_bytes_min = kHttpGzipBytesMin;
  Duration handshake_timeout = kHttpHandshakeTimeout;
  Duration header_timeout = kHttpHeaderTimeout;
  Duration progress_timeout = kHttpProgressTimeout;
  Duration idle_timeout = kHttpIdleTimeout;
  Duration linger_timeout = kHttpLingerTimeout;
  Duration body_timeout = kHttpBodyTimeout;  // for a whole body; zero: only progress counts
  size_t unadmitted_body_bytes_max = kHttpUnadmittedBodyBytesMax;
  size_t total_body_bytes_max = kHttpTotalBodyBytesMax;
  size_t total_unsent_bytes_max = kHttpTotalUnsentBytesMax;
  // Asked before the rest of a large body is read: an answer refuses it. Nobody is asked when empty.
  std::function<std::optional<HttpResponse>(const HttpRequest& head)> admit_body = {};
  // Whether the body of a request goes to the handler as it comes (HttpRequest::streamed_body) unless it has come whole
  // with the head. Asked on I/O threads; empty: never.
  HttpRequestParser::Streams streams_body = {};
  // The answer to a request that the parser refuses (400, 413, 431); plain text when empty.
  std::function<HttpResponse(int status, const std::string& message)> error_response = {};
};

class HttpServer {
 public:
  HttpServer(IoThreads& threads, HttpServerOptions options, HttpHandler handler);
  // Aborts what is left.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Accepts from a listening, non-blocking socket until the server stops. Plain when tls is null.
  // May be called for several sockets, also for ones that were opened in another network namespace.
  void serve(UniqueFd listener, std::shared_ptr<TlsServer> tls);

  // Accepts no more, lets requests in work finish for up to `grace`, ends streams and upgraded
  // connections, then closes what is left. Blocks until that is done.
  void stop(Duration grace);

  size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik
