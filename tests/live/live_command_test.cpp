#include "minik/live/live_command.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

HttpRequest request(std::string method, std::string path, std::string body = "") {
  HttpRequest made;
  made.method = std::move(method);
  made.path = std::move(path);
  made.body = std::move(body);
  return made;
}

TEST(LiveCommand, AStepHasADuration) {
  const auto step = parse_live_command(request("POST", "/step", "2m30s\n"));
  ASSERT_TRUE(step);
  EXPECT_EQ(step->what, LiveCommand::What::kStep);
  EXPECT_EQ(step->step, seconds(150));
  for (const char* body : {"", "soon", "-1s", "0s", "999999h"}) {
    EXPECT_FALSE(parse_live_command(request("POST", "/step", body))) << body;
  }
}

TEST(LiveCommand, WhatIsInjectedIsHandedOnWordForWord) {
  const auto inject = parse_live_command(request("POST", "/inject", "crashNodes: {count: 3}\n"));
  ASSERT_TRUE(inject);
  EXPECT_EQ(inject->document, "crashNodes: {count: 3}\n");
  EXPECT_FALSE(parse_live_command(request("POST", "/inject", "  \n")));
}

TEST(LiveCommand, OtherPathsAndMethodsAreNotFound) {
  EXPECT_TRUE(parse_live_command(request("GET", "/status")));
  for (const auto& [method, path] : {std::pair{"POST", "/status"}, {"GET", "/pause"}, {"GET", "/"}}) {
    const auto refused = parse_live_command(request(method, path));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace minik
