// An API server on virtual time behind its HTTP conventions, without sockets: text in, status code,
// headers and a parsed body out, as a client would see them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/store/memory_log.h"
#include "sim/virtual_executor.h"

namespace minik::control {

constexpr std::string_view kConfigMaps = "/api/v1/namespaces/default/configmaps";

struct Answer {
  int status = 0;
  Value body;
  std::vector<std::string> warnings;

  Value metadata(std::string_view field) const { return body[keys::kMetadata].get(field); }
  std::string reason() const { return body[keys::kReason].string(); }
  std::string message() const { return body[keys::kMessage].string(); }
  std::string cause(size_t at = 0) const {
    const auto& causes = body[keys::kDetails][keys::kCauses];
    if (at >= causes.items().size()) return "";
    const Value& cause = causes.items()[at];
    return cat(cause[keys::kField].as_string(), " ", cause[keys::kReason].as_string());
  }
  std::string version() const { return body[keys::kMetadata][keys::kResourceVersion].string(); }
};

class HttpWorld : public ::testing::Test {
 protected:
  explicit HttpWorld(ApiServerOptions options = {})
      : api(executor, store, Schema::builtin(), metrics, Rng(1), std::move(options)) {
    api.bootstrap();
  }

  // `target` is a path with an optional query.
  Answer call(const std::string& method, const std::string& target, const std::string& body = "",
              const std::string& content_type = "application/json", const std::string& accept = "application/json") {
    return send(client, http_call(method, target, body, content_type, accept));
  }
  // As somebody without any right of the cluster's own components.
  Answer call_as(const UserInfo& user, const std::string& method, const std::string& target,
                 const std::string& body = "", const std::string& content_type = "application/json") {
    LocalClient theirs(executor, api, user);
    return send(theirs, http_call(method, target, body, content_type, "application/json"));
  }

  HttpCall http_call(const std::string& method, const std::string& target, const std::string& body,
                     const std::string& content_type, const std::string& accept) const {
    HttpCall http;
    const size_t mark = target.find('?');
    http.method = method;
    http.path = target.substr(0, mark);
    if (mark != std::string::npos) http.query = target.substr(mark + 1);
    http.headers["content-type"] = content_type;
    http.headers["accept"] = accept;
    if (!agent.empty()) http.headers["user-agent"] = agent;
    http.body = body;
    return http;
  }

  Answer send(LocalClient& sender, const HttpCall& http) {
    auto parsed = parse_call(Schema::builtin(), http);
    if (!parsed) return answer(reply_with(parsed.error()));
    const auto& resource = std::get<ResourceCall>(*parsed);
    std::optional<Result<ApiResponse>> result;
    sender.send(resource.request, [&](Result<ApiResponse> r) { result = std::move(r); });
    executor.run_until(executor.now(), [&] { return result.has_value(); });
    if (!result) return {};
    return answer(reply_to(Schema::builtin(), resource, *result, executor.wall_now()));
  }

  Answer create_config_map(const std::string& name, const std::string& query = "") {
    return call("POST", cat(kConfigMaps, query),
                cat("{\"metadata\":{\"name\":\"", name, "\"},\"data\":{\"a\":\"1\"}}"));
  }
  std::string path(std::string_view name) { return cat(kConfigMaps, "/", name); }

  static Answer answer(const HttpReply& reply) {
    auto body = parse_json(reply.body);
    return {reply.status, body ? *body : Value(), reply.warnings};
  }

  std::string agent;  // empty: a component, which keeps no account of its fields
  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api;
  LocalClient client{executor, api, component_user("tester")};
};

}  // namespace minik::control
