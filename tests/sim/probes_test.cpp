// What a node agent makes of probes and hooks: whom it asks, what it says of the answers, and what it does with them.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine whose answers a test sets, and which remembers what it was asked.
class ProbedRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void http_get(const std::string&, HttpProbe probe, Duration, Done<HttpAnswer> done) override {
    asked.push_back(cat(probe.user_agent, " ", probe.https ? "https" : "http", "://", probe.host, ":", probe.port, probe.path));
    for (const auto& header : probe.headers) asked.back() += cat(" ", header.key, "=", header.value);
    executor().after(milliseconds(1), [done, answer = probe.https && plain_http ? Result<HttpAnswer>(Error(ErrorCode::kBadRequest, "plain")) : http] {
      done(answer);
    });
  }
  void grpc_check(const std::string&, GrpcProbe probe, Duration, Done<Unit> done) override {
    asked.push_back(cat("grpc :", probe.port, " ", probe.service));
    executor().after(milliseconds(1), [done, answer = grpc] { done(answer); });
  }
  void exec_sync(const std::string&, std::vector<std::string>, Duration, Done<ExecResult> done) override {
    ++commands;
    executor().after(milliseconds(1), [done, answer = exec] { done(answer); });
  }
  void stop_container(const std::string& id, Duration grace, Done<Unit> done) override {
    stops.push_back(grace);
    SimulatedRuntime::stop_container(id, grace, std::move(done));
  }
  Executor& executor() { return *executor_of_test; }

  Executor* executor_of_test = nullptr;
  std::vector<std::string> asked;
  std::vector<Duration> stops;
  Result<HttpAnswer> http = HttpAnswer{200, "ok"};
  Result<Unit> grpc = Unit{};
  Result<ExecResult> exec = ExecResult{};
  int commands = 0;
  bool plain_http = false;
};

class Probes : public OneNode<ProbedRuntime> {
 protected:
  Probes() {
    runtime.executor_of_test = &executor;
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }
  void make_pod(const std::string& container, const std::string& more = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, ",
            "automountServiceAccountToken: false, ", more, "containers: [{name: main, image: 'web:1', ", container, "}]}}"));
    run(seconds(15));
  }
  bool ready() {
    for (const auto& condition : store.find(kinds::kPods, "default", "web")[keys::kStatus][keys::kConditions].items()) {
      if (condition[keys::kType].as_string() == "Ready") return condition[keys::kStatus].as_string() == "True";
    }
    return false;
  }
  using Words = std::vector<std::string>;
};

TEST_F(Probes, AskAGrpcServiceForItsHealth) {
  make_pod("readinessProbe: {grpc: {port: 9000, service: shop}}");
  ASSERT_FALSE(runtime.asked.empty());
  EXPECT_EQ(runtime.asked[0], "grpc :9000 shop");
  EXPECT_TRUE(ready());
}

