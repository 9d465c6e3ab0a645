// The log as LogWriter writes it, read back as kubectl logs does.
#include "runtime/container/log_reader.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "control/base/text.h"
#include "runtime/container/log_writer.h"

namespace minik::runtime {
namespace {

class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    char name[] = "/tmp/minik-log-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/0.log";
  }
  ~LogTest() override { std::filesystem::remove_all(directory); }

  void append(std::string_view text) const { std::ofstream(path, std::ios::app) << text; }
  std::string read(LogReadOptions options) const {
    auto reader = LogReader::open(path, options);
    EXPECT_TRUE(reader);
    return *reader->read(1 << 20);
  }
  LogReadOptions tail(int64_t lines) const {
    LogReadOptions options;
    options.tail_lines = lines;
    return options;
  }

  std::string directory, path;
};

TEST_F(LogTest, GivesBackWhatWasWritten) {
  const std::string line(40'000, 'y');
  {
    LogWriter writer(path);
    writer.write(false, "one\ntw");
    writer.write(true, "bad\n");
    writer.write(false, cat("o\n", line, "\nno end"));
  }
  EXPECT_EQ(read({}), cat("one\nbad\ntwo\n", line, "\nno end"));
}

TEST_F(LogTest, TailsWholeLinesHoweverManyPartsTheyHave) {
  append(
      "2026-11-23T15:00:00.000000000Z stdout F first\n"
      "2026-11-23T15:00:01.000000000Z stdout P a\n"
      "2026-11-23T15:00:01.000000000Z stdout P b\n"
      "2026-11-23T15:00:01.000000000Z stdout F c\n"
      "2026-11-23T15:00:02.000000000Z stderr F last\n");
  EXPECT_EQ(read(tail(0)), "");
  EXPECT_EQ(read(tail(1)), "last\n");
  EXPECT_EQ(read(tail(2)), "abc\nlast\n");
  EXPECT_EQ(read(tail(3)), "first\nabc\nlast\n");
  EXPECT_EQ(read(tail(100)), "first\nabc\nlast\n");
}

TEST_F(LogTest, StartsAtATimeAndStopsAtASize) {
  append(
      "2026-11-23T15:00:00.000000000Z stdout F early\n"
      "2026-11-23T15:00:05.000000000Z stdout F later\n");
  LogReadOptions options;
  options.since = *parse_time("2026-11-23T15:00:01Z");
  options.timestamps = true;
  EXPECT_EQ(read(options), "2026-11-23T15:00:05.000000000Z later\n");
  options = {};
  options.limit_bytes = 7;
  EXPECT_EQ(read(options), "early\nl");
}

TEST_F(LogTest, FollowsIntoTheFileAfterARotationWithoutALoss) {
  append("2026-11-23T15:00:00.000000000Z stdout F one\n");
  auto reader = LogReader::open(path, {});
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->read(1024), "one\n");
  append("2026-11-23T15:00:01.000000000Z stdout F two\n");
  std::filesystem::rename(path, path + ".1");
  append("2026-11-23T15:00:02.000000000Z stdout F three\n");
  EXPECT_EQ(*reader->read(1024), "two\nthree\n");
}

TEST_F(LogTest, SkipsWhatIsNotALogLine) {
  append(
      "nonsense\n2026-11-23T15:00:00Z stdlog F x\nyesterday stdout F x\n\n2026-11-23T15:00:00Z "
      "stdout F kept\n");
  EXPECT_EQ(read({}), "kept\n");
}

}  // namespace
}  // namespace minik::runtime
