#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "control/object/json.h"
#include "control/object/yaml.h"
#include "sim/agreement/comparable.h"
#include "sim/agreement/comparison.h"
#include "sim/agreement/pod_templates.h"

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

TEST(Agreement, TheDrawnNameOfAPodThatWasRefusedIsNoDifference) {
  const auto see = [](HistoryRecorder& recorder, const std::string& end, const std::string& used) {
    recorder.see("ReplicaSet", object("metadata: {name: web, namespace: default, uid: u}\nstatus: {conditions: [{type: ReplicaFailure, message: 'pods \"web-" +
                                      end + "\" is forbidden: exceeded quota: q, used: pods=" + used + "'}]}"));
  };
  HistoryRecorder real, same, other;
  see(real, "aaaaa", "2");
  see(same, "zzzzz", "2");
  see(other, "zzzzz", "3");
  EXPECT_TRUE(disagreements(real.history(), same.history()).empty());
  EXPECT_EQ(disagreements(real.history(), other.history()).size(), 1U);
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
  const auto of_one_world = disagreements(recorded(2, "Error"), recorded(2, "Error, signal: 9"));
  ASSERT_EQ(of_one_world.size(), 1U) << "a field that one world never has is no beginning";
  EXPECT_EQ(of_one_world[0].path, "status.containerStatuses[c].lastState.terminated.signal");
}

