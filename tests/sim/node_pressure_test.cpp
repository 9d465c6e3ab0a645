// What containers use of their node's memory, files and process numbers, and what the node agent does when little is left.
#include "control/kubelet/eviction.h"
#include "control/object/yaml.h"
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

using control::EvictionSignal;
using control::NodePressure;
using control::Value;

Value yaml(std::string_view text) {
  const auto parsed = control::parse_yaml(text);
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
  return parsed.ok() ? (*parsed)[0].value : Value();
}

TEST(EvictionThresholds, AreReadAsAKubeletReadsThem) {
  const auto parsed = control::parse_eviction_thresholds("memory.available<500Mi, nodefs.available<7.5%,nodefs.inodesFree<0%,pid.available<1k");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 3U) << "0% turns a signal off";
  EXPECT_EQ(parsed->at(EvictionSignal::kMemoryAvailable).of(1), 500 << 20);
  EXPECT_EQ(parsed->at(EvictionSignal::kNodeFsAvailable).of(1'000'000), 75'000);
  EXPECT_EQ(parsed->at(EvictionSignal::kPidAvailable).of(1), 1000);
  const auto defaults = control::default_eviction_thresholds();
  EXPECT_EQ(defaults.at(EvictionSignal::kMemoryAvailable).of(1), 100 << 20);
  EXPECT_EQ(defaults.at(EvictionSignal::kImageFsAvailable).of(int64_t{1} << 50), (int64_t{1} << 50) / 20 * 3);
  EXPECT_FALSE(defaults.contains(EvictionSignal::kPidAvailable)) << "as with Kubernetes";
}

TEST(EvictionThresholds, ThatAreNoneAreRefusedWithWhatWouldBeOne) {
  for (const auto& [text, why] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"memory.available", "\"memory.available\" is no eviction threshold: memory.available<100Mi is one"},
           {"memory<1Gi", "there is no eviction signal \"memory\"; known are memory.available, imagefs.available"},
           {"memory.available<101%", "is more than all there is"},
           {"memory.available<ten%", "is no percentage"},
           {"memory.available<%", "is no percentage"},
           {"memory.available<0", "must be above zero"},
           {"memory.available<-5Mi", "must be above zero"},
           {"memory.available<much", "is neither a quantity"},
           {"memory.available<1Gi,", "\"\" is no eviction threshold"}}) {
    const auto parsed = control::parse_eviction_thresholds(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().message.find(why), std::string::npos) << parsed.error().message;
  }
}

control::EvictionCandidate candidate(std::string_view name, int64_t memory_mib, std::string_view request, int64_t priority = 0) {
  control::EvictionCandidate of{yaml(cat("metadata: {namespace: a, name: ", name, ", creationTimestamp: 2026-01-01T00:00:00Z}\nspec: {priority: ",
                                         priority, ", containers: [{name: c, resources: {requests: {memory: ", request, "}}}]}\n")),
                                {}};
  of.memory_bytes["c"] = memory_mib << 20;
  return of;
}

TEST(Eviction, TakesWhoIsOverHisRequestFirstThenByPriorityThenByHowFar) {
  const auto first = [](const std::vector<control::EvictionCandidate>& of) {
    return control::next_to_evict(of, EvictionSignal::kMemoryAvailable);
  };
  EXPECT_EQ(first({candidate("modest", 900, "1Gi"), candidate("greedy", 20, "10Mi", 1000)}), 1U) << "whatever its priority";
  EXPECT_EQ(first({candidate("far", 500, "10Mi", 1), candidate("low", 20, "10Mi", 0)}), 1U);
  EXPECT_EQ(first({candidate("large", 500, "450Mi"), candidate("far", 200, "100Mi")}), 1U);
  EXPECT_EQ(first({candidate("modest", 900, "1Gi"), candidate("small", 20, "1Gi")}), 0U) << "who has the least to spare";
  EXPECT_EQ(first({candidate("critical", 900, "1Mi", control::kCriticalPriority)}), std::nullopt);
  auto many = candidate("many", 1, "1Gi"), few = candidate("few", 900, "1Mi");
  many.processes = 500;
  few.processes = 2;
  EXPECT_EQ(control::next_to_evict({few, many}, EvictionSignal::kPidAvailable), 1U) << "nobody asks for process numbers";
}

