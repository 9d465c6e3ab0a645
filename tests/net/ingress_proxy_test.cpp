#include "minik/net/ingress_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "control/base/text.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/listen.h"
#include "tests/net/http_client.h"
#include "tests/net/raw_server.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TestConnection::Kind;

constexpr uint32_t kLoopback = 0x7f000001;

// A proxy on loopback in front of servers of the test.
class IngressProxyTest : public ::testing::Test {
 protected:
  IngressProxyTest()
      : proxy([]() -> Result<UniqueFd> {
          return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        }),
        front([this](HttpRequest request, Responder responder) {
          proxy.handle(std::move(request), std::move(responder), IngressScheme::kHttp);
        }, {.streams_body = ingress_streams_body}) {}

  static uint16_t closed_port() {
    const auto listener = listen_tcp("127.0.0.1", 0);
    return local_port(listener->get());
  }

  void route_to(const std::vector<uint16_t>& ports) {
    auto routes = std::make_shared<control::IngressRoutes>();
    control::IngressBackend backend;
    backend.name = "default/web:80";
    backend.exists = true;
    for (const uint16_t port : ports) backend.endpoints.push_back({kLoopback, port});
    routes->backends.push_back(backend);
    routes->hosts["web.org"] = {{"/", control::PathMatch::kPrefix, 0}};
    proxy.set_routes(std::move(routes));
  }

  ReceivedResponse ask(std::string_view request) {
    TestConnection client(front.plain_port(), Kind::kPlain);
    return client.request(request);
  }
  ReceivedResponse get(std::string_view path) {
    return ask(cat("GET ", path, " HTTP/1.1\r\nHost: web.org:8080\r\n\r\n"));
  }

  IngressProxy proxy;
  TestServer front;
};

HttpHandler says(std::string text) {
  return [text](const HttpRequest&, const Responder& responder) {
    responder.respond(HttpResponse::text(200, text));
  };
}

TEST_F(IngressProxyTest, TakesTurnsBetweenEndpoints) {
  TestServer a(says("a")), b(says("b"));
  route_to({a.plain_port(), b.plain_port()});
  std::string seen;
  for (int i = 0; i < 4; ++i) seen += get("/").body;
  EXPECT_EQ(seen, "abab");
}

TEST_F(IngressProxyTest, GoesToTheNextEndpointWhenOneDoesNotListen) {
  TestServer b(says("b"));
  route_to({closed_port(), b.plain_port()});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(get("/").body, "b");
  route_to({closed_port()});
  EXPECT_EQ(get("/").status, 502);
  route_to({});
  EXPECT_EQ(get("/").status, 503);
}

