#include "minik/process/webhook_client.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "tests/net/http_client.h"

namespace minik {
namespace {

control::WebhookCall call_to(const TestServer& server, std::string ca) {
  control::WebhookCall call;
  call.url = cat("https://127.0.0.1:", server.tls_port(), "/check?timeout=2s");
  call.ca_bundle = std::move(ca);
  call.timeout = seconds(2);
  call.body = "{}";
  return call;
}

Result<UniqueFd> nowhere(const std::string&, int, int) { return Error(ErrorCode::kServiceUnavailable, "no such network"); }

TEST(WebhookClient, PostsTheQuestionAndBringsTheAnswer) {
  TestServer server([](const HttpRequest& request, const Responder& responder) {
    responder.respond(HttpResponse::text(200, cat(request.method, " ", request.path, "?", request.query, " ", request.body)));
  });
  const auto answer = ask_webhook(call_to(server, test_pki().ca.certificate_pem), nowhere);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, "POST /check?timeout=2s {}");
}

TEST(WebhookClient, TrustsNobodyButTheBundle) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.respond(HttpResponse::text(200, "ok")); });
  const auto answer = ask_webhook(call_to(server, ""), nowhere);
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().message.starts_with("tls: failed to verify certificate: x509: ")) << answer.error().message;
  EXPECT_EQ(ask_webhook(call_to(server, "nonsense"), nowhere).error().message,
            "unable to load root certificates: no certificate in caBundle");
}

TEST(WebhookClient, GivesUpAtTheDeadline) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.on_close([responder] {}); });
  auto call = call_to(server, test_pki().ca.certificate_pem);
  call.timeout = milliseconds(200);
  const auto answer = ask_webhook(call, nowhere);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "context deadline exceeded");
}

TEST(WebhookClient, SaysWhatTheServerAnsweredInsteadOfAReview) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.respond(HttpResponse::text(503, "busy")); });
  const auto answer = ask_webhook(call_to(server, test_pki().ca.certificate_pem), nowhere);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "the server answered with status 503");
}

TEST(WebhookClient, ReachesServicesThroughTheClustersNetwork) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.respond(HttpResponse::text(200, "ok")); });
  auto call = call_to(server, test_pki().ca.certificate_pem);
  call.address = "10.244.0.7";
  call.port = 8443;
  std::string dialled;
  const auto answer = ask_webhook(call, [&](const std::string& address, int port, int) -> Result<UniqueFd> {
    dialled = cat(address, ":", port);
    return Error(ErrorCode::kServiceUnavailable, "dial tcp 10.244.0.7:8443: connect: connection refused");
  });
  EXPECT_EQ(dialled, "10.244.0.7:8443");
  EXPECT_EQ(answer.error().message, "dial tcp 10.244.0.7:8443: connect: connection refused");
}

}  // namespace
}  // namespace minik