TEST(Eviction, SaysWhichContainersUseMoreThanTheyAskedFor) {
  auto pod = candidate("web", 300, "100Mi");
  pod.memory_bytes["unknown"] = 1 << 20;
  EXPECT_EQ(control::eviction_message(pod, {EvictionSignal::kMemoryAvailable, 100 << 20, 51 << 20}),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51Mi. Container c was using 300Mi, request is "
            "100Mi, has larger consumption of memory. ");
  EXPECT_EQ(control::eviction_message(pod, {EvictionSignal::kPidAvailable, 1000, 12}),
            "The node was low on resource: pids. Threshold quantity: 1k, available: 12. ");
  pod.pod = yaml("metadata: {name: web}\nspec: {resources: {requests: {memory: 200Mi}}, containers: [{name: c}]}\n");
  EXPECT_EQ(control::eviction_message(pod, {EvictionSignal::kMemoryAvailable, 100 << 20, 0}),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0. Pod web was using 301Mi, request is 200Mi, has "
            "larger consumption of memory. Container c was using 300Mi, request is 0, has larger consumption of memory. ");
}

TEST(Eviction, TurnsAwayWhoAsksForNothingUnderMemoryPressureAndAllUnderAnother) {
  const Value nothing = yaml("spec: {containers: [{name: c}]}");
  const Value something = yaml("spec: {containers: [{name: c, resources: {requests: {cpu: 1m}}}]}");
  const Value tolerant = yaml("spec: {tolerations: [{key: node.kubernetes.io/memory-pressure, operator: Exists}], containers: [{name: c}]}");
  const Value critical = yaml("spec: {priority: 2000001000, containers: [{name: c}]}");
  const std::set<NodePressure> memory{NodePressure::kMemory}, disk{NodePressure::kDisk}, both{NodePressure::kMemory, NodePressure::kDisk};
  EXPECT_EQ(control::refused_under_pressure(nothing, {}), std::nullopt);
  EXPECT_EQ(control::refused_under_pressure(nothing, memory), "The node had condition: [MemoryPressure]. ");
  EXPECT_EQ(control::refused_under_pressure(something, memory), std::nullopt);
  EXPECT_EQ(control::refused_under_pressure(tolerant, memory), std::nullopt);
  EXPECT_EQ(control::refused_under_pressure(tolerant, both), "The node had condition: [MemoryPressure DiskPressure]. ");
  EXPECT_EQ(control::refused_under_pressure(something, disk), "The node had condition: [DiskPressure]. ");
  EXPECT_EQ(control::refused_under_pressure(critical, both), std::nullopt);
}

// A pod at 20 s on node-0, which has 32Gi.
std::string pod(std::string_view name, std::string_view image, std::string_view resources, std::string_view at = "20s", std::string_view more = "") {
  return cat("  - {at: ", at, ", apply: {apiVersion: v1, kind: Pod, metadata: {name: ", name, "}, spec: {nodeName: node-0, ", more,
             "containers: [{name: c, image: \"", image, "\", resources: ", resources, "}]}}}\n");
}

class Pressure : public testing::Test {
 protected:
  FaultyRun& begin(const std::string& timeline, std::string_view images) {
    return run_.emplace(cat("  timeline:\n", timeline), 1, cat("{match: \"web:*\", preloaded: true}\n", images));
  }
  const Value& object(std::string_view name) { return run_->store().find(control::kinds::kPods, "default", name); }
  const Value& status(std::string_view name) { return object(name)[control::keys::kStatus]; }
  std::string phase(std::string_view name) { return status(name)["phase"].string(); }
  std::string message(std::string_view name) { return status(name)["message"].string(); }
  bool has_event(std::string_view kind, std::string_view reason, std::string_view text) {
    bool found = false;
    run_->store().for_each(control::kinds::kEvents, [&](const Value& event) {
      found |= event["involvedObject"]["kind"].as_string() == kind && event["reason"].as_string() == reason &&
               event["message"].as_string().find(text) != std::string_view::npos;
    });
    return found;
  }
  std::optional<FaultyRun> run_;
};

