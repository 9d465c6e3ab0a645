#include "minik/live/simulated_streams.h"

#include <gtest/gtest.h>

#include "control/object/yaml.h"

namespace minik {
namespace {

control::Value pod(const std::string& status) {
  return (*control::parse_yaml(R"(
metadata: {name: web-1, namespace: shop}
spec: {nodeName: node-3, containers: [{name: web, image: "web:1"}]}
status:
  conditions: [{type: ContainersReady, status: "True", lastTransitionTime: "2026-01-01T00:00:09Z"}]
  containerStatuses:
  - )" + status))[0].value;
}

std::string text_of(const SimulatedLog& log) {
  std::string text;
  for (const auto& line : log.lines) text += line.text + "\n";
  return text;
}

TEST(SimulatedLog, SaysWhatTheContainerIsAndWhatBecameOfIt) {
  const auto log = simulated_log(pod(R"({name: web, ready: true, restartCount: 2, state: {running: {startedAt: "2026-01-01T00:00:05Z"}}})"),
                                 "web", false);
  ASSERT_TRUE(log);
  EXPECT_NE(text_of(*log).find("container web of pod shop/web-1 on node node-3, image web:1, restarts 2"), std::string::npos);
  EXPECT_EQ(log->lines.back().text, "ready");
  EXPECT_EQ(format_time(log->lines.back().at), "2026-01-01T00:00:09Z");
  EXPECT_FALSE(log->ended);
}

TEST(SimulatedLog, EndsWithTheExitCode) {
  const auto log = simulated_log(
      pod(R"({name: web, restartCount: 0, state: {terminated: {exitCode: 137, reason: OOMKilled, startedAt: "2026-01-01T00:00:05Z", finishedAt: "2026-01-01T00:00:08Z"}}})"),
      "web", false);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->lines.back().text, "ended with exit code 137 (OOMKilled)");
  EXPECT_TRUE(log->ended);
}

TEST(SimulatedLog, OfAContainerThatWaitsIsRefusedWithItsReason) {
  const auto waiting = simulated_log(pod("{name: web, restartCount: 0, state: {waiting: {reason: ImagePullBackOff}}}"), "web", false);
  ASSERT_FALSE(waiting);
  EXPECT_NE(waiting.error().message.find("is waiting to start: trying and failing to pull image"), std::string::npos);
  EXPECT_FALSE(simulated_log(pod("{name: web, restartCount: 0, state: {waiting: {reason: x}}}"), "web", true));
}

TEST(SimulatedLog, BetweenTwoRunsTheLastOneIsRead) {
  const auto log = simulated_log(
      pod(R"({name: web, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error, startedAt: "2026-01-01T00:00:05Z", finishedAt: "2026-01-01T00:00:08Z"}}})"),
      "web", false);
  ASSERT_TRUE(log);
  EXPECT_EQ(log->lines.back().text, "ended with exit code 1 (Error)");
}

}  // namespace
}  // namespace minik
