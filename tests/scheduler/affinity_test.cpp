// Rules about other pods: affinity, anti-affinity, their symmetry, and topology spread.
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

class PodRules : public SchedulerWorld {
 protected:
  // a1, a2 in zone a; b1, b2 in zone b.
  void add_zones() {
    for (const char* name : {"a1", "a2"}) add_node(name, "4", "8Gi", "zone: a");
    for (const char* name : {"b1", "b2"}) add_node(name, "4", "8Gi", "zone: b");
  }
  static std::string affinity(const std::string& kind, const std::string& topology,
                              const std::string& selector, const std::string& more = "") {
    return cat("affinity: {", kind,
               ": {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: ", topology,
               ", labelSelector: ", selector, more.empty() ? "" : ", ", more, "}]}}");
  }
  static std::string spread(const std::string& topology, const std::string& more = "") {
    return cat("topologySpreadConstraints: [{maxSkew: 1, topologyKey: ", topology,
               ", whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}",
               more.empty() ? "" : ", ", more, "}]");
  }
  char zone_of(const std::string& name) const {
    return node_of(name).empty() ? '-' : node_of(name)[0];
  }
  std::string refusal(const std::string& name) const {
    return why_pending(name).substr(0, why_pending(name).find(" no new claims"));
  }
};

TEST_F(PodRules, AntiAffinityByHostGivesEachPodItsOwnNode) {
  add_zones();
  for (int i = 0; i < 5; ++i) {
    add_pod(cat("web-", i), "",
            affinity("podAntiAffinity", "kubernetes.io/hostname", "{matchLabels: {app: web}}"),
            "labels: {app: web}");
  }
  run();
  std::set<std::string> nodes;
  for (int i = 0; i < 4; ++i) nodes.insert(node_of(cat("web-", i)));
  EXPECT_EQ(nodes.size(), 4U);
  EXPECT_FALSE(nodes.contains(""));
  EXPECT_EQ(refusal("web-4"),
            "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules.");
}

TEST_F(PodRules, AntiAffinityByZoneClosesTheWholeZoneUntilThePodGoes) {
  add_zones();
  const auto rule = affinity("podAntiAffinity", "zone", "{matchLabels: {app: web}}");
  for (int i = 0; i < 3; ++i) add_pod(cat("web-", i), "", rule, "labels: {app: web}");
  run();
  EXPECT_NE(zone_of("web-0"), zone_of("web-1"));
  EXPECT_EQ(node_of("web-2"), "");
  const char freed = zone_of("web-0");
  remove(kinds::kPods, "default", "web-0");
  run();
  EXPECT_EQ(zone_of("web-2"), freed);
}

TEST_F(PodRules, PodsThatAreThereKeepOthersAway) {
  add_node("only");
  add_pod("hermit", "",
          affinity("podAntiAffinity", "kubernetes.io/hostname", "{matchLabels: {app: web}}"));
  run();
  add_pod("web", "", "", "labels: {app: web}");
  add_pod("other", "", "", "labels: {app: other}");
  run();
  EXPECT_EQ(refusal("web"),
            "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.");
  EXPECT_EQ(node_of("other"), "only");
}

TEST_F(PodRules, AffinityFollowsThePodsAndWaitsForTheFirst) {
  add_zones();
  add_pod("follower", "", affinity("podAffinity", "zone", "{matchLabels: {app: db}}"));
  run();
  EXPECT_EQ(refusal("follower"),
            "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.");
  add_pod("db", "", "nodeSelector: {zone: b}", "labels: {app: db}");
  run();
  EXPECT_EQ(zone_of("follower"), 'b');
}

TEST_F(PodRules, TheFirstOfAKindThatWantsItsOwnKindGoesAnywhere) {
  add_zones();
  const auto rule = affinity("podAffinity", "zone", "{matchLabels: {app: web}}");
  for (int i = 0; i < 4; ++i) add_pod(cat("web-", i), "", rule, "labels: {app: web}");
  run();
  EXPECT_NE(zone_of("web-0"), '-');
  for (int i = 1; i < 4; ++i) EXPECT_EQ(zone_of(cat("web-", i)), zone_of("web-0"));
}

TEST_F(PodRules, TheFirstOfAKindIsKnownByItsNamespacesLabelsToo) {
  add_zones();
  ASSERT_TRUE(patch(kinds::kNamespaces, "", "default", R"({"metadata":{"labels":{"team":"blue"}}})"));
  run();
  const auto with = [](const std::string& team) {
    return affinity("podAffinity", "zone", "{matchLabels: {app: web}}", cat("namespaceSelector: {matchLabels: {team: ", team, "}}"));
  };
  add_pod("blue", "", with("blue"), "labels: {app: web}");
  run();
  EXPECT_NE(zone_of("blue"), '-') << refusal("blue");
  remove(kinds::kPods, "default", "blue");
  add_pod("red", "", with("red"), "labels: {app: web}");
  run();
  EXPECT_EQ(zone_of("red"), '-');
  ASSERT_TRUE(patch(kinds::kNamespaces, "", "default", R"({"metadata":{"labels":{"team":"red"}}})"));
  run(seconds(2));
  EXPECT_NE(zone_of("red"), '-');
}

