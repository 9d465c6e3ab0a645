// A simulated cluster with one Deployment, for benchmarks: real control plane, machines of 150 pods,
// containers that start and become ready within seconds of virtual time.
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/cluster.h"

namespace minik::sim {

class SimulatedDeployment {
 public:
  explicit SimulatedDeployment(int64_t nodes = 100, Trace* trace = nullptr) : cluster_(options(nodes), trace) {
    cluster_.start();
    cluster_.executor().run_until(Instant{seconds(30).ns});
    control::ApiRequest request;
    request.verb = control::Verb::kCreate;
    request.kind = control::kinds::kDeployments;
    request.namespace_ = "default";
    request.body = *control::parse_json(R"({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web",
        "image": "web:1", "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]}}}})");
    send(std::move(request));
  }

  SimulatedCluster& cluster() { return cluster_; }

  // Until so many pods are Ready and no others are left.
  void scale_to(int64_t replicas) {
    patch(control::PatchType::kMerge, control::Value::empty_map().with_at(
                                          {control::keys::kSpec, control::keys::kReplicas}, replicas));
    run_until([&] { return settled(replicas); });
  }

  // Until so many pods of this image are Ready and no others are left.
  void roll_out(const std::string& image, int64_t replicas) {
    set_image(image);
    advance(seconds(1));  // until then the word of the Deployment is about the old image
    run_until([&] { return settled(replicas); });
  }
  // Begins a rolling update.
  void set_image(const std::string& image) {
    patch(control::PatchType::kStrategicMerge,
          *control::parse_json(cat(R"({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": ")",
                                   image, R"("}]}}}})")));
  }
  // How many pods a rolling update replaces at a time.
  void set_surge(int64_t pods) {
    patch(control::PatchType::kMerge,
          *control::parse_json(cat(R"({"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": )",
                                   pods, "}}}}")));
  }
  void advance(Duration time) { cluster_.executor().run_until(cluster_.executor().now() + time); }

  // As the administrator; an error ends the program.
  void send(control::ApiRequest request) {
    cluster_.request(std::move(request),
                     [](const auto& result) { CHECK(result.ok()) << result.error().message; });
  }

 private:
  static ClusterOptions options(int64_t nodes) {
    ClusterOptions options;
    options.seed = 7;
    options.nodes_rest = true;  // as in a run
    NodePool pool;
    pool.count = nodes;
    pool.milli_cpu = 64'000;
    pool.memory_bytes = 256LL << 30;
    pool.pods_max = 150;
    options.pools = {pool};
    ImageBehaviour web;
    web.preloaded = true;
    options.images = {web};
    return options;
  }

  void patch(control::PatchType type, control::Value body) {
    control::ApiRequest request;
    request.verb = control::Verb::kPatch;
    request.patch_type = type;
    request.kind = control::kinds::kDeployments;
    request.namespace_ = "default";
    request.name = "web";
    request.body = std::move(body);
    send(std::move(request));
  }

  void run_until(const std::function<bool()>& done) {
    const Instant deadline = cluster_.executor().now() + minutes(60);
    while (!done()) {
      CHECK(cluster_.executor().now() < deadline) << "the pods never came to what was asked for";
      cluster_.executor().run_until(cluster_.executor().now() + seconds(1));
    }
  }

  // The Deployment's own word, so that asking costs nothing; pods of the old image are gone when the count
  // is right.
  bool settled(int64_t replicas) const {
    const auto& store = cluster_.store();
    if (store.count(control::kinds::kPods) != static_cast<size_t>(replicas)) return false;
    const auto& deployment = store.find(control::kinds::kDeployments, "default", "web");
    const auto& status = deployment[control::keys::kStatus];
    return status[control::keys::kObservedGeneration] ==
               deployment[control::keys::kMetadata][control::keys::kGeneration] &&
           status[control::keys::kUpdatedReplicas].as_int() == replicas &&
           status[control::keys::kReadyReplicas].as_int() == replicas;
  }

  SimulatedCluster cluster_;
};

}  // namespace minik::sim
