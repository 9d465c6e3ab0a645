// What one client may do to the others, over real sockets: long lists, slow and many watchers, floods of requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/net/gzip.h"
#include "tests/net/api_world.h"

namespace minik {
namespace {

using control::Value;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using Kind = TestConnection::Kind;

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kServiceAccount = "Authorization: Bearer good\r\n";

std::string get(std::string_view path, std::string_view headers = "") {
  return cat("GET ", path, " HTTP/1.1\r\nHost: a\r\n", headers, "\r\n");
}

std::string post(std::string_view path, std::string_view body) {
  return cat("POST ", path, " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ",
             body.size(), "\r\n\r\n", body);
}

std::string config_map(std::string_view name, size_t size) {
  return cat(R"({"metadata":{"name":")", name, R"("},"data":{"a":")", std::string(size, 'x'), "\"}}");
}

Value body_of(const std::string& text) {
  auto value = control::parse_json(text);
  EXPECT_TRUE(value) << text.substr(0, 200);
  return value ? *value : Value();
}

class Load : public ::testing::Test {
 protected:
  void start(ApiWorld::Limits limits = {}) {
    world = std::make_unique<ApiWorld>(HttpServerOptions(), limits);
    admin = std::make_unique<TestConnection>(world->port(), Kind::kTlsWithAdminCertificate);
  }
  ReceivedResponse ask(std::string_view text) { return admin->request(text); }
  void make(size_t count, size_t size) {
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(ask(post(kConfigMaps, config_map(cat("c", i), size))).status, 201);
    }
  }
  static std::string event_line(TestConnection& watch) {
    // Chunks may end anywhere; an event ends in a line break of its own.
    EXPECT_TRUE(watch.read_until("}\n"));
    const size_t begin = watch.buffer().find("{\"type\"");
    const size_t end = watch.buffer().find("}\n");
    std::string line = watch.buffer().substr(begin, end + 1 - begin);
    watch.take(end + 2);
    return line;
  }

  std::unique_ptr<ApiWorld> world;
  std::unique_ptr<TestConnection> admin;
};

TEST_F(Load, SendsALongListWholeAndKeepsTheConnection) {
  start();
  make(300, 1000);  // several pieces
  for (int round = 0; round < 2; ++round) {
    const auto list = ask(get(kConfigMaps));
    EXPECT_EQ(list.status, 200);
    EXPECT_EQ(list.headers.at("content-type"), "application/json");
    const Value body = body_of(list.body);
    EXPECT_EQ(body.get("kind").string(), "ConfigMapList");
    EXPECT_FALSE(body.get("metadata").get("resourceVersion").string().empty());
    ASSERT_EQ(body.get("items").items().size(), 300u);
    EXPECT_EQ(body.get("items").items()[299].get("data").get("a").string().size(), 1000u);
  }
}