TEST_F(PodRules, SpreadingCountsNoPodThatIsOnItsWayOut) {
  add_node("a", "4");
  add_node("b", "100m");
  add_pod("old", requests("1"), spread("kubernetes.io/hostname"), "labels: {app: web}, finalizers: [example.com/hold]");
  run();
  ASSERT_EQ(node_of("old"), "a");
  add_pod("new", requests("1"), spread("kubernetes.io/hostname"), "labels: {app: web}");
  const auto rule = affinity("podAntiAffinity", "kubernetes.io/hostname", "{matchLabels: {app: web}}");
  run();
  EXPECT_EQ(refusal("new"),
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints.");
  remove(kinds::kPods, "default", "old");
  run(seconds(2));
  EXPECT_EQ(node_of("new"), "a");
  add_pod("apart", requests("1"), rule);
  run();
  EXPECT_EQ(refusal("apart"),
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod anti-affinity rules.");
  remove(kinds::kPods, "default", "new");
  run();
  EXPECT_EQ(node_of("apart"), "") << "affinity sees the pod until it has gone";
  ASSERT_TRUE(patch(kinds::kPods, "default", "old", R"({"metadata":{"finalizers":null}})"));
  run(seconds(2));
  EXPECT_EQ(node_of("apart"), "a");
}

TEST_F(PodRules, NamespaceSelectorsLookAtTheNamespacesLabels) {
  add("{apiVersion: v1, kind: Namespace, metadata: {name: shared, labels: {team: blue}}}");
  add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shared}}");
  add_zones();
  add("{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shared, labels: {app: db}}, "
      "spec: {nodeSelector: {zone: b}, containers: [{name: main, image: x}]}}");
  run();
  add_pod("own", "", affinity("podAffinity", "zone", "{matchLabels: {app: db}}"));
  add_pod("blue", "",
          affinity("podAffinity", "zone", "{matchLabels: {app: db}}",
                   "namespaceSelector: {matchLabels: {team: blue}}"));
  add_pod("named", "",
          affinity("podAffinity", "zone", "{matchLabels: {app: db}}", "namespaces: [shared]"));
  add_pod("red", "",
          affinity("podAffinity", "zone", "{matchLabels: {app: db}}",
                   "namespaceSelector: {matchLabels: {team: red}}"));
  run();
  EXPECT_EQ(node_of("own"), "");
  EXPECT_EQ(zone_of("blue"), 'b');
  EXPECT_EQ(zone_of("named"), 'b');
  EXPECT_EQ(node_of("red"), "");
  ASSERT_TRUE(patch(kinds::kNamespaces, "", "shared", R"({"metadata":{"labels":{"team":"red"}}})"));
  run();
  EXPECT_EQ(zone_of("red"), 'b');
}

TEST_F(PodRules, MatchLabelKeysTakeThePodsOwnValue) {
  add_node("only");
  const auto rule = affinity("podAntiAffinity", "kubernetes.io/hostname",
                             "{matchLabels: {app: web}}", "matchLabelKeys: [revision]");
  add_pod("old", "", rule, "labels: {app: web, revision: one}");
  run();
  add_pod("new", "", rule, "labels: {app: web, revision: two}");
  add_pod("same", "", rule, "labels: {app: web, revision: one}");
  run();
  EXPECT_EQ(node_of("new"), "only");
  EXPECT_EQ(node_of("same"), "");
}

TEST_F(PodRules, PreferredAffinityPullsAndPushes) {
  add_zones();
  add_pod("db", "", "nodeSelector: {zone: b}", "labels: {app: db}");
  run();
  const auto preferred = [](const std::string& kind) {
    return cat("affinity: {", kind,
               ": {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, "
               "podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {app: db}}}}]}}");
  };
  add_pod("friend", "", preferred("podAffinity"));
  add_pod("stranger", "", preferred("podAntiAffinity"));
  run();
  EXPECT_EQ(zone_of("friend"), 'b');
  EXPECT_EQ(zone_of("stranger"), 'a');
}

TEST_F(PodRules, SpreadKeepsTheSkewOverZonesAndHosts) {
  add_zones();
  for (int i = 0; i < 6; ++i) add_pod(cat("web-", i), "", spread("zone"), "labels: {app: web}");
  run();
  std::map<char, int> zones;
  for (int i = 0; i < 6; ++i) ++zones[zone_of(cat("web-", i))];
  EXPECT_EQ(zones, (std::map<char, int>{{'a', 3}, {'b', 3}}));
}

