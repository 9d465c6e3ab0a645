// Each invariant is broken on purpose, and a world that differs by little from the broken one is not: an invariant that
// verified nothing, or refused everything, would fail here.
#include "sim/invariants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"

namespace minik::sim {
namespace {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::KindId;
using control::Value;

// A store that is written to past the API, so that anything can be in it; calm since its first moment.
class World {
 public:
  World() { invariants_.watch(store_); }

  void put(KindId kind, std::string_view yaml) {
    const Value object = control::parse_yaml(yaml, "object")->at(0).value;
    store_.put(kind, object.with_at({keys::kMetadata, keys::kResourceVersion}, cat(store_.next_revision().value)));
    store_.commit();
  }
  void erase(KindId kind, std::string_view namespace_, std::string_view name) {
    const Value last = store_.find(kind, namespace_, name);
    store_.erase(kind, last.with_at({keys::kMetadata, keys::kResourceVersion}, cat(store_.next_revision().value)));
    store_.commit();
  }
  void pass(Duration time) {
    now_ = now_ + time;
    invariants_.look(store_, now_, Instant{});
  }
  std::string broken() {
    invariants_.compare(store_);
    std::string names;
    for (const auto& invariant : invariants_.all()) {
      if (invariant->broken()) names += cat(invariant->name(), ": ", *invariant->broken(), "\n");
    }
    return names;
  }
  const control::Store& store() const { return store_; }
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& invariant : invariants_.all()) all.emplace(invariant->name());
    return all;
  }

 private:
  Instant now_;
  control::MemoryLog log_;
  control::Store store_{log_, [](const Error& error) { FAIL() << error.message; }};
  Invariants invariants_{[this] { return now_; }};
};

std::string pod(std::string_view name, std::string_view metadata, std::string_view spec, std::string_view conditions) {
  return cat("{metadata: {name: ", name, ", namespace: shop, uid: ", name, ", labels: {app: web}, ", metadata, "}, spec: {", spec,
             "}, status: {phase: Running, conditions: [", conditions, "]}}");
}
constexpr std::string_view kReady = "{type: Ready, status: \"True\"}";

struct Breach {
  std::string name;
  std::function<void(World&)> broken, kept;
};

void bind_two_pods(World& world, std::string_view cpu) {
  world.put(kinds::kNodes, "{metadata: {name: node-1, uid: n}, status: {allocatable: {cpu: \"1\", memory: 1Gi, pods: \"10\"}}}");
  for (const auto* name : {"a", "b"}) {
    world.put(kinds::kPods, pod(name, "", cat("nodeName: node-1, containers: [{name: c, resources: {requests: {cpu: ", cpu, "}}}]"), ""));
  }
}

// Four replicas, at the most five, at the least three.
void roll_out(World& world, int64_t old_set, int64_t new_set) {
  const auto set = [&](std::string_view name, int64_t replicas) {
    world.put(kinds::kReplicasets, cat("{metadata: {name: ", name, ", namespace: shop, uid: ", name,
                                       ", ownerReferences: [{uid: d, kind: Deployment, name: web, controller: true}]}, spec: {replicas: ", replicas, "}}"));
  };
  world.put(kinds::kDeployments, R"({metadata: {name: web, namespace: shop, uid: d, generation: 2},
    spec: {replicas: 4, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}}, status: {observedGeneration: 2}})");
  set("old", 4);
  set("new", new_set);
  set("old", old_set);
}

void evict_one_of_three(World& world, int64_t wanted, std::string_view because) {
  for (const auto* name : {"a", "b", "c"}) world.put(kinds::kPods, pod(name, "", "nodeName: node-1", kReady));
  world.put(kinds::kPoddisruptionbudgets, cat("{metadata: {name: web, namespace: shop, uid: p}, spec: {selector: {matchLabels: {app: web}}}, "
                                              "status: {desiredHealthy: ", wanted, "}}"));
  world.pass(minutes(1));
  world.put(kinds::kPods, pod("a", "deletionTimestamp: \"2026-01-01T00:01:00Z\"", "nodeName: node-1", cat(kReady, because)));
}

