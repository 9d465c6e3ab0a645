// The chapters that only show on the wire: compression, versions of pages, forms of OpenAPI, warnings, and the proxy, over
// real TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <atomic>
#include <set>
#include <tuple>
#include <vector>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/net/api_proxy.h"
#include "minik/net/gzip.h"
#include "minik/net/openapi_protobuf.h"
#include "tests/net/api_world.h"
#include "tests/net/raw_server.h"

namespace minik {
namespace {

using control::Value;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = TestConnection::Kind;

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";

class Transport : public ::testing::Test {
 protected:
  ApiWorld world;
  TestConnection admin{world.port(), Kind::kTlsWithAdminCertificate};

  ReceivedResponse get(std::string_view target, std::string_view headers = "") {
    return admin.request(cat("GET ", target, " HTTP/1.1\r\nHost: a\r\n", headers, "\r\n"));
  }
  ReceivedResponse send(std::string_view method, std::string_view target, std::string_view body,
                        std::string_view type = "application/json") {
    return admin.request(cat(method, " ", target, " HTTP/1.1\r\nHost: a\r\nContent-Type: ", type,
                             "\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  }
  static Value json(const std::string& text) {
    auto parsed = control::parse_json(text);
    EXPECT_TRUE(parsed) << text.substr(0, 200);
    return parsed ? *parsed : Value();
  }
};

TEST_F(Transport, RefusesAddressesAndHeadersThatAreNotUtf8) {
  for (const auto& [target, headers, where] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"/api/v1/namespaces/a%93", "", "path"},
           {cat(kConfigMaps, "?fieldManager=%ff"), "", "query"},
           {kConfigMaps, "Accept: application/json;g=\x93\r\n", "header accept"}}) {
    const auto answer = get(target, headers);
    EXPECT_EQ(answer.status, 400) << target;
    EXPECT_EQ(json(answer.body).get("message").as_string(), cat("the request's ", where, " must be UTF-8"));
  }
}

TEST_F(Transport, LargeAnswersAreCompressedForWhoTakesIt) {
  const std::string large(100'000, 'x');
  for (const auto* name : {"a", "b"}) {
    send("POST", kConfigMaps, cat(R"({"metadata":{"name":")", name, R"("},"data":{"x":")", large, "\"}}"));
  }
  const auto plain = get(kConfigMaps);
  const auto packed = get(kConfigMaps, "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(plain.headers.count("content-encoding"), 0U);
  ASSERT_EQ(packed.headers.at("content-encoding"), "gzip");
  EXPECT_LT(packed.body.size() * 10, plain.body.size());
  EXPECT_EQ(gunzip(packed.body, 1 << 20), plain.body);
  // One object is below the 128 KiB from which it pays.
  EXPECT_EQ(get(cat(kConfigMaps, "/a"), "Accept-Encoding: gzip\r\n").headers.count("content-encoding"), 0U);
}

TEST_F(Transport, PagesHaveVersionsAndAreNotSentTwice) {
  const std::string accept = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n";
  const auto first = get("/apis", accept);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.headers.at("content-type"), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  const std::string etag = first.headers.at("etag");
  admin.send(cat("GET /apis HTTP/1.1\r\nHost: a\r\n", accept, "If-None-Match: ", etag, "\r\n\r\n"));
  const auto again = admin.response(false);
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.headers.at("etag"), etag);
  EXPECT_NE(get("/apis").headers.at("etag"), etag) << "the plain form is another document";
}

TEST_F(Transport, OpenApiIsFoundByItsIndexUnderItsHash) {
  const Value index = json(get("/openapi/v3").body);
  ASSERT_GT(index["paths"].size(), 20U);
  std::set<std::string> addresses;
  for (const auto& [path, entry] : index["paths"].entries()) {
    const std::string address = entry["serverRelativeURL"].string();
    EXPECT_THAT(address, StartsWith(cat("/openapi/v3/", path.text(), "?hash=")));
    addresses.insert(address.substr(address.find('=')));
  }
  EXPECT_EQ(addresses.size(), index["paths"].size()) << "two documents have one hash";
  const auto apps = get(index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_string());
  EXPECT_EQ(apps.status, 200);
  EXPECT_THAT(apps.body, HasSubstr("io.k8s.api.apps.v1.Deployment"));
}

TEST_F(Transport, OldClientsGetOpenApiInProtobuf) {
  for (const auto form : {kOpenApiProtobuf, kOpenApiProtobufOld}) {
    const auto document = get("/openapi/v2", cat("Accept: ", form, "\r\n"));
    EXPECT_EQ(document.status, 200);
    EXPECT_EQ(document.headers.at("content-type"), kOpenApiProtobuf);
    // Field 1, three bytes: the version of Swagger.
    EXPECT_THAT(document.body, StartsWith(std::string("\x0a\x03") + "2.0"));
    EXPECT_THAT(document.body, HasSubstr("io.k8s.api.apps.v1.DeploymentSpec"));
    EXPECT_THAT(document.body, HasSubstr("x-kubernetes-group-version-kind"));
  }
  EXPECT_EQ(json(get("/openapi/v2").body)["swagger"].string(), "2.0");
}

TEST_F(Transport, WarningsAreHeaders) {
  const auto made = send("POST", kConfigMaps, R"({"metadata":{"name":"w"},"dat":{}})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.headers.at("warning"), "299 - \"unknown field \\\"dat\\\"\"");
}

TEST_F(Transport, WarningsAreNoFlood) {
  std::string body = R"({"metadata":{"name":"flood"})";
  for (int i = 0; i < 2000; ++i) body += cat(",\"f", i, "\":1");
  body += "}";
  admin.send(cat("POST ", kConfigMaps, " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  ASSERT_TRUE(admin.read_until("\r\n\r\n"));
  const std::string head = admin.buffer().substr(0, admin.buffer().find("\r\n\r\n"));
  EXPECT_THAT(head, HasSubstr("unknown field"));
  EXPECT_LT(head.size(), 16'000U);
}

TEST_F(Transport, ACertificateSaysWhoItsClientIsAndWhichOneItIs) {
  const auto review = json(send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}").body)["status"]["userInfo"];
  EXPECT_EQ(review["username"].string(), "kubernetes-admin");
  EXPECT_EQ(control::to_json(review["groups"]), R"(["system:masters","system:authenticated"])");
  const auto credential = review["extra"]["authentication.kubernetes.io/credential-id"].items();
  ASSERT_EQ(credential.size(), 1U);
  EXPECT_THAT(credential[0].string(), MatchesRegex("X509SHA256=[0-9a-f]{64}"));
}

TEST_F(Transport, YamlIsTakenAndGiven) {
  EXPECT_EQ(send("POST", kConfigMaps, "metadata: {name: y}\ndata: {a: b}\n", "application/yaml").status, 201);
  const auto read = get(cat(kConfigMaps, "/y"), "Accept: application/yaml\r\n");
  EXPECT_EQ(read.headers.at("content-type"), "application/yaml");
  EXPECT_THAT(read.body, HasSubstr("kind: ConfigMap"));
}

// ---- the proxy ----

class Proxy : public Transport {
 protected:
  void make_pod(uint16_t port) {
    send("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
    const auto made = send("POST", "/api/v1/namespaces/default/pods",
                           cat(R"({"metadata":{"name":"web"},"spec":{"containers":[{"name":"main","image":"a:1","ports":[{"containerPort":)",
                               port, "}]}]}}"));
    ASSERT_EQ(made.status, 201) << made.body;
    send("PATCH", "/api/v1/namespaces/default/pods/web/status", R"({"status":{"podIP":"127.0.0.1"}})",
         "application/merge-patch+json");
  }
  static constexpr const char* kProxy = "/api/v1/namespaces/default/pods/web/proxy";
};

TEST_F(Proxy, LeadsARequestToThePodAndItsAnswerBack) {
  std::string seen;
  RawServer pod([&seen](int fd) {
    seen = RawServer::read_until(fd, "body");
    RawServer::say(fd, "HTTP/1.1 418 Teapot\r\nX-Own: yes\r\nContent-Length: 5\r\n\r\nshort");
  });
  make_pod(pod.port());
  const auto answer = admin.request(cat("POST ", kProxy, "/a/b?c=d HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n",
                                        "Content-Type: application/vnd.kubernetes.protobuf\r\nContent-Length: 4\r\n\r\nbody"));
  EXPECT_EQ(answer.status, 418);
  EXPECT_EQ(answer.headers.at("x-own"), "yes");
  EXPECT_EQ(answer.body, "short");
  EXPECT_THAT(seen, StartsWith("POST /a/b?c=d HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\n\r\nbody"));
  EXPECT_THAT(seen, Not(HasSubstr("secret"))) << "the credentials for the API are not for the pod";
}

// As large as it likes: nobody here reads it.
TEST_F(Proxy, StreamsTheBodyOfARequest) {
  constexpr size_t kMany = 8'000'000;
  std::string head;
  std::atomic<size_t> bytes = 0;
  RawServer pod([&](int fd) {
    head = RawServer::read_until(fd, "\r\n\r\n");
    std::vector<char> piece(100'000);
    while (bytes < kMany) {
      const ssize_t got = recv(fd, piece.data(), piece.size(), 0);
      if (got <= 0) return;
      bytes += static_cast<size_t>(got);
    }
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  make_pod(pod.port());
  admin.send(cat("PUT ", kProxy, "/upload HTTP/1.1\r\nHost: a\r\nContent-Length: ", kMany, "\r\n\r\n"));
  admin.send(std::string(kMany, 'x'));
  EXPECT_EQ(admin.response().body, "done");
  EXPECT_EQ(bytes, kMany);
  EXPECT_THAT(head, HasSubstr(cat("content-length: ", kMany, "\r\n")));
}

TEST_F(Proxy, PassesOnInChunksWhatComesInChunks) {
  std::string seen;
  RawServer pod([&seen](int fd) {
    seen = RawServer::read_until(fd, "\r\n0\r\n\r\n");
    RawServer::say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
  });
  make_pod(pod.port());
  admin.send(cat("PUT ", kProxy, "/upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
  admin.send("5\r\nhello\r\n");
  admin.send("0\r\n\r\n");
  EXPECT_EQ(admin.response().body, "done");
  EXPECT_THAT(seen, HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_THAT(seen, ::testing::EndsWith("5\r\nhello\r\n0\r\n\r\n"));
}

TEST_F(Proxy, ReadsNoBodyForWhoMayNotUseIt) {
  make_pod(9);
  TestConnection other(world.port(), Kind::kTls);
  other.send(cat("POST ", kProxy, "/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nand so on"));
  EXPECT_EQ(other.response().status, 403);
  EXPECT_EQ(other.read_to_end(), "");
}

TEST_F(Proxy, SendsWhoForgetsTheSlashBackWithIt) {
  make_pod(9);
  const auto answer = get(cat(kProxy, "?a=b"));
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(answer.headers.at("location"), cat(kProxy, "/?a=b"));
}

TEST_F(Proxy, KeepsRedirectsOfThePodWithinIt) {
  RawServer pod(RawServer::answering("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"));
  make_pod(pod.port());
  EXPECT_EQ(get(cat(kProxy, "/")).headers.at("location"), cat(kProxy, "/login"));
}

TEST_F(Proxy, SaysThatNobodyAnswersAndWhoIsNotThere) {
  make_pod(1);
  EXPECT_EQ(get(cat(kProxy, "/")).status, 502);
  EXPECT_EQ(get("/api/v1/namespaces/default/pods/none/proxy/").status, 404);
  EXPECT_EQ(get("/api/v1/namespaces/default/services/none/proxy/").status, 404);
}

TEST_F(Proxy, IsForWhoMayUseIt) {
  make_pod(9);
  TestConnection other(world.port(), Kind::kTls);
  EXPECT_EQ(other.request(cat("GET ", kProxy, "/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n")).status, 403);
}

TEST(ProxyPath, IsWhatComesAfterTheName) {
  const auto rest = [](std::string_view path) { return std::string(split_proxy_path(path).rest); };
  EXPECT_EQ(rest("/api/v1/namespaces/n/pods/web:80/proxy/a/proxy/b"), "/a/proxy/b");
  EXPECT_EQ(rest("/api/v1/namespaces/proxy/pods/proxy/proxy"), "");
  EXPECT_EQ(rest("/api/v1/nodes/one/proxy/metrics"), "/metrics");
  EXPECT_EQ(rest("/api/v1/namespaces/n/pods/web"), "");
  // Names that begin like it.
  EXPECT_EQ(rest("/apis/apps/v1/namespaces/proxy-team/deployments"), "");
  EXPECT_EQ(rest("/apis/rbac.authorization.k8s.io/v1/clusterroles/proxy-reader"), "");
  EXPECT_EQ(rest("/api/v1/namespaces/n/configmaps/a/proxy/b"), "");
  EXPECT_EQ(rest("/api/v1/nodes/one/proxying/b"), "");
  EXPECT_EQ(led_through("/x", "/p/proxy"), "/p/proxy/x");
  EXPECT_EQ(led_through("//other/x", "/p/proxy"), "//other/x");
  EXPECT_EQ(led_through("https://other/x", "/p/proxy"), "https://other/x");
  EXPECT_EQ(led_through("https://us:8001/x", "/p/proxy", "us:8001"), "/p/proxy/x");
  EXPECT_EQ(led_through("/p/proxy/x", "/p/proxy"), "/p/proxy/x");
  EXPECT_EQ(led_through("x/y", "/p/proxy"), "x/y");
}

TEST_F(Proxy, ReachesPodsThatSpeakTls) {
  TestServer pod([](const HttpRequest& request, const Responder& responder) {
    responder.respond(HttpResponse::text(200, cat("over TLS: ", request.path)));
  });
  make_pod(pod.tls_port());
  EXPECT_EQ(get("/api/v1/namespaces/default/pods/https:web:/proxy/a").body, "over TLS: /a");
  EXPECT_EQ(get(cat("/api/v1/namespaces/default/pods/https:web:", pod.tls_port(), "/proxy/a")).body, "over TLS: /a");
  const auto wrong = get("/api/v1/namespaces/default/pods/ftp:web:80/proxy/");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr(R"(invalid pod request \"ftp:web:80\")"));
}

TEST_F(Proxy, LeadsTheLinksOfAPageThroughItself) {
  const std::string page = R"(<!-- <a href="/no"> --><A HREF='/a'>x</A><img alt=">" src=/i><form action="b"><script>"<a href='/s'>"</script>)";
  RawServer pod(RawServer::answering(
      cat("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: ", page.size(), "\r\n\r\n", page)));
  make_pod(pod.port());
  const auto answer = get(cat(kProxy, "/"));
  EXPECT_EQ(answer.body, cat(R"(<!-- <a href="/no"> --><A HREF=')", kProxy, R"(/a'>x</A><img alt=">" src=)", kProxy,
                             R"(/i><form action="b"><script>"<a href='/s'>"</script>)"));
  EXPECT_FALSE(answer.headers.contains("access-control-allow-origin"));
}

}  // namespace
}  // namespace minik
