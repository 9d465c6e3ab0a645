#include "minik/process/grpc_probe.h"

#include <optional>

#include "control/base/text.h"
#include "minik/net/grpc_health.h"

namespace minik {

namespace {

constexpr int kFirstPauseMs = 1000;  // of gRPC's clients between attempts to connect; each is 1.6 times as long

// What the service said; none where nobody spoke HTTP/2.
std::optional<Status> ask(UniqueFd socket, const GrpcHealthQuestion& question, const Deadline& deadline) {
  BlockingStream stream(std::move(socket), deadline);
  GrpcHealthCheck check(question);
  while (!check.outcome()) {
    // A server may answer and close before it has read everything: what it said counts.
    const std::string output = check.take_output();
    const bool sent = output.empty() || stream.write(output).ok();
    const auto bytes = stream.read();
    if (bytes && !bytes->empty()) {
      check.feed(*bytes);
    } else if (!bytes && bytes.error().code == ErrorCode::kTimeout && sent) {
      break;
    } else {
      check.end();
    }
  }
  if (!check.connected()) return {};
  if (check.outcome()) return check.outcome();
  return Status(Error(ErrorCode::kTimeout, cat("timeout: health rpc did not complete within ", format_duration(question.timeout))));
}

}  // namespace

Status probe_grpc(const control::GrpcProbe& probe, const std::string& address, Duration timeout, const Deadline& deadline,
                  const ProbeDial& dial) {
  const std::string authority = cat(address, ":", probe.port);
  for (int pause = kFirstPauseMs;; pause = pause * 8 / 5) {
    if (auto socket = dial(address, probe.port, deadline)) {
      if (auto answer = ask(*std::move(socket), {authority, probe.service, timeout}, deadline)) return *std::move(answer);
    }
    if (deadline.left_ms() <= pause) break;  // no other attempt has time
    deadline.pause(milliseconds(pause));
  }
  return Error(ErrorCode::kTimeout, cat("timeout: failed to connect service ", minik::quoted(authority), " within ",
                                        format_duration(timeout), ": context deadline exceeded"));
}

}  // namespace minik
