// What a request costs without its socket, its threads and its disk: bytes through the HTTP parser, the conventions,
// the API server on a log in memory, and the answer as text. Where the machine is busy, count instructions instead:
//   valgrind --tool=callgrind build/release/bench/request_bench --benchmark_filter=get --benchmark_min_time=0.01
#include <benchmark/benchmark.h>

#include <variant>
#include <vector>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/api/local_client.h"
#include "control/base/check.h"
#include "control/base/text.h"
#include "control/schema/schema.h"
#include "control/store/memory_log.h"
#include "minik/net/api_call.h"
#include "minik/net/http_parser.h"
#include "tests/still_executor.h"

namespace {

using namespace minik;
using namespace minik::control;

class World {
 public:
  World() {
    api_.bootstrap();
    executor_.run();
    for (int i = 0; i < 500; ++i) CHECK(create(cat("own-", i)).status == 201);
  }

  HttpReply serve(std::string_view bytes) {
    HttpRequestParser parser({});
    parser.feed(bytes);
    CHECK(parser.state() == HttpRequestParser::State::kComplete) << parser.error_message();
    HttpRequest request = parser.take_request();
    auto http = to_api_call(request);
    auto parsed = parse_call(Schema::builtin(), *http);
    CHECK(parsed.ok()) << parsed.error().message;
    auto& call = std::get<ResourceCall>(*parsed);
    call.request.user = component_user("kubernetes-admin");
    HttpReply reply;
    api_.handle(call.request, [&](const Result<ApiResponse>& result) {
      reply = reply_to(Schema::builtin(), call, result, executor_.wall_now());
    });
    executor_.run();
    return reply;
  }

  HttpReply create(std::string_view name) {
    return serve(with_body("POST", "", "application/json",
                           cat(R"({"metadata":{"name":")", name, R"("},"data":{"key":")", std::string(400, 'x'), "\"}}")));
  }
  static std::string with_body(std::string_view method, std::string_view name, std::string_view type,
                               std::string_view body) {
    return cat(method, " /api/v1/namespaces/default/configmaps", name.empty() ? "" : "/", name, " HTTP/1.1\r\n", kHead,
               "Content-Type: ", type, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
  }
  static std::string get(std::string_view name) {
    return cat("GET /api/v1/namespaces/default/configmaps", name, " HTTP/1.1\r\n", kHead, "\r\n");
  }

 private:
  static constexpr std::string_view kHead =
      "Host: 127.0.0.1:6443\r\nUser-Agent: kubectl/v1.35.0 (linux/amd64) kubernetes/abcdef0\r\n"
      "Accept: application/json\r\nAccept-Encoding: gzip\r\n";
  StillExecutor executor_;
  MetricRegistry metrics_;
  MemoryLog log_;
  Store store_{log_, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api_{executor_, store_, Schema::builtin(), metrics_, Rng(1), {}};
};

void count(benchmark::State& state) {
  state.counters["figure"] = benchmark::Counter(static_cast<double>(state.iterations()) / 1e6,
                                            benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void get_us(benchmark::State& state) {
  World world;
  const std::string bytes = World::get("/own-7");
  for (auto _ : state) CHECK(world.serve(bytes).status == 200);
  count(state);
}
BENCHMARK(get_us);

void list_500_us(benchmark::State& state) {
  World world;
  const std::string bytes = World::get("");
  for (auto _ : state) CHECK(world.serve(bytes).status == 200);
  count(state);
}
BENCHMARK(list_500_us);

void create_us(benchmark::State& state) {
  World world;
  size_t number = 0;
  for (auto _ : state) CHECK(world.create(cat("new-", number++)).status == 201);
  count(state);
}
BENCHMARK(create_us);

void patch_us(benchmark::State& state) {
  World world;
  size_t number = 0;
  for (auto _ : state) {
    CHECK(world.serve(World::with_body("PATCH", "own-7", "application/merge-patch+json",
                                       cat(R"({"data":{"count":")", number++, "\"}}")))
              .status == 200);
  }
  count(state);
}
BENCHMARK(patch_us);

}  // namespace
