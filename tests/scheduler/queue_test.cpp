// Who is tried when: order, back-off, waking, restarts, and what the metrics say of it.
#include "control/scheduler/queue.h"
#include "sim/transport.h"
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

class Queue : public SchedulerWorld {
 protected:
  int64_t failures_of(const std::string& name) const {
    int64_t count = 0;
    for (const auto& text : events_of(name)) count += text.starts_with("FailedScheduling") ? 1 : 0;
    return count;
  }
  bool metric_is(const std::string& line) {
    return metrics.text().find(line + "\n") != std::string::npos;
  }
};

TEST_F(Queue, AnEventThatCannotHelpWakesNobody) {
  add_node("a", "1");
  add_node("b", "100m");
  add_pod("filler", requests("800m"));
  add_pod("tiny", requests("50m"), "nodeSelector: {kubernetes.io/hostname: b}");
  run();
  add_pod("waits", requests("800m"));
  run();
  const auto attempts =
      "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"unschedulable\"} 1";
  EXPECT_TRUE(metric_is(attempts));
  remove(kinds::kPods, "default", "tiny");
  ASSERT_TRUE(patch(kinds::kNodes, "", "b", R"({"metadata":{"labels":{"new":"label"}}})"));
  run(seconds(30));
  EXPECT_TRUE(metric_is(attempts));
  remove(kinds::kPods, "default", "filler");
  run(milliseconds(1));
  EXPECT_EQ(node_of("waits"), "a");
}

TEST_F(Queue, PodsOfOneKindFollowEachOtherHoweverManyKindsWait) {
  add_node("a", "1");
  add_pod("filler", requests("1"));
  run();
  for (int i = 0; i < 3; ++i) add_pod(cat("twin-", i), requests("300m"));
  run();
  for (int i = 0; i < 1100; ++i) add_pod(cat("other-", i), requests(cat(2000 + i, "m")));
  run(seconds(20));
  remove(kinds::kPods, "default", "filler");
  run(seconds(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(node_of(cat("twin-", i)), "a") << i;
}

TEST_F(Queue, APodThatIsResizedToLessMakesRoom) {
  add_node("a", "2");
  add_pod("large", requests("1500m"));
  run();
  add_pod("waits", requests("1"));
  run();
  ASSERT_EQ(node_of("waits"), "");
  const auto resized = patch(kinds::kPods, "default", "large",
                             R"({"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"500m"}}}]}})",
                             "resize", PatchType::kStrategicMerge);
  ASSERT_TRUE(resized) << resized.error().message;
  run(milliseconds(1));
  EXPECT_EQ(node_of("waits"), "a");
}

TEST_F(Queue, APodThatIsToShrinkMakesRoomWhenItsNodeHasShrunkIt) {
  add_node("a", "2");
  add_pod("large", requests("1500m"));
  run();
  const auto has = [this](const std::string& cpu) {
    return patch(kinds::kPods, "default", "large",
                 cat(R"({"status":{"containerStatuses":[{"name":"main","image":"demo:1","imageID":"","ready":true,"restartCount":0,)",
                     R"("resources":{"requests":{"cpu":")", cpu, R"(","memory":"64Mi"}}}]}})"),
                 "status");
  };
  const auto started = has("1500m");
  ASSERT_TRUE(started) << started.error().message;
  add_pod("waits", requests("1"));
  run();
  ASSERT_TRUE(patch(kinds::kPods, "default", "large",
                    R"({"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"500m"}}}]}})", "resize",
                    PatchType::kStrategicMerge));
  run();
  EXPECT_EQ(node_of("waits"), "") << "it has what it had";
  ASSERT_TRUE(has("500m"));
  run();
  EXPECT_EQ(node_of("waits"), "a");
}

TEST_F(Queue, OneOfAClassTriesForAllAndTheRestFollow) {
  add_node("a", "1");
  for (int i = 0; i < 20; ++i) add_pod(cat("web-", i), requests("800m"));
  run();
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 19"));
  add_node("b", "8");
  run();
  // Ten fit on the new node, one stood already; the one that failed last waits again with the
  // others.
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 9"));
  EXPECT_TRUE(
      metric_is("scheduler_schedule_attempts_total{profile=\"default-scheduler\",result="
                "\"unschedulable\"} 20"));
}

