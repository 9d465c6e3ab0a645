// Where pods find the API: the Service kubernetes and its endpoints, over several lives of the server.
#include "tests/api/http_world.h"

#include "control/schema/kinds.h"

namespace minik::control {
namespace {

class ServerAddress : public ::testing::Test {
 protected:
  void begin(int port) {
    api.reset();
    ApiServerOptions options;
    options.advertise_address = "10.0.0.1";
    options.advertise_port = port;
    api = std::make_unique<ApiServer>(executor, store, Schema::builtin(), metrics, Rng(1), std::move(options));
    api->bootstrap();
    executor.run_until(executor.now() + seconds(1), [] { return false; });
  }
  const Value& object(KindId kind) const { return store.find(kind, "default", "kubernetes"); }
  int64_t service_port() const { return object(kinds::kServices)[keys::kSpec][keys::kPorts].items()[0][keys::kTargetPort].as_int(); }
  int64_t slice_port() const { return object(kinds::kEndpointslices)[keys::kPorts].items()[0][keys::kPort].as_int(); }
  int64_t endpoints_port() const {
    return object(kinds::kEndpoints)[keys::kSubsets].items()[0][keys::kPorts].items()[0][keys::kPort].as_int();
  }

  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  std::unique_ptr<ApiServer> api;
};

TEST_F(ServerAddress, FollowsThePortWhereverItMoves) {
  begin(6443);
  const std::string address = object(kinds::kServices)[keys::kSpec][keys::kClusterIP].string();
  begin(38897);
  EXPECT_EQ(service_port(), 38897);
  EXPECT_EQ(slice_port(), 38897);
  EXPECT_EQ(endpoints_port(), 38897);
  EXPECT_EQ(object(kinds::kServices)[keys::kSpec][keys::kClusterIP].string(), address);
}

TEST_F(ServerAddress, IsLeftAloneWhereItIsTheSame) {
  begin(6443);
  const Revision before = store.revision();
  begin(6443);
  EXPECT_EQ(store.revision().value, before.value);
}

}  // namespace
}  // namespace minik::control
