// What a KubeSchedulerConfiguration may say, what is wrong with one, and what its plugins' arguments change of placement.
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kHead = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

Result<SchedulerConfiguration> read(std::string_view rest) {
  const auto documents = parse_yaml(cat(kHead, rest));
  CHECK(documents.ok()) << documents.error().message;
  return configuration_from((*documents)[0].value);
}

std::string error_of(std::string_view rest) {
  const auto configuration = read(rest);
  return configuration ? "" : configuration.error().message;
}

std::string with_arguments(std::string_view plugin, std::string_view arguments) {
  return cat("profiles: [{pluginConfig: [{name: ", plugin, ", args: {", arguments, "}}]}]");
}

std::string arguments_error(std::string_view plugin, std::string_view arguments) {
  const std::string error = error_of(with_arguments(plugin, arguments));
  constexpr std::string_view kAt = "profiles[0].pluginConfig[0].args.";
  EXPECT_TRUE(error.empty() || error.starts_with(kAt)) << error;
  return error.empty() ? error : error.substr(kAt.size());
}

TEST(Profiles, RefuseAnotherDocument) {
  EXPECT_EQ(configuration_from(Value::map({{keys::kKind, "Pod"}})).error().message,
            "expected kind KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1");
}

TEST(Profiles, RefuseWhatNobodyKnowsByItsPlace) {
  EXPECT_EQ(error_of("profile: []\nprofiles: [{name: a}]"),
            "strict decoding error: unknown field \"profile\", unknown field \"profiles[0].name\"");
  EXPECT_EQ(error_of("profiles: [{plugins: {filter: {disabled: [{name: NodeAffinity}]}}}]"),
            "profiles[0].plugins.filter.disabled[0]: Forbidden: the plugin \"NodeAffinity\" cannot be turned off");
  EXPECT_EQ(error_of("profiles: [{pluginConfig: [{name: Odd}]}]"),
            "profiles[0].pluginConfig[0].name: Invalid value: \"Odd\": there are no arguments of a plugin of this name");
  EXPECT_EQ(error_of("extenders: [{urlPrefix: \"http://example.com\"}]"),
            "extenders: Forbidden: minik's scheduler asks nobody outside");
}

TEST(Profiles, HaveNamesOfTheirOwn) {
  EXPECT_EQ(error_of("profiles: [{schedulerName: a}, {schedulerName: a}]"),
            "profiles[1].schedulerName: Duplicate value: \"profiles[0].schedulerName\"");
  EXPECT_EQ(error_of("profiles: [{schedulerName: a}, {}]"), "profiles[1].schedulerName: Required value");
  EXPECT_EQ(read("profiles: [{}]")->profiles[0].name, "default-scheduler");
}

TEST(Profiles, SetWeightsAndTurnPreemptionOff) {
  const auto configuration = read(R"(
profiles:
- schedulerName: packer
  plugins:
    score: {disabled: [{name: ImageLocality}], enabled: [{name: NodeAffinity, weight: 9}]}
    postFilter: {disabled: [{name: "*"}]}
)");
  ASSERT_TRUE(configuration) << configuration.error().message;
  const Profile& profile = configuration->profiles[0];
  EXPECT_EQ(profile.name, "packer");
  EXPECT_EQ(profile.weights.image, 0);
  EXPECT_EQ(profile.weights.node_affinity, 9);
  EXPECT_EQ(profile.weights.taints, 3);
  EXPECT_FALSE(profile.preempts);
}

TEST(Profiles, InheritThePercentageOfNodes) {
  const auto configuration = read(
      "percentageOfNodesToScore: 30\nparallelism: 4\n"
      "profiles: [{schedulerName: a}, {schedulerName: b, percentageOfNodesToScore: 70}]");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->profiles[0].percentage_of_nodes, 30);
  EXPECT_EQ(configuration->profiles[1].percentage_of_nodes, 70);
  EXPECT_EQ(error_of("percentageOfNodesToScore: 101"),
            "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]");
  EXPECT_EQ(error_of("parallelism: 0"),
            "parallelism: Invalid value: 0: should be an integer value greater than zero");
}