TEST_F(Queue, ThousandsOfKindsThatWaitAreStillFoundWhenTheyFit) {
  add_node("a", "1");
  for (int i = 0; i < 1500; ++i) add_pod(cat("web-", i), requests(cat(2000 + i, "m")));
  run();
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 1500"));
  add_node("b", "2");
  run();
  EXPECT_EQ(node_of("web-0"), "b");
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 1499"));
}

TEST_F(Queue, TheSameMessageIsSaidOnce) {
  add_node("a", "1");
  add_pod("web", requests("2"));
  run(minutes(16));
  EXPECT_EQ(failures_of("web"), 1);
}

TEST_F(Queue, ATolerationThatIsAddedLaterIsLookedAtAtOnce) {
  add_node("a", "4", "8Gi", "", "taints: [{key: team, effect: NoSchedule}]");
  add_pod("web");
  run();
  EXPECT_EQ(node_of("web"), "");
  auto tolerations = std::vector<Value>(pod("web")[keys::kSpec][keys::kTolerations].items().begin(),
                                        pod("web")[keys::kSpec][keys::kTolerations].items().end());
  tolerations.push_back(*parse_json(R"({"key":"team","operator":"Exists"})"));
  const Value change =
      Value::map({{keys::kSpec, Value::map({{keys::kTolerations, Value::array(tolerations)}})}});
  ASSERT_TRUE(patch(kinds::kPods, "default", "web", to_json(change)));
  run();
  EXPECT_EQ(node_of("web"), "a");
}

TEST_F(Queue, ARestartedSchedulerCountsWhatIsBound) {
  add_node("a", "1");
  add_pod("first", requests("800m"));
  run();
  restart_scheduler();
  add_pod("second", requests("800m"));
  run(seconds(20));
  EXPECT_EQ(node_of("second"), "");
}

TEST_F(Queue, ARefusedBindingIsTakenBackAndTriedAgain) {
  add_node("a", "1");
  add_pod("web", requests("800m"));
  // Somebody else deletes the pod while its binding is on the way.
  ApiRequest request;
  request.verb = Verb::kDelete;
  request.kind = kinds::kPods;
  request.namespace_ = "default";
  request.name = "web";
  client.send(request, [](const Result<ApiResponse>&) {});
  run();
  add_pod("next", requests("800m"));
  run();
  EXPECT_EQ(node_of("next"), "a");
}

TEST_F(Queue, ANamesakeIsAnotherPod) {
  add_node("a", "1");
  add_pod("web", requests("800m"));
  run();
  for (int i = 0; i < 3; ++i) {
    remove(kinds::kPods, "default", "web");
    add_pod("web", requests("900m"));
    run();
    EXPECT_EQ(node_of("web"), "a");
  }
}

TEST_F(Queue, ANamesakeThatCameWhileNobodyWatchedIsPlacedToo) {
  add_node("a", "1");
  scheduler.reset();
  sim::SimulatedClient link(
      executor, [this] { return &api; }, "system:kube-scheduler", Rng(5), {}, nullptr);
  informers = std::make_unique<InformerSet>(executor, link, Rng(2));
  scheduler = std::make_unique<Scheduler>(executor, link, *informers, *events, metrics, Rng(4));
  scheduler->start();
  informers->start();
  add_pod("web", requests("800m"));
  run();
  ASSERT_EQ(node_of("web"), "a");
  link.set_connected(false);
  remove(kinds::kPods, "default", "web");
  add_pod("web", requests("900m"));
  run(minutes(1));
  link.set_connected(true);
  run(minutes(1));
  EXPECT_EQ(node_of("web"), "a");
  scheduler.reset();
  informers.reset();
}

TEST_F(Queue, EndedPodsGiveTheirRoomBack) {
  add_node("a", "1");
  add_pod("job", requests("800m"));
  run();
  add_pod("web", requests("800m"));
  run();
  EXPECT_EQ(node_of("web"), "");
  ASSERT_TRUE(
      patch(kinds::kPods, "default", "job", R"({"status":{"phase":"Succeeded"}})", "status"));
  run();
  EXPECT_EQ(node_of("web"), "a");
}

