#include "minik/net/api_front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/process/kubeconfig.h"
#include "tests/net/api_world.h"
#include "tests/net/upgrade_client.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using control::Value;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Kind = TestConnection::Kind;

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kTable = "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\n";

std::string get(std::string_view path, std::string_view headers = "") {
  return cat("GET ", path, " HTTP/1.1\r\nHost: a\r\n", headers, "\r\n");
}

std::string with_body(std::string_view method, std::string_view path, std::string_view body,
                      std::string_view type = "application/json") {
  return cat(method, " ", path, " HTTP/1.1\r\nHost: a\r\nContent-Type: ", type,
             "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

std::string config_map(std::string_view name, std::string_view value = "1") {
  return cat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", name,
             R"("},"data":{"a":")", value, "\"}}");
}

constexpr const char* kPod =
    R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"nodeName":"minik",)"
    R"("containers":[{"name":"main","image":"demo"},{"name":"broken","image":"demo"}]}})";

Value body_of(const ReceivedResponse& response) {
  auto value = control::parse_json(response.body);
  EXPECT_TRUE(value) << response.body;
  return value ? *value : Value();
}

class ApiOverHttp : public ::testing::Test {
 protected:
  ApiWorld world;
  TestConnection admin{world.port(), Kind::kTlsWithAdminCertificate};

  ReceivedResponse ask(std::string_view text) { return admin.request(text); }

  void create_pod() {
    // What the ServiceAccount controller would do.
    ask(with_body("POST", "/api/v1/namespaces/default/serviceaccounts",
                  R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})"));
    const auto created = ask(with_body("POST", "/api/v1/namespaces/default/pods", kPod));
    ASSERT_EQ(created.status, 201) << created.body;
    ask(with_body("PATCH", "/api/v1/namespaces/default/pods/web/status",
                  R"({"status":{"phase":"Running"}})", "application/merge-patch+json"));
  }
};

TEST_F(ApiOverHttp, CreatesReadsChangesListsAndDeletes) {
  EXPECT_EQ(ask(with_body("POST", kConfigMaps, config_map("one"))).status, 201);
  const auto read = ask(get(cat(kConfigMaps, "/one")));
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.headers.at("content-type"), "application/json");
  EXPECT_EQ(body_of(read).get("kind").string(), "ConfigMap");
  const auto patched = ask(with_body("PATCH", cat(kConfigMaps, "/one"), R"({"data":{"b":"2"}})",
                                     "application/merge-patch+json"));
  EXPECT_EQ(body_of(patched).get("data").size(), 2u);
  EXPECT_EQ(body_of(ask(get(kConfigMaps))).get("items").size(), 1u);
  EXPECT_EQ(ask(with_body("DELETE", cat(kConfigMaps, "/one"), "")).status, 200);
  EXPECT_EQ(ask(get(cat(kConfigMaps, "/one"))).status, 404);
}

TEST_F(ApiOverHttp, AnswersMistakesWithAStatus) {
  const auto missing = body_of(ask(get(cat(kConfigMaps, "/none"))));
  EXPECT_EQ(missing.get("kind").string(), "Status");
  EXPECT_EQ(missing.get("message").string(), "configmaps \"none\" not found");
  EXPECT_EQ(ask(get("/api/v1/nonsense")).status, 404);
  EXPECT_EQ(ask(get("/nonsense")).status, 404);
  EXPECT_EQ(ask(with_body("POST", kConfigMaps, "{not json")).status, 400);
  EXPECT_EQ(ask(with_body("PATCH", cat(kConfigMaps, "/a"), "{}", "text/plain")).status, 415);
  EXPECT_EQ(ask(with_body("PUT", "/version", "{}")).status, 405);
}

TEST_F(ApiOverHttp, RefusesABodyOverItsLimitWithAStatus) {
  const auto refused = ask(with_body("POST", kConfigMaps, std::string(4 << 20, ' ')));
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(body_of(refused).get("reason").string(), "RequestEntityTooLarge");
  EXPECT_THAT(refused.body, HasSubstr("limit is 3145728"));
}

TEST_F(ApiOverHttp, ShowsTables) {
  ask(with_body("POST", kConfigMaps, config_map("one")));
  const Value table = body_of(ask(get(kConfigMaps, kTable)));
  EXPECT_EQ(table.get("kind").string(), "Table");
  EXPECT_EQ(table.get("rows").size(), 1u);
}