TEST(Profiles, ShareTheBackOff) {
  const auto configuration = read("podInitialBackoffSeconds: 3\npodMaxBackoffSeconds: 60");
  ASSERT_TRUE(configuration) << configuration.error().message;
  EXPECT_EQ(configuration->back_off.first, seconds(3));
  EXPECT_EQ(configuration->back_off.last, seconds(60));
  EXPECT_EQ(error_of("podInitialBackoffSeconds: 0"),
            "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0");
  EXPECT_EQ(error_of("podInitialBackoffSeconds: 20"),
            "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds");
}

TEST(PluginArguments, MaySayWhatTheyAre) {
  EXPECT_EQ(arguments_error("InterPodAffinity", "apiVersion: kubescheduler.config.k8s.io/v1, kind: InterPodAffinityArgs, "
                                                "hardPodAffinityWeight: 0"),
            "");
  EXPECT_EQ(error_of(with_arguments("InterPodAffinity", "kind: NodeAffinityArgs")),
            "profiles[0].pluginConfig[0].args: Invalid value: \"NodeAffinityArgs\": args for plugin InterPodAffinity were "
            "not of type InterPodAffinityArgs");
  EXPECT_EQ(error_of("profiles: [{pluginConfig: [{name: VolumeBinding}, {name: VolumeBinding}]}]"),
            "profiles[0].pluginConfig[1]: Duplicate value: \"VolumeBinding\"");
}

TEST(PluginArguments, AreRefusedInKubernetesWords) {
  EXPECT_EQ(arguments_error("InterPodAffinity", "hardPodAffinityWeight: 101"),
            "hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]");
  EXPECT_EQ(arguments_error("DefaultPreemption", "minCandidateNodesPercentage: -1"),
            "minCandidateNodesPercentage: Invalid value: -1: not in valid range [0, 100]");
  EXPECT_EQ(arguments_error("VolumeBinding", "bindTimeoutSeconds: -1"),
            "bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value");
  EXPECT_EQ(arguments_error("NodeResourcesBalancedAllocation", "resources: [{name: cpu, weight: 2}]"),
            "resources[0].weight: Invalid value: 2: must be 1");
  EXPECT_EQ(arguments_error("PodTopologySpread",
                            "defaultConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]"),
            "defaultingType: Invalid value: \"System\": when .defaultConstraints are not empty");
  EXPECT_EQ(arguments_error("PodTopologySpread", "defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: "
                                                 "zone, whenUnsatisfiable: Never}]"),
            "defaultConstraints[0].whenUnsatisfiable: Unsupported value: \"Never\": supported values: "
            "\"DoNotSchedule\", \"ScheduleAnyway\"");
  EXPECT_EQ(arguments_error("NodeResourcesFit", "scoringStrategy: {type: Odd}"),
            "scoringStrategy.type: Unsupported value: \"Odd\": supported values: \"LeastAllocated\", "
            "\"MostAllocated\", \"RequestedToCapacityRatio\"");
  EXPECT_EQ(arguments_error("NodeResourcesFit", "scoringStrategy: {type: RequestedToCapacityRatio}"),
            "scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is "
            "RequestedToCapacityRatio");
  EXPECT_EQ(arguments_error("NodeAffinity",
                            "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
                            "[{matchExpressions: [{key: disk, operator: Like, values: [ssd]}]}]}}"),
            "addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]."
            "operator: Invalid value: \"Like\": not a valid selector operator");
}

TEST(PluginArguments, SayAllThatIsWrongAtOnce) {
  EXPECT_EQ(error_of(with_arguments("NodeResourcesFit",
                                    "scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: "
                                    "[{utilization: 50, score: 11}, {utilization: 50, score: 1}]}}")),
            "[profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: "
            "11: not in valid range [0, 10], "
            "profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid "
            "value: 50: values must be sorted in increasing order]");
  EXPECT_EQ(arguments_error("InterPodAffinity", "hardPodAffinityWeight: lots"),
            "hardPodAffinityWeight: Invalid value: \"lots\": must be an integer");
}

