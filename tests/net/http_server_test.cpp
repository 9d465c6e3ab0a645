#include "minik/net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "control/base/text.h"
#include "minik/net/gzip.h"
#include "minik/net/http_parser.h"
#include "tests/net/http_client.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TestConnection::Kind;

// Says back what arrived.
void echo(HttpRequest request, const Responder& responder) {
  responder.respond(HttpResponse::text(
      200, cat(request.method, " ", request.path, "?", request.query, " ", request.body.size(), " ",
               request.peer.common_name, " ", join(request.peer.organizations, "+"))));
}

std::string get(std::string_view path) {
  return cat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(HttpServer, AnswersManyRequestsOnOneTlsConnection) {
  TestServer server(echo);
  TestConnection client(server.tls_port(), Kind::kTls);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.request(get(cat("/", i, "?a=b"))).body, cat("GET /", i, "?a=b 0  "));
  }
  EXPECT_EQ(server.server().connections(), 1u);
}

TEST(HttpServer, KnowsWhoHoldsACertificateOfTheCluster) {
  TestServer server(echo);
  TestConnection client(server.tls_port(), Kind::kTlsWithAdminCertificate);
  EXPECT_THAT(client.request(get("/")).body, HasSubstr("kubernetes-admin system:masters"));
}

TEST(HttpServer, MarksACertificateOfAnotherCaAsRejected) {
  const TemporaryFolder folder;
  const auto foreign = open_pki(folder.path(), {}, *parse_time("2026-11-23T15:00:00Z"));
  TestServer server([](const HttpRequest& request, const Responder& responder) {
    const bool rejected = request.peer.state == PeerIdentity::State::kRejected;
    responder.respond(HttpResponse::text(rejected ? 401 : 200, request.peer.common_name));
  });
  TestConnection client(server.tls_port(), Kind::kTls, &foreign->admin);
  const auto response = client.request(get("/"));
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, "");
}

TEST(HttpServer, ResumesATlsSessionWithItsIdentity) {
  TestServer server(echo);
  {
    TestConnection first(server.tls_port(), Kind::kTlsWithAdminCertificate);
    first.request(get("/"));
    EXPECT_FALSE(first.session_reused());
    TestConnection::resume_next(first.session());
  }
  TestConnection second(server.tls_port(), Kind::kTls);
  EXPECT_TRUE(second.session_reused());
  EXPECT_THAT(second.request(get("/")).body, HasSubstr("kubernetes-admin system:masters"));
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  TestServer server(echo);
  TestConnection client(server.plain_port(), Kind::kPlain);
  std::string all;
  for (int i = 0; i < 200; ++i) all += get(cat("/", i));
  client.send(all);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.response().body, cat("GET /", i, "? 0  "));
}

TEST(HttpServer, TakesAnswersLaterAndFromAnyThread) {
  std::thread late;
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    late = std::thread([responder] { responder.respond(HttpResponse::text(201, "late")); });
  });
  TestConnection client(server.tls_port(), Kind::kTls);
  const auto response = client.request(get("/"));
  late.join();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, "late");
}

TEST(HttpServer, AnswersForAHandlerThatForgets) {
  TestServer server([](const HttpRequest&, const Responder&) {});
  TestConnection client(server.plain_port(), Kind::kPlain);
  EXPECT_EQ(client.request(get("/")).status, 500);
  EXPECT_EQ(client.request(get("/")).status, 500) << "the connection should live on";
}