void lose_readiness(World& world, std::string_view endpoint_ready) {
  world.put(kinds::kPods, pod("a", "", "nodeName: node-1", kReady));
  world.put(kinds::kEndpointslices, cat(R"({metadata: {name: web-1, namespace: shop, uid: e, labels: {kubernetes.io/service-name: web,
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}},
    endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: shop}, conditions: {ready: )", endpoint_ready, "}}]}"));
  world.put(kinds::kPods, pod("a", "", "nodeName: node-1", "{type: Ready, status: \"False\"}"));
  world.pass(seconds(71));
}

void delete_an_owner(World& world) {
  world.put(kinds::kReplicasets, "{metadata: {name: web, namespace: shop, uid: r}, spec: {replicas: 1}}");
  world.put(kinds::kPods, pod("a", "ownerReferences: [{uid: r, kind: ReplicaSet, name: web}]", "nodeName: node-1", ""));
  world.erase(kinds::kReplicasets, "shop", "web");
}

const std::vector<Breach>& breaches() {
  static const std::vector<Breach> all{
      {"no node is overcommitted", [](World& w) { bind_two_pods(w, "600m"); }, [](World& w) { bind_two_pods(w, "500m"); }},
      {"no rollout leaves its bounds", [](World& w) { roll_out(w, 4, 2); }, [](World& w) { roll_out(w, 2, 1); }},
      {"no eviction breaks a budget",
       [](World& w) { evict_one_of_three(w, 3, ", {type: DisruptionTarget, status: \"True\", reason: EvictionByEvictionAPI}"); },
       [](World& w) { evict_one_of_three(w, 2, ", {type: DisruptionTarget, status: \"True\", reason: EvictionByEvictionAPI}"); }},
      {"no Service routes to a pod that is not ready", [](World& w) { lose_readiness(w, "true"); },
       [](World& w) { lose_readiness(w, "false"); }},
      {"nothing owned outlives its owner",
       [](World& w) {
         delete_an_owner(w);
         w.pass(minutes(2) + seconds(1));
       },
       [](World& w) {
         delete_an_owner(w);
         w.erase(kinds::kPods, "shop", "a");
         w.pass(minutes(2) + seconds(1));
       }},
  };
  return all;
}

TEST(Invariants, EachBreaksWhereItsRuleIsBrokenAndNowhereElse) {
  for (const auto& breach : breaches()) {
    SCOPED_TRACE(breach.name);
    World broken, kept;
    breach.broken(broken);
    EXPECT_TRUE(broken.broken().starts_with(breach.name + ": ")) << broken.broken();
    EXPECT_EQ(std::ranges::count(broken.broken(), '\n'), 1) << broken.broken();
    breach.kept(kept);
    EXPECT_EQ(kept.broken(), "");
  }
}

std::string asks_for(std::string_view cpu, std::string_view node = "node-1") {
  return cat(node.empty() ? "" : cat("nodeName: ", node, ", "), "containers: [{name: c, resources: {requests: {cpu: ", cpu, "}}}]");
}

TEST(Invariants, WhatTheSchedulerBindsCountsBeforeTheNodeHasTakenIt) {
  World world;
  bind_two_pods(world, "500m");
  const auto pending = [&](std::string_view name, std::string_view node) {
    world.put(kinds::kPods, cat("{metadata: {name: ", name, ", namespace: shop, uid: ", name, "}, spec: {", asks_for("600m", node), "}, status: {phase: Pending}}"));
  };
  for (const auto* node : {"", "node-1"}) pending("x", node);
  EXPECT_EQ(world.broken(), "");
  for (const auto* node : {"", "node-1"}) pending("y", node);
  EXPECT_NE(world.broken().find("no node is overcommitted: node node-1 has 2 pods with 1200m CPU"), std::string::npos) << world.broken();
}

