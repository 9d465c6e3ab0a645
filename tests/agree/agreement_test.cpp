#include <gtest/gtest.h>

#include "control/object/json.h"
#include "control/object/yaml.h"
#include "sim/agreement/comparison.h"

namespace minik::sim {
namespace {

using control::Value;

Value object(const std::string& yaml) { return (*control::parse_yaml(yaml))[0].value; }

// A pod of a set, in the states that its phases say one after the other.
void see_pod(HistoryRecorder& recorder, const std::string& end, const std::vector<std::string>& phases,
             const std::string& more = "") {
  for (const auto& phase : phases) {
    recorder.see("Pod", object("metadata: {name: web-" + end + ", generateName: web-, namespace: default, uid: u-" + end +
                               "}\nstatus: {phase: " + phase + more + "}"));
  }
}

TEST(Agreement, DrawnNamesTimesAndAddressesAreNoDifference) {
  HistoryRecorder real, simulated;
  see_pod(real, "aaaaa", {"Pending", "Running"}, ", podIP: 10.244.0.7, startTime: \"2026-03-01T10:00:00Z\", message: \"web-aaaaa on 10.244.0.7\"");
  see_pod(simulated, "zzzzz", {"Pending", "Running"}, ", podIP: 10.0.0.2, startTime: \"2026-01-01T00:00:00Z\", message: \"web-zzzzz on 10.0.0.2\"");
  EXPECT_TRUE(disagreements(real.history(), simulated.history()).empty());
}

TEST(Agreement, ADifferentPhaseIsToldWithItsPathAndBothWays) {
  HistoryRecorder real, simulated;
  see_pod(real, "aaaaa", {"Pending", "Running"});
  see_pod(simulated, "zzzzz", {"Pending", "Failed"});
  const auto all = disagreements(real.history(), simulated.history());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].object, "Pod default/web-*");
  EXPECT_EQ(all[0].path, "status.phase");
  EXPECT_EQ(all[0].real, R"("Pending" -> "Running")");
  EXPECT_EQ(all[0].simulated, R"("Pending" -> "Failed")");
}

TEST(Agreement, AStateThatOneWorldLeavesOutIsADifference) {
  HistoryRecorder real, simulated;
  see_pod(real, "aaaaa", {"Pending", "Running", "Succeeded"});
  see_pod(simulated, "zzzzz", {"Pending", "Succeeded"});
  EXPECT_EQ(disagreements(real.history(), simulated.history()).size(), 1U);
}

TEST(Agreement, MembersOfAGroupHaveNoOrder) {
  HistoryRecorder real, simulated;
  see_pod(real, "aaaaa", {"Pending", "Running"});
  see_pod(real, "bbbbb", {"Pending", "Failed"});
  see_pod(simulated, "aaaaa", {"Pending", "Failed"});
  see_pod(simulated, "bbbbb", {"Pending", "Running"});
  EXPECT_TRUE(disagreements(real.history(), simulated.history()).empty());
  see_pod(simulated, "ccccc", {"Pending", "Running"});
  EXPECT_EQ(disagreements(real.history(), simulated.history())[0].path, "number of objects");
}

TEST(Agreement, OfCountsTheLastOneCounts) {
  const auto recorded = [](std::vector<int> ready) {
    HistoryRecorder recorder;
    for (const int count : ready) {
      recorder.see("Deployment", object("metadata: {name: web, uid: u}\nspec: {replicas: 3}\nstatus: {readyReplicas: " + std::to_string(count) + "}"));
    }
    return recorder.history();
  };
  EXPECT_TRUE(disagreements(recorded({0, 1, 2, 3}), recorded({0, 3})).empty());
  EXPECT_EQ(disagreements(recorded({0, 3}), recorded({0, 2}))[0].path, "status.readyReplicas");
}

TEST(Agreement, WhetherAContainerIsReadyIsNoCount) {
  const auto recorded = [](const std::vector<std::string>& ready) {
    HistoryRecorder recorder;
    for (const auto& is : ready) {
      recorder.see("Pod", object("metadata: {name: p, uid: u}\nstatus: {containerStatuses: [{name: c, ready: " + is + "}]}"));
    }
    return recorder.history();
  };
  EXPECT_EQ(disagreements(recorded({"false", "true", "false"}), recorded({"true", "false"}))[0].path, "status.containerStatuses[c].ready");
}

TEST(Agreement, TheOrderOfTransitionsCounts) {
  const auto recorded = [](const std::vector<std::string>& conditions) {
    HistoryRecorder recorder;
    std::string all;
    for (const auto& type : conditions) {
      all += (all.empty() ? "" : ", ") + ("{type: " + type + ", status: \"True\"}");
      recorder.see("Job", object("metadata: {name: j, uid: u}\nstatus: {conditions: [" + all + "]}"));
    }
    return recorder.history();
  };
  EXPECT_TRUE(disagreements(recorded({"A", "B"}), recorded({"A", "B"})).empty());
  const auto all = disagreements(recorded({"A", "B"}), recorded({"B", "A"}));
  ASSERT_FALSE(all.empty());
  EXPECT_NE(all[0].path.find("order of"), std::string::npos);
  EXPECT_EQ(all[0].real, R"(status.conditions[A].status = "True", then status.conditions[B].status = "True")");
}

TEST(Agreement, WhatOneWorldMakesAtOnceHasNoOrder) {
  HistoryRecorder real, simulated;
  real.see("Job", object("metadata: {name: j, uid: u}\nstatus: {conditions: [{type: A, status: x}, {type: B, status: x}]}"));
  simulated.see("Job", object("metadata: {name: j, uid: u}\nstatus: {conditions: [{type: A, status: x}]}"));
  simulated.see("Job", object("metadata: {name: j, uid: u}\nstatus: {conditions: [{type: A, status: x}, {type: B, status: x}]}"));
  EXPECT_TRUE(disagreements(real.history(), simulated.history()).empty());
}

TEST(Agreement, OfRestartsTheLongerHistoryGoesOnWhereTheShorterEnds) {
  const auto recorded = [](int restarts, const std::string& reason) {
    HistoryRecorder recorder;
    for (int i = 0; i <= restarts; ++i) {
      recorder.see("Pod", object("metadata: {name: p, uid: u}\nstatus: {containerStatuses: [{name: c, restartCount: " +
                                 std::to_string(i) + ", lastState: {terminated: {reason: " + reason + "}}}]}"));
    }
    return recorder.history();
  };
  EXPECT_TRUE(disagreements(recorded(2, "Error"), recorded(4, "Error")).empty());
  EXPECT_FALSE(disagreements(recorded(2, "Error"), recorded(4, "OOMKilled")).empty());
}

TEST(Agreement, DeletionsCount) {
  HistoryRecorder real, simulated;
  see_pod(real, "aaaaa", {"Running"});
  see_pod(simulated, "aaaaa", {"Running"});
  real.see_deletion("Pod", object("metadata: {name: web-aaaaa, generateName: web-, uid: u-aaaaa}"));
  const auto all = disagreements(real.history(), simulated.history());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].path, "exists");
}

}  // namespace
}  // namespace minik::sim
