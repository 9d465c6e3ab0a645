// Nodes that nothing disturbs say nothing, and nobody can tell by what becomes of them.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/cluster.h"

namespace minik::sim {
namespace {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

class RestingNodes : public ::testing::Test {
 protected:
  void make(bool rest, Duration until) {
    ClusterOptions options;
    options.seed = 5;
    NodePool pool;
    pool.count = 6;
    options.pools = {pool};
    options.nodes_rest = rest;
    cluster = std::make_unique<SimulatedCluster>(options, nullptr);
    cluster->start();
    advance(until);
  }
  void advance(Duration time) { cluster->executor().run_until(cluster->executor().now() + time); }
  Instant now() const { return cluster->executor().now(); }

  const Value& node(const std::string& name) const { return cluster->store().find(kinds::kNodes, "", name); }
  std::string ready(const std::string& name) const {
    return control::condition(node(name), "Ready")[keys::kStatus].string();
  }
  std::string renewed(const std::string& name) const {
    return cluster->store().find(kinds::kLeases, "kube-node-lease", name)[keys::kSpec][keys::kRenewTime].string();
  }
  uint64_t writes_within(Duration time) {
    const uint64_t before = cluster->store().revision().value;
    advance(time);
    return cluster->store().revision().value - before;
  }
  void expect_all_ready() const {
    for (const auto& name : cluster->node_names()) EXPECT_EQ(ready(name), "True") << name;
  }
  // How long after this moment the node counts as lost, to the second.
  Duration until_lost(const std::string& name) {
    const Instant from = now();
    while (ready(name) == "True" && now() - from < minutes(5)) advance(seconds(1));
    return now() - from;
  }

  std::unique_ptr<SimulatedCluster> cluster;
};

TEST_F(RestingNodes, WriteNothingAndStayReady) {
  make(true, minutes(75));  // the Events of their beginning have had their hour
  EXPECT_LT(writes_within(hours(6)), 10U);
  expect_all_ready();

  make(false, minutes(15));
  EXPECT_GT(writes_within(hours(1)), 6U * 360U) << "who does not rest renews its Lease every ten seconds";
}

TEST_F(RestingNodes, ThatDieAreMissedAsSoonAsOthers) {
  std::vector<Duration> lost;
  for (const bool rest : {false, true}) {
    make(rest, hours(1) + seconds(3));
    cluster->crash_node("node-3");
    lost.push_back(until_lost("node-3"));
    advance(minutes(2));
    for (const auto& name : cluster->node_names()) EXPECT_EQ(ready(name), name == "node-3" ? "Unknown" : "True") << name;
  }
  EXPECT_GE(lost[1], seconds(35));
  EXPECT_LE(lost[1], seconds(60));
  EXPECT_LE(std::max(lost[0], lost[1]) - std::min(lost[0], lost[1]), seconds(5)) << "a look of the controller apart";
}

TEST_F(RestingNodes, GoOnAtTheirBeatWhenSomethingDisturbsThem) {
  make(true, hours(1));
  const std::string old = renewed("node-1");
  EXPECT_LT(writes_within(minutes(1)), 3U);
  cluster->disturb();
  advance(seconds(11));
  EXPECT_GT(renewed("node-1"), old);
  EXPECT_GE(writes_within(seconds(40)), 6U * 4U);
  // And rest again when it has been calm for long enough.
  advance(minutes(2));
  EXPECT_LT(writes_within(minutes(1)), 3U);
}

TEST_F(RestingNodes, OutliveAnApiServerThatIsAway) {
  make(true, hours(1));
  cluster->stop_api();
  advance(minutes(3));
  cluster->start_api();
  advance(minutes(1));
  expect_all_ready();
}

TEST_F(RestingNodes, AnswerWhatOthersMakeOfTheirStatus) {
  make(true, hours(1));
  Value changed = node("node-2");
  changed = control::with_condition(changed, control::condition(changed, "Ready").with(keys::kStatus, "Unknown"),
                                    cluster->executor().wall_now());
  control::ApiRequest request;
  request.verb = control::Verb::kUpdate;
  request.kind = kinds::kNodes;
  request.name = "node-2";
  request.subresource = "status";
  request.body = changed;
  cluster->request(std::move(request), [](const auto& result) { ASSERT_TRUE(result) << result.error().message; });
  advance(milliseconds(5));
  ASSERT_EQ(ready("node-2"), "Unknown");
  advance(seconds(15));
  EXPECT_EQ(ready("node-2"), "True");
}

TEST_F(RestingNodes, SayWhichImagesTheyHavePulled) {
  make(true, hours(1));
  EXPECT_TRUE(node("node-1")[keys::kStatus][keys::kImages].items().empty());
  control::ApiRequest request;
  request.verb = control::Verb::kCreate;
  request.kind = kinds::kPods;
  request.namespace_ = "default";
  request.body = *control::parse_json(R"({"metadata": {"name": "one"}, "spec": {"nodeName": "node-1",
      "containers": [{"name": "web", "image": "web:1"}]}})");
  cluster->request(std::move(request), [](const auto& result) { ASSERT_TRUE(result) << result.error().message; });
  advance(minutes(6));
  EXPECT_FALSE(node("node-1")[keys::kStatus][keys::kImages].items().empty());
}

TEST_F(RestingNodes, AreWellKnownToControllersThatAreNew) {
  make(true, hours(1));
  cluster->restart_controllers();
  advance(minutes(30));
  expect_all_ready();
}

}  // namespace
}  // namespace minik::sim
