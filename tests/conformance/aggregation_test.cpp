// APIServices of other API servers: a server of the test behind a Service, reached over real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "tests/net/api_world.h"
#include "tests/net/raw_server.h"

namespace minik {
namespace {

using control::Value;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = TestConnection::Kind;

constexpr const char* kApiServices = "/apis/apiregistration.k8s.io/v1/apiservices";
constexpr const char* kFishes = R"({"kind":"APIResourceList","groupVersion":"fish.org/v1","resources":[
  {"name":"fishes","singularName":"fish","kind":"Fish","namespaced":true,"shortNames":["fi"],"verbs":["get","list"]},
  {"name":"fishes/status","singularName":"","kind":"Fish","namespaced":true,"verbs":["get"]}, "nonsense"]})";

// Its certificate names kubernetes.default.svc, so that is the Service.
class Aggregation : public ::testing::Test {
 protected:
  Aggregation()
      : fish([this](const HttpRequest& request, const Responder& responder) { serve(request, responder); }),
        admin(world.port(), Kind::kTlsWithAdminCertificate) {
    serve_at(fish.tls_port());
  }

  void serve_at(uint16_t port) {
    const std::string slice =
        cat(R"({"metadata":{"name":"fish","namespace":"default","labels":{"kubernetes.io/service-name":"kubernetes"}},"addressType":"IPv4",)",
            R"("ports":[{"name":"https","port":)", port, R"(}],"endpoints":[{"addresses":["127.0.0.1"],"conditions":{"ready":true}}]})");
    world.put(control::kinds::kEndpointslices, *control::parse_json(slice));
  }

  void serve(const HttpRequest& request, const Responder& responder) {
    if (request.path == "/apis/fish.org/v1/slow") return slow.add(responder);
    if (broken) return responder.respond(HttpResponse::text(500, "broken"));
    const auto json = [](std::string text) { return HttpResponse{200, {{"content-type", "application/json"}}, std::move(text)}; };
    if (request.path == "/apis/fish.org/v1") return responder.respond(json(kFishes));
    if (request.path == "/openapi/v2") {
      return responder.respond(json(R"({"definitions":{"Fish":{"properties":{"tail":{"$ref":"#/definitions/Tail"}}},"Tail":{}}})"));
    }
    if (!request.path.starts_with("/apis/fish.org/v1/")) return responder.respond(HttpResponse::text(404, "no"));
    std::string seen = cat(request.method, " ", request.path, "?", request.query, " by ", request.peer.common_name, " ", request.body, "\n");
    for (const auto& header : request.headers) {
      if (header.name.starts_with("x-remote") || header.name == "authorization" || header.name == "host")
        seen += cat(header.name, ": ", header.value, "\n");
    }
    responder.respond(HttpResponse::text(200, seen));
  }

  ReceivedResponse send(std::string_view method, std::string_view path, std::string_view body, std::string_view more = "") {
    return admin.request(cat(method, " ", path, " HTTP/1.1\r\nHost: a\r\nContent-Type: ",
                             method == "PATCH" ? "application/merge-patch+json" : "application/json", "\r\n", more,
                             "Content-Length: ", body.size(), "\r\n\r\n", body));
  }
  ReceivedResponse get(std::string_view path, std::string_view more = "") {
    return admin.request(cat("GET ", path, " HTTP/1.1\r\nHost: a\r\n", more, "\r\n"));
  }
  Value document(std::string_view path, std::string_view more = "") { return *control::parse_json(get(path, more).body); }

  void offer(const std::string& ca_pem = test_pki().ca.certificate_pem) {
    const auto made = send("POST", kApiServices,
                           cat(R"({"metadata":{"name":"v1.fish.org"},"spec":{"group":"fish.org","version":"v1","groupPriorityMinimum":1,
                                   "versionPriority":1,"service":{"name":"kubernetes","namespace":"default"},"caBundle":")",
                               to_base64(ca_pem), "\"}}"));
    ASSERT_EQ(made.status, 201) << made.body;
  }
  std::string condition() {
    const Value one = document(cat(kApiServices, "/v1.fish.org"))["status"]["conditions"].items().empty()
                          ? Value()
                          : document(cat(kApiServices, "/v1.fish.org"))["status"]["conditions"].items()[0];
    return cat(one["status"].as_string(), " ", one["reason"].as_string());
  }
  template <typename Holds>
  void wait_until(const Holds& holds) {
    for (int tries = 0; tries < 2000 && !holds(); ++tries) world.control([] {});
    EXPECT_TRUE(holds()) << condition();
  }

  // Requests that the other server has and does not answer yet.
  class Unanswered {
   public:
    void add(Responder responder) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(responder));
      came_.notify_all();
    }
    Responder take() {
      std::unique_lock lock(mutex_);
      CHECK(came_.wait_for(lock, std::chrono::seconds(20), [this] { return !all_.empty(); }));
      Responder first = std::move(all_.front());
      all_.erase(all_.begin());
      return first;
    }

   private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<Responder> all_;
  };

