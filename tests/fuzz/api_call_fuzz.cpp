// The whole way of a request without its socket: bytes, HTTP, the conventions of the API, the API server, and the
// answer as text. The input is what an administrator's connection carries, several requests one after the other if it
// likes. Every input finds the same small cluster.
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/api/local_client.h"
#include "control/base/check.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "control/store/store.h"
#include "minik/net/api_call.h"
#include "minik/net/http_parser.h"
#include "tests/still_executor.h"

namespace {

using namespace minik;
using namespace minik::control;

struct World {
  World() {
    const auto make = [this](KindId kind, const char* namespace_, const char* text) {
      ApiRequest request;
      request.verb = Verb::kCreate;
      request.kind = kind;
      request.namespace_ = namespace_;
      request.user = component_user("seed");
      request.body = *parse_json(text);
      api.handle(request, [](Result<ApiResponse> result) { CHECK(result.ok()) << result.error().message; });
      executor.run();
    };
    make(kinds::kNamespaces, "", R"({"metadata":{"name":"default"}})");
    make(kinds::kServiceaccounts, "default", R"({"metadata":{"name":"default"}})");
    make(kinds::kConfigmaps, "default", R"({"metadata":{"name":"c","labels":{"a":"b"}},"data":{"k":"v"}})");
    make(kinds::kPods, "default",
         R"({"metadata":{"name":"p","labels":{"a":"b"}},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}})");
    make(kinds::kDeployments, "default",
         R"({"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":)"
         R"({"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    begin = store.revision();
  }

  StillExecutor executor;
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), {}};
  Revision begin;
};

void check_reply(const HttpReply& reply) {
  CHECK(reply.status >= 200 && reply.status < 600) << reply.status;
  if (reply.content_type != "application/json") return;
  const auto body = parse_json(reply.body);
  CHECK(body.ok()) << reply.body;
  CHECK(reply.status < 400 || body->get("code").as_int() == reply.status) << reply.body;
}

void serve_watch(World& world, const ResourceCall& call) {
  std::vector<WatchEvent> events;
  auto watch = world.api.watch(call.request, {.on_event = [&](const WatchEvent& e) { events.push_back(e); },
                                              .on_end = [](const Status&) {}});
  if (!watch) return check_reply(reply_to(Schema::builtin(), call, watch.error(), world.executor.wall_now()));
  for (const WatchEvent& event : events) {
    const std::string line = encode_watch_event(Schema::builtin(), call, event, world.executor.wall_now());
    CHECK(parse_json(line).ok()) << line;
  }
}

void serve(World& world, HttpRequest request) {
  const auto http = to_api_call(request);
  if (!http) return check_reply(reply_with(http.error()));
  auto parsed = parse_call(Schema::builtin(), *http);
  if (!parsed) return check_reply(reply_with(parsed.error()));
  auto* call = std::get_if<ResourceCall>(&*parsed);
  if (call == nullptr) return;
  call->request.user = component_user("fuzz");
  if (call->request.verb == Verb::kWatch) return serve_watch(world, *call);
  if (call->request.verb == Verb::kConnect) return (void)world.api.connect(call->request);
  bool answered = false;
  world.api.handle(call->request, [&](const Result<ApiResponse>& result) {
    answered = true;
    check_reply(reply_to(Schema::builtin(), *call, result, world.executor.wall_now()));
  });
  world.executor.run();
  CHECK(answered);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<World> world;
  if (!world) world = std::make_unique<World>();
  std::string_view input(reinterpret_cast<const char*>(data), size);
  HttpRequestParser parser({.header_bytes_max = 4096, .body_bytes_max = 64 * 1024});
  while (!input.empty()) {
    input.remove_prefix(parser.feed(input));
    if (parser.state() != HttpRequestParser::State::kComplete) break;
    serve(*world, parser.take_request());
    parser.reset();
  }
  if (world->store.revision() != world->begin) world.reset();
  return 0;
}