TEST_F(Queue, MetricsSayWhatBroughtPodsIntoWhichQueue) {
  const auto incoming = [this](const std::string& event, const std::string& queue, int count) {
    return metric_is(cat("scheduler_queue_incoming_pods_total{event=\"", event, "\",queue=\"", queue, "\"} ", count));
  };
  add_node("a", "1");
  add_pod("first", requests("800m"));
  add_pod("second", requests("800m"));
  add_pod("gated", requests("10m"), "schedulingGates: [{name: example.com/quota}]");
  run();
  EXPECT_TRUE(incoming("UnschedulablePodAdd", "active", 2));
  EXPECT_TRUE(incoming("UnschedulablePodAdd", "unschedulable", 1));
  EXPECT_TRUE(incoming("ScheduleAttemptFailure", "unschedulable", 1));
  ASSERT_TRUE(patch(kinds::kPods, "default", "gated", R"({"spec":{"schedulingGates":null}})"));
  remove(kinds::kPods, "default", "first");
  run();
  EXPECT_TRUE(incoming("UnschedulablePodUpdatePodSchedulingGatesEliminated", "active", 1));
  EXPECT_TRUE(incoming("AssignedPodDelete", "active", 1));
  add_pod("third", requests("800m"));
  run();
  add_node("b", "1");
  run();
  EXPECT_TRUE(incoming("NodeAdd", "active", 1));
}

TEST_F(Queue, APodThatIsWokenInItsBackOffIsTakenAtOnceWhereNobodyElseIs) {
  add_node("a", "1");
  add_pod("first", requests("800m"));
  add_pod("second", requests("800m"));
  run(milliseconds(100));
  remove(kinds::kPods, "default", "first");
  run(milliseconds(100));
  EXPECT_EQ(node_of("second"), "a");
  EXPECT_TRUE(metric_is("scheduler_queue_incoming_pods_total{event=\"AssignedPodDelete\",queue=\"backoff\"} 1"));
  EXPECT_TRUE(metric_is("scheduler_queue_incoming_pods_total{event=\"PopFromBackoffQ\",queue=\"active\"} 1"));
}

TEST_F(Queue, APodThatIsWokenInItsBackOffLetsThoseGoFirstThatNeverFailed) {
  SchedulerMetrics numbers(metrics);
  SchedulingQueue queue(executor, numbers, BackOff(), [] {});
  const auto pod_of = [](const std::string& name, int64_t priority) {
    return Value::map({{keys::kMetadata, Value::map({{keys::kName, name}, {keys::kNamespace, "default"}, {keys::kUid, name}})},
                       {keys::kSpec, Value::map({{keys::kPriority, priority}})}});
  };
  NodeTable table;
  const Profile profile;
  const auto rules = std::make_shared<NodeRules>(Value(), Value(), Value(), Value(), Value());
  const auto candidates = std::make_shared<Candidates>(1, PodClass(class_key(pod_of("any", 0), table)), profile, rules, 1);
  queue.add(pod_of("important", 10), QueueEvent::kPodAdd);
  const auto important = queue.take();
  queue.park(important, candidates, {});
  queue.wake(important, QueueEvent::kNodeAdd);
  queue.add(pod_of("new", 0), QueueEvent::kPodAdd);
  EXPECT_EQ(queue.backing_off(), 1U);
  EXPECT_EQ(queue.take()->key.name, "new");
  EXPECT_EQ(queue.take()->key.name, "important");
  queue.park(important, candidates, {});
  queue.wake(important, QueueEvent::kNodeAdd);
  queue.add(pod_of("newer", 0), QueueEvent::kPodAdd);
  executor.run_until(executor.now() + seconds(2));  // its second back-off is over
  EXPECT_EQ(queue.take()->key.name, "important");
  EXPECT_EQ(queue.take()->key.name, "newer");
  EXPECT_FALSE(queue.has_next());
}