  std::atomic<bool> broken = false;
  Unanswered slow;
  // So few seats that a level of one share has one.
  ApiWorld world{HttpServerOptions(), {.queue = {.seats = 8}}};
  TestServer fish;
  TestConnection admin;
};

TEST_F(Aggregation, PassesOnWhatAnotherServerServesAndSaysWhoAsks) {
  offer();
  wait_until([this] { return condition() == "True Passed"; });
  const auto answer = send("POST", "/apis/fish.org/v1/namespaces/n/fishes?dryRun=All", "{}",
                           "X-Remote-User: eve\r\nX-Remote-Extra-Smuggled: b\r\nAuthorization: Bearer x\r\n");
  EXPECT_THAT(answer.body, HasSubstr("POST /apis/fish.org/v1/namespaces/n/fishes?dryRun=All by front-proxy-client {}\n"));
  EXPECT_THAT(answer.body, HasSubstr("x-remote-user: kubernetes-admin\nx-remote-group: system:masters\n"));
  EXPECT_THAT(answer.body, HasSubstr("host: kubernetes.default.svc\n"));
  EXPECT_THAT(answer.body, Not(HasSubstr("eve")));
  EXPECT_THAT(answer.body, Not(HasSubstr("smuggled")));
  EXPECT_THAT(answer.body, Not(HasSubstr("Bearer")));
}

TEST_F(Aggregation, AsksWhoMayBeforeItPassesOn) {
  offer();
  wait_until([this] { return condition() == "True Passed"; });
  TestConnection other(world.port(), Kind::kTls);
  const auto refused = other.request("GET /apis/fish.org/v1/namespaces/n/fishes?watch=true HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr(R"(cannot watch resource \"fishes\" in API group \"fish.org\" in the namespace \"n\")"));
}

TEST_F(Aggregation, SeatsWhatItPassesOnAtTheLevelOfWhoAsksUntilTheOtherServerAnswers) {
  // A level of its own for who is no administrator, of one seat and without lines, and the right to ask for fishes.
  const std::string flow = "/apis/flowcontrol.apiserver.k8s.io/v1/", rbac = "/apis/rbac.authorization.k8s.io/v1/";
  const auto make = [this](const std::string& path, std::string_view body) { ASSERT_EQ(send("POST", path, body).status, 201) << path; };
  make(cat(flow, "prioritylevelconfigurations"),
       R"({"metadata":{"name":"one"},"spec":{"type":"Limited","limited":{"nominalConcurrencyShares":1,"borrowingLimitPercent":0,
           "limitResponse":{"type":"Reject"}}}})");
  make(cat(flow, "flowschemas"),
       R"({"metadata":{"name":"fishes"},"spec":{"matchingPrecedence":5,"priorityLevelConfiguration":{"name":"one"},"rules":[{"subjects":
           [{"kind":"Group","group":{"name":"system:authenticated"}}],"nonResourceRules":[{"verbs":["*"],"nonResourceURLs":["*"]}],
           "resourceRules":[{"verbs":["*"],"apiGroups":["fish.org"],"resources":["*"],"clusterScope":true,"namespaces":["*"]}]}]}})");
  make(cat(rbac, "clusterroles"), R"({"metadata":{"name":"f"},"rules":[{"apiGroups":["fish.org"],"resources":["*"],"verbs":["*"]}]})");
  make(cat(rbac, "clusterrolebindings"),
       R"({"metadata":{"name":"f"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"f"},"subjects":
           [{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"system:authenticated"}]})");
  offer();
  wait_until([this] { return condition() == "True Passed"; });
  const std::string ask = "GET /apis/fish.org/v1/slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n";
  TestConnection first(world.port(), Kind::kTls), second(world.port(), Kind::kTls);
  first.send(ask);
  const Responder waiting = slow.take();
  EXPECT_EQ(second.request(ask).status, 429) << "its level has one seat, which is taken";
  EXPECT_EQ(get("/apis/fish.org/v1/fishes").status, 200) << "others have levels of their own";
  waiting.respond(HttpResponse::text(200, "late"));
  ASSERT_TRUE(first.read_until("late"));
  second.send(ask);
  slow.take().respond(HttpResponse::text(200, "now"));
  EXPECT_TRUE(second.read_until("now"));
  EXPECT_THAT(get("/metrics").body, HasSubstr(R"(apiserver_flowcontrol_rejected_requests_total{flow_schema="fishes",priority_level="one")"));
}

