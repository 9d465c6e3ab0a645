#include "tests/conformance/world.h"

#include <fstream>
#include <sstream>

#include "control/object/yaml.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

const std::vector<YamlDocument>& examples() {
  static const std::vector<YamlDocument> kDocuments = [] {
    std::stringstream text;
    text << std::ifstream("tests/conformance/objects.yaml").rdbuf();
    auto parsed = parse_yaml(text.str(), "objects.yaml");
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed ? *std::move(parsed) : std::vector<YamlDocument>();
  }();
  return kDocuments;
}

}  // namespace

std::string collection_of(const ResourceInfo& resource) {
  return cat(resource.group.empty() ? "/api/" : "/apis/", resource.api_version,
             resource.namespaced ? "/namespaces/default/" : "/", resource.plural);
}

Value example_of(const ResourceInfo& resource) {
  for (const auto& document : examples()) {
    if (document.value[keys::kApiVersion].as_string() == resource.api_version &&
        document.value[keys::kKind].as_string() == resource.kind) {
      return document.value;
    }
  }
  return {};
}

std::vector<const ResourceInfo*> stored_kinds() {
  std::vector<const ResourceInfo*> kinds;
  for (const auto& resource : Schema::builtin().resources()) {
    const bool stored = resource.has_verb("create") && resource.has_verb("list");
    if (stored) kinds.push_back(&resource);
  }
  return kinds;
}

Conformance::Conformance(ApiServerOptions options) : HttpWorld(std::move(options)) {
  agent = "tester/v1 (linux)";
  // What the controllers of a cluster would have made by now.
  create("/api/v1/namespaces/default/serviceaccounts", "{metadata: {name: default}}");
  settle();
}

void Conformance::settle() {
  executor.run_until(executor.now(), [] { return false; });
}

Answer Conformance::get(const std::string& target, const std::string& accept) {
  return call("GET", target, "", "application/json", accept);
}

Answer Conformance::create(const ResourceInfo& resource, const Value& object, const std::string& query) {
  return call("POST", cat(collection_of(resource), query), to_json(object));
}

Answer Conformance::create(std::string_view collection, const std::string& yaml, const std::string& query) {
  return call("POST", cat(collection, query), yaml, "application/yaml");
}

Answer Conformance::apply(const std::string& target, const std::string& manager, const std::string& yaml, bool force) {
  return call("PATCH", cat(target, "?fieldManager=", manager, force ? "&force=true" : ""), yaml, kApplyPatch);
}

std::unique_ptr<Conformance::Watching> Conformance::watch(const std::string& target, const std::string& accept) {
  auto watching = std::make_unique<Watching>();
  auto parsed = parse_call(Schema::builtin(), http_call("GET", target, "", "application/json", accept));
  EXPECT_TRUE(parsed) << parsed.error().message;
  if (!parsed) return watching;
  const auto resource = std::make_shared<ResourceCall>(std::get<ResourceCall>(*parsed));
  EXPECT_EQ(resource->request.verb, Verb::kWatch) << target;
  Watching* into = watching.get();
  watching->handle = client.watch(resource->request,
                                  {.on_event =
                                       [this, into, resource](const WatchEvent& event) {
                                         auto frame = parse_json(encode_watch_event(Schema::builtin(), *resource, event,
                                                                                    executor.wall_now()));
                                         ASSERT_TRUE(frame) << frame.error().message;
                                         into->frames.push_back(*frame);
                                       },
                                   .on_end =
                                       [into](Status status) {
                                         into->over = true;
                                         into->ended = std::move(status);
                                       }});
  settle();
  return watching;
}

std::string Conformance::take(Watching& watching) {
  settle();
  std::string text;
  for (const auto& frame : watching.frames) {
    const auto name = object_name(frame["object"]);
    text += cat(text.empty() ? "" : ", ", frame[keys::kType].as_string(), name.empty() ? "" : " ", name);
  }
  watching.frames.clear();
  return text;
}

}  // namespace minik::control