TEST_F(Queue, MetricsSayWhichPluginsRefuseThePodsThatWait) {
  const auto refused = [this](const std::string& plugin, int count) {
    return metric_is(cat("scheduler_unschedulable_pods{plugin=\"", plugin, "\",profile=\"default-scheduler\"} ", count));
  };
  add_node("a", "1");
  add_node("b", "8", "8Gi", "", "taints: [{key: team, effect: NoSchedule}]");
  add_pod("large", requests("2"));
  add_pod("elsewhere", "", "nodeSelector: {disk: ssd}");
  add_pod("gated", requests("10m"), "schedulingGates: [{name: example.com/quota}]");
  add_pod("fits", requests("500m"));
  run();
  EXPECT_TRUE(refused("NodeResourcesFit", 1));
  EXPECT_TRUE(refused("TaintToleration", 2)) << "it counts for both";
  EXPECT_TRUE(refused("NodeAffinity", 1));
  EXPECT_TRUE(refused("SchedulingGates", 1));
  EXPECT_TRUE(metric_is("scheduler_cache_size{type=\"nodes\"} 2"));
  EXPECT_TRUE(metric_is("scheduler_cache_size{type=\"pods\"} 1"));
  EXPECT_TRUE(metric_is("scheduler_cache_size{type=\"assumed_pods\"} 0"));
  ASSERT_TRUE(patch(kinds::kPods, "default", "gated", R"({"spec":{"schedulingGates":null}})"));
  remove(kinds::kPods, "default", "elsewhere");
  add_node("c", "4");
  run();
  for (const auto* plugin : {"NodeResourcesFit", "TaintToleration", "NodeAffinity", "SchedulingGates"}) {
    EXPECT_TRUE(refused(plugin, 0)) << plugin;
  }
}

TEST_F(Queue, MetricsTimeTheExtensionPoints) {
  const auto times = [this](const std::string& point, const std::string& status, int count) {
    return metric_is(cat("scheduler_framework_extension_point_duration_seconds_count{extension_point=\"", point,
                         "\",profile=\"default-scheduler\",status=\"", status, "\"} ", count));
  };
  add_node("a", "4");
  for (int i = 0; i < 11; ++i) add_pod(cat("web-", i), requests("100m"));
  run();
  // The first and the eleventh.
  EXPECT_TRUE(times("PreFilter", "Success", 2));
  EXPECT_TRUE(times("Filter", "Success", 2));
  EXPECT_TRUE(times("Score", "Success", 2));
  EXPECT_TRUE(times("Bind", "Success", 2));
  EXPECT_TRUE(metric_is("scheduler_scheduling_algorithm_duration_seconds_count 2"));
  add_pod("large", requests("8"));
  run();
  EXPECT_TRUE(times("PostFilter", "Unschedulable", 1));
}

TEST_F(Queue, ARefusedBindingWaitsAsTheConfigurationSays) {
  scheduler.reset();
  sim::SimulatedClient link(
      executor, [this] { return &api; }, "system:kube-scheduler", Rng(5), {}, nullptr);
  informers = std::make_unique<InformerSet>(executor, link, Rng(2));
  scheduler = std::make_unique<Scheduler>(executor, link, *informers, *events, metrics, Rng(4),
                                          SchedulerConfiguration{{Profile()}, {seconds(30), seconds(60)}});
  scheduler->start();
  informers->start();
  add_node("a", "1");
  run();
  sim::LinkFaults faults;
  faults.unauthorized = true;
  link.set_faults(faults);
  add_pod("web", requests("800m"));
  run(seconds(20));
  link.set_faults({});
  run(seconds(5));
  EXPECT_EQ(node_of("web"), "");
  run(seconds(90));
  EXPECT_EQ(node_of("web"), "a");
  scheduler.reset();
  informers.reset();
}

TEST_F(Queue, MetricsCountAttemptsAndTimes) {
  add_node("a", "1");
  add_pod("first", requests("800m"));
  add_pod("second", requests("800m"));
  run(seconds(3));
  EXPECT_TRUE(metric_is(
      "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1"));
  EXPECT_TRUE(metric_is("scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"1\"} 1"));
  EXPECT_TRUE(
      metric_is("scheduler_scheduling_attempt_duration_seconds_count{profile=\"default-scheduler\","
                "result=\"scheduled\"} 1"));
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 1"));
  remove(kinds::kPods, "default", "first");
  run();
  EXPECT_TRUE(metric_is("scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"2\"} 1"));
  EXPECT_TRUE(metric_is("scheduler_pod_scheduling_attempts_bucket{le=\"2\"} 2"));
  EXPECT_TRUE(metric_is("scheduler_pending_pods{queue=\"unschedulable\"} 0"));
}

}  // namespace
}  // namespace minik::control