TEST_F(IngressProxyTest, PassesRequestsOnWithWhereTheyCameFrom) {
  TestServer echo([](const HttpRequest& request, const Responder& responder) {
    std::string text = cat(request.method, " ", request.path, "?", request.query, "\n");
    for (const auto& header : request.headers) text += cat(header.name, "=", header.value, "\n");
    responder.respond(HttpResponse::text(201, text + request.body));
  });
  route_to({echo.plain_port()});
  const auto answer = ask(
      "POST /a%20b?c=d HTTP/1.1\r\nHost: web.org\r\nX-Forwarded-For: 6.6.6.6\r\nTE: trailers\r\n"
      "Transfer-Encoding: chunked\r\nCookie: k=v\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(answer.status, 201);
  EXPECT_THAT(answer.body, HasSubstr("POST /a%20b?c=d\n"));
  EXPECT_THAT(answer.body, HasSubstr("host=web.org\n"));
  EXPECT_THAT(answer.body, HasSubstr("cookie=k=v\n"));
  EXPECT_THAT(answer.body, HasSubstr("x-forwarded-for=127.0.0.1\n"));
  EXPECT_THAT(answer.body, HasSubstr("x-forwarded-proto=http\n"));
  EXPECT_THAT(answer.body, HasSubstr("content-length=5\n"));
  EXPECT_THAT(answer.body, HasSubstr("hello"));
  EXPECT_THAT(answer.body, Not(HasSubstr("te=trailers")));
}

TEST_F(IngressProxyTest, StreamsLongAnswersAndKeepsTheirLength) {
  const std::string long_text(5'000'000, 'x');
  TestServer server(says(long_text));
  route_to({server.plain_port()});
  const auto answer = get("/");
  EXPECT_EQ(answer.headers.at("content-length"), "5000000");
  EXPECT_EQ(answer.body.size(), long_text.size());
}

TEST_F(IngressProxyTest, StreamsAnswersWithoutALengthAsTheyCome) {
  TestServer server([](const HttpRequest&, const Responder& responder) {
    const auto stream = responder.stream({200, {{"content-type", "text/event-stream"}}, ""});
    for (int i = 0; i < 3; ++i) stream->write("data\n");
    stream->finish();
  });
  route_to({server.plain_port()});
  const auto answer = get("/");
  EXPECT_EQ(answer.body, "data\ndata\ndata\n");
  EXPECT_EQ(answer.headers.at("content-type"), "text/event-stream");
}

TEST_F(IngressProxyTest, AnswersHeadWithTheLengthAndNothingElse) {
  TestServer server(says("12345"));
  route_to({server.plain_port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("HEAD / HTTP/1.1\r\nHost: web.org\r\n\r\n");
  const auto head = client.response(false);
  EXPECT_EQ(head.headers.at("content-length"), "5");
  EXPECT_EQ(client.request("GET / HTTP/1.1\r\nHost: web.org\r\n\r\n").body, "12345")
      << "the connection lives on";
}

TEST_F(IngressProxyTest, ResetsAnAnswerThatItsEndpointLeftHalf) {
  TestServer server([](const HttpRequest&, const Responder& responder) {
    StreamOptions options;
    options.content_length = 100;
    const auto stream = responder.stream({200, {}, "half"}, options);
    stream->abort();
  });
  route_to({server.plain_port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("GET / HTTP/1.1\r\nHost: web.org\r\n\r\n");
  const auto all = client.read_to_end();
  EXPECT_THAT(all, Not(HasSubstr("content-length: 4\r\n")));
}

TEST_F(IngressProxyTest, CarriesUpgradesBothWays) {
  TestServer server([](const HttpRequest& request, const Responder& responder) {
    EXPECT_EQ(request.header("upgrade"), "echo");
    responder.upgrade({101, {{"upgrade", "echo"}, {"connection", "Upgrade"}}, ""},
                      [](const std::shared_ptr<ByteStream>& stream) {
                        ByteStream::Events events;
                        events.on_bytes = [stream](std::string_view bytes) { stream->send(bytes); };
                        stream->start(std::move(events));
                        stream->send("welcome ");
                      });
  });
  route_to({server.plain_port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("GET / HTTP/1.1\r\nHost: web.org\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  ASSERT_TRUE(client.read_until("welcome "));
  EXPECT_THAT(client.buffer(), HasSubstr("101"));
  client.send("ping");
  EXPECT_TRUE(client.read_until("ping"));
}

TEST_F(IngressProxyTest, ReadsAnswersInWhateverPiecesTheyCome) {
  std::string body;
  for (int i = 0; i < 40'000; ++i) body += "b\r\nhello world\r\n";
  const std::string head = "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n";
  RawServer pod([&](int fd) {
    RawServer::read_until(fd, "\r\n\r\n");
    // A byte a segment through the head, so that it cannot come whole.
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (const char c : head) RawServer::say(fd, {&c, 1});
    RawServer::say(fd, body);
    RawServer::say(fd, "0\r\n\r\n");
  });
  route_to({pod.port()});
  const auto answer = get("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("x-a"), "b");
  EXPECT_EQ(answer.body.size(), 40'000U * 11);
}

TEST_F(IngressProxyTest, SaysThatAnEndpointLeftWithoutAnAnswer) {
  RawServer pod(RawServer::answering(""));
  route_to({pod.port()});
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: web.org\r\nContent-Length: 2\r\n\r\nab").status, 502);
}

TEST_F(IngressProxyTest, RepeatsReadsThatAnEndpointLeftUnansweredAndNothingElse) {
  RawServer leaving(RawServer::answering(""));
  TestServer good(says("good"));
  route_to({leaving.port(), good.plain_port()});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(get("/").body, "good");
  EXPECT_EQ(leaving.connections(), 2);
  RawServer other(RawServer::answering(""));
  route_to({leaving.port(), other.port()});
  const auto post = ask("POST / HTTP/1.1\r\nHost: web.org\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_EQ(post.status, 502);
  EXPECT_EQ(leaving.connections() + other.connections(), 3) << "sent once";
}

TEST_F(IngressProxyTest, PassesAnAnswerOnThatComesBeforeTheRequestIsRead) {
  RawServer pod([](int fd) {
    RawServer::read_until(fd, "\r\n\r\n");
    RawServer::say(fd, "HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\n\r\nno\n");
    shutdown(fd, SHUT_WR);
    RawServer::read_until(fd, "never");
  });
  route_to({pod.port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("PUT / HTTP/1.1\r\nHost: web.org\r\nContent-Length: 2000000\r\n\r\n");
  client.send(std::string(2'000'000, 'x'));
  EXPECT_EQ(client.response().status, 413);
}

TEST_F(IngressProxyTest, PassesALargeBodyOnWhileItComes) {
  std::string seen;
  RawServer pod([&](int fd) {
    seen = RawServer::read_until(fd, "first");
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen");
  });
  route_to({pod.port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("PUT / HTTP/1.1\r\nHost: web.org\r\nContent-Length: 2000000\r\n\r\nfirst");
  EXPECT_EQ(client.response().body, "seen") << "although most has not been sent";
}

TEST_F(IngressProxyTest, HoldsASmallBodyUntilItIsWhole) {
  std::string seen;
  RawServer pod([&](int fd) {
    seen = RawServer::read_until(fd, "abcd");
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen");
  });
  route_to({pod.port()});
  TestConnection client(front.plain_port(), Kind::kPlain);
  client.send("PUT / HTTP/1.1\r\nHost: web.org\r\nContent-Length: 4\r\n\r\nab");
  ask("GET / HTTP/1.1\r\nHost: other.org\r\n\r\n");
  EXPECT_EQ(pod.connections(), 0);
  client.send("cd");
  EXPECT_EQ(client.response().body, "seen");
}

TEST_F(IngressProxyTest, RefusesPathsThatLeaveTheRootAndHostsThatItDoesNotKnow) {
  TestServer server(says("in"));
  route_to({server.plain_port()});
  EXPECT_EQ(get("/../../etc").status, 400);
  EXPECT_EQ(get("/%zz").status, 400);
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: other.org\r\n\r\n").status, 404);
}

TEST_F(IngressProxyTest, ShowsTheCertificateThatNamesTheHostRatherThanAnOlderOneOfItsDomain) {
  auto routes = std::make_shared<control::IngressRoutes>();
  const KeyPair& pair = test_pki().server;
  for (const auto& hosts : std::vector<std::vector<std::string>>{{}, {"*.shop.org"}, {"www.shop.org"}, {"*.shop.org"}})
    routes->certificates.push_back({hosts, pair.certificate_pem, pair.private_key_pem});
  proxy.set_routes(std::move(routes));
  const auto own = proxy.certificate_for("WWW.shop.org"), of_domain = proxy.certificate_for("api.shop.org"),
             of_any = proxy.certificate_for("elsewhere.org");
  EXPECT_TRUE(own && of_domain && of_any);
  EXPECT_NE(own, of_domain);
  EXPECT_NE(of_domain, of_any);
  EXPECT_EQ(proxy.certificate_for("cart.shop.org"), of_domain) << "the older of two";
}

TEST(NormalisedPath, IsWhatRoutesAreLookedUpWith) {
  EXPECT_EQ(normalised_path("/"), "/");
  EXPECT_EQ(normalised_path("/a//b/./c"), "/a/b/c");
  EXPECT_EQ(normalised_path("/a/../b/"), "/b/");
  EXPECT_EQ(normalised_path("/%61%2Fb"), "/a/b");
  EXPECT_EQ(normalised_path("/a/../../b"), "");
  EXPECT_EQ(normalised_path("a"), "");
}

TEST(HttpResponseReader, SkipsInterimAnswersAndKnowsEnds) {
  HttpResponseReader reader("GET");
  reader.feed("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n");
  EXPECT_EQ(reader.state(), HttpResponseReader::State::kBody);
  EXPECT_EQ(reader.head().status, 200);
  EXPECT_FALSE(reader.content_length());
  reader.feed("to the end");
  reader.end();
  EXPECT_EQ(reader.state(), HttpResponseReader::State::kComplete);
  EXPECT_EQ(reader.take_body(), "to the end");
  HttpResponseReader silent("GET");
  silent.end();
  EXPECT_EQ(silent.state(), HttpResponseReader::State::kFailed);
  HttpResponseReader cut("GET");
  cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  cut.end();
  EXPECT_EQ(cut.state(), HttpResponseReader::State::kFailed);
}

}  // namespace
}  // namespace minik
