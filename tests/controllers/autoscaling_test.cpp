#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/controllers/autoscaling_limits.h"
#include "control/controllers/autoscaling_metrics.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

const WallTime kNow = *parse_time("2026-03-01T12:00:00Z");

Value document(std::string_view yaml) {
  const auto documents = parse_yaml(yaml);
  EXPECT_TRUE(documents) << documents.error().message;
  return (*documents)[0].value;
}

Value cpu_percent(int target) {
  return document(cat("{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: ", target, "}}}"));
}

struct PodFacts {
  std::string name;
  int usage_milli = -1;  // -1: nothing is measured yet
  bool ready = true, deleting = false;
  std::string phase = "Running", started = "2026-03-01T11:00:00Z", request = "100m";
};

PodsAndUsage known_of(const std::vector<PodFacts>& pods) {
  PodsAndUsage known;
  known.now = kNow;
  for (const auto& facts : pods) {
    known.pods.push_back(document(cat(
        "metadata: {name: ", facts.name, facts.deleting ? ", deletionTimestamp: '2026-03-01T12:00:30Z'" : "",
        "}\nspec: {containers: [{name: web, resources: {requests: {", facts.request.empty() ? "" : cat("cpu: ", facts.request),
        "}}}]}\nstatus: {phase: ", facts.phase, ", startTime: '", facts.started, "', conditions: [{type: Ready, status: '",
        facts.ready ? "True" : "False", "', lastTransitionTime: '", facts.started, "'}]}")));
    if (facts.usage_milli < 0) continue;
    known.metrics[facts.name] =
        document(cat("timestamp: '2026-03-01T12:00:00Z'\nwindow: 15s\ncontainers: [{name: web, usage: {cpu: ", facts.usage_milli,
                     "m, memory: 64Mi}}]"));
  }
  return known;
}

int64_t replicas(const Value& metric, int64_t current, const std::vector<PodFacts>& pods) {
  const auto proposal = propose(metric, current, known_of(pods), {});
  EXPECT_TRUE(proposal) << proposal.error().message;
  return proposal ? proposal->replicas : -1;
}

std::string error(const Value& metric, const std::vector<PodFacts>& pods) {
  const auto proposal = propose(metric, 1, known_of(pods), {});
  return proposal ? "none" : proposal.error().message;
}

TEST(ReplicaProposal, GrowsByTheRatioOfUsageToTarget) {
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 100}, {"b", 100}}), 4);
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 80}, {"b", 90}}), 4);  // 85 % of 50 %: rounded up
  EXPECT_EQ(replicas(cpu_percent(50), 4, {{"a", 10}, {"b", 10}, {"c", 10}, {"d", 10}}), 1);
}

// One pod at 100m of 100m whose sidecar uses 200m of 300m.
PodsAndUsage with_sidecar() {
  PodsAndUsage known = known_of({{"a", 100}});
  known.pods[0] = known.pods[0].with_at(
      {keys::kSpec, keys::kInitContainers},
      document("l: [{name: setup}, {name: proxy, restartPolicy: Always, resources: {requests: {cpu: 300m}}}]").get("l"));
  known.metrics["a"] = document("timestamp: '2026-03-01T12:00:00Z'\nwindow: 15s\ncontainers: [{name: web, usage: {cpu: 100m}}, "
                                "{name: proxy, usage: {cpu: 200m}}]");
  return known;
}

TEST(ReplicaProposal, MeasuresSidecarsByTheirRequestsToo) {
  const auto whole = propose(cpu_percent(75), 1, with_sidecar(), {});
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->replicas, 1) << "300m of 400m are what is wanted";
  const auto of_proxy = propose(document("{type: ContainerResource, containerResource: {name: cpu, container: proxy, target: "
                                         "{type: Utilization, averageUtilization: 33}}}"),
                                1, with_sidecar(), {});
  ASSERT_TRUE(of_proxy) << of_proxy.error().message;
  EXPECT_EQ(of_proxy->replicas, 2) << "66 % of its own request";
}

TEST(ReplicaProposal, TakesWhatAPodAsksForAsAWholeForItsContainers) {
  PodsAndUsage known = known_of({{"a", 100}});
  known.pods[0] = known.pods[0]
                      .with_at({keys::kSpec, keys::kContainers}, document("l: [{name: web}]").get("l"))
                      .with_at({keys::kSpec, keys::kResources}, document("requests: {cpu: 200m}"));
  const auto proposal = propose(cpu_percent(50), 1, known, {});
  ASSERT_TRUE(proposal) << proposal.error().message;
  EXPECT_EQ(proposal->replicas, 1) << "100m of 200m are what is wanted";
}

TEST(ReplicaProposal, StaysWithinATenthOfTheTarget) {
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 55}, {"b", 55}}), 2);
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 45}, {"b", 45}}), 2);
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 56}, {"b", 56}}), 3);
  const auto tight = propose(cpu_percent(50), 2, known_of({{"a", 55}, {"b", 55}}), {.up = 20, .down = 100});
  EXPECT_EQ(tight->replicas, 3);
}

TEST(ReplicaProposal, TakesAPodThatSaysNothingForIdleWhenTheOthersAreBusy) {
  // Three pods at 90 % of 50 % would be six; the fourth says nothing: 270 % over four pods are 67 %.
  EXPECT_EQ(replicas(cpu_percent(50), 4, {{"a", 90}, {"b", 90}, {"c", 90}, {"d"}}), 6);
  EXPECT_EQ(replicas(cpu_percent(50), 4, {{"a", 60}, {"b", 60}, {"c", 60}, {"d"}}), 4);
}

TEST(ReplicaProposal, TakesAPodThatSaysNothingForBusyWhenTheOthersAreIdle) {
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 10}, {"b"}}), 2);
}

