// What the API server keeps of API servers behind it, as time goes by.
#include "control/api/api_aggregator.h"

#include "control/schema/kinds.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

// A server that answers discovery at once, and what was published of it.
class FarServer : public ExtensionServers {
 public:
  explicit FarServer(Executor& executor) : executor_(executor) {}
  void fetch(const RemoteApi&, Fetch fetch, std::function<void(Result<Answer>)> done) override {
    const bool discovery = fetch.path == "/apis/far.example.com/v1";
    executor_.post([done = std::move(done), discovery] {
      done(discovery ? Answer{200, R"({"kind":"APIResourceList","apiVersion":"v1","groupVersion":"far.example.com/v1",
                                      "resources":[{"name":"stars","kind":"Star","namespaced":true,"verbs":["get"]}]})"}
                     : Answer{404, ""});
    });
  }
  void publish(std::shared_ptr<const RemoteApis> apis) override {
    const bool read = !apis->empty() && apis->front().resources.has_value();
    if (known && !read) ++forgotten;
    known = known || read;
  }

  bool known = false;
  int forgotten = 0;

 private:
  Executor& executor_;
};

class Aggregator : public ::testing::Test {
 protected:
  Aggregator() { api.bootstrap(); }
  ApiServerOptions options() {
    ApiServerOptions options;
    options.extension_servers = &far;
    return options;
  }
  void create(KindId kind, const std::string& namespace_, const std::string& json) {
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kind;
    request.namespace_ = namespace_;
    request.body = *parse_json(json);
    client.send(std::move(request), [](const Result<ApiResponse>& made) { EXPECT_TRUE(made) << made.error().message; });
    pass(seconds(1));
  }
  void pass(Duration time) { executor.run_until(executor.now() + time, [] { return false; }); }

  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  FarServer far{executor};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), options()};
  LocalClient client{executor, api, component_user("tester")};
};

TEST_F(Aggregator, KnowsWhatAnotherServerServesForAsLongAsItIsThere) {
  create(kinds::kServices, "default", R"({"metadata":{"name":"far"},"spec":{"ports":[{"port":443}],"selector":{"app":"far"}}})");
  create(kinds::kEndpointslices, "default",
         R"({"metadata":{"name":"far-1","labels":{"kubernetes.io/service-name":"far"}},"addressType":"IPv4",
             "endpoints":[{"addresses":["10.0.0.9"],"conditions":{"ready":true}}],"ports":[{"port":443}]})");
  create(kinds::kApiservices, "",
         R"({"metadata":{"name":"v1.far.example.com"},"spec":{"group":"far.example.com","version":"v1","groupPriorityMinimum":100,
             "versionPriority":10,"insecureSkipTLSVerify":true,"service":{"name":"far","namespace":"default"}}})");
  pass(seconds(30));
  ASSERT_TRUE(far.known);
  pass(minutes(16));  // Events expire every five
  EXPECT_EQ(far.forgotten, 0);
}

}  // namespace
}  // namespace minik::control
