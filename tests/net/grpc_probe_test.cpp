#include "minik/process/grpc_probe.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "minik/net/grpc_health.h"
#include "tests/net/loopback.h"
#include "tests/net/raw_server.h"

namespace minik {
namespace {

enum FrameType : char { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4 };
constexpr char kEndStream = 1, kEndHeaders = 4;

std::string big_endian(size_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}
std::string frame(FrameType type, char flags, size_t stream, const std::string& payload) {
  return cat(big_endian(payload.size(), 3), std::string{type, flags}, big_endian(stream, 4), payload);
}
std::string field(const std::string& name, const std::string& value) {
  return cat(std::string(1, '\0'), big_endian(name.size(), 1), name, big_endian(value.size(), 1), value);
}
std::string settings() { return frame(kSettings, 0, 0, ""); }
std::string head(const std::string& status = "200", const std::string& type = "application/grpc") {
  return frame(kHeaders, kEndHeaders, 1, field(":status", status) + field("content-type", type));
}
std::string message(const std::string& bytes) { return frame(kData, 0, 1, cat(std::string(1, '\0'), big_endian(bytes.size(), 4), bytes)); }
std::string trailers(const std::string& code, const std::string& text = "") {
  return frame(kHeaders, kEndHeaders | kEndStream, 1, field("grpc-status", code) + field("grpc-message", text));
}
std::string health(const std::string& response) { return settings() + head() + message(response) + trailers("0"); }

// What a probe says of a server that answers so; in one piece, and byte by byte.
std::string outcome(const std::string& answer) {
  std::string first;
  for (const size_t piece : {answer.size(), size_t{1}}) {
    GrpcHealthCheck check({"10.244.0.5:9000", "shop", seconds(1)});
    (void)check.take_output();
    for (size_t at = 0; at < answer.size() && !check.outcome(); at += piece) check.feed(std::string_view(answer).substr(at, piece));
    check.end();
    const std::string words = check.outcome()->ok() ? "healthy" : check.outcome()->error().message;
    if (piece == 1) {
      EXPECT_EQ(words, first) << "in pieces";
    }
    first = words;
  }
  return first;
}

TEST(GrpcHealth, AsksForTheServiceByName) {
  GrpcHealthCheck check({"10.244.0.5:9000", "shop", milliseconds(1500)});
  const std::string output = check.take_output();
  EXPECT_TRUE(output.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_TRUE(output.ends_with(cat(std::string("\0\0\0\0\6\x0a\4", 7), "shop"))) << quoted(output);
  EXPECT_FALSE(check.connected());
  check.feed(settings());
  EXPECT_TRUE(check.connected());
  EXPECT_FALSE(check.outcome());
}

TEST(GrpcHealth, SucceedsOnlyWhenServing) {
  EXPECT_EQ(outcome(health("\x08\x01")), "healthy");
  EXPECT_EQ(outcome(health("\x08\x02")), "service unhealthy (responded with \"NOT_SERVING\")");
  EXPECT_EQ(outcome(health("\x08\x03")), "service unhealthy (responded with \"SERVICE_UNKNOWN\")");
  EXPECT_EQ(outcome(health("")), "service unhealthy (responded with \"UNKNOWN\")");
  EXPECT_EQ(outcome(health("\x08\x09")), "service unhealthy (responded with \"9\")");
}

TEST(GrpcHealth, SkipsFieldsThatItDoesNotKnow) { EXPECT_EQ(outcome(health("\x12\x03" "abc" "\x25" "1234" "\x08\x01")), "healthy"); }

TEST(GrpcHealth, SaysWhatTheServerSaidInAKubeletsWords) {
  const std::string failed = "error: health rpc probe failed: rpc error: code = ";
  EXPECT_EQ(outcome(settings() + head() + trailers("5", "unknown%20service")), failed + "NotFound desc = unknown service");
  EXPECT_EQ(outcome(settings() + head() + trailers("12", "unknown service grpc.health.v1.Health")),
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health");
  EXPECT_EQ(outcome(settings() + head("404", "text/html")),
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unexpected HTTP status code received "
            "from server: 404 (Not Found); transport: received unexpected content-type \"text/html\"");
  EXPECT_EQ(outcome(settings() + head() + frame(kReset, 0, 1, big_endian(7, 4))),
            failed + "Unavailable desc = stream terminated by RST_STREAM with error code: REFUSED_STREAM");
  EXPECT_EQ(outcome(settings() + head() + message("\xff\xff") + trailers("0")),
            failed + "Internal desc = grpc: failed to unmarshal the received message: proto: cannot parse invalid wire-format data");
  EXPECT_EQ(outcome(settings() + head()), failed + "Unavailable desc = error reading from server: EOF");
}

TEST(GrpcHealth, TakesNoMoreThanSuchAMessageCanBe) {
  std::string answer = settings() + head();
  for (int i = 0; i < 5; ++i) answer += frame(kData, 0, 1, std::string(16000, '\x08'));
  EXPECT_NE(outcome(answer).find("code = ResourceExhausted"), std::string::npos);
}

std::string probe(int port, Duration timeout = seconds(1)) {
  const Status status = probe_grpc({port, ""}, "127.0.0.1", timeout, Deadline(timeout), dial);
  return status.ok() ? "healthy" : status.error().message;
}

TEST(GrpcProbe, AsksOverASocket) {
  RawServer server([](int fd) {
    RawServer::read_until(fd, "\r\n\r\nSM\r\n\r\n");
    RawServer::say(fd, health("\x08\x01"));
    RawServer::read_until(fd, "never");
  });
  EXPECT_EQ(probe(server.port()), "healthy");
}

TEST(GrpcProbe, TellsWhoDoesNotConnectFromWhoDoesNotAnswer) {
  const auto not_connected = [](int port, const char* within) {
    return cat("timeout: failed to connect service \"127.0.0.1:", port, "\" within ", within, ": context deadline exceeded");
  };
  EXPECT_EQ(probe(1), not_connected(1, "1s"));
  RawServer other(RawServer::answering("HTTP/1.1 400 Bad Request\r\n\r\n"));
  EXPECT_EQ(probe(other.port(), milliseconds(500)), not_connected(other.port(), "500ms"));
  RawServer slow([](int fd) {
    RawServer::say(fd, settings());
    RawServer::read_until(fd, "never");
  });
  EXPECT_EQ(probe(slow.port(), milliseconds(50)), "timeout: health rpc did not complete within 50ms");
}

TEST(GrpcProbe, ConnectsAgainWhileThereIsTime) {
  int calls = 0;
  RawServer server([](int fd) { RawServer::say(fd, health("\x08\x01")); });
  const auto refused_once = [&](const std::string& address, int port, const Deadline& left) -> Result<UniqueFd> {
    if (++calls == 1) return Error(ErrorCode::kServiceUnavailable, "refused");
    return dial(address, port, left);
  };
  EXPECT_TRUE(probe_grpc({server.port(), ""}, "127.0.0.1", seconds(20), Deadline(seconds(20)), refused_once).ok());
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace minik
