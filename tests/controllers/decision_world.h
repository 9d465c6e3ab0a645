// What a decision reads, written as YAML: caches of the kinds that a controller watches, with its
// indexes, and a clock that stands still. One for each test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "control/client/controller.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/schema/schema.h"

namespace minik::control {

class DecisionWorld {
 public:
  explicit DecisionWorld(ControllerSpec spec) : spec_(std::move(spec)) {
    for (const auto& watched : spec_.watches) {
      auto& cache = caches_[watched.kind];
      if (!cache) cache = std::make_unique<ObjectCache>(watched.kind);
      watched.declare_in(*cache);
      snapshot_.add(*cache);
    }
  }

  void add(std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    for (const auto& document : *documents) {
      const auto* resource = Schema::builtin().find_kind(
          document.value[keys::kApiVersion].as_string(), document.value[keys::kKind].as_string());
      ASSERT_NE(resource, nullptr);
      caches_.at(resource->id)->put(document.value);
    }
  }

  Plan decide(std::string namespace_, std::string name) {
    Env env{now, rng_};
    return spec_.decide(snapshot_, {std::move(namespace_), std::move(name)}, env);
  }

  // The plan that follows when the server answers so.
  Plan follow(const Plan& plan, const std::function<Result<ApiResponse>(const ApiRequest&)>& answer) {
    Plan::Answers answers;
    for (const auto& write : plan.writes) answers.push_back(answer(write.request));
    Env env{now, rng_};
    return plan.then(snapshot_, env, answers);
  }

  // Who is woken by this object's arrival.
  std::vector<ObjectKey> woken_by(KindId kind, const Value& before, const Value& after) {
    std::vector<ObjectKey> keys;
    for (const auto& watched : spec_.watches) {
      if (watched.kind == kind && watched.keys_for)
        watched.keys_for(snapshot_, before, after, keys);
    }
    return keys;
  }

  ObjectCache& cache(KindId kind) { return *caches_.at(kind); }

  WallTime now = *parse_time("2026-03-01T12:00:00Z");

 private:
  ControllerSpec spec_;
  std::map<KindId, std::unique_ptr<ObjectCache>> caches_;
  Snapshot snapshot_;
  Rng rng_{1};
};

// The plan as text, one write a line: what a test compares.
inline std::string text_of(const Plan& plan) {
  std::string text;
  for (const auto& write : plan.writes) {
    const auto& request = write.request;
    const auto* kind = &Schema::builtin().resource(request.kind);
    text += cat(verb_name(request.verb), " ", kind->plural, " ", request.name,
                request.subresource.empty() ? "" : "/", request.subresource);
    if (write.event) text += cat(" | ", write.event->reason, ": ", write.event->message);
    text += "\n";
  }
  return text;
}

}  // namespace minik::control