TEST_F(PodRules, SpreadByHostNeverExceedsTheSkew) {
  add_node("a", "16");
  add_node("b", "16");
  add_node("small", "500m");
  for (int i = 0; i < 9; ++i) {
    add_pod(cat("web-", i), requests("200m"), spread("kubernetes.io/hostname"),
            "labels: {app: web}");
  }
  run();
  std::map<std::string, int> nodes;
  for (int i = 0; i < 9; ++i) ++nodes[node_of(cat("web-", i))];
  // The small node takes two, and the others may be one ahead.
  EXPECT_EQ(nodes, (std::map<std::string, int>{{"", 1}, {"a", 3}, {"b", 3}, {"small", 2}}));
}

TEST_F(PodRules, SpreadNamesSkewAndMissingLabelsApart) {
  add_node("a1", "4", "8Gi", "zone: a");
  add_node("b1", "100m", "8Gi", "zone: b");
  add_node("nowhere");
  for (int i = 0; i < 2; ++i)
    add_pod(cat("web-", i), requests("200m"), spread("zone"), "labels: {app: web}");
  run();
  EXPECT_EQ(refusal("web-1"),
            "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology "
            "spread constraints, "
            "1 node(s) didn't match pod topology spread constraints (missing required label).");
}

TEST_F(PodRules, SpreadCountsOnlyNodesThatThePodCouldUse) {
  add_node("a1", "4", "8Gi", "zone: a, disk: ssd");
  add_node("b1", "4", "8Gi", "zone: b");
  for (int i = 0; i < 2; ++i) {
    add_pod(cat("honor-", i), "", cat("nodeSelector: {disk: ssd}, ", spread("zone")),
            "labels: {app: web}");
  }
  run();
  EXPECT_EQ(zone_of("honor-1"), 'a');
  add_pod("ignore", "",
          cat("nodeSelector: {disk: ssd}, ", spread("zone", "nodeAffinityPolicy: Ignore")),
          "labels: {app: web}");
  run();
  EXPECT_EQ(node_of("ignore"), "");
}

TEST_F(PodRules, SpreadHonoursTaintsOnlyWhenAsked) {
  add_node("a1", "4", "8Gi", "zone: a");
  add_node("b1", "4", "8Gi", "zone: b", "taints: [{key: x, effect: NoSchedule}]");
  add_pod("first", "", spread("zone"), "labels: {app: web}");
  run();
  add_pod("ignore", "", spread("zone"), "labels: {app: web}");
  add_pod("honor", "", spread("zone", "nodeTaintsPolicy: Honor"), "labels: {app: web}");
  run();
  EXPECT_EQ(node_of("ignore"), "");
  EXPECT_EQ(node_of("honor"), "a1");
}

TEST_F(PodRules, MinDomainsKeepsPodsBackUntilThereAreEnoughZones) {
  add_node("a1", "4", "8Gi", "zone: a");
  for (int i = 0; i < 2; ++i) {
    add_pod(cat("web-", i), "", spread("zone", "minDomains: 2"), "labels: {app: web}");
  }
  run();
  EXPECT_EQ(node_of("web-0"), "a1");
  EXPECT_EQ(node_of("web-1"), "");
  add_node("b1", "4", "8Gi", "zone: b");
  run();
  EXPECT_EQ(node_of("web-1"), "b1");
}

TEST_F(PodRules, SoftSpreadPrefersTheEmptyZoneAndNeverBlocks) {
  add_zones();
  const std::string soft =
      "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: "
      "ScheduleAnyway, "
      "labelSelector: {matchLabels: {app: web}}}]";
  for (int i = 0; i < 4; ++i) add_pod(cat("web-", i), "", soft, "labels: {app: web}");
  add_pod("pinned", "", cat("nodeSelector: {zone: a}, ", soft), "labels: {app: web}");
  run();
  std::map<char, int> zones;
  for (int i = 0; i < 4; ++i) ++zones[zone_of(cat("web-", i))];
  EXPECT_EQ(zones, (std::map<char, int>{{'a', 2}, {'b', 2}}));
  EXPECT_EQ(zone_of("pinned"), 'a');
}

TEST_F(PodRules, ReplicasSpreadOverHostsAndZonesByDefault) {
  for (const char* name : {"a1", "a2"})
    add_node(name, "4", "8Gi", "topology.kubernetes.io/zone: a");
  for (const char* name : {"b1", "b2"})
    add_node(name, "4", "8Gi", "topology.kubernetes.io/zone: b");
  for (int i = 0; i < 4; ++i) {
    add_pod(cat("web-", i), requests("100m"), "",
            "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: u-1, "
            "controller: true}]");
  }
  run();
  std::set<std::string> nodes;
  for (int i = 0; i < 4; ++i) nodes.insert(node_of(cat("web-", i)));
  EXPECT_EQ(nodes.size(), 4U);
  EXPECT_NE(zone_of("web-0"), zone_of("web-1"));
}

}  // namespace
}  // namespace minik::control
