// Whose pods are told to go, and how fast: nodes that fall silent in zones of different size and health. Against the
// real API on a memory log; the nodes' Leases are renewed by hand.
#include "control/controllers/node_lifecycle.h"

#include <algorithm>
#include <set>

#include "tests/sim/virtual_api.h"

namespace minik::control {
namespace {

class NodesThatFallSilent : public VirtualApi {
 protected:
  NodesThatFallSilent() : VirtualApi("system:kube-controller-manager") {}

  // Nodes zone-0, zone-1 …, the last of which never renew their Leases.
  void add_zone(const std::string& zone, int nodes, int silent) {
    for (int i = 0; i < nodes; ++i) {
      const std::string name = cat(zone, "-", i);
      add(cat("{apiVersion: v1, kind: Node, metadata: {name: ", name, ", labels: {topology.kubernetes.io/zone: ", zone,
              "}}, status: {conditions: [{type: Ready, status: 'True'}]}}"));
      if (i >= nodes - silent) continue;
      add(cat("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: ", name, ", namespace: kube-node-lease}}"));
      alive.insert(name);
    }
  }
  void start() {
    lifecycle.start();
    informers.start();
    // Ten seconds after the grace of fifty: who is silent has been called so.
    pass(seconds(60));
  }
  void pass(Duration duration) {
    for (Duration gone; gone < duration; gone = gone + seconds(5)) {
      for (const auto& name : alive) {
        const std::string renewal = cat(R"({"spec":{"renewTime":")", format_micro_time(executor.wall_now()), R"("}})");
        ASSERT_TRUE(patch(kinds::kLeases, "kube-node-lease", name, renewal));
      }
      run(seconds(5));
    }
  }
  // How many have a taint of this effect for being silent.
  int tainted(std::string_view effect) {
    int count = 0;
    store.for_each(kinds::kNodes, [&](const Value& node) {
      for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
        if (taint[keys::kKey].as_string() == "node.kubernetes.io/unreachable" &&
            taint[keys::kEffect].as_string() == effect) {
          ++count;
        }
      }
    });
    return count;
  }

  InformerSet informers{executor, client, Rng(2)};
  EventRecorder events{executor, client, kinds::kEvents, "node-controller", "", Rng(3)};
  NodeLifecycle lifecycle{executor, client, informers, events, metrics};
  std::set<std::string> alive;
};

TEST_F(NodesThatFallSilent, AreEmptiedOneInTenSecondsWhereMostAreWell) {
  add_zone("a", 10, 4);
  start();
  EXPECT_EQ(tainted("NoSchedule"), 4);
  const int first = tainted("NoExecute");
  EXPECT_GE(first, 1);
  EXPECT_LE(first, 2);
  pass(seconds(10));
  EXPECT_EQ(tainted("NoExecute"), first + 1);
  pass(seconds(20));
  EXPECT_EQ(tainted("NoExecute"), 4);
}

TEST_F(NodesThatFallSilent, AreLeftAloneWhereMostOfASmallZoneIsSilent) {
  add_zone("a", 4, 3);
  add_zone("b", 4, 0);
  start();
  pass(minutes(5));
  EXPECT_EQ(tainted("NoSchedule"), 3);
  EXPECT_EQ(tainted("NoExecute"), 0);
}

TEST_F(NodesThatFallSilent, AreEmptiedOneInAHundredSecondsWhereMostOfALargeZoneIsSilent) {
  add_zone("a", 60, 40);
  start();
  const int first = tainted("NoExecute");
  pass(seconds(300));
  EXPECT_EQ(tainted("NoExecute"), first + 3);
}

TEST_F(NodesThatFallSilent, AreEmptiedAtTheUsualRateWhereAWholeZoneIsDark) {
  add_zone("a", 4, 4);
  add_zone("b", 4, 0);
  start();
  pass(seconds(40));
  EXPECT_EQ(tainted("NoExecute"), 4);
}

TEST_F(NodesThatFallSilent, AreLeftAloneWhenNobodyIsHeardAnyMore) {
  add_zone("a", 4, 4);
  add_zone("b", 4, 4);
  start();
  pass(minutes(5));
  EXPECT_EQ(tainted("NoSchedule"), 8);
  EXPECT_EQ(tainted("NoExecute"), 0);
}

TEST_F(NodesThatFallSilent, LeaveEventsWhenTheyComeFallSilentAndGo) {
  const auto told = [&] {
    std::vector<std::string> notes;
    store.for_each(kinds::kEvents, [&](const Value& event) {
      notes.push_back(cat(event[keys::kReason].as_string(), ": ", event[keys::kMessage].as_string()));
    });
    std::ranges::sort(notes);
    return join(notes, "\n");
  };
  add_zone("a", 2, 1);
  start();
  EXPECT_EQ(told(),
            "NodeNotReady: Node a-1 status is now: NodeNotReady\n"
            "RegisteredNode: Node a-0 event: Registered Node a-0 in Controller\n"
            "RegisteredNode: Node a-1 event: Registered Node a-1 in Controller");
  remove(kinds::kNodes, "", "a-1");
  run(seconds(5));
  EXPECT_NE(told().find("RemovingNode: Node a-1 event: Removing Node a-1 from Controller"), std::string::npos);
}

TEST_F(NodesThatFallSilent, AreNoNewsWhenTheyWereThereBeforeTheController) {
  add_zone("a", 1, 0);
  run(minutes(2));
  start();
  int events_told = 0;
  store.for_each(kinds::kEvents, [&](const Value&) { ++events_told; });
  EXPECT_EQ(events_told, 0);
}

}  // namespace
}  // namespace minik::control