TEST(ReplicaProposal, DoesNotCountPodsThatAreOnTheirWayOut) {
  EXPECT_EQ(replicas(cpu_percent(50), 1, {{"a", 100}, {.name = "b", .usage_milli = 0, .deleting = true}, {.name = "c", .phase = "Failed"}}), 2);
}

TEST(ReplicaProposal, TakesAPodThatHasJustStartedForIdle) {
  const PodFacts young{.name = "b", .usage_milli = 1000, .ready = false, .started = "2026-03-01T11:59:00Z"};
  EXPECT_EQ(replicas(cpu_percent(50), 2, {{"a", 100}, young}), 2);
}

TEST(ReplicaProposal, ComparesAveragesToo) {
  const Value metric = document("{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 32Mi}}}");
  EXPECT_EQ(replicas(metric, 2, {{"a", 1}, {"b", 1}}), 4);
  const auto proposal = propose(metric, 2, known_of({{"a", 1}, {"b", 1}}), {});
  EXPECT_EQ(proposal->current[keys::kResource][keys::kCurrent][keys::kAverageValue].as_string(), "67108864");
  EXPECT_EQ(proposal->name, "memory resource");
}

TEST(ReplicaProposal, SaysWhatItLacks) {
  EXPECT_EQ(error(cpu_percent(50), {{"a"}}),
            "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API");
  EXPECT_EQ(error(cpu_percent(50), {{.name = "a", .usage_milli = 5, .request = ""}}),
            "failed to get cpu utilization: missing request for cpu in container web of Pod a");
  EXPECT_EQ(error(cpu_percent(50), {{.name = "a", .usage_milli = 5, .phase = "Pending"}}),
            "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)");
  EXPECT_NE(error(document("{type: External, external: {metric: {name: queue}}}"), {{"a", 5}}).find("no adapter"), std::string::npos);
}

TEST(ScalingLimits, DoubleInOneStepOrMakeFourWithoutRules) {
  const Value spec = document("{minReplicas: 1, maxReplicas: 100}");
  ScalingHistory history;
  EXPECT_EQ(limit_wish(spec, 1, 50, history, kNow).replicas, 4);
  const LimitedWish again = limit_wish(spec, 4, 50, history, kNow + seconds(15));
  EXPECT_EQ(again.replicas, 8);
  EXPECT_EQ(again.limited_reason, "ScaleUpLimit");
}

TEST(ScalingLimits, DoubleOrAddFourInAQuarterOfAMinuteWhereTheRulesLeaveItOpen) {
  const Value spec = document("{minReplicas: 1, maxReplicas: 100, behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}");
  ScalingHistory history;
  EXPECT_EQ(limit_wish(spec, 2, 50, history, kNow).replicas, 6);
  remember_change(history, 2, 6, kNow);
  const LimitedWish again = limit_wish(spec, 6, 50, history, kNow + seconds(10));
  EXPECT_EQ(again.replicas, 6);  // the four are spent
  EXPECT_EQ(again.limited_reason, "ScaleUpLimit");
  EXPECT_EQ(limit_wish(spec, 6, 50, history, kNow + seconds(16)).replicas, 12);
}

TEST(ScalingLimits, ReturnToTheHighestWishOfFiveMinutesWithoutRules) {
  const Value spec = document("{minReplicas: 1, maxReplicas: 100}");
  ScalingHistory history;
  limit_wish(spec, 10, 10, history, kNow);
  // Somebody has shrunk the target by hand: 6 are asked for, 10 were a minute ago.
  const LimitedWish more = limit_wish(spec, 5, 6, history, kNow + seconds(60));
  EXPECT_EQ(more.replicas, 10);
  EXPECT_EQ(more.able_reason, "ScaleDownStabilized");
}

TEST(ScalingLimits, WaitForTheHighestWishOfFiveMinutesBeforeTheyShrink) {
  const Value spec = document("{minReplicas: 1, maxReplicas: 100}");
  ScalingHistory history;
  limit_wish(spec, 10, 10, history, kNow);
  const LimitedWish early = limit_wish(spec, 10, 2, history, kNow + seconds(60));
  EXPECT_EQ(early.replicas, 10);
  EXPECT_EQ(early.able_reason, "ScaleDownStabilized");
  EXPECT_EQ(limit_wish(spec, 10, 2, history, kNow + seconds(301)).replicas, 2);
}

TEST(ScalingLimits, AreTheSpecsBoundsInTheEnd) {
  const Value spec = document("{minReplicas: 3, maxReplicas: 5}");
  ScalingHistory history;
  const LimitedWish many = limit_wish(spec, 4, 50, history, kNow);
  EXPECT_EQ(many.replicas, 5);
  EXPECT_EQ(many.limited_reason, "TooManyReplicas");
  ScalingHistory other;
  const LimitedWish few = limit_wish(spec, 4, 0, other, kNow);
  EXPECT_EQ(few.replicas, 3);
  EXPECT_EQ(few.limited_reason, "TooFewReplicas");
}

TEST(ScalingLimits, FollowTheRulesOfTheSpec) {
  const Value spec = document(R"(
minReplicas: 1
maxReplicas: 100
behavior:
  scaleUp: {selectPolicy: Disabled}
  scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 2, periodSeconds: 60}, {type: Percent, value: 10, periodSeconds: 60}], selectPolicy: Min}
)");
  ScalingHistory history;
  EXPECT_EQ(limit_wish(spec, 10, 50, history, kNow).replicas, 10);
  EXPECT_EQ(limit_wish(spec, 10, 1, history, kNow + seconds(1)).replicas, 9);
}

}  // namespace
}  // namespace minik::control