TEST(Invariants, WhatIsSentPastTheSchedulerIsTheNodesToRefuse) {
  World world;
  bind_two_pods(world, "500m");
  const std::string sent = cat("{metadata: {name: x, namespace: shop, uid: x}, spec: {", asks_for("3"), "}, status: {phase: ");
  world.put(kinds::kPods, cat(sent, "Pending}}"));
  world.put(kinds::kPods, cat(sent, "Failed, reason: OutOfcpu}}"));
  EXPECT_EQ(world.broken(), "");
  world.put(kinds::kPods, cat("{metadata: {name: y, namespace: shop, uid: y}, spec: {", asks_for("3"), "}, status: {phase: Running}}"));
  EXPECT_NE(world.broken(), "") << "it has not";
}

TEST(Invariants, AResizeCountsWhenTheNodeHasMadeRoomForIt) {
  World world;
  bind_two_pods(world, "400m");
  const auto resized = [&](std::string_view given) {
    world.put(kinds::kPods, cat("{metadata: {name: a, namespace: shop, uid: a}, spec: {", asks_for("5"),
                                "}, status: {phase: Running, containerStatuses: [{name: c, allocatedResources: {cpu: ", given, "}}]}}"));
  };
  resized("400m");
  EXPECT_EQ(world.broken(), "") << "what the node cannot do is Infeasible";
  resized("5");
  EXPECT_NE(world.broken(), "");
}

TEST(Invariants, WhoeverSizesASetByHandIsNoRollout) {
  World world;
  world.put(kinds::kDeployments, R"({metadata: {name: web, namespace: shop, uid: d, generation: 2},
    spec: {replicas: 3, strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}}, status: {observedGeneration: 2}})");
  const auto set = [&](int64_t replicas, std::string_view manager) {
    world.put(kinds::kReplicasets, cat("{metadata: {name: web-1, namespace: shop, uid: r, ownerReferences: [{uid: d, kind: Deployment, name: web, controller: true}], "
                                       "managedFields: [{manager: ", manager, ", fieldsV1: {\"f:spec\": {\"f:replicas\": {}}}}]}, spec: {replicas: ", replicas, "}}"));
  };
  set(3, "controllers");
  set(6, "kubectl");
  set(3, "controller:deployment-controller");
  EXPECT_EQ(world.broken(), "");
  set(6, "controllers");
  EXPECT_NE(world.broken(), "");
}

TEST(Invariants, AShrinkingRolloutKeepsWhatMustStay) {
  World broken;
  roll_out(broken, 1, 1);
  EXPECT_NE(broken.broken().find("keeps 2 pods, 3 must stay"), std::string::npos) << broken.broken();
}

TEST(Invariants, ADeletionIsNoEviction) {
  World world;
  evict_one_of_three(world, 3, "");
  EXPECT_EQ(world.broken(), "");
}

// The store keeps this one, so that a watch that does not is made up.
TEST(Invariants, AWatchThatLeavesOutAnEventOrReordersThemIsFound) {
  World world;
  for (const auto* name : {"a", "b"}) world.put(kinds::kPods, pod(name, "", "nodeName: node-1", ""));
  const auto told = [&](const std::vector<std::string>& names) {
    const auto watches = make_faithful_watches();
    for (const auto& name : names) {
      const Value& object = world.store().find(kinds::kPods, "shop", name);
      watches->on_event(kinds::kPods, {control::StoreEvent::Type::kAdded, control::object_revision(object), object, {}});
    }
    watches->compare(world.store());
    return watches->broken().value_or("");
  };
  EXPECT_EQ(told({"a", "b"}), "");
  EXPECT_NE(told({"a"}), "") << "an event is missing";
  EXPECT_NE(told({"a", "a"}), "") << "as many, and not the same ones";
  const auto watches = make_faithful_watches();
  const Value& a = world.store().find(kinds::kPods, "shop", "a");
  watches->on_event(kinds::kPods, {control::StoreEvent::Type::kModified, {9}, a, a});
  watches->on_event(kinds::kPods, {control::StoreEvent::Type::kModified, {8}, a, a});
  EXPECT_NE(watches->broken().value_or("").find("came after 9"), std::string::npos);
}

TEST(Invariants, NoneIsLeftWithoutABreach) {
  std::set<std::string> broken{"a watch replays to exactly the list"};
  for (const auto& breach : breaches()) broken.insert(breach.name);
  EXPECT_EQ(broken, World().names());
}

}  // namespace
}  // namespace minik::sim
