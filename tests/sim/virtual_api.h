// VirtualApi: an API server on a memory log in virtual time, and a client of it: what stands under the test of one
// component against the real API.
//
//   class Scheduling : public VirtualApi { … VirtualApi("system:kube-scheduler") … };
//   add("{apiVersion: v1, kind: Node, …}");  run(seconds(5));  store.find(…)
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/virtual_executor.h"

namespace minik::control {

class VirtualApi : public ::testing::Test {
 protected:
  // `user` is who the client is.
  explicit VirtualApi(std::string user, ApiServerOptions options = {})
      : api(executor, store, Schema::builtin(), metrics, Rng(1), std::move(options)),
        client(executor, api, component_user(std::move(user))) {
    api.bootstrap();
  }

  void run(Duration duration = seconds(1)) { executor.run_until(executor.now() + duration); }

  // The messages of the Events with this reason, once what is under way has been said.
  std::vector<std::string> messages_of(std::string_view reason) {
    run(seconds(5));
    std::vector<std::string> messages;
    store.for_each(kinds::kEvents, [&](const Value& event) {
      if (event[keys::kReason].as_string() == reason) messages.push_back(event[keys::kMessage].string());
    });
    return messages;
  }

  // The answer comes before any time goes by.
  Result<ApiResponse> call(ApiRequest request) {
    std::optional<Result<ApiResponse>> answer;
    client.send(std::move(request), [&](Result<ApiResponse> result) { answer = std::move(result); });
    executor.run_until(executor.now(), [&] { return answer.has_value(); });
    return answer ? *std::move(answer) : Error(ErrorCode::kTimeout, "no answer");
  }
  Result<ApiResponse> patch(KindId kind, const std::string& namespace_, const std::string& name, const std::string& json,
                            const std::string& subresource = "", PatchType type = PatchType::kMerge) {
    ApiRequest request = request_for(Verb::kPatch, kind, namespace_, name);
    request.subresource = subresource;
    request.patch_type = type;
    request.body = *parse_json(json);
    return call(std::move(request));
  }
  // The objects of all documents.
  void add(std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    for (const auto& document : *documents) {
      const auto* kind = Schema::builtin().find_kind(document.value[keys::kApiVersion].as_string(),
                                                     document.value[keys::kKind].as_string());
      ASSERT_NE(kind, nullptr) << to_json(document.value);
      ApiRequest request = request_for(Verb::kCreate, kind->id, std::string(object_namespace(document.value)), "");
      request.body = document.value;
      const auto result = call(std::move(request));
      ASSERT_TRUE(result) << result.error().message;
    }
  }
  void remove(KindId kind, const std::string& namespace_, const std::string& name,
              std::optional<int64_t> grace_seconds = {}) {
    ApiRequest request = request_for(Verb::kDelete, kind, namespace_, name);
    request.options.grace_period_seconds = grace_seconds;
    const auto result = call(std::move(request));
    ASSERT_TRUE(result) << result.error().message;
  }

  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api;
  LocalClient client;

 private:
  static ApiRequest request_for(Verb verb, KindId kind, const std::string& namespace_, const std::string& name) {
    ApiRequest request;
    request.verb = verb;
    request.kind = kind;
    request.namespace_ = namespace_;
    request.name = name;
    return request;
  }
};

}  // namespace minik::control