TEST_F(ApiOverHttp, WatchesWhatHappensFromTheListOn) {
  ask(with_body("POST", kConfigMaps, config_map("one")));
  const Value list = body_of(ask(get(kConfigMaps)));
  const std::string revision = list.get("metadata").get("resourceVersion").string();
  TestConnection watcher(world.port(), Kind::kTlsWithAdminCertificate);
  watcher.send(get(cat(kConfigMaps, "?watch=true&resourceVersion=", revision)));
  ASSERT_TRUE(watcher.read_until("\r\n\r\n"));
  ask(with_body("POST", kConfigMaps, config_map("two")));
  ask(with_body("PUT", cat(kConfigMaps, "/two"), config_map("two", "changed")));
  ask(with_body("DELETE", cat(kConfigMaps, "/two"), ""));
  ASSERT_TRUE(watcher.read_until("\"DELETED\""));
  EXPECT_THAT(watcher.buffer(), HasSubstr(R"({"type":"ADDED")"));
  EXPECT_THAT(watcher.buffer(), HasSubstr(R"({"type":"MODIFIED")"));
  EXPECT_THAT(watcher.buffer(), Not(HasSubstr("\"one\"")));
}

TEST_F(ApiOverHttp, EndsAWatchInTime) {
  const auto watched = ask(get(cat(kConfigMaps, "?watch=1&timeoutSeconds=1")));
  EXPECT_EQ(watched.status, 200);
  EXPECT_EQ(ask(get("/version")).status, 200) << "the connection should live on";
}

TEST_F(ApiOverHttp, TellsAWatcherOfARevisionThatNeverWas) {
  EXPECT_EQ(ask(get(cat(kConfigMaps, "?watch=1&resourceVersion=abc"))).status, 400);
}

TEST_F(ApiOverHttp, KnowsItsUsers) {
  TestConnection nobody(world.port(), Kind::kTls);
  EXPECT_EQ(nobody.request(get("/version")).status, 200);
  const auto refused = nobody.request(get(kConfigMaps));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("system:anonymous"));
  EXPECT_EQ(nobody.request(get("/metrics")).status, 403);
  const auto stranger = nobody.request(get(kConfigMaps, "Authorization: Bearer stolen\r\n"));
  EXPECT_EQ(stranger.status, 401);
  EXPECT_EQ(body_of(stranger).get("reason").string(), "Unauthorized");
  const auto account = nobody.request(get(kConfigMaps, "Authorization: bearer good\r\n"));
  EXPECT_THAT(account.body, HasSubstr("system:serviceaccount:default:default"));
}