TEST_F(Load, CompressesALongListForWhoAccepts) {
  start();
  make(300, 1000);
  const auto list = ask(get(kConfigMaps, "Accept-Encoding: gzip\r\n"));
  EXPECT_EQ(list.headers.at("content-encoding"), "gzip");
  EXPECT_LT(list.body.size(), 100'000u);
  const auto text = gunzip(list.body, 10'000'000);
  ASSERT_TRUE(text);
  EXPECT_EQ(body_of(*text).get("items").items().size(), 300u);
}

TEST_F(Load, FindsTheOneThatASelectorNames) {
  start();
  make(3, 1);
  const auto one = body_of(ask(get(cat(kConfigMaps, "?fieldSelector=metadata.name%3Dc1"))).body);
  ASSERT_EQ(one.get("items").items().size(), 1u);
  EXPECT_EQ(one.get("items").items()[0].get("metadata").get("name").string(), "c1");
  const auto everywhere = body_of(ask(get("/api/v1/configmaps?fieldSelector=metadata.name%3Dc1")).body);
  EXPECT_EQ(everywhere.get("items").items().size(), 1u);
  const auto none = body_of(ask(get(cat(kConfigMaps, "?fieldSelector=metadata.name%3Dother"))).body);
  EXPECT_TRUE(none.get("items").items().empty());
}

TEST_F(Load, TellsAllWatchersOfAnEventTheSame) {
  start();
  make(1, 1);
  std::vector<std::unique_ptr<TestConnection>> watches;
  for (const char* accept : {"", "", "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io\r\n"}) {
    watches.push_back(std::make_unique<TestConnection>(world->port(), Kind::kTlsWithAdminCertificate));
    watches.back()->send(get(cat(kConfigMaps, "?watch=1"), accept));
    EXPECT_THAT(event_line(*watches.back()), HasSubstr("\"c0\"")) << "what is there comes first";
  }
  ask(post(kConfigMaps, config_map("new", 1)));
  const std::string first = event_line(*watches[0]);
  EXPECT_THAT(first, HasSubstr("\"ADDED\""));
  EXPECT_THAT(first, HasSubstr("\"data\""));
  EXPECT_EQ(event_line(*watches[1]), first);
  EXPECT_THAT(event_line(*watches[2]), HasSubstr("PartialObjectMetadata"));
}

TEST_F(Load, BeginsAWatchOfManyObjectsAsItsClientReads) {
  start({.watch = {.backlog_bytes_max = 1'000'000}});
  make(120, 100'000);  // far more than the backlog that a watcher may have
  TestConnection watch(world->port(), Kind::kTlsWithAdminCertificate);
  watch.send(get(cat(kConfigMaps, "?watch=1")));
  ask(post(kConfigMaps, config_map("late", 1)));
  size_t events = 0;
  while (event_line(watch).find("\"late\"") == std::string::npos) ++events;
  EXPECT_EQ(events, 120u);
}

TEST_F(Load, CutsAWatcherOffThatDoesNotReadAndNobodyElse) {
  start({.watch = {.backlog_bytes_max = 1'000'000}});
  TestConnection slow(world->port(), Kind::kTlsWithAdminCertificate);
  TestConnection quick(world->port(), Kind::kTlsWithAdminCertificate);
  for (TestConnection* watch : {&slow, &quick}) watch->send(get(cat(kConfigMaps, "?watch=1")));
  ASSERT_TRUE(quick.read_until("\r\n\r\n"));
  // The sockets between take some megabytes; what follows must not gather here.
  for (int i = 0; i < 200; ++i) {
    ask(post(kConfigMaps, config_map(cat("c", i), 100'000)));
    EXPECT_THAT(event_line(quick), HasSubstr(cat("\"c", i, "\"")));
  }
  const std::string got = slow.read_to_end();
  EXPECT_THAT(got, HasSubstr("\"c0\""));
  EXPECT_THAT(got, Not(HasSubstr("\"c199\"")));
}

TEST_F(Load, NamesThePriorityOfARequestInItsAnswer) {
  start();
  const auto uid = [&](std::string_view path) {
    return body_of(ask(get(cat("/apis/flowcontrol.apiserver.k8s.io/v1/", path))).body)
        .get("metadata").get("uid").string();
  };
  const auto mine = ask(get(kConfigMaps));
  EXPECT_EQ(mine.headers.at("x-kubernetes-pf-flowschema-uid"), uid("flowschemas/exempt"));
  EXPECT_EQ(mine.headers.at("x-kubernetes-pf-prioritylevel-uid"), uid("prioritylevelconfigurations/exempt"));
  TestConnection account(world->port(), Kind::kTls);
  const auto theirs = account.request(get(kConfigMaps, kServiceAccount));
  EXPECT_EQ(theirs.headers.at("x-kubernetes-pf-flowschema-uid"), uid("flowschemas/global-default"))
      << "this account's groups do not name it one";
}

TEST_F(Load, RefusesWhatALevelHasNoPlaceForAndServesTheAdministrator) {
  start({.queue = {.seats = 10}});
  // One request at a time, and nobody waits.
  ASSERT_EQ(ask(post("/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
                     R"({"metadata":{"name":"tiny"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":1,"borrowingLimitPercent":0,)"
                     R"("limitResponse":{"type":"Reject"}}}})"))
                .status,
            201);
  ASSERT_EQ(ask(post("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
                     R"({"metadata":{"name":"crowd"},"spec":{"matchingPrecedence":5,)"
                     R"("priorityLevelConfiguration":{"name":"tiny"},"rules":[{"subjects":[{"kind":"Group",)"
                     R"("group":{"name":"system:authenticated"}}],"resourceRules":[{"verbs":["*"],"apiGroups":["*"],)"
                     R"("resources":["*"],"namespaces":["*"],"clusterScope":true}]}]}})"))
                .status,
            201);
  std::vector<std::unique_ptr<TestConnection>> crowd;
  for (int i = 0; i < 3; ++i) crowd.push_back(std::make_unique<TestConnection>(world->port(), Kind::kTls));
  // All of them arrive while the control thread is busy.
  std::promise<void> began, arrived;
  auto busy = std::async(std::launch::async, [&] {
    world->control([&] {
      began.set_value();
      arrived.get_future().wait();
    });
  });
  began.get_future().wait();
  for (auto& one : crowd) one->send(get(kConfigMaps, kServiceAccount));
  admin->send(get("/version"));  // answered by an I/O thread, after it has read what came before
  admin->response();
  TestConnection other(world->port(), Kind::kTlsWithAdminCertificate);  // the other I/O thread
  other.request(get("/version"));
  arrived.set_value();
  busy.wait();
  std::vector<int> statuses;
  for (auto& one : crowd) {
    const auto answer = one->response();
    statuses.push_back(answer.status);
    if (answer.status != 429) continue;
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
    EXPECT_EQ(body_of(answer.body).get("reason").string(), "TooManyRequests");
  }
  EXPECT_THAT(statuses, UnorderedElementsAre(403, 429, 429)) << "its role is another matter";
  EXPECT_EQ(ask(get(kConfigMaps)).status, 200);
}

TEST_F(Load, BoundsTheWatchesOfAUserAndTakesNewOnesWhenOldOnesEnd) {
  start({.queue = {.long_running_per_user_max = 2}});
  auto first = std::make_unique<TestConnection>(world->port(), Kind::kTlsWithAdminCertificate);
  TestConnection second(world->port(), Kind::kTlsWithAdminCertificate);
  for (TestConnection* watch : {first.get(), &second}) {
    watch->send(get(cat(kConfigMaps, "?watch=1")));
    ASSERT_TRUE(watch->read_until("200 OK"));
  }
  EXPECT_EQ(ask(get(cat(kConfigMaps, "?watch=1"))).status, 429);
  EXPECT_EQ(ask(get(kConfigMaps)).status, 200) << "what ends has other limits";
  first.reset();
  int status = 429;
  for (int i = 0; i < 1000 && status == 429; ++i) {
    status = ask(get(cat(kConfigMaps, "?watch=1&timeoutSeconds=1"))).status;
  }
  EXPECT_EQ(status, 200);
}

}  // namespace
}  // namespace minik
