// A cluster of an API server and a scheduler on virtual time, with nodes that nobody runs: what a
// test of scheduling needs. Objects come as YAML; what a user would see is read back from the
// store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/scheduler/scheduler.h"
#include "tests/sim/virtual_api.h"

namespace minik::control {

class SchedulerWorld : public VirtualApi {
 protected:
  SchedulerWorld() : VirtualApi("system:kube-scheduler") {
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

  std::unique_ptr<InformerSet> informers;
  std::unique_ptr<EventRecorder> events;
  std::unique_ptr<Scheduler> scheduler;
};

}  // namespace minik::control