TEST_F(ApiOverHttp, ActsAsWhomTheHeadersName) {
  const auto refused = ask(get(kConfigMaps, "Impersonate-User: somebody\r\n"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr(R"(User \"somebody\" cannot list)"));
  EXPECT_EQ(ask(get(kConfigMaps, "Impersonate-User: boss\r\nImpersonate-Group: system:masters\r\n")).status, 200);
}

TEST_F(ApiOverHttp, IndentsItsAnswersForPeople) {
  const std::string curl = "User-Agent: curl/8.0\r\n";
  EXPECT_THAT(ask(get(kConfigMaps)).body, HasSubstr(R"({"apiVersion":"v1",)"));
  for (const auto& request : {get(kConfigMaps, curl), get(std::string(kConfigMaps) + "?pretty=true"), get("/apis/apps/v1", curl)}) {
    EXPECT_THAT(ask(request).body, HasSubstr("{\n  \"apiVersion\": \"v1\","));
  }
  EXPECT_THAT(ask(get(std::string(kConfigMaps) + "?pretty=false", curl)).body, HasSubstr(R"({"apiVersion":"v1",)"));
  EXPECT_THAT(ask(get(std::string(kConfigMaps) + "/nobody", curl)).body, HasSubstr("\n  \"code\": 404"));
  EXPECT_THAT(ask(get("/version")).body, HasSubstr("\n  \"gitVersion\": \"v1.35.0\""));
}

TEST_F(ApiOverHttp, SaysWhatItIsAndServes) {
  EXPECT_EQ(body_of(ask(get("/version"))).get("gitVersion").string(), "v1.35.0");
  EXPECT_EQ(ask(get("/version/")).status, 200);
  for (const char* path : {"/healthz", "/livez", "/readyz", "/livez/ping"}) {
    EXPECT_EQ(ask(get(path)).body, "ok") << path;
  }
  EXPECT_EQ(ask(get("/livez?verbose")).body, "[+]ping ok\n[+]log ok\n[+]etcd ok\nlivez check passed\n");
  EXPECT_EQ(ask(get("/livez/nonsense")).status, 404);
  EXPECT_EQ(ask(get("/readyz?verbose&exclude=log&exclude=nonsense")).body,
            "[+]log excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"nonsense\"\n"
            "[+]ping ok\n[+]etcd ok\n[+]informer-sync ok\nreadyz check passed\n");
  EXPECT_EQ(body_of(ask(get("/api"))).get("kind").string(), "APIVersions");
  EXPECT_EQ(body_of(ask(get("/apis/apps/v1"))).get("kind").string(), "APIResourceList");
  EXPECT_EQ(ask(get("/apis/nonsense")).status, 404);
  const auto all = ask(get(
      "/apis", "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n"));
  EXPECT_EQ(body_of(all).get("kind").string(), "APIGroupDiscoveryList");
  EXPECT_THAT(all.headers.at("content-type"), HasSubstr("as=APIGroupDiscoveryList"));
  EXPECT_THAT(ask(get("/openapi/v3")).body, HasSubstr("apis/apps/v1"));
  EXPECT_THAT(ask(get("/openapi/v3/apis/apps/v1")).body, HasSubstr("Deployment"));
  EXPECT_EQ(ask(get("/metrics")).status, 200);
}

TEST_F(ApiOverHttp, AsksClientsToComeAgainWhileThereIsNoServer) {
  world.lose_api();
  const auto refused = ask(get(kConfigMaps));
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
}

TEST_F(ApiOverHttp, StreamsLogs) {
  create_pod();
  const std::string log = "/api/v1/namespaces/default/pods/web/log";
  EXPECT_EQ(ask(get(cat(log, "?container=main"))).body, "one\ntwo\n");
  const auto unnamed = ask(get(log));
  EXPECT_EQ(unnamed.status, 400);
  EXPECT_THAT(unnamed.body, HasSubstr("choose one of: [main broken]"));
  EXPECT_EQ(ask(get(cat(log, "?container=none"))).status, 400);
  EXPECT_EQ(ask(get(cat(log, "?container=main&tailLines=x"))).status, 400);
  EXPECT_EQ(ask(get(cat(log, "?container=main&tailLines=0"))).status, 200);
  for (const char* wrong : {"tailLines=-1", "sinceSeconds=0", "limitBytes=0", "limitBytes=-3"}) {
    EXPECT_EQ(ask(get(cat(log, "?container=main&", wrong))).status, 422) << wrong;
  }
  EXPECT_THAT(ask(get(cat(log, "?container=main&sinceSeconds=0"))).body,
              HasSubstr("PodLogOptions \\\"web\\\" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0"));
  TestConnection follower(world.port(), Kind::kTlsWithAdminCertificate);
  follower.send(get(cat(log, "?container=main&follow=True")));
  EXPECT_TRUE(follower.read_until("two"));
}

TEST_F(ApiOverHttp, RefusesAStreamToAContainerThatDoesNotRun) {
  create_pod();
  const std::string exec =
      "/api/v1/namespaces/default/pods/web/exec?stdout=1&command=ls&container=";
  EXPECT_THAT(ask(with_body("POST", cat(exec, "broken"), "")).body, HasSubstr("is not running"));
  EXPECT_EQ(ask(with_body("POST", cat(exec, "none"), "")).status, 400);
  EXPECT_EQ(ask(with_body("POST", "/api/v1/namespaces/default/pods/none/exec", "")).status, 404);
}

// The real client, where there is one.
class Kubectl : public ApiOverHttp {
 protected:
  void SetUp() override {
    if (std::system("kubectl version --client >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "SKIPPED: no kubectl on the path";
    }
    const ClusterPki& pki = test_pki();
    ASSERT_TRUE(
        add_to_kubeconfig(folder.file("config"),
                          {"minik", cat("https://127.0.0.1:", world.port()), pki.ca.certificate_pem,
                           pki.admin.certificate_pem, pki.admin.private_key_pem},
                          CurrentContext::kSwitch));
    create_pod();
  }

  // Both outputs and, at their end, "=> exit code".
  std::string run(const std::string& arguments, const std::string& prefix = "") {
    const std::string command =
        cat("{ ", prefix, "timeout 20 kubectl --cache-dir=", folder.file("cache"),
            " --kubeconfig=", folder.file("config"), " ", arguments, "; echo \"=> $?\"; } 2>&1");
    std::string output;
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> piece;
    size_t got;
    while ((got = fread(piece.data(), 1, piece.size(), pipe)) > 0) output.append(piece.data(), got);
    pclose(pipe);
    return output;
  }

  TemporaryFolder folder;
};

TEST_F(Kubectl, CreatesGetsAndDeletes) {
  const std::string manifest = folder.file("one.json");
  std::ofstream(manifest) << config_map("one");
  EXPECT_THAT(run(cat("create -f ", manifest)), HasSubstr("configmap/one created"));
  EXPECT_THAT(run("get configmaps"), HasSubstr("one"));
  EXPECT_THAT(run("get configmap one -o jsonpath='{.data.a}'"), StartsWith("1"));
  EXPECT_THAT(run("delete configmap one"), HasSubstr("configmap \"one\" deleted"));
  EXPECT_THAT(run("get configmap one"), HasSubstr("(NotFound)"));
  EXPECT_THAT(run("api-resources"), HasSubstr("deployments"));
  EXPECT_THAT(run("explain pod.spec"), HasSubstr("containers"));
  EXPECT_THAT(run("logs web -c main"), StartsWith("one\ntwo\n"));
}

TEST_F(Kubectl, CreatesByItsOwnCommandsWhichSendProtobuf) {
  EXPECT_THAT(run("create configmap one --from-literal=a=1"), HasSubstr("configmap/one created"));
  EXPECT_THAT(run("get configmap one -o jsonpath='{.data.a}'"), StartsWith("1"));
  EXPECT_THAT(run("create secret generic two --from-literal=a=xyz"),
              HasSubstr("secret/two created"));
  EXPECT_THAT(run("get secret two -o jsonpath='{.data.a}'"), StartsWith("eHl6"));
  EXPECT_THAT(run("create namespace three"), HasSubstr("namespace/three created"));
  EXPECT_THAT(run("create service clusterip four --tcp=80:8080"),
              HasSubstr("service/four created"));
  EXPECT_THAT(run("get service four -o jsonpath='{.spec.ports[0].targetPort}'"),
              StartsWith("8080"));
  EXPECT_THAT(run("create deployment five --image=demo --replicas=2 --port=80"),
              HasSubstr("deployment.apps/five created"));
  EXPECT_THAT(run("get deployment five -o jsonpath='{.spec.replicas} "
                  "{.spec.template.spec.containers[0].image} "
                  "{.spec.template.spec.containers[0].ports[0].containerPort}'"),
              StartsWith("2 demo 80"));
  EXPECT_THAT(run("create ingress six --rule='a.example/*=four:80'"),
              HasSubstr("ingress.networking.k8s.io/six created"));
  EXPECT_THAT(run("create job seven --image=demo"), HasSubstr("job.batch/seven created"));
  EXPECT_THAT(run("create role eight --verb=get --resource=pods"), HasSubstr("eight created"));
  EXPECT_THAT(run("create serviceaccount nine"), HasSubstr("serviceaccount/nine created"));
}

TEST_F(Kubectl, ExecutesOverWebSockets) {
  EXPECT_EQ(run("exec web -c main -- echo hello"), "hello\n=> 0\n");
  EXPECT_THAT(run("exec web -c main -- exit 3"), HasSubstr("exit code 3\n=> 3"));
  EXPECT_EQ(run("exec -i web -c main -- wc -c", "printf 12345 | "), "5\n=> 0\n");
  EXPECT_EQ(run("exec web -c main -- 'head -c 2000000 /dev/zero | tr \\\\0 x' | wc -c"),
            "2000000\n=> 0\n");
}

TEST_F(Kubectl, ExecutesOverSpdyWithOlderClients) {
  const std::string old = "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false ";
  EXPECT_EQ(run("exec web -c main -- echo hello", old), "hello\n=> 0\n");
  EXPECT_THAT(run("exec web -c main -- exit 3", old), HasSubstr("exit code 3\n=> 3"));
  EXPECT_EQ(run("exec -i web -c main -- wc -c", "printf 12345 | " + old), "5\n=> 0\n");
}

TEST_F(Kubectl, ForwardsPortsOverBothTransports) {
  for (const char* old : {"", "KUBECTL_PORT_FORWARD_WEBSOCKETS=false "}) {
    const std::string script =
        cat("port-forward pod/web :80 > ", folder.file("forward"),
            " & for i in $(seq 100); do grep -q 127.0.0.1 ", folder.file("forward"),
            " 2>/dev/null && break; sleep 0.1; done; "
            "port=$(sed -n 's/.*127.0.0.1:\\([0-9]*\\) .*/\\1/p' ",
            folder.file("forward"),
            "); timeout 5 bash -c \"cat < /dev/tcp/127.0.0.1/$port\"; kill $!; wait");
    EXPECT_THAT(run(script, old), HasSubstr("this is port 80\n")) << old;
    std::remove(folder.file("forward").c_str());
  }
}

}  // namespace
}  // namespace minik
