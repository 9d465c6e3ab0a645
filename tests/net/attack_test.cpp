// What strangers may try on the listener, over real sockets: each gets an answer or a closed door, spends bounded
// memory, and those who behave are served as before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <thread>

#include "control/base/text.h"
#include "control/object/json.h"
#include "tests/net/api_world.h"
#include "tests/net/http_client.h"

namespace minik {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TestConnection::Kind;

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";

std::string get(std::string_view path) {
  return cat("GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n");
}

std::string post_head(std::string_view path, size_t length, std::string_view type = "application/json") {
  return cat("POST ", path, " HTTP/1.1\r\nHost: a\r\nContent-Type: ", type, "\r\nContent-Length: ", length,
             "\r\n\r\n");
}

// Answers with the size of the body and remembers the paths.
struct Recorder {
  HttpHandler handler() {
    return [this](const HttpRequest& request, const Responder& responder) {
      const std::lock_guard lock(mutex);
      paths += request.path + " ";
      responder.respond(HttpResponse::text(200, cat(request.body.size())));
    };
  }
  std::mutex mutex;
  std::string paths;
};

TEST(Attack, SmugglesNoRequestPastAReaderOfAnotherMind) {
  const std::string hidden = get("/hidden");
  const std::string shapes[] = {
      cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\nHost: a\nContent-Length: 0\n\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 0\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", hidden),
      cat("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", hidden),
  };
  for (const std::string& shape : shapes) {
    Recorder recorder;
    TestServer server(recorder.handler());
    TestConnection client(server.plain_port(), Kind::kPlain);
    client.send(shape);
    const auto answer = client.response();
    EXPECT_THAT(answer.status, AnyOf(400, 413, 501)) << shape;
    EXPECT_EQ(client.read_to_end(), "") << "nothing more is read from such a connection: " << shape;
    EXPECT_THAT(recorder.paths, Not(HasSubstr("hidden"))) << shape;
  }
}

TEST(Attack, CountsHeadersAndNotOnlyTheirBytes) {
  Recorder recorder;
  TestServer server(recorder.handler());
  TestConnection client(server.plain_port(), Kind::kPlain);
  std::string head = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 1000; ++i) head += "a:\r\n";
  EXPECT_EQ(client.request(head + "\r\n").status, 431);
}