class ProfiledPods : public SchedulerWorld {
 protected:
  void use(const std::string& configuration) {
    auto read_one = read(configuration);
    ASSERT_TRUE(read_one) << read_one.error().message;
    scheduler.reset();
    informers = std::make_unique<InformerSet>(executor, client, Rng(2));
    scheduler =
        std::make_unique<Scheduler>(executor, client, *informers, *events, metrics, Rng(4), *std::move(read_one));
    scheduler->start();
    informers->start();
  }
  static std::string near_app(const std::string& app) {
    return cat("affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "
               "kubernetes.io/hostname, labelSelector: {matchLabels: {app: ", app, "}}}]}}");
  }
};

TEST_F(ProfiledPods, HaveTheNodeAffinityThatTheirProfileAdds) {
  use(with_arguments("NodeAffinity",
                     "addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: "
                     "[{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}]}}"));
  add_node("plain");
  add_node("fast", "1", "8Gi", "disk: ssd");
  add_pod("web", requests("800m"));
  add_pod("more", requests("800m"));
  run();
  EXPECT_EQ(node_of("web"), "fast");
  EXPECT_EQ(why_pending("more").substr(0, 107),
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match scheduler-enforced node affinity. "
            "no ne");
}

TEST_F(ProfiledPods, AreDrawnToPodsThatNeedThemByTheHardWeight) {
  // "loner" requires app=web beside it, which draws web pods there as far as the profile says.
  for (const bool drawn : {true, false}) {
    use(with_arguments("InterPodAffinity", drawn ? "hardPodAffinityWeight: 100" : "hardPodAffinityWeight: 0"));
    const std::string tag = drawn ? "drawn" : "free";
    add_node(cat(tag, "-a"), "4", "8Gi", cat("round: ", tag));
    add_node(cat(tag, "-b"), "4", "8Gi", cat("round: ", tag));
    add_pod(cat(tag, "-first"), requests("1"), cat("nodeSelector: {kubernetes.io/hostname: ", tag, "-a}"),
            cat("labels: {app: ", tag, "}"));
    add_pod(cat(tag, "-loner"), requests("1"), near_app(tag));
    run();
    ASSERT_EQ(node_of(cat(tag, "-loner")), cat(tag, "-a"));
    add_pod(cat(tag, "-web"), requests("100m"), cat("nodeSelector: {round: ", tag, "}"), cat("labels: {app: ", tag, "}"));
    run();
    EXPECT_EQ(node_of(cat(tag, "-web")), cat(tag, drawn ? "-a" : "-b"));
  }
}

TEST_F(ProfiledPods, SpreadByTheConstraintsOfTheirProfile) {
  use(with_arguments("PodTopologySpread", "defaultingType: List, defaultConstraints: [{maxSkew: 1, topologyKey: rack, "
                                          "whenUnsatisfiable: DoNotSchedule}]"));
  add_node("a", "16", "64Gi", "rack: one");
  add_node("b", "1", "8Gi", "rack: two");
  add_node("nowhere", "16", "64Gi");
  const std::string owned =
      "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: u1, controller: true}]";
  for (int i = 0; i < 4; ++i) add_pod(cat("web-", i), requests("600m"), "", owned);
  run();
  // One on b, which is full then, so that at most two stand on a.
  int placed = 0;
  for (int i = 0; i < 4; ++i) {
    placed += node_of(cat("web-", i)).empty() ? 0 : 1;
    EXPECT_NE(node_of(cat("web-", i)), "nowhere");
  }
  EXPECT_EQ(placed, 3);
}

TEST_F(ProfiledPods, AreNotFilteredByAResourceThatTheirProfileIgnores) {
  use(R"(
profiles:
- schedulerName: default-scheduler
- schedulerName: lenient
  pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [example.com]}}]
)");
  add_node("a");
  const std::string gpu = "resources: {limits: {example.com/gpu: 1}, requests: {example.com/gpu: 1}}";
  add_pod("strict", gpu);
  add_pod("lenient", gpu, "schedulerName: lenient");
  run();
  EXPECT_EQ(node_of("strict"), "");
  EXPECT_EQ(node_of("lenient"), "a");
}

}  // namespace
}  // namespace minik::control