TEST_F(Pressure, OfMemoryTakesThePodThatIsFurthestOverItsRequest) {
  auto& run = begin(pod("leak", "leak:1", "{requests: {memory: 1Gi}}") + pod("asks", "leak:1", "{requests: {memory: 20Gi}}"),
                    "  - {match: \"leak:*\", preloaded: true, uses: {memory: 1Gi, memoryGrowthPerSecond: 4Mi}}");
  ASSERT_TRUE(run.until([&] { return run.condition("node-0", "MemoryPressure") == "True"; }, hours(2)));
  EXPECT_EQ(control::condition(run.node("node-0"), "MemoryPressure")["reason"].as_string(), "KubeletHasInsufficientMemory");
  EXPECT_TRUE(run.until([&] { return phase("leak") == "Failed"; }, seconds(5)));
  EXPECT_EQ(status("leak")["reason"].as_string(), "Evicted");
  EXPECT_EQ(message("leak").find("The node was low on resource: memory. Threshold quantity: 100Mi, available: "), 0U) << message("leak");
  EXPECT_NE(message("leak").find("Container c was using "), std::string::npos) << message("leak");
  EXPECT_NE(message("leak").find(", request is 1Gi, has larger consumption of memory. "), std::string::npos) << message("leak");
  EXPECT_EQ(control::condition(object("leak"), "DisruptionTarget")["reason"].as_string(), "TerminationByKubelet");
  EXPECT_TRUE(has_event("Pod", "Evicted", "The node was low on resource: memory."));
  EXPECT_TRUE(has_event("Node", "EvictionThresholdMet", "Attempting to reclaim memory"));
  EXPECT_TRUE(has_event("Node", "NodeHasInsufficientMemory", "Node node-0 status is now: NodeHasInsufficientMemory"));
  EXPECT_EQ(phase("asks"), "Running") << "what it asked for is its own";
  EXPECT_EQ(run.restarts(), 0) << "nobody was killed for it";
  run.to(run.run->now() + seconds(10));
  EXPECT_EQ(run.node("node-0")["spec"]["taints"].items()[0]["key"].as_string(), "node.kubernetes.io/memory-pressure");
}

TEST_F(Pressure, EndsFiveMinutesAfterTheShortage) {
  auto& run = begin(pod("leak", "leak:1", "{}"), "  - {match: \"leak:*\", preloaded: true, uses: {memory: 31Gi, memoryGrowthPerSecond: 4Mi}}");
  ASSERT_TRUE(run.until([&] { return phase("leak") == "Failed"; }, minutes(30)));
  const Duration gone = run.run->now();
  run.to(gone + minutes(5) - seconds(15));
  EXPECT_EQ(run.condition("node-0", "MemoryPressure"), "True");
  run.to(gone + minutes(5) + seconds(15));
  EXPECT_EQ(run.condition("node-0", "MemoryPressure"), "False");
  run.to(gone + minutes(5) + seconds(30));
  EXPECT_TRUE(run.node("node-0")["spec"]["taints"].empty());
}

TEST_F(Pressure, OnePodAfterTheOtherUntilEnoughIsLeft) {
  auto& run = begin(pod("a", "big:1", "{}") + pod("b", "big:1", "{}") + pod("c", "big:1", "{}") + pod("small", "small:1", "{}"),
                    "  - {match: \"big:*\", preloaded: true, uses: {memory: 10800Mi}}\n"
                    "  - {match: \"small:*\", preloaded: true, uses: {memory: 300Mi}}");
  run.to(minutes(2));
  EXPECT_EQ(run.count([](const Value& p) { return p["status"]["reason"].as_string() == "Evicted"; }), 1);
  EXPECT_EQ(phase("small"), "Running");
}

TEST_F(Pressure, ThatComesTooFastForTheNodeAgentIsTheKernelsToSettle) {
  // A guaranteed pod is the last whom the kernel takes, and one over its own limit is taken before the machine suffers.
  auto& run = begin(pod("burst", "burst:1", "{}") + pod("sure", "steady:1", "{limits: {cpu: \"1\", memory: 20Gi}}") +
                        pod("limited", "burst:1", "{limits: {memory: 2Gi}, requests: {memory: 10Mi}}"),
                    "  - {match: \"burst:*\", preloaded: true, uses: {memoryGrowthPerSecond: 2Gi}}\n"
                    "  - {match: \"steady:*\", preloaded: true, uses: {memory: 19Gi}}");
  const auto oom_killed = [&](std::string_view name) {
    const Value& c = status(name)["containerStatuses"].items()[0];
    return c["state"]["terminated"]["reason"].as_string() == "OOMKilled" || c["lastState"]["terminated"]["reason"].as_string() == "OOMKilled";
  };
  ASSERT_TRUE(run.until([&] { return phase("sure") == "Running" && oom_killed("burst"); }, minutes(2)));
  EXPECT_TRUE(oom_killed("limited"));
  EXPECT_EQ(status("sure")["containerStatuses"].items()[0]["restartCount"].as_int(), 0);
}