TEST_F(Aggregation, DiscoveryAndOpenApiIncludeIt) {
  offer();
  wait_until([this] { return get("/openapi/v3").body.find("apis/fish.org/v1") != std::string::npos; });
  EXPECT_THAT(get("/apis").body, HasSubstr(R"({"name":"fish.org","preferredVersion":{"groupVersion":"fish.org/v1","version":"v1"})"));
  EXPECT_EQ(document("/apis/fish.org")["kind"].string(), "APIGroup");
  EXPECT_EQ(get("/apis/fish.org/v1").body, kFishes);
  const auto all = get("/apis", "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n").body;
  EXPECT_THAT(all, HasSubstr(R"("metadata":{"name":"fish.org"},"versions":[{"freshness":"Current","resources":[{"resource":"fishes")"));
  EXPECT_THAT(all, HasSubstr(R"("subresource":"status")"));
  const Value own = document("/openapi/v3/apis/fish.org/v1");
  EXPECT_EQ(own["components"]["schemas"]["Fish"]["properties"]["tail"]["$ref"].string(), "#/components/schemas/Tail");
  EXPECT_TRUE(document("/openapi/v2")["definitions"]["Tail"].is_map());
}

TEST_F(Aggregation, IsUnavailableWhileTheServerIs) {
  broken = true;
  offer();
  wait_until([this] { return condition() == "False FailedDiscoveryCheck"; });
  const auto answer = get("/apis/fish.org/v1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "service unavailable\n");
  EXPECT_THAT(get("/apis", "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n").body,
              HasSubstr(R"("freshness":"Stale")"));
  send("DELETE", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/fish", "");
  wait_until([this] { return condition() == "False EndpointsNotFound"; });
  send("DELETE", cat(kApiServices, "/v1.fish.org"), "");
  wait_until([this] { return get("/apis/fish.org/v1").status == 404; });
  EXPECT_THAT(get("/apis").body, Not(HasSubstr("fish.org")));
}

TEST_F(Aggregation, GivesUpAServerThatSpeaksNoTls) {
  RawServer plain([](int fd) {
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    RawServer::read_until(fd, "nothing that comes");
  });
  serve_at(plain.port());
  offer();
  wait_until([this] { return condition() == "False FailedDiscoveryCheck"; });
  EXPECT_THAT(get(cat(kApiServices, "/v1.fish.org")).body,
              HasSubstr("failing or missing response from https://kubernetes.default.svc:443/apis/fish.org/v1: tls: "));
}

TEST_F(Aggregation, TrustsOnlyWhomTheBundleNames) {
  offer(test_pki().front_proxy_ca.certificate_pem);
  wait_until([this] { return condition() == "True Passed"; });
  const auto refused = get("/apis/fish.org/v1/namespaces/n/fishes");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("tls: failed to verify certificate: x509: "));
  send("PATCH", cat(kApiServices, "/v1.fish.org"), R"({"spec":{"caBundle":null,"insecureSkipTLSVerify":true}})");
  wait_until([this] { return get("/apis/fish.org/v1/namespaces/n/fishes").status == 200; });
}

TEST_F(Aggregation, WhatIsBuiltInIsNobodyElses) {
  const auto taken = send("POST", kApiServices,
                          R"({"metadata":{"name":"v1.apps"},"spec":{"group":"apps","version":"v1","groupPriorityMinimum":1,"versionPriority":1,
                              "service":{"name":"kubernetes","namespace":"default"}}})");
  EXPECT_EQ(taken.status, 409);
  EXPECT_THAT(taken.body, HasSubstr(R"(apiservices.apiregistration.k8s.io \"v1.apps\" already exists)"));
}

TEST(RemoteUserHeaders, SayTheUserAndNothingThatHeWouldAdd) {
  control::UserInfo user;
  user.name = "jane";
  user.uid = "7";
  user.groups = {"a", "b"};
  user.extra = {{"example.org/why not", {"x"}}};
  const auto headers = remote_user_headers(user);
  ASSERT_TRUE(headers);
  std::string all;
  for (const auto& header : *headers) all += cat(header.name, "=", header.value, ";");
  EXPECT_EQ(all, "x-remote-user=jane;x-remote-uid=7;x-remote-group=a;x-remote-group=b;x-remote-extra-example.org%2fwhy%20not=x;");
  user.name = "jane\r\nx-remote-group: system:masters";
  EXPECT_FALSE(remote_user_headers(user));
}

}  // namespace
}  // namespace minik