TEST_F(Probes, SayWhyAGrpcServiceIsNotHealthy) {
  runtime.grpc = Error(ErrorCode::kServiceUnavailable, "service unhealthy (responded with \"NOT_SERVING\")");
  make_pod("readinessProbe: {grpc: {port: 9000}}");
  EXPECT_FALSE(ready());
  EXPECT_EQ(messages_of("Unhealthy"), Words{"Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")"});
}

TEST_F(Probes, ThatCouldNotBeAskedChangeNothing) {
  runtime.exec = Error(ErrorCode::kInvalid, "exec: \"nosuch\": executable file not found in $PATH");
  make_pod("livenessProbe: {exec: {command: [nosuch]}, failureThreshold: 1, periodSeconds: 1}");
  EXPECT_GT(runtime.commands, 5) << "it is asked again";
  EXPECT_TRUE(runtime.stops.empty());
  EXPECT_TRUE(ready());
  EXPECT_EQ(messages_of("Unhealthy"), Words{"Liveness probe errored and resulted in unknown state: exec: \"nosuch\": executable file not "
                                            "found in $PATH"});
}

TEST_F(Probes, OfAPortThatNobodyNamesAskNobody) {
  make_pod("livenessProbe: {httpGet: {port: nosuch}, failureThreshold: 1, periodSeconds: 1}");
  EXPECT_TRUE(runtime.asked.empty());
  EXPECT_TRUE(runtime.stops.empty());
  EXPECT_EQ(messages_of("Unhealthy"),
            Words{"Liveness probe errored and resulted in unknown state: strconv.Atoi: parsing \"nosuch\": invalid syntax"});
}

TEST_F(Probes, FailWhenTheirCommandDoesOrTakesTooLong) {
  runtime.exec = ExecResult{1, "no\n", ""};
  make_pod("livenessProbe: {exec: {command: [check]}, failureThreshold: 1, periodSeconds: 1}");
  EXPECT_FALSE(runtime.stops.empty());
  const size_t before = runtime.stops.size();
  runtime.exec = Error(ErrorCode::kTimeout, "command timed out: \"check\" timed out after 1s");
  run(minutes(10));
  EXPECT_GT(runtime.stops.size(), before);
}

TEST_F(Probes, TakeARedirectElsewhereForHealthAndWarn) {
  runtime.http = HttpAnswer{302, "moved"};
  make_pod("readinessProbe: {httpGet: {port: 443, scheme: HTTPS}}");
  EXPECT_EQ(runtime.asked[0], "kube-probe/1.35 https://:443/");
  EXPECT_TRUE(ready());
  EXPECT_EQ(messages_of("ProbeWarning"), Words{"Readiness probe warning: Probe terminated redirects, Response body: moved"});
}

TEST_F(Probes, OfHooksAreAskedOnceAndTakeAnyAnswer) {
  runtime.http = HttpAnswer{500, ""};
  make_pod("lifecycle: {postStart: {httpGet: {port: 8443, path: /begin, scheme: HTTPS}}, preStop: {httpGet: {port: 80, path: /end}}}");
  EXPECT_EQ(runtime.asked, Words{"kube-lifecycle/1.35 https://:8443/begin"});
  EXPECT_TRUE(ready());
  remove(kinds::kPods, "default", "web");
  run(minutes(1));
  EXPECT_EQ(runtime.asked.back(), "kube-lifecycle/1.35 http://:80/end");
}

TEST_F(Probes, OfHooksFallBackToPlainHttpWithoutCredentials) {
  runtime.plain_http = true;
  make_pod("lifecycle: {postStart: {httpGet: {port: 80, host: shop, scheme: HTTPS, httpHeaders: [{name: authorization, value: secret}, {name: X-A, value: b}]}}}");
  EXPECT_EQ(runtime.asked, (Words{"kube-lifecycle/1.35 https://shop:80/ authorization=secret X-A=b", "kube-lifecycle/1.35 http://shop:80/ X-A=b"}));
  EXPECT_EQ(messages_of("LifecycleHTTPFallback"), Words{"request to HTTPS lifecycle hook shop:80 got HTTP response, retry with HTTP succeeded"});
  EXPECT_TRUE(ready());
}

TEST_F(Probes, OfAHookThatFailsEndTheContainer) {
  runtime.http = Error(ErrorCode::kServiceUnavailable, "dial tcp: connection refused");
  make_pod("lifecycle: {postStart: {httpGet: {port: 80}}}");
  EXPECT_EQ(messages_of("FailedPostStartHook").front(), "PostStartHook failed");
  EXPECT_GE(store.find(kinds::kPods, "default", "web")[keys::kStatus][keys::kContainerStatuses].items()[0][keys::kRestartCount].as_int(), 1);
}

TEST_F(Probes, OfAHookThatFailsLeaveTheContainerItsPodsGrace) {
  runtime.http = Error(ErrorCode::kServiceUnavailable, "dial tcp: connection refused");
  make_pod("lifecycle: {postStart: {httpGet: {port: 80}}}", "terminationGracePeriodSeconds: 7, ");
  ASSERT_FALSE(runtime.stops.empty());
  EXPECT_EQ(runtime.stops[0].ns, seconds(7).ns);
}

TEST_F(Probes, BeginWhenTheHookAfterTheStartIsOver) {
  make_pod("lifecycle: {postStart: {sleep: {seconds: 60}}}, readinessProbe: {httpGet: {port: 80}, initialDelaySeconds: 5}",
           "terminationGracePeriodSeconds: 60, ");
  const auto status = [&] { return store.find(kinds::kPods, "default", "web")[keys::kStatus]; };
  const auto state = [&] { return status()[keys::kContainerStatuses].items()[0][keys::kState]; };
  EXPECT_EQ(runtime.asked, Words{});
  EXPECT_EQ(status()[keys::kPhase].as_string(), "Pending");
  EXPECT_EQ(state()[keys::kWaiting][keys::kReason].as_string(), "ContainerCreating");
  run(seconds(60));
  EXPECT_FALSE(runtime.asked.empty());
  EXPECT_EQ(status()[keys::kPhase].as_string(), "Running");
  EXPECT_TRUE(state()[keys::kRunning].has_value());
  EXPECT_TRUE(ready());
  EXPECT_TRUE(messages_of("FailedPostStartHook").empty());
}

// A container that is on its way out is not told so again by whoever wants the same.
TEST_F(Probes, ThatFailAndADeletionAreOneEndOfTheContainer) {
  runtime.http = Error(ErrorCode::kServiceUnavailable, "no");
  make_pod("livenessProbe: {httpGet: {port: 80}, periodSeconds: 1, failureThreshold: 2}, lifecycle: {preStop: {sleep: {seconds: 40}}}",
           "terminationGracePeriodSeconds: 60, ");
  EXPECT_TRUE(runtime.stops.empty()) << "the hook runs";
  remove(kinds::kPods, "default", "web");
  run(seconds(40));
  EXPECT_EQ(runtime.stops.size(), 1U);
  EXPECT_EQ(messages_of("Killing"), Words{"Container main failed liveness probe, will be restarted"});
  run(seconds(20));
  EXPECT_FALSE(store.find(kinds::kPods, "default", "web").has_value());
}

TEST_F(Probes, DoNotKeepASecondDeletionFromShorteningTheFirst) {
  make_pod("lifecycle: {preStop: {sleep: {seconds: 500}}}", "terminationGracePeriodSeconds: 600, ");
  remove(kinds::kPods, "default", "web");
  run(seconds(30));
  ASSERT_TRUE(store.find(kinds::kPods, "default", "web").has_value());
  remove(kinds::kPods, "default", "web", 5);
  run(seconds(15));
  EXPECT_FALSE(store.find(kinds::kPods, "default", "web").has_value());
  EXPECT_EQ(messages_of("Killing"), Words{"Stopping container main"});
}

TEST_F(Probes, ThatFailLeaveNoMoreTimeThanADeletionDoes) {
  runtime.http = Error(ErrorCode::kServiceUnavailable, "no");
  make_pod("livenessProbe: {httpGet: {port: 80}, periodSeconds: 1, failureThreshold: 2, terminationGracePeriodSeconds: 600}, "
           "lifecycle: {preStop: {sleep: {seconds: 500}}}", "terminationGracePeriodSeconds: 600, ");
  remove(kinds::kPods, "default", "web", 10);
  run(seconds(30));
  EXPECT_EQ(runtime.stops.size(), 1U);
  EXPECT_FALSE(store.find(kinds::kPods, "default", "web").has_value());
}

}  // namespace
}  // namespace minik::sim
