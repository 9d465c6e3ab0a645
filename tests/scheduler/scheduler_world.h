// A cluster of an API server and a scheduler on virtual time, with nodes that nobody runs: what a
// test of scheduling needs. Objects come as YAML; what a user would see is read back from the
// store.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/scheduler/scheduler.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/virtual_executor.h"

namespace minik::control {

class SchedulerWorld : public ::testing::Test {
 protected:
  SchedulerWorld() {
    api.bootstrap();
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    restart_scheduler();
  }

  void restart_scheduler() {
    scheduler.reset();
    events.reset();
    informers = std::make_unique<InformerSet>(executor, client, Rng(2));
    events = std::make_unique<EventRecorder>(executor, client, kinds::kEvents, "default-scheduler",
                                             "", Rng(3));
    scheduler = std::make_unique<Scheduler>(executor, client, *informers, *events, metrics, Rng(4));
    scheduler->start();
    informers->start();
  }

  Result<ApiResponse> call(ApiRequest request) {
    std::optional<Result<ApiResponse>> answer;
    client.send(std::move(request),
                [&](Result<ApiResponse> result) { answer = std::move(result); });
    executor.run_until(executor.now(), [&] { return answer.has_value(); });
    return answer ? *std::move(answer) : Error(ErrorCode::kTimeout, "no answer");
  }

  void add(std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    for (const auto& document : *documents) {
      ApiRequest request;
      request.verb = Verb::kCreate;
      request.kind = Schema::builtin()
                         .find_kind(document.value[keys::kApiVersion].as_string(),
                                    document.value[keys::kKind].as_string())
                         ->id;
      request.namespace_ = object_namespace(document.value);
      request.body = document.value;
      const auto result = call(std::move(request));
      ASSERT_TRUE(result) << result.error().message;
    }
  }

  // `more` is YAML flow text of further fields of the spec and metadata: "taints: [...]".
  void add_node(const std::string& name, const std::string& cpu = "4",
                const std::string& memory = "8Gi", const std::string& labels = "",
                const std::string& spec = "", const std::string& allocatable = "") {
    add(cat("{apiVersion: v1, kind: Node, metadata: {name: ", name,
            ", labels: {kubernetes.io/hostname: ", name, labels.empty() ? "" : ", ", labels,
            "}}, spec: {", spec, "}, status: {allocatable: {cpu: \"", cpu, "\", memory: ", memory,
            ", pods: \"110\"", allocatable.empty() ? "" : ", ", allocatable, "}}}"));
  }

  // A pod of one container; `spec` adds to its spec, `container` to its container.
  void add_pod(const std::string& name, const std::string& container = "",
               const std::string& spec = "", const std::string& metadata = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: ", name, ", namespace: default",
            metadata.empty() ? "" : ", ", metadata, "}, spec: {terminationGracePeriodSeconds: 0, ",
            spec, spec.empty() ? "" : ", ", "containers: [{name: main, image: \"demo:1\"",
            container.empty() ? "" : ", ", container, "}]}}"));
  }
  static std::string requests(const std::string& cpu, const std::string& memory = "64Mi") {
    return cat("resources: {requests: {cpu: \"", cpu, "\", memory: ", memory, "}}");
  }

  Result<ApiResponse> patch(KindId kind, const std::string& namespace_, const std::string& name,
                            const std::string& json, const std::string& subresource = "") {
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.kind = kind;
    request.namespace_ = namespace_;
    request.name = name;
    request.subresource = subresource;
    request.patch_type = PatchType::kMerge;
    request.body = *parse_json(json);
    return call(std::move(request));
  }

  void remove(KindId kind, const std::string& namespace_, const std::string& name) {
    ApiRequest request;
    request.verb = Verb::kDelete;
    request.kind = kind;
    request.namespace_ = namespace_;
    request.name = name;
    const auto result = call(std::move(request));
    ASSERT_TRUE(result) << result.error().message;
  }

  void run(Duration duration = seconds(1)) { executor.run_until(executor.now() + duration); }

  Value pod(const std::string& name) const { return store.find(kinds::kPods, "default", name); }
  std::string node_of(const std::string& name) const {
    return pod(name)[keys::kSpec][keys::kNodeName].string();
  }
  Value condition(const std::string& name, std::string_view type = "PodScheduled") const {
    for (const auto& c : pod(name)[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return c;
    }
    return {};
  }
  std::string why_pending(const std::string& name) const {
    return condition(name)[keys::kMessage].string();
  }
  // "reason: message" of the events about one pod, oldest first.
  std::vector<std::string> events_of(const std::string& name) const {
    std::vector<std::string> texts;
    const auto all = store.list(kinds::kEvents, "default");
    for (const auto& event : all->objects) {
      if (event[keys::kInvolvedObject][keys::kName].as_string() != name) continue;
      texts.push_back(
          cat(event[keys::kReason].as_string(), ": ", event[keys::kMessage].as_string()));
    }
    return texts;
  }

  sim::VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), {}};
  LocalClient client{executor, api, component_user("system:kube-scheduler")};
  std::unique_ptr<InformerSet> informers;
  std::unique_ptr<EventRecorder> events;
  std::unique_ptr<Scheduler> scheduler;
};

}  // namespace minik::control
