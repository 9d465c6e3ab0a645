#include "control/store/sqlite_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "control/base/rng.h"
#include "tests/store/log_fixture.h"

namespace minik::control {
namespace {

using testing::AllOf;
using testing::HasSubstr;

void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(database);
}

std::string refusal(const std::string& path) {
  auto life = OpenStore::open(path);
  if (life) return "it opened";
  EXPECT_EQ(life.error().message.find('\n'), std::string::npos);
  return life.error().message;
}

TEST(SqliteLog, RecoversTheLastVersionOfEachLivingObject) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  {
    auto life = *OpenStore::open(path);
    life->put("kept", "1");
    life->put("kept", "2 <&> \xc3\xa4 \n");
    life->put("gone");
    EXPECT_TRUE(life->commit_and_wait());
    life->erase("gone");
    life->store->put(
        kTestNodes,
        Value::map({{"metadata", Value::map({{"name", "n1"}, {"resourceVersion", "5"}})}}));
    EXPECT_TRUE(life->commit_and_wait());
  }
  const auto again = *OpenStore::open(path);
  EXPECT_EQ(again->store->count(), 2U);
  EXPECT_EQ(again->note("kept"), "2 <&> \xc3\xa4 \n");
  EXPECT_EQ(object_revision(again->store->find(kTestPods, "default", "kept")).value, 2U);
  EXPECT_TRUE(again->store->find(kTestPods, "default", "gone").is_absent());
  EXPECT_FALSE(again->store->find(kTestNodes, "", "n1").is_absent());
  EXPECT_EQ(again->store->revision().value, 5U);
}

TEST(SqliteLog, NeverGivesARevisionTwiceEvenWhenTheLastWriteWasADeletion) {
  const TemporaryFolder folder;
  {
    auto life = *OpenStore::open(folder.file("state.db"));
    life->put("a");
    life->erase("a");
    EXPECT_TRUE(life->commit_and_wait());
  }
  EXPECT_EQ((*OpenStore::open(folder.file("state.db")))->store->next_revision().value, 3U);
}

TEST(SqliteLog, AcknowledgesBatchesInTheirOrder) {
  const TemporaryFolder folder;
  auto life = *OpenStore::open(folder.file("state.db"));
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) {
    life->put(cat("p", i));
    life->store->when_durable([&order, i] { order.push_back(i); });
    life->store->commit();
  }
  life->executor.run_until([&] { return order.size() == 50; });
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(SqliteLog, WritesWhatIsWaitingBeforeItCloses) {
  const TemporaryFolder folder;
  {
    auto life = *OpenStore::open(folder.file("state.db"));
    for (int i = 0; i < 20; ++i) {
      life->put(cat("p", i));
      life->store->commit();
    }
  }
  EXPECT_EQ((*OpenStore::open(folder.file("state.db")))->store->count(), 20U);
}

TEST(SqliteLog, KeepsObjectsOfKindsThatNobodyServesAnyMore) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  {
    auto life = *OpenStore::open(path);
    life->put("a");
    EXPECT_TRUE(life->commit_and_wait());
  }
  {
    KindNames without_pods = test_kind_names();
    without_pods.find = [](std::string_view) { return std::nullopt; };
    const auto life = *OpenStore::open(path, {}, without_pods);
    EXPECT_EQ(life->store->count(), 0U);
    EXPECT_EQ(life->log->unknown_kinds(), std::vector<std::string>{"pods"});
  }
  EXPECT_EQ((*OpenStore::open(path))->store->count(), 1U);
}

TEST(SqliteLog, HidesItsFileFromOtherUsers) {
  const TemporaryFolder folder;
  const auto life = *OpenStore::open(folder.file("state.db"));
  const auto mode = std::filesystem::status(folder.file("state.db")).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::mask,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(SqliteLog, RefusesAFileThatAnotherProcessHolds) {
  const TemporaryFolder folder;
  const auto life = *OpenStore::open(folder.file("state.db"));
  EXPECT_THAT(refusal(folder.file("state.db")),
              AllOf(HasSubstr(folder.file("state.db")), HasSubstr("in use by another process")));
}

TEST(SqliteLog, RefusesWhatIsNoDatabaseOrNotItsOwn) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("noise")) << std::string(10'000, 'x');
  EXPECT_THAT(refusal(folder.file("noise")),
              AllOf(HasSubstr("noise is damaged"), HasSubstr("move it away")));
  run_sql(folder.file("other"), "CREATE TABLE songs(title)");
  EXPECT_THAT(refusal(folder.file("other")), HasSubstr("a database of another program"));
  EXPECT_THAT(refusal(folder.file("no/such/folder")), HasSubstr("cannot open"));
}

TEST(SqliteLog, RefusesANewerFormat) {
  const TemporaryFolder folder;
  { const auto life = *OpenStore::open(folder.file("state.db")); }
  run_sql(folder.file("state.db"), "PRAGMA user_version=7");
  EXPECT_THAT(refusal(folder.file("state.db")),
              HasSubstr("has format 7, and this version knows format 2"));
}