TEST(HttpServer, ReadsBodiesWithALengthAndInChunks) {
  TestServer server(echo);
  TestConnection client(server.tls_port(), Kind::kTls);
  const std::string body(100'000, 'x');
  EXPECT_THAT(
      client.request(cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", body))
          .body,
      HasSubstr("POST /a? 100000 "));
  EXPECT_THAT(client
                  .request("POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
                  .body,
              HasSubstr("POST /b? 11 "));
}

TEST(HttpRequestParser, RefusesALineOfAChunkWithoutEnd) {
  HttpRequestParser parser({.header_bytes_max = 2048, .body_bytes_max = 512});
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parser.feed(head), head.size());
  std::string line = cat("0;", std::string(2000, 'x'));
  line.erase(0, parser.feed(line));
  EXPECT_EQ(parser.state(), HttpRequestParser::State::kBody);
  line += std::string(100, 'x');
  parser.feed(line);
  EXPECT_EQ(parser.state(), HttpRequestParser::State::kFailed);
  EXPECT_EQ(parser.error_status(), 431);
}

TEST(HttpRequestParser, ReadsALastChunkThatComesByteByByte) {
  HttpRequestParser parser({.header_bytes_max = 1024, .body_bytes_max = 1024});
  std::string pending;
  for (const char byte : std::string_view("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")) {
    pending += byte;
    pending.erase(0, parser.feed(pending));
  }
  EXPECT_EQ(parser.state(), HttpRequestParser::State::kComplete) << parser.error_message();
}

TEST(HttpServer, SaysContinueToAClientThatWaitsForIt) {
  TestServer server(echo);
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(client.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
  client.take(client.buffer().size());
  EXPECT_THAT(client.request("abc").body, HasSubstr("PUT /? 3 "));
}

TEST(HttpServer, RefusesABodyOverItsLimitAndStillDeliversTheAnswer) {
  TestServer server(echo, {.parser = {.body_bytes_max = 1000}});
  for (const auto kind : {Kind::kPlain, Kind::kTls}) {
    TestConnection client(kind == Kind::kPlain ? server.plain_port() : server.tls_port(), kind);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    client.send(std::string(500'000, 'x'));
    const auto response = client.response();
    EXPECT_EQ(response.status, 413);
    EXPECT_THAT(response.body, HasSubstr("limit is 1000"));
    EXPECT_EQ(response.headers.at("connection"), "close");
  }
}

TEST(HttpServer, RefusesChunksThatTogetherExceedTheLimit) {
  TestServer server(echo, {.parser = {.body_bytes_max = 1000}});
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) client.send(cat("64\r\n", std::string(100, 'x'), "\r\n"));
  EXPECT_EQ(client.response().status, 413);
}

TEST(HttpServer, RefusesAHeadOverItsLimitAndWhatIsNotHttp) {
  TestServer server(echo, {.parser = {.header_bytes_max = 2000}});
  TestConnection large(server.plain_port(), Kind::kPlain);
  EXPECT_EQ(large.request(cat("GET / HTTP/1.1\r\nA: ", std::string(5000, 'a'), "\r\n\r\n")).status,
            431);
  for (const char* bad :
       {"\x16\x03\x01 nonsense\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    TestConnection client(server.plain_port(), Kind::kPlain);
    EXPECT_EQ(client.request(bad).status, 400) << bad;
  }
}

TEST(HttpServer, DropsWhoSpeaksPlainlyToTls) {
  TestServer server(echo);
  TestConnection client(server.tls_port(), Kind::kPlain);
  client.send(get("/"));
  EXPECT_THAT(client.read_to_end(), Not(HasSubstr("HTTP")));
}

TEST(HttpServer, DropsWhoIsTooSlowWithAHead) {
  TestServer server(echo, {.header_timeout = milliseconds(30)});
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send("GET / HTT");
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(HttpServer, DropsConnectionsThatIdle) {
  TestServer server(echo, {.idle_timeout = milliseconds(30)});
  TestConnection client(server.plain_port(), Kind::kPlain);
  EXPECT_EQ(client.request(get("/")).status, 200);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(HttpServer, CompressesLargeAnswersForClientsThatAccept) {
  const std::string large(300'000, 'y');
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    responder.respond(HttpResponse::text(200, large));
  });
  TestConnection client(server.tls_port(), Kind::kTls);
  const auto packed =
      client.request("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip;q=1\r\n\r\n");
  EXPECT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_LT(packed.body.size(), 10'000u);
  EXPECT_EQ(gunzip(packed.body, 1'000'000), large);
  const auto open = client.request(get("/"));
  EXPECT_EQ(open.headers.count("content-encoding"), 0u);
  EXPECT_EQ(open.body, large);
}

TEST(HttpServer, AnswersHeadWithoutABodyAndOldClientsWithoutKeepingAlive) {
  TestServer server(echo);
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.response(false).headers.at("content-length"), "11");
  TestConnection old(server.plain_port(), Kind::kPlain);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), HasSubstr("connection: close"));
}

TEST(HttpServer, KeepsAHeaderOnOneLine) {
  TestServer server([](const HttpRequest&, const Responder& responder) {
    responder.respond({200, {{"x-name", "a\r\nx-evil: 1"}}, ""});
  });
  TestConnection client(server.plain_port(), Kind::kPlain);
  EXPECT_EQ(client.request(get("/")).headers.count("x-evil"), 0u);
}

TEST(HttpStreams, ArriveWhileTheyAreWrittenAndEndCleanly) {
  std::promise<std::shared_ptr<ResponseStream>> opened;
  TestServer server([&](const HttpRequest& request, const Responder& responder) {
    if (request.path != "/watch") return echo(request, responder);
    opened.set_value(responder.stream({200, {{"content-type", "application/json"}}, ""}));
  });
  TestConnection client(server.tls_port(), Kind::kTls);
  client.send(get("/watch"));
  const auto stream = opened.get_future().get();
  ASSERT_TRUE(stream->write("one\n"));
  ASSERT_TRUE(client.read_until("4\r\none\n\r\n"));
  ASSERT_TRUE(stream->write("two\n"));
  stream->finish();
  EXPECT_FALSE(stream->write("three\n"));
  EXPECT_EQ(client.response().body, "one\ntwo\n");
  EXPECT_EQ(client.request(get("/next")).status, 200) << "the connection should live on";
}

TEST(HttpStreams, TellWhenTheClientLeaves) {
  std::promise<void> closed;
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    responder.on_close([&] { closed.set_value(); });
    responder.stream({});
  });
  {
    TestConnection client(server.tls_port(), Kind::kTls);
    client.send(get("/watch"));
    ASSERT_TRUE(client.read_until("\r\n\r\n"));
  }
  EXPECT_EQ(closed.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(HttpStreams, CutASlowReaderOffInsteadOfBufferingWithoutBound) {
  std::promise<std::shared_ptr<ResponseStream>> opened;
  std::promise<void> closed;
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    responder.on_close([&] { closed.set_value(); });
    opened.set_value(responder.stream({}, {.backlog_bytes_max = 1'000'000}));
  });
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send(get("/watch"));
  const auto stream = opened.get_future().get();
  const std::string event(10'000, 'e');
  int written = 0;
  while (written < 100'000 && stream->write(event)) {
    ++written;
    EXPECT_LE(stream->backlog(), 1'000'000u);
  }
  EXPECT_LT(written, 100'000);
  EXPECT_EQ(closed.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

// `kubectl logs -f | less`: nobody reads until somebody turns the page. Others hold up what they do not take.
TEST(HttpStreams, LetAReaderRestWhereItMay) {
  for (const bool may_rest : {true, false}) {
    const std::string page(20'000'000, 'p');  // more than the sockets hold
    std::promise<void> closed;
    HttpServerOptions options;
    options.progress_timeout = milliseconds(30);
    TestServer server(
        [&](const HttpRequest&, const Responder& responder) {
          responder.on_close([&] { closed.set_value(); });
          const auto stream = responder.stream({}, {.may_rest = may_rest});
          stream->write(page);
          stream->finish();
        },
        std::move(options));
    TestConnection client(server.plain_port(), Kind::kPlain);
    client.send(get("/log"));
    const auto cut = closed.get_future().wait_for(std::chrono::milliseconds(may_rest ? 200 : 10'000));
    EXPECT_EQ(cut == std::future_status::ready, !may_rest);
    if (!may_rest) continue;
    EXPECT_EQ(client.response().body.size(), page.size());
  }
}

TEST(HttpStreams, LetASourceWaitForItsReader) {
  std::promise<void> finished;
  std::shared_ptr<ResponseStream> stream;
  int left = 200;
  const std::string piece(50'000, 'p');
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    responder.loop()->post([&, responder] {
      stream = responder.stream({}, {.backlog_bytes_max = 60'000});
      stream->on_drain([&] {
        if (--left > 0) {
          EXPECT_TRUE(stream->write(piece));
        } else {
          stream->finish();
          finished.set_value();
        }
      });
      stream->write(piece);
    });
  });
  TestConnection client(server.tls_port(), Kind::kTls);
  EXPECT_EQ(client.request(get("/log")).body.size(), 200u * 50'000u);
  finished.get_future().wait();
  stream.reset();
}

TEST(HttpUpgrade, TurnsAConnectionIntoAByteStream) {
  TestServer server([&](const HttpRequest& request, const Responder& responder) {
    EXPECT_TRUE(request.header_has_token("connection", "upgrade"));
    responder.upgrade({101, {{"connection", "Upgrade"}, {"upgrade", "SPDY/3.1"}}, ""},
                      [](const std::shared_ptr<ByteStream>& stream) {
                        stream->start({.on_bytes =
                                           [stream](std::string_view bytes) {
                                             stream->send(cat("<", bytes, ">"));
                                             if (bytes == "bye") stream->close();
                                           },
                                       .on_close = nullptr,
                                       .on_drain = nullptr});
                      });
  });
  TestConnection client(server.tls_port(), Kind::kTls);
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nearly");
  ASSERT_TRUE(client.read_until("<early>"));
  EXPECT_THAT(client.buffer(), HasSubstr("101 Switching Protocols"));
  client.send("bye");
  EXPECT_THAT(client.read_to_end(), HasSubstr("<bye>"));
}

TEST(HttpServer, FinishesWhatIsInWorkWhenItStops) {
  std::promise<void> arrived, release;
  std::thread late;
  TestServer server([&](const HttpRequest&, const Responder& responder) {
    late = std::thread([&, responder] {
      release.get_future().wait();
      responder.respond(HttpResponse::text(200, "finished"));
    });
    arrived.set_value();
  });
  TestConnection idle(server.tls_port(), Kind::kTls);
  TestConnection client(server.tls_port(), Kind::kTls);
  client.send(get("/"));
  arrived.get_future().wait();
  std::thread stopper([&] { server.server().stop(seconds(10)); });
  EXPECT_EQ(idle.read_to_end(), "");
  release.set_value();
  EXPECT_EQ(client.response().body, "finished");
  EXPECT_EQ(client.read_to_end(), "");
  stopper.join();
  late.join();
  EXPECT_EQ(server.server().connections(), 0u);
}

TEST(HttpServer, AllowsAnAnswerAfterItsEnd) {
  std::promise<Responder> kept;
  {
    TestServer server(
        [&](const HttpRequest&, const Responder& responder) { kept.set_value(responder); });
    TestConnection client(server.plain_port(), Kind::kPlain);
    client.send(get("/"));
    kept.get_future().wait();
  }
  SUCCEED();
}

}  // namespace
}  // namespace minik
