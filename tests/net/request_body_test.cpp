// Bodies of requests that are passed on as they come.
#include "minik/net/request_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "control/base/text.h"
#include "minik/net/http_server.h"
#include "tests/net/http_client.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TestConnection::Kind;

HttpServerOptions streaming() {
  return {.streams_body = [](const HttpRequest& head) { return head.path.starts_with("/stream"); }};
}

// Says each piece back at once.
void echo(const HttpRequest& request, const Responder& responder) {
  if (!request.streamed_body) return responder.respond(HttpResponse::text(200, cat("whole: ", request.body)));
  const auto stream = responder.stream({200, {{"content-type", "text/plain"}}, ""});
  request.streamed_body->start({.on_bytes = [stream](std::string_view bytes) { stream->write(bytes); },
                                .on_end = [stream] { stream->finish(); }});
}

// Answers when the last byte has come.
void count(const HttpRequest& request, const Responder& responder) {
  if (!request.streamed_body) return responder.respond(HttpResponse::text(200, cat("whole: ", request.body.size())));
  const auto bytes = std::make_shared<size_t>(0);
  request.streamed_body->start(
      {.on_bytes = [bytes](std::string_view piece) { *bytes += piece.size(); },
       .on_end = [bytes, responder] { responder.respond(HttpResponse::text(200, cat("streamed: ", *bytes))); }});
}

std::string post(std::string_view path, std::string_view framing) {
  return cat("POST ", path, " HTTP/1.1\r\nHost: a\r\n", framing, "\r\n\r\n");
}

TEST(RequestBody, ArrivesWhileTheClientStillSends) {
  TestServer server(echo, streaming());
  TestConnection client(server.tls_port(), Kind::kTls);
  client.send(post("/stream", "Transfer-Encoding: chunked") + "5\r\nhel");
  ASSERT_TRUE(client.read_until("hel"));
  client.send("lo\r\n");
  ASSERT_TRUE(client.read_until("lo"));
  EXPECT_THAT(client.buffer(), HasSubstr("connection: close")) << "who may not read to the end cannot promise a next answer";
  client.send("0\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("0\r\n\r\n"));
}

TEST(RequestBody, HasNoLimitAndLeavesTheConnectionToTheNextRequest) {
  TestServer server(count, streaming());
  TestConnection client(server.tls_port(), Kind::kTls);
  constexpr size_t kMany = 20'000'000;
  client.send(post("/stream", cat("Content-Length: ", kMany)));
  const std::string piece(100'000, 'x');
  for (size_t sent = 0; sent < kMany; sent += piece.size()) client.send(piece);
  EXPECT_EQ(client.response().body, cat("streamed: ", kMany));
  EXPECT_EQ(client.request(post("/other", "Content-Length: 3") + "abc").body, "whole: 3");
  EXPECT_EQ(client.request(post("/other", cat("Content-Length: ", kMany))).status, 413) << "what is read here keeps its limit";
}

TEST(RequestBody, ThatHasComeWithItsHeadIsWhole) {
  TestServer server(echo, streaming());
  TestConnection client(server.plain_port(), Kind::kPlain);
  EXPECT_EQ(client.request(post("/stream", "Content-Length: 3") + "abc").body, "whole: abc");
}

TEST(RequestBody, IsReadNoFurtherThanItIsTaken) {
  std::promise<std::function<void()>> paused;
  TestServer server(
      [&](const HttpRequest& request, const Responder& responder) {
        const auto body = request.streamed_body;
        const auto bytes = std::make_shared<size_t>(0);
        body->start({.on_bytes =
                         [&, body, bytes, responder](std::string_view piece) {
                           if (*bytes == 0) {
                             body->pause();
                             paused.set_value([body, responder] { responder.loop()->post([body] { body->resume(); }); });
                           }
                           *bytes += piece.size();
                         },
                     .on_end = [bytes, responder] { responder.respond(HttpResponse::text(200, cat(*bytes))); }});
      },
      streaming());
  TestConnection client(server.plain_port(), Kind::kPlain);
  constexpr size_t kMany = 64'000'000;
  client.send(post("/stream", cat("Content-Length: ", kMany)));
  auto sending = std::async(std::launch::async, [&client] { client.send(std::string(kMany, 'x')); });
  const auto resume = paused.get_future().get();
  EXPECT_EQ(sending.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout)
      << "64 MB have gone somewhere although nobody takes them";
  resume();
  sending.wait();
  EXPECT_EQ(client.response().body, cat(kMany));
}

TEST(RequestBody, IsNotWaitedForByAnAnswerThatNeedsNoneOfIt) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.respond(HttpResponse::text(403, "no")); },
                    streaming());
  TestConnection client(server.tls_port(), Kind::kTls);
  client.send(post("/stream", "Content-Length: 1000000000") + "and so on");
  const auto answer = client.response();
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.headers.at("connection"), "close");
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(RequestBody, IsAskedForWhenItIsWanted) {
  std::promise<std::function<void()>> come;
  TestServer server(
      [&](const HttpRequest& request, const Responder& responder) {
        come.set_value([request, responder] { responder.loop()->post([request, responder] { count(request, responder); }); });
      },
      streaming());
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send(post("/stream", "Content-Length: 3\r\nExpect: 100-continue"));
  const auto want = come.get_future().get();
  EXPECT_THAT(client.buffer(), Not(HasSubstr("100")));
  want();
  ASSERT_TRUE(client.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
  client.take(client.buffer().size());
  client.send("abc");
  EXPECT_EQ(client.response().body, "streamed: 3");
}

TEST(RequestBody, ThatIsNoHttpOrStopsComingEndsTheConnection) {
  auto options = streaming();
  options.progress_timeout = milliseconds(30);
  TestServer server(echo, std::move(options));
  TestConnection broken(server.plain_port(), Kind::kPlain), silent(server.plain_port(), Kind::kPlain);
  broken.send(post("/stream", "Transfer-Encoding: chunked") + "5\r\nhello\r\n");
  ASSERT_TRUE(broken.read_until("hello"));
  broken.send("no number\r\n");
  EXPECT_THAT(broken.read_to_end(), Not(HasSubstr("0\r\n\r\n"))) << "half an answer must not look like a whole one";
  silent.send(post("/stream", "Content-Length: 100") + "a");
  EXPECT_THAT(silent.read_to_end(), Not(HasSubstr("0\r\n\r\n")));
}

}  // namespace
}  // namespace minik
