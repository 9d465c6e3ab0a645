// HttpWorld's neighbour with kinds that are defined at run time: an API server whose schema has a
// registry, a definition to start from, and the pages of discovery and OpenAPI.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "control/api/api_server.h"
#include "control/api/http.h"
#include "control/api/local_client.h"
#include "control/api/stored_kinds.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kind_registry.h"
#include "control/store/memory_log.h"
#include "sim/virtual_executor.h"

namespace minik::control {

struct CustomAnswer {
  int status = 0;
  Value body;
  std::vector<std::string> warnings;

  std::string message() const { return body[keys::kMessage].string(); }
  std::string reason() const { return body[keys::kReason].string(); }
  // "spec.replicas" leads there.
  const Value& at(std::string_view path) const {
    const Value* here = &body;
    for (const auto name : split(path, '.')) here = &here->get(name);
    return *here;
  }
};

class CustomWorld : public ::testing::Test {
 protected:
  static constexpr const char* kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  static constexpr const char* kWidgets = "/apis/example.com/v1/namespaces/default/widgets";

  CustomWorld() { begin(); }

  void begin_with(WebhookCaller* caller) {
    webhook_caller = caller;
    client.reset();
    api.reset();
    begin();
  }

  // A life of the API server; the store and the registry of kinds stay, as memory of the process does not: see restart().
  void begin() {
    ApiServerOptions options;
    options.webhook_caller = webhook_caller;
    api = std::make_unique<ApiServer>(executor, *store, *schema, metrics, Rng(1), std::move(options));
    api->bootstrap();
    client = std::make_unique<LocalClient>(executor, *api, component_user("tester"));
    settle();
  }

  // Only what was stored is left.
  void restart() {
    settle();
    RecoveredState state;
    state.last = store->revision();
    std::map<std::string, std::string> seen;
    for (const auto* resource : schema->served()) {
      const std::string name = resource->group_resource();
      if (!resource->type || !seen.emplace(name, "").second) continue;
      const auto all = store->list(resource->id, "");
      for (const auto& object : all->objects) {
        recovered.push_back({name, object});
      }
    }
    client.reset();
    api.reset();
    store = std::make_unique<Store>(log, [](const Error& error) { CHECK(false) << error.message; });
    registry = std::make_unique<KindRegistry>();
    schema = std::make_unique<Schema>(*registry);
    for (auto& [name, object] : recovered) {
      const std::optional<KindId> kind = stored_kind_names(*schema).find(name);
      ASSERT_TRUE(kind) << name;
      state.objects.push_back({LogRecord::Kind::kPut, *kind, object_revision(object), object, {}});
    }
    recovered.clear();
    store->load(std::move(state));
    begin();
  }

  void settle() { executor.run_until(executor.now() + seconds(3), [] { return false; }); }

  CustomAnswer call(const std::string& method, const std::string& target, const Value& body,
                    const std::string& content_type = "application/json", const std::string& accept = "") {
    return send(method, target, body.is_absent() ? "" : to_json(body), content_type, accept);
  }
  CustomAnswer get(const std::string& target, const std::string& accept = "") { return send("GET", target, "", "", accept); }

  CustomAnswer send(const std::string& method, const std::string& target, const std::string& body,
                    const std::string& content_type = "application/json", const std::string& accept = "") {
    HttpCall http;
    const size_t mark = target.find('?');
    http.method = method;
    http.path = target.substr(0, mark);
    if (mark != std::string::npos) http.query = target.substr(mark + 1);
    http.headers["content-type"] = content_type;
    http.headers["accept"] = accept;
    http.headers["user-agent"] = "tester/1";
    http.body = body;
    auto parsed = parse_call(*schema, http);
    if (!parsed) return answer(reply_with(parsed.error()));
    if (!std::holds_alternative<ResourceCall>(*parsed)) return {404, {}, {}};
    const auto& resource = std::get<ResourceCall>(*parsed);
    std::optional<Result<ApiResponse>> result;
    client->send(resource.request, [&](Result<ApiResponse> r) { result = std::move(r); });
    executor.run_until(executor.now() + seconds(60), [&] { return result.has_value(); });
    if (!result) return {};
    return answer(reply_to(*schema, resource, *result, executor.wall_now()));
  }

  // Of one version v1 with this YAML as openAPIV3Schema and, in `more`, other fields of the version.
  static Value definition(const std::string& schema_yaml, const std::string& more = "") {
    const auto schema = parse_yaml(schema_yaml, "schema");
    CHECK(schema.ok()) << schema.error().message;
    auto version = parse_yaml(cat("name: v1\nserved: true\nstorage: true\n", more), "version");
    CHECK(version.ok()) << version.error().message;
    const Value with_schema =
        (*version)[0].value.with("schema", Value::map({{"openAPIV3Schema", (*schema)[0].value}}));
    return Value::map(
        {{"apiVersion", "apiextensions.k8s.io/v1"},
         {"kind", "CustomResourceDefinition"},
         {"metadata", Value::map({{"name", "widgets.example.com"}})},
         {"spec", Value::map({{"group", "example.com"},
                              {"scope", "Namespaced"},
                              {"names", Value::map({{"plural", "widgets"}, {"kind", "Widget"}})},
                              {"versions", Value::array({with_schema})}})}});
  }

  CustomAnswer define(const Value& what) {
    auto made = call("POST", kDefinitions, what);
    settle();
    return made;
  }
  CustomAnswer define(const std::string& schema_yaml, const std::string& more = "") {
    return define(definition(schema_yaml, more));
  }

  static Value widget(const std::string& name, const std::string& yaml) {
    auto parsed = parse_yaml(yaml, "widget");
    CHECK(parsed.ok()) << parsed.error().message;
    return (*parsed)[0]
        .value.with("apiVersion", "example.com/v1")
        .with("kind", "Widget")
        .with("metadata", Value::map({{"name", name}}));
  }
  CustomAnswer create(const std::string& name, const std::string& yaml, const std::string& query = "") {
    return call("POST", cat(kWidgets, query), widget(name, yaml));
  }
  static std::string path(std::string_view name) { return cat(kWidgets, "/", name); }

  static std::string condition(const Value& object, std::string_view type) {
    for (const auto& c : object[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return cat(c[keys::kStatus].as_string(), " ", c[keys::kReason].as_string());
    }
    return "";
  }

  static CustomAnswer answer(const HttpReply& reply) {
    auto body = parse_json(reply.body);
    return {reply.status, body ? *body : Value(), reply.warnings};
  }

  std::vector<std::pair<std::string, Value>> recovered;
  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  std::unique_ptr<KindRegistry> registry = std::make_unique<KindRegistry>();
  std::unique_ptr<Schema> schema = std::make_unique<Schema>(*registry);
  std::unique_ptr<Store> store =
      std::make_unique<Store>(log, [](const Error& error) { CHECK(false) << error.message; });
  WebhookCaller* webhook_caller = nullptr;
  std::unique_ptr<ApiServer> api;
  std::unique_ptr<LocalClient> client;
};

}  // namespace minik::control