TEST(Attack, EndsABodyThatTricklesHoweverSteadily) {
  Recorder recorder;
  TestServer server(recorder.handler(), {.body_timeout = milliseconds(30)});
  TestConnection client(server.plain_port(), Kind::kPlain);
  client.send(post_head("/", 1000) + "a");
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(Attack, BoundsTheBodiesOfAllConnectionsTogether) {
  Recorder recorder;
  TestServer server(recorder.handler(), {.total_body_bytes_max = 500'000});
  TestConnection large(server.plain_port(), Kind::kPlain);
  large.send(post_head("/", 2'000'000));
  large.send(std::string(1'000'000, 'x'));
  const auto refused = large.response();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  // What it held is free again, as soon as its loop has come to that.
  int status = 429;
  for (int i = 0; i < 1000 && status == 429; ++i) {
    TestConnection fits(server.plain_port(), Kind::kPlain);
    status = fits.request(post_head("/", 400'000) + std::string(400'000, 'x')).status;
  }
  EXPECT_EQ(status, 200);
}

TEST(Attack, CutsOffWhoLeavesMegabytesUnread) {
  const std::string answer(16'000'000, 'x');
  TestServer server(
      [&](const HttpRequest& request, const Responder& responder) {
        responder.respond(HttpResponse::text(200, request.path == "/large" ? answer : "small"));
      },
      {.total_unsent_bytes_max = 1'000'000});
  TestConnection idle(server.plain_port(), Kind::kPlain);
  idle.send(get("/large"));
  TestConnection other(server.plain_port(), Kind::kPlain);
  while (server.server().connections() == 2) EXPECT_EQ(other.request(get("/small")).body, "small");
  EXPECT_LT(idle.read_to_end().size(), answer.size());
}

// Keeps every request but /quick until it is told to answer.
struct Workshop {
  HttpHandler handler() {
    return [this](const HttpRequest& request, const Responder& responder) {
      if (request.path == "/quick") return responder.respond(HttpResponse::text(200, "here"));
      const std::lock_guard lock(mutex);
      working.push_back(responder);
      ++begun;
    };
  }
  void wait_for(size_t count) {
    while (begun < count) std::this_thread::yield();
  }
  void answer_all() {
    const std::lock_guard lock(mutex);
    for (const Responder& responder : std::exchange(working, {})) responder.respond(HttpResponse::text(200, "done"));
  }
  std::mutex mutex;
  std::vector<Responder> working;
  std::atomic<size_t> begun = 0;
};

TEST(Attack, PushesConnectionsThatIdleOutInAFloodAndNotThoseAtWork) {
  Workshop workshop;
  TestServer server(workshop.handler(), {.connections_max = 8});
  TestConnection at_work(server.tls_port(), Kind::kTls);
  at_work.send(get("/slow"));
  workshop.wait_for(1);
  std::vector<std::unique_ptr<TestConnection>> flood;
  for (int i = 0; i < 60; ++i) {
    flood.push_back(std::make_unique<TestConnection>(server.tls_port(), Kind::kPlain));  // never says a word
    if (i % 10 != 9) continue;
    TestConnection behaves(server.tls_port(), Kind::kTls);
    EXPECT_EQ(behaves.request(get("/quick")).body, "here") << "after " << i;
  }
  EXPECT_LE(server.server().connections(), 8 + kHttpConnectionsSpare);
  workshop.answer_all();
  EXPECT_EQ(at_work.response().body, "done");
}

TEST(Attack, ClosesTheDoorWhenAllConnectionsAreAtWork) {
  Workshop workshop;
  TestServer server(workshop.handler(), {.connections_max = 2});
  TestConnection first(server.plain_port(), Kind::kPlain), second(server.plain_port(), Kind::kPlain);
  first.send(get("/"));
  second.send(get("/"));
  workshop.wait_for(2);
  std::vector<std::unique_ptr<TestConnection>> late;
  for (int i = 0; i < 60; ++i) {
    late.push_back(std::make_unique<TestConnection>(server.plain_port(), Kind::kPlain));
    late.back()->send(get("/"));
  }
  const auto closed = [&] {
    return std::ranges::count_if(late, [](const auto& one) {
      char byte;
      const ssize_t got = recv(one->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno != EAGAIN);
    });
  };
  // Some may stand beside the two; all others find the door closed, sooner or later.
  while (closed() < 60 - static_cast<long>(kHttpConnectionsSpare)) std::this_thread::yield();
  EXPECT_LE(server.server().connections(), 2 + kHttpConnectionsSpare);
  workshop.answer_all();
  EXPECT_EQ(first.response().body, "done");
  EXPECT_EQ(second.response().body, "done");
}

TEST(Attack, SurvivesWhatIsNoTls) {
  Recorder recorder;
  TestServer server(recorder.handler());
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);  // the begin of a ClientHello
  const std::string shapes[] = {
      std::string(100'000, '\0'), std::string(100'000, '\xff'),
      std::string("\x16\x03\x01\xff\xff", 5) + std::string(70'000, 'x'),  // a record longer than there can be
      hello + std::string(600, '\xff'),                                   // lengths that lead out of it
      std::string("\x15\x03\x03\x00\x02\x02\x28", 7),                     // an alert before anything else
      std::string("\x17\x03\x03\x00\x05hello", 10),                       // data before keys
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const std::string& shape : shapes) {
    TestConnection client(server.tls_port(), Kind::kPlain);
    client.send(shape);
    EXPECT_THAT(client.read_to_end(), Not(HasSubstr("HTTP")));
  }
  TestConnection client(server.tls_port(), Kind::kTls);
  EXPECT_EQ(client.request(get("/")).status, 200);
}

TEST(Attack, DropsWhoNeverEndsHisHandshake) {
  Recorder recorder;
  TestServer server(recorder.handler(), {.handshake_timeout = milliseconds(30)});
  TestConnection client(server.tls_port(), Kind::kPlain);
  client.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  EXPECT_EQ(client.read_to_end(), "");
}

class AttackOnApi : public ::testing::Test {
 protected:
  ApiWorld world;
  TestConnection admin{world.port(), Kind::kTlsWithAdminCertificate};
};

TEST_F(AttackOnApi, RefusesMoreThanThreeMebibytesWithAStatus) {
  admin.send(post_head(kConfigMaps, 3 * 1024 * 1024 + 1));
  const auto refused = admin.response();
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, HasSubstr("\"reason\":\"RequestEntityTooLarge\""));
  EXPECT_THAT(refused.body, HasSubstr("limit is 3145728"));
}

TEST_F(AttackOnApi, ReadsNoLargeBodyFromWhoHasNotProvedWhoHeIs) {
  for (const char* credentials : {"", "Authorization: Bearer wrong\r\n"}) {
    TestConnection stranger(world.port(), Kind::kTls);
    stranger.send(cat("POST ", kConfigMaps, " HTTP/1.1\r\nHost: a\r\n", credentials,
                      "Content-Type: application/json\r\nContent-Length: 3000000\r\n\r\n"));
    stranger.send(std::string(200'000, ' '));  // not all of it: the answer comes before the rest
    EXPECT_THAT(stranger.response().status, AnyOf(401, 403)) << credentials;
    EXPECT_EQ(stranger.read_to_end(), "");
  }
  const std::string large = cat(R"({"metadata":{"name":"large"},"data":{"a":")", std::string(500'000, 'x'), "\"}}");
  EXPECT_EQ(admin.request(post_head(kConfigMaps, large.size()) + large).status, 201);
}

TEST_F(AttackOnApi, RefusesNestingWithoutEnd) {
  const std::string deep(200'000, '[');
  const std::string yaml = cat("a: ", std::string(50'000, '['));
  std::string objects;
  for (int i = 0; i < 50'000; ++i) objects += R"({"a":)";
  EXPECT_EQ(admin.request(post_head(kConfigMaps, deep.size()) + deep).status, 400);
  EXPECT_EQ(admin.request(post_head(kConfigMaps, objects.size()) + objects).status, 400);
  EXPECT_EQ(admin.request(post_head(kConfigMaps, yaml.size(), "application/yaml") + yaml).status, 400);
}

TEST_F(AttackOnApi, RefusesAliasesThatExpandWithoutEnd) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += cat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) bomb += cat(j == 0 ? "" : ",", "*a", i - 1);
    bomb += "]\n";
  }
  EXPECT_EQ(admin.request(post_head(kConfigMaps, bomb.size(), "application/yaml") + bomb).status, 400);
}

TEST_F(AttackOnApi, AnswersPipelinedRequestsInOrderAndOneAfterTheOther) {
  std::string many;
  for (int i = 0; i < 300; ++i) many += get(cat(kConfigMaps, "/none-", i));
  admin.send(many);
  for (int i = 0; i < 300; ++i) {
    const auto answer = admin.response();
    EXPECT_EQ(answer.status, 404);
    EXPECT_THAT(answer.body, HasSubstr(cat("\\\"none-", i, "\\\" not found")));
  }
}

}  // namespace
}  // namespace minik