// Whether a watch of the kind may go on from there.
bool goes_on(OpenStore& life, KindId kind, uint64_t from) {
  return life.store->watch(kind, {from}, {}, [](const StoreEvent&) {}).ok();
}

TEST(SqliteLog, LetsAWatchGoOnAfterARestartWhereItHasMissedNothing) {
  const TemporaryFolder folder;
  const auto put_node = [](OpenStore& life, const char* name) {
    const auto revision = life.store->next_revision();
    life.store->put(kTestNodes, Value::map({{"metadata", Value::map({{"name", name},
                                                                     {"resourceVersion", cat(revision.value)}})}}));
  };
  {
    auto life = *OpenStore::open(folder.file("state.db"));
    life->put("kept");
    life->put("gone");
    life->erase("gone");  // at revision 3
    put_node(*life, "n1");
    put_node(*life, "n2");  // at revision 5
    ASSERT_TRUE(life->commit_and_wait());
  }
  {
    auto life = *OpenStore::open(folder.file("state.db"));
    EXPECT_TRUE(goes_on(*life, kTestPods, 3)) << "nodes have changed since, and no pod";
    EXPECT_FALSE(goes_on(*life, kTestPods, 2)) << "it has not heard of the deletion";
    EXPECT_TRUE(goes_on(*life, kTestNodes, 5));
    EXPECT_FALSE(goes_on(*life, kTestNodes, 4));
    std::vector<uint64_t> seen;
    ASSERT_TRUE(life->store->watch(kTestPods, {3}, {}, [&](const StoreEvent& event) {
      seen.push_back(event.revision.value);
    }));
    life->put("new");
    ASSERT_TRUE(life->commit_and_wait());
    EXPECT_EQ(seen, std::vector<uint64_t>{6});
  }
}

TEST(SqliteLog, TakesAFileOfTheFormatThatNotedNoDeletions) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  {
    auto life = *OpenStore::open(path);
    life->put("kept");
    life->put("gone");
    life->erase("gone");
    ASSERT_TRUE(life->commit_and_wait());
  }
  run_sql(path, "DROP TABLE deletions; DELETE FROM facts WHERE name = 'deletions_known_from'; PRAGMA user_version=1");
  for (int opening = 0; opening < 2; ++opening) {
    auto life = *OpenStore::open(path);
    EXPECT_EQ(life->store->count(), 1u);
    EXPECT_FALSE(goes_on(*life, kTestPods, 1)) << "whether something went after that nobody knows";
    EXPECT_TRUE(goes_on(*life, kTestPods, 3));
  }
}

TEST(SqliteLog, NoticesAFlippedByteInAnObject) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  {
    auto life = *OpenStore::open(path);
    life->put("a", "a note that is long enough to find");
    EXPECT_TRUE(life->commit_and_wait());
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const size_t at = bytes.find("long enough");
  ASSERT_NE(at, std::string::npos);
  file.clear();
  file.seekp(static_cast<std::streamoff>(at));
  file.put('L');
  file.close();
  EXPECT_THAT(refusal(path), HasSubstr("is damaged (the checksum of revision 1 is wrong)"));
}

// --- a process that dies at any moment ---

// Writes for ever and says on the pipe which revision it was told to be durable.
[[noreturn]] void write_for_ever(const std::string& path, int told, uint64_t seed) {
  Rng rng(seed);
  auto life = *OpenStore::open(path);
  for (;;) {
    for (uint64_t i = 0, n = 1 + rng.below(5); i < n; ++i) {
      const std::string name = cat("p", rng.below(30));
      if (rng.below(4) == 0 && !life->store->find(kTestPods, "default", name).is_absent()) {
        life->erase(name);
      } else {
        life->put(name, std::string(rng.below(3000), 'n'));
      }
    }
    const uint64_t revision = life->store->revision().value;
    if (!life->commit_and_wait()) _exit(1);
    if (write(told, &revision, sizeof revision) != sizeof revision) _exit(1);
  }
}

TEST(SqliteLog, LosesNoAcknowledgedWriteToKill9) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  Rng rng(5);
  uint64_t acknowledged = 0;
  for (uint64_t life_number = 0; life_number < 12; ++life_number) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      write_for_ever(path, pipe_ends[1], life_number);
    }
    close(pipe_ends[1]);
    uint64_t revision = 0;
    const auto next = [&] {
      return read(pipe_ends[0], &revision, sizeof revision) == sizeof revision;
    };
    const uint64_t commits = rng.below(40);
    for (uint64_t i = 0; i < commits; ++i) {
      ASSERT_TRUE(next());
      acknowledged = revision;
    }
    kill(child, SIGKILL);
    while (next()) acknowledged = revision;  // told before it died
    waitpid(child, nullptr, 0);
    close(pipe_ends[0]);

    const auto life = OpenStore::open(path);
    ASSERT_TRUE(life) << life.error().message;
    EXPECT_GE((*life)->store->revision().value, acknowledged);
    acknowledged = (*life)->store->revision().value;
  }
}

}  // namespace
}  // namespace minik::control
