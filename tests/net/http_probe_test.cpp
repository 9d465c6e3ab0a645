#include "minik/process/http_probe.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "control/base/text.h"
#include "tests/net/http_client.h"
#include "tests/net/loopback.h"
#include "tests/net/raw_server.h"

namespace minik {
namespace {

Result<control::HttpAnswer> probe(control::HttpProbe probe, Duration timeout = seconds(5)) {
  return probe_http(probe, "127.0.0.1", Deadline(timeout), dial);
}

std::string words(const Result<control::HttpAnswer>& answer) { return answer ? cat(answer->status, " ", answer->body) : answer.error().message; }

// Says what it was asked.
void echo(const HttpRequest& request, const Responder& responder) {
  std::string text = cat(request.path, request.query.empty() ? "" : "?", request.query);
  for (const auto& [name, value] : request.headers) text += cat("\n", name, ": ", value);
  responder.respond(HttpResponse::text(200, text));
}

void redirect(const Responder& responder, int status, std::string location) {
  HttpResponse response = HttpResponse::text(status, "elsewhere");
  response.headers.push_back({"Location", std::move(location)});
  responder.respond(std::move(response));
}

TEST(HttpProbe, AsksAsAKubeletDoes) {
  TestServer server(echo);
  const int port = server.plain_port();
  EXPECT_EQ(words(probe({"", port, "/healthz?deep=1", false, {}})),
            cat("200 /healthz?deep=1\nhost: 127.0.0.1:", port, "\nuser-agent: kube-probe/1.35\naccept: */*\nconnection: close"));
  EXPECT_EQ(words(probe({"", port, "a b", false, {{"host", "shop.test"}, {"user-agent", "me"}, {"ACCEPT", ""}, {"X-A", "1"}, {"X-A", "2"}}})),
            "200 /a%20b\nhost: shop.test\nuser-agent: me\nx-a: 1\nx-a: 2\nconnection: close");
}

TEST(HttpProbe, TrustsAnyCertificate) {
  TestServer server(echo);
  EXPECT_TRUE(words(probe({"", server.tls_port(), "/ready", true, {}})).starts_with("200 /ready\n"));
}

TEST(HttpProbe, NamesTheHostInTheHandshakeOnlyWhereItIsAName) {
  // The server's first bytes of a ClientHello, which holds the name as it is.
  std::string hello;
  RawServer server([&](int fd) {
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    hello.assign(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  });
  EXPECT_FALSE(probe({"", server.port(), "/", true, {}}));
  EXPECT_EQ(hello.find("127.0.0.1"), std::string::npos);
  EXPECT_FALSE(probe({"localhost", server.port(), "/", true, {}}));
  EXPECT_NE(hello.find("localhost"), std::string::npos);
}

TEST(HttpProbe, FollowsRedirectsOfTheSameHostToAnotherPortAndScheme) {
  TestServer server([&](const HttpRequest& request, const Responder& responder) {
    if (request.path == "/old") return redirect(responder, 302, "new");
    if (request.path == "/new") return redirect(responder, 307, cat("https://127.0.0.1:", request.query.empty() ? "1" : request.query, "/"));
    if (request.path == "/secure") return redirect(responder, 301, cat("https://127.0.0.1:", request.query, "/end"));
    responder.respond(HttpResponse::text(request.path == "/end" ? 204 : 503, ""));
  });
  EXPECT_EQ(words(probe({"", server.plain_port(), cat("/secure?", server.tls_port()), false, {}})), "204 ");
  EXPECT_EQ(words(probe({"", server.plain_port(), "/old", false, {}})),
            "Get \"https://127.0.0.1:1/\": dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST(HttpProbe, TakesARedirectToAnotherHostForTheAnswer) {
  TestServer server([](const HttpRequest&, const Responder& responder) { redirect(responder, 302, "https://login.test/"); });
  EXPECT_EQ(words(probe({"", server.plain_port(), "/", false, {}})), "302 elsewhere");
}

TEST(HttpProbe, FollowsTenRedirectsAndNoMore) {
  int asked = 0;
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    ++asked;
    redirect(responder, 303, "/again");
  });
  EXPECT_EQ(words(probe({"", server.plain_port(), "/", false, {}})), "Get \"/again\": stopped after 10 redirects");
  EXPECT_EQ(asked, 10);
}

TEST(HttpProbe, SaysWhatWentWrongInAKubeletsWords) {
  RawServer silent([](int fd) { RawServer::read_until(fd, "never"); });
  const std::string url = cat("Get \"http://127.0.0.1:", silent.port(), "/x\": ");
  EXPECT_EQ(words(probe({"", silent.port(), "/x", false, {}}, milliseconds(50))),
            cat(url, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
  RawServer endless([](int fd) {
    RawServer::read_until(fd, "\r\n\r\n");
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegins");
    RawServer::read_until(fd, "never");
  });
  EXPECT_TRUE(words(probe({"", endless.port(), "/", false, {}}, milliseconds(50)))
                  .ends_with("context deadline exceeded (Client.Timeout or context cancellation while reading body)"));
  RawServer gone(RawServer::answering(""));
  EXPECT_TRUE(words(probe({"", gone.port(), "/", false, {}})).ends_with(": EOF"));
  RawServer other(RawServer::answering("SSH-2.0-OpenSSH_9.2\r\n"));
  EXPECT_NE(words(probe({"", other.port(), "/", false, {}})).find("malformed HTTP response"), std::string::npos);
  EXPECT_TRUE(words(probe({"", 1, "/", false, {{"X-A", "a\r\nX-B: b"}}})).ends_with("invalid header field value for \"X-A\""));
}

TEST(HttpProbe, GivesUpWhenItsOwnerGoes) {
  RawServer silent([](int fd) { RawServer::read_until(fd, "never"); });
  const UniqueFd stop(eventfd(1, EFD_CLOEXEC));
  EXPECT_FALSE(probe_http({"", silent.port(), "/", false, {}}, "127.0.0.1", Deadline(minutes(10), stop.get()), dial));
}

TEST(HttpProbe, TellsAServerWithoutTlsFromABrokenOne) {
  RawServer plain([](int fd) {
    char byte = 0;
    (void)!recv(fd, &byte, 1, 0);
    RawServer::say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const auto answer = probe({"", plain.port(), "/", true, {}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kBadRequest);
  EXPECT_TRUE(answer.error().message.ends_with("http: server gave HTTP response to HTTPS client")) << answer.error().message;
}

TEST(HttpProbe, ReadsTenKibibytesOfAnAnswer) {
  TestServer server([](const HttpRequest&, const Responder& responder) { responder.respond(HttpResponse::text(200, std::string(1 << 20, 'x'))); });
  const auto answer = probe({"", server.plain_port(), "/", false, {}});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body.size(), 10 * 1024);
}

}  // namespace
}  // namespace minik