TEST(Agreement, AContainerThatOneWorldRestartsAndTheOtherNeverEndsIsADifference) {
  const auto see = [](HistoryRecorder& recorder, const std::string& end, const std::string& restarts, const std::string& state) {
    recorder.see("Pod", object("metadata: {name: p-" + end + ", generateName: p-, uid: u-" + end + "}\nstatus: {containerStatuses: [{name: c, restartCount: " +
                               restarts + ", state: {" + state + ": {}}}]}"));
  };
  HistoryRecorder real, running, ended;
  for (auto* const recorder : {&real, &running, &ended}) see(*recorder, "aaaaa", "0", "running");
  for (auto* const recorder : {&real, &ended}) see(*recorder, "aaaaa", "0", "terminated");
  see(real, "aaaaa", "1", "running");
  EXPECT_FALSE(disagreements(real.history(), running.history()).empty());
  EXPECT_FALSE(disagreements(running.history(), real.history()).empty());
  EXPECT_TRUE(disagreements(real.history(), ended.history()).empty()) << "it is about to be restarted";
  see(real, "bbbbb", "1", "running");
  see(ended, "bbbbb", "0", "running");
  EXPECT_FALSE(disagreements(real.history(), ended.history()).empty()) << "both of two, and one of two";
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

// A scenario of one machine with these lines from the sixth on.
Result<Comparable> both_of(const std::string& lines, int64_t speed = 1) {
  const std::string text = "apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n" + lines;
  auto scenario = parse_scenario(text, "a.yaml");
  if (!scenario) return scenario.error();
  return comparable(*std::move(scenario), text, "a.yaml", speed);
}

std::string refused(const std::string& lines) {
  const auto both = both_of(lines);
  return both ? "" : both.error().message;
}

TEST(Comparable, WhatARealClusterCannotBeGivenIsRefusedWithItsLine) {
  const std::pair<const char*, const char*> refusals[] = {
      {"  timeline:\n  - {at: 1m, upgradePool: {pool: node}}", "upgradePool cannot be done"},
      {"  timeline:\n  - {at: 1m, crashContainers: {count: 1}}", "draws `count` pods"},
      {"  timeline:\n  - {at: 1m, hangContainers: {container: web}}", "hangContainers can be compared of all containers"},
      {"  faults:\n  - {at: 1m, for: 1m, stopKubelets: {runs: app=web}}", "`runs` chooses machines, and there is one; write `stopKubelets: all`"},
      {"  timeline:\n  - {at: 1m, stopApi: {}}", "needs `for`"},
      {"  timeline:\n  - {at: 1m, exhaustQuota: {namespace: default, resources: [pods]}}", "exhaustQuota needs `for`"},
      {"  images:\n  - {match: web, uses: {logGrowthPerSecond: 1Mi}}", "spec.images[0].uses: memory, memoryGrowthPerSecond, disk and diskGrowthPerSecond can be compared"},
      {"  faults:\n  - {at: 1m, for: 1m, freezeNodes: all}", "freezeNodes cannot be done to a real cluster, which is one machine"},
      {"  faults:\n  - {at: 1m, for: 1m, loseLeader: {component: scheduler}}", "and one process; faults that can be compared are"},
      {"  faults:\n  - {random: {every: 1s}, for: 1m, stopApi: {}}", "strikes more than 100 times; make `every` longer"},
      {"  faults:\n  - {when: {write: {kind: Pod}}, for: 1m, stopApi: {}}", "a single write is seen in the simulator only"},
      {"  faults:\n  - {when: {metric: {name: minik_store_objects, atLeast: 1}}, for: 1m, stopApi: {}}", "a metric counts other things in each world"},
      {"  timeline:\n  - {at: 1m, apply: [{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: "
       "{group: example.com, scope: Namespaced, names: {plural: widgets, singular: widget, kind: Widget}, versions: [{name: v1, served: true, storage: true, "
       "schema: {openAPIV3Schema: {type: object}}}]}}, {apiVersion: example.com/v1, kind: Widget, metadata: {name: a}}]}", "as Widget, cannot be compared"},
      {"  timeline:\n  - {at: 1m, apply: [{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: a}, webhooks: "
       "[{name: a.example.com, clientConfig: {url: \"https://127.0.0.1/a\"}, sideEffects: None, admissionReviewVersions: [v1]}]}]}",
       "would have to answer for this ValidatingWebhookConfiguration"},
      {"  images:\n  - {match: web, crash: {atStart: 5%}}", "spec.images[0].crash.atStart: a share of the starts"},
      {"  images:\n  - {match: web, exitAfter: 5s, crash: {after: 5s}}", "spec.images[0].crash: beside exitAfter cannot be compared"},
      {"  images:\n  - {match: web, load: {requests: 5}}", "spec.images[0].load: no real image behaves so"},
      {"  images:\n  - {match: web, uses: {cpu: 1}}", "spec.images[0].uses: memory, memoryGrowthPerSecond, disk and diskGrowthPerSecond can be compared"},
      {"  images:\n  - {match: web, uses: {memory: 2Gi}}", "would be taken for real; it can be compared up to 1Gi"},
      {"  images:\n  - {match: web, uses: {disk: 2Gi}}", "would be written for real; it can be compared up to 1Gi"},
      {"  images:\n  - {match: web, uses: {diskGrowthPerSecond: 1Mi}}\n  timeline:\n  - {at: 1s, apply: {apiVersion: v1, kind: Pod, metadata: {name: a}, "
       "spec: {containers: [{name: c, image: web, resources: {limits: {ephemeral-storage: 2Gi}}}]}}}",
       "until the container's limit of ephemeral-storage, which may be 1Gi: Pod default/a has more for c"},
      {"  images:\n  - {match: web, uses: {memoryGrowthPerSecond: 1Mi}}\n  timeline:\n  - {at: 1s, apply: {apiVersion: v1, kind: Pod, metadata: {name: a}, "
       "spec: {containers: [{name: c, image: web}]}}}", "Pod default/a has none for c"},
      {"  timeline:\n  - {at: 1s, apply: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: web, livenessProbe: "
       "{grpc: {port: 80}}}]}}}", "Pod default/a has probes over HTTPS or gRPC"},
      {"  timeline:\n  - {at: 1s, apply: {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: web, readinessProbe: "
       "{httpGet: {port: 443, scheme: HTTPS}}}]}}}", "Pod default/a has probes over HTTPS or gRPC"},
  };
  for (const auto& [lines, why] : refusals) {
    const std::string message = refused(lines);
    EXPECT_TRUE(message.starts_with("a.yaml:7: ")) << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }
  const std::string text = "apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 3}]\n";
  const auto many = comparable(*parse_scenario(text, "a.yaml"), text, "a.yaml", 1);
  ASSERT_FALSE(many);
  EXPECT_TRUE(many.error().message.starts_with("a.yaml:5: spec.nodes: a real cluster of minik has one node, this scenario 3")) << many.error().message;
}

// All of them become the demo server, and a pod has one network.
TEST(Comparable, ContainersOfOnePodListenOnPortsOfTheirOwnInBothWorlds) {
  const auto both = both_of("  workloads:\n  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: "
                            "{metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: i}, {name: b, image: i}, {name: c, image: i, env: [{name: "
                            "PORT, value: \"80\"}]}], initContainers: [{name: s, image: i, restartPolicy: Always}]}}}}\n");
  ASSERT_TRUE(both) << both.error().message;
  for (const auto* deeds : {&both->deeds, &both->scenario.timeline}) {
    const auto pods = pod_templates(*deeds);
    ASSERT_EQ(pods.size(), 1U);
    const auto containers = pods[0].spec.get("containers").items();
    EXPECT_FALSE(containers[0].contains("env"));
    EXPECT_EQ(control::to_json(containers[1].get("env")), R"([{"name":"PORT","value":"8081"}])");
    EXPECT_EQ(port_of(containers[2]), 80);
    EXPECT_EQ(port_of(pods[0].spec.get("initContainers").items()[0]), 8083);
  }
  EXPECT_NE(refused("  workloads:\n  - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: a, image: i}, {name: b, image: i, "
                    "readinessProbe: {tcpSocket: {port: 8080}}}]}}\n")
                .find("Pod default/p: the readinessProbe of container b asks port 8080, where a listens; b listens on 8081"),
            std::string::npos);
}

TEST(Comparable, AQuotaThatIsUsedUpForAWhileIsOneInBothWorlds) {
  const auto both = both_of("  faults:\n  - {at: 1m, for: 30s, exhaustQuota: {namespace: default, resources: [pods]}}\n");
  ASSERT_TRUE(both.ok()) << both.error().message;
  ASSERT_EQ(both->deeds.size(), 1U);
  ASSERT_EQ(both->scenario.faults.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<QuotaFault>(both->scenario.faults[0].fault.kind));
}

// Of two pods, one of which has what its fault needs.
TEST(Comparable, AFaultOfPodsNeedsPodsThatCanShowIt) {
  const std::string pods =
      "  workloads:\n  - {apiVersion: v1, kind: Pod, metadata: {name: bare, labels: {app: bare}}, spec: {containers: [{name: c, image: web, livenessProbe: "
      "{tcpSocket: {port: 80}}}]}}\n  - {apiVersion: batch/v1, kind: CronJob, metadata: {name: good}, spec: {schedule: \"* * * * *\", jobTemplate: {spec: "
      "{template: {metadata: {labels: {app: good}}, spec: {restartPolicy: Never, containers: [{name: c, image: web, resources: {limits: {memory: 1Mi}}}]}}}}}}\n";
  const std::pair<const char*, const char*> refusals[] = {
      {"oomContainers: {}", "Pod default/bare has none for c"},
      {"oomContainers: {labelSelector: app=good}", ""},
      {"failProbes: {labelSelector: app=bare}", "which only httpGet notices; Pod default/bare has other probes"},
      {"failProbes: {labelSelector: app=good}", ""},
      {"crashContainers: {count: 1}", "namespace and labelSelector choose those of 2"},
      {"crashContainers: {labelSelector: app=good, count: 1}", ""},
      {"hangContainers: {}", ""},
  };
  for (const auto& [fault, why] : refusals) {
    const std::string message = refused(pods + "  faults:\n  - {at: 1m, " + fault + "}\n");
    EXPECT_EQ(message.empty(), std::string_view(why).empty()) << fault << ": " << message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }
}

TEST(Comparable, WhatIsDrawnIsDrawnOnceForBoth) {
  const auto both = both_of("  duration: 2m\n  faults:\n  - {random: {every: {min: 10s, max: 20s}, from: 1m}, for: {min: 1s, max: 5s}, stopApi: {}}\n"
                            "  - {at: 10s, for: 1s, inRuns: 50%, registryOutage: {}}\n", 2);
  ASSERT_TRUE(both) << both.error().message;
  std::vector<Duration> real;
  std::set<Duration> simulated;
  for (const auto& deed : both->deeds) {
    if (deed.text == "stopApi") real.push_back(deed.trigger.at);
  }
  for (const auto& rule : both->scenario.faults) {
    EXPECT_EQ(rule.trigger.when, Trigger::When::kAt);
    EXPECT_EQ(rule.trigger.in_runs, 1'000'000U);
    if (rule.fault.text == "stopApi") simulated.insert(rule.trigger.at - seconds(5));
  }
  ASSERT_GE(real.size(), 3U);
  EXPECT_GE(real[0], seconds(35)) << "twice as fast";
  EXPECT_EQ(std::set<Duration>(real.begin(), real.end()), simulated);
}

TEST(Comparable, WhatWaitsForAStateWaitsInBothWorldsFromTheStoryOn) {
  const auto both = both_of("  timeline: [{when: {count: {kind: Pod, equals: 0}}, after: 4s, restart: controllers}]\n", 2);
  ASSERT_TRUE(both) << both.error().message;
  ASSERT_EQ(both->deeds.size(), 1U);
  EXPECT_EQ(both->deeds[0].trigger.delay, seconds(2));
  ASSERT_EQ(both->scenario.faults.size(), 4U);
  EXPECT_EQ(both->scenario.faults[0].trigger.when, Trigger::When::kBecomes);
  EXPECT_EQ(both->scenario.faults[0].trigger.at, seconds(5)) << "not while its machine boots";
}

TEST(Comparable, BothWorldsGetTheSameMomentsAndLengths) {
  const auto both = both_of(
      "  duration: 40s\n  images: [{match: \"*\", ready: {min: 2s, max: 8s}}]\n"
      "  timeline: [{at: 8s, scale: {kind: Deployment, name: web, replicas: 2}}]\n"
      "  faults: [{at: 4s, for: {min: 4s, max: 12s}, registryOutage: {}}]\n", 4);
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(both->duration, seconds(10));
  EXPECT_EQ(both->scenario.duration, seconds(15)) << "five seconds for its boot";
  EXPECT_EQ(both->scenario.timeline[0].trigger.at, seconds(7));
  ASSERT_EQ(both->deeds.size(), 2U);
  EXPECT_EQ(both->deeds[0].text, "registryOutage") << "in the order of their moments";
  EXPECT_EQ(both->deeds[0].trigger.at, seconds(1));
  EXPECT_EQ(both->deeds[1].trigger.at, seconds(2));
  Rng any(1), other(2);
  const auto length = std::get<InjectAction>(both->deeds[0].what).fault.lasts->draw(any);
  EXPECT_EQ(length, both->scenario.faults[0].fault.lasts->draw(other));
  EXPECT_GE(length, seconds(1));
  EXPECT_LE(length, seconds(3));
  EXPECT_EQ(both->scenario.images[0].ready.draw(any), both->scenario.images[0].ready.draw(other));
}

TEST(Comparable, AFaultOfTheApiServerIsOneOfItsWholeProcess) {
  const auto both = both_of("  timeline: [{at: 20s, restart: scheduler}]\n  faults: [{at: 10s, for: 5s, stopApi: {}}]\n");
  ASSERT_TRUE(both) << both.error().message;
  std::multiset<std::string> faults;
  for (const auto& rule : both->scenario.faults) faults.insert(rule.fault.text);
  EXPECT_EQ(faults, (std::multiset<std::string>{"stopApi", "stopApi", "stopKubelets", "stopKubelets", "crashComponent", "crashComponent",
                                                "crashComponent", "crashComponent"}));
  EXPECT_TRUE(both->scenario.timeline.empty()) << "the restart among them";
  EXPECT_EQ(both->deeds.size(), 2U);
}

TEST(Comparable, AFaultOfTheNodeAgentIsOneOfItsWholeProcess) {
  const auto both = both_of("  faults: [{at: 10s, for: 5s, stopKubelets: all}, {at: 20s, for: 5s, crashComponent: {component: deployment}}]\n");
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(std::ranges::count_if(both->scenario.faults, [](const FaultRule& rule) { return rule.fault.text == "stopApi"; }), 2);
  EXPECT_EQ(both->scenario.faults.size(), 8U);
}

}  // namespace
}  // namespace minik::sim
