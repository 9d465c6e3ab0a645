// Cuts the power at every single write, sync and deletion of a small life of the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "sim/power_loss_disk.h"
#include "tests/store/log_fixture.h"

namespace minik::control {
namespace {

using sim::PowerLossDisk;

constexpr const char* kFile = "/state.db";

using Contents = std::map<std::string, std::string>;  // notes of pods by name

Contents contents_of(const Store& store) {
  Contents contents;
  const auto list = store.list(kTestPods, "");
  for (const auto& pod : list->objects) {
    contents[std::string(object_name(pod))] = pod.get("note").string();
  }
  return contents;
}

struct History {
  std::map<uint64_t, Contents> after;  // by the last revision of each batch that was handed out
  uint64_t acknowledged = 0;
};

// Commits batches until the disk dies or all are done, in two openings, so that the checkpoint and
// the removal of the write-ahead log at closing are cut, too.
void live(const PowerLossDisk& disk, History& history) {
  Rng rng(3);
  for (int opening = 0; opening < 2; ++opening) {
    auto opened = OpenStore::open(kFile, {disk.name()});
    if (!opened) return;
    OpenStore& life = **opened;
    history.after[life.store->revision().value] = contents_of(*life.store);
    for (int batch = 0; batch < 8; ++batch) {
      for (uint64_t i = 0, n = 1 + rng.below(4); i < n; ++i) {
        const std::string name = cat("p", rng.below(6));
        if (rng.below(4) == 0 && !life.store->find(kTestPods, "default", name).is_absent()) {
          life.erase(name);
        } else {
          life.put(name, cat(batch, std::string(rng.below(6000), 'x')));
        }
      }
      const uint64_t revision = life.store->revision().value;
      history.after[revision] = contents_of(*life.store);
      if (!life.commit_and_wait()) return;
      history.acknowledged = revision;
    }
  }
}

TEST(PowerLoss, LosesNoAcknowledgedWriteAndLeavesNoHalfBatchWhereverThePowerGoes) {
  size_t operations = 0;
  {
    PowerLossDisk disk(1);
    History history;
    live(disk, history);
    operations = disk.operations();
  }
  ASSERT_GT(operations, 60U);
  for (size_t cut = 0; cut < operations; ++cut) {
    SCOPED_TRACE(cat("power cut at operation ", cut, " of ", operations));
    PowerLossDisk disk(cut);
    disk.cut_at(cut);
    History history;
    live(disk, history);
    disk.restart();
    auto opened = OpenStore::open(kFile, {disk.name()});
    ASSERT_TRUE(opened) << opened.error().message;
    OpenStore& life = **opened;
    const uint64_t revision = life.store->revision().value;
    EXPECT_GE(revision, history.acknowledged);
    if (revision > 0) {
      ASSERT_TRUE(history.after.contains(revision)) << "half a batch: revision " << revision;
      EXPECT_EQ(contents_of(*life.store), history.after[revision]);
    }
    life.put("after", "the loss");
    EXPECT_TRUE(life.commit_and_wait()) << life.fatal;
  }
}

TEST(FullDisk, RefusesInOneLineAndKeepsWhatWasAcknowledged) {
  PowerLossDisk disk(1);
  disk.set_capacity(200'000);
  {
    auto life = *OpenStore::open(kFile, {disk.name()});
    life->put("kept", "yes");
    ASSERT_TRUE(life->commit_and_wait());
    bool written = true;
    for (int i = 0; i < 200 && written; ++i) {
      life->put(cat("p", i), std::string(5000, 'x'));
      written = life->commit_and_wait();
    }
    EXPECT_FALSE(written);
    EXPECT_EQ(life->fatal,
              "cannot write /state.db: the disk is full; free some space and start again");
  }
  disk.set_capacity(SIZE_MAX);
  auto again = OpenStore::open(kFile, {disk.name()});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->note("kept"), "yes");
  (*again)->put("more");
  EXPECT_TRUE((*again)->commit_and_wait());
}

}  // namespace
}  // namespace minik::control
