#include "minik/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace minik::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A program with one command that takes something of everything.
class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() : line_("tool", "For tests", "tool 7") {
    line_.add_option("--home", home_, "A folder").show_default();
    const auto make = line_.add_command("make", "Make something");
    make.add_option("file", file_, "What of").required();
    make.add_option("--seed", seed_, "A number");
    make.add_option("--limits", limits_, "A text").value_name("LIMITS");
    make.add_option("--add", added_, "Several");
    make.add_option("--speed", speed_, "Times").between(1, 10).show_default();
    make.add_option("--form", form_, "Of the answer").one_of({"text", "json"});
    make.add_flag("--wait,!--no-wait", wait_, "Until it is done");
    make.footer("Example: tool make it");
    make.callback([this] { ++made_; });
  }

  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "tool");
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = line_.run(words);
    said_ = testing::internal::GetCapturedStdout();
    complained_ = testing::internal::GetCapturedStderr();
    return code;
  }

  CommandLine line_;
  std::string home_ = "/home", file_, form_ = "text", said_, complained_;
  std::optional<uint64_t> seed_;
  std::optional<std::string> limits_;
  std::vector<std::string> added_;
  int64_t speed_ = 1;
  bool wait_ = true;
  int made_ = 0;
};

TEST_F(CommandLineTest, WhatIsNotGivenKeepsItsValue) {
  EXPECT_EQ(run({"make", "it"}), 0);
  EXPECT_EQ(made_, 1);
  EXPECT_EQ(file_, "it");
  EXPECT_EQ(home_, "/home");
  EXPECT_EQ(seed_, std::nullopt);
  EXPECT_EQ(limits_, std::nullopt);
  EXPECT_TRUE(wait_);
}

TEST_F(CommandLineTest, ACommandTakesTheOptionsOfThoseAboveItToo) {
  EXPECT_EQ(run({"make", "--seed=7", "--no-wait", "--add", "a", "b", "--add", "c", "--home", "/root", "--speed", "10", "it"}), 0);
  EXPECT_EQ(seed_, 7u);
  EXPECT_FALSE(wait_);
  EXPECT_THAT(added_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(home_, "/root");
  EXPECT_EQ(speed_, 10);
}

TEST_F(CommandLineTest, AnEmptyTextIsGiven) {
  EXPECT_EQ(run({"make", "it", "--limits", ""}), 0);
  EXPECT_EQ(limits_, "");
}

TEST_F(CommandLineTest, NothingIsDoneForALineThatIsWrong) {
  EXPECT_EQ(run({"make"}), 2);
  EXPECT_EQ(complained_, "minik: file is required\nRun tool make --help for more.\n");
  EXPECT_EQ(run({"make", "it", "--speed", "11"}), 2);
  EXPECT_THAT(complained_, HasSubstr("11"));
  EXPECT_EQ(run({"make", "it", "--form", "xml"}), 2);
  EXPECT_THAT(complained_, HasSubstr("{text,json}"));
  EXPECT_EQ(run({"make", "it", "--seed", "seven"}), 2);
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(complained_, "minik: tool needs a command: make\nRun tool --help for more.\n");
  EXPECT_EQ(made_, 0);
}

TEST_F(CommandLineTest, ASlipBehindAnOptionsValueIsFound) {
  EXPECT_EQ(run({"--home", "/root", "maek", "it"}), 2);
  EXPECT_THAT(complained_, HasSubstr("there is no command tool maek, perhaps make was meant"));
  EXPECT_EQ(run({"make", "it", "--sede", "7"}), 2);
  EXPECT_THAT(complained_, HasSubstr("tool make has no flag --sede, perhaps --seed was meant"));
}

TEST_F(CommandLineTest, HelpSaysWhatWasDeclared) {
  EXPECT_EQ(run({"make", "--help"}), 0);
  for (const char* part : {"--limits LIMITS", "--speed INT:INT in [1 - 10]=1", "--form TEXT:{text,json}", "Example: tool make it"}) {
    EXPECT_THAT(said_, HasSubstr(part));
  }
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(said_, "tool 7\n");
  EXPECT_EQ(made_, 0);
}

TEST_F(CommandLineTest, ACallbackMayMissAnArgument) {
  const auto check = line_.add_command("check", "Check something");
  std::string what;
  check.add_option("what", what, "Needed at times");
  check.callback([&what] {
    if (what.empty()) fail_without("what");
  });
  EXPECT_EQ(run({"check"}), 2);
  EXPECT_EQ(complained_, "minik: what is required\nRun tool check --help for more.\n");
}

}  // namespace
}  // namespace minik::cli