TEST_F(Pressure, OfMemoryLetsNobodyInWhoAsksForNothing) {
  auto& run = begin(pod("leak", "leak:1", "{}") + pod("early", "web:1", "{}", "2m") + pod("asks", "web:1", "{requests: {memory: 10Mi}}", "2m") +
                        pod("late", "web:1", "{}", "10m"),
                    "  - {match: \"leak:*\", preloaded: true, uses: {memory: 32700Mi}}");
  run.to(minutes(3));
  ASSERT_EQ(phase("leak"), "Failed");
  EXPECT_EQ(phase("early"), "Failed");
  EXPECT_EQ(status("early")["reason"].as_string(), "Evicted");
  EXPECT_EQ(message("early"), "Pod was rejected: The node had condition: [MemoryPressure]. ");
  EXPECT_TRUE(status("early")["containerStatuses"].is_absent()) << "nothing of it has begun";
  EXPECT_TRUE(has_event("Pod", "Evicted", "The node had condition: [MemoryPressure]. "));
  EXPECT_EQ(phase("asks"), "Running");
  run.to(minutes(11));
  EXPECT_EQ(phase("late"), "Running");
  control::ApiRequest away;
  away.verb = control::Verb::kDelete;
  away.kind = control::kinds::kPods;
  away.namespace_ = "default";
  away.name = "early";
  run.run->cluster().request(std::move(away), [](const auto&) {});
  run.to(minutes(12));
  EXPECT_TRUE(object("early").is_absent()) << "whom it has turned away it lets go of";
}

TEST_F(Pressure, IsSeenByANodeAgentThatComesBack) {
  // Short from 3m10s on, full at 4m50s.
  auto& run = begin(pod("leak", "leak:1", "{}") + "  faults:\n  - {at: 2m, for: 2m, stopKubelets: {names: [node-0]}}\n",
                    "  - {match: \"leak:*\", preloaded: true, uses: {memory: 32500Mi, memoryGrowthPerSecond: 1Mi}}");
  run.to(minutes(4));
  EXPECT_EQ(phase("leak"), "Running");
  run.to(minutes(4) + seconds(30));
  EXPECT_EQ(status("leak")["reason"].as_string(), "Evicted");
}

TEST(EvictionHard, OfAPoolStandsBesideTheDefaults) {
  constexpr std::string_view kScenario = R"(apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: thresholds}
spec:
  nodes:
  - {name: roomy, evictionHard: {memory.available: 2Gi, nodefs.available: 0%}}
  - {name: usual, evictionHard: {}}
)";
  const auto scenario = parse_scenario(kScenario, "a.yaml");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message;
  sim::Run run(*scenario, {});
  ASSERT_TRUE(run.start().ok());
  run.advance(seconds(10));
  const auto allocatable = [&](const char* node) { return run.cluster().store().find(control::kinds::kNodes, "", node)["status"]["allocatable"]; };
  EXPECT_EQ(allocatable("usual-0")["memory"].as_string(), "32668Mi") << "100Mi of 32Gi are kept free";
  EXPECT_EQ(allocatable("roomy-0")["memory"].as_string(), "30Gi");
  EXPECT_EQ(allocatable("roomy-0")["ephemeral-storage"].as_string(), "100Gi");
  for (const auto& [wrong, why] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"{memory: 1Gi}", "does not know the signal \"memory\""},
           {"{memory.available: lots}", "a.yaml:6: spec.nodes[0].evictionHard.memory.available: the threshold \"lots\" of memory.available is neither"},
           {"[memory.available]", "is a map of signals and thresholds"}}) {
    std::string text(kScenario);
    text.replace(text.find("{memory.available: 2Gi, nodefs.available: 0%}"), 45, wrong);
    const auto refused = parse_scenario(text, "a.yaml");
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_NE(refused.error().message.find(why), std::string::npos) << refused.error().message;
  }
}

}  // namespace
}  // namespace minik::sim
