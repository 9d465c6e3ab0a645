// GrpcHealthCheck: one call of grpc.health.v1.Health/Check to a server without TLS, as a machine from bytes to bytes.
//
//   take_output() -> settings, request      feed(bytes) <- settings, headers, message, trailers -> outcome()
//
// Pure: no socket, no clock; HTTP/2 itself is libnghttp2's. Belongs to one thread. Whatever the bytes are, there is an
// outcome after the end of the connection at the latest; what a server may send is limited. The words of failures are
// those of a kubelet. gRPC over HTTP/2 (PROTOCOL-HTTP2.md), health.proto.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik {

struct GrpcHealthQuestion {
  std::string authority;  // "10.244.0.5:9000"
  std::string service;    // empty: the server as a whole
  Duration timeout;       // which the server is told of
};

class GrpcHealthCheck {
 public:
  explicit GrpcHealthCheck(const GrpcHealthQuestion& question);
  ~GrpcHealthCheck();
  GrpcHealthCheck(const GrpcHealthCheck&) = delete;
  GrpcHealthCheck& operator=(const GrpcHealthCheck&) = delete;

  // What is to be sent, after the start and after each feed().
  std::string take_output();
  void feed(std::string_view bytes);
  void end();  // the server has closed
  // It has sent its settings: this is an HTTP/2 server.
  bool connected() const;
  // Success when the service is SERVING; none while nothing is known.
  const std::optional<Status>& outcome() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik
