#include "minik/process/scheduler_config.h"

#include <gtest/gtest.h>

#include "runtime/container/files.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

TEST(SchedulerConfig, DefaultsWithoutAFile) {
  const TemporaryFolder folder;
  Profile profile;
  profile.directory = folder.path();
  const auto configuration = kept_scheduler_config(profile);
  ASSERT_TRUE(configuration);
  ASSERT_EQ(configuration->profiles.size(), 1U);
  EXPECT_EQ(configuration->profiles[0].name, "default-scheduler");
}

TEST(SchedulerConfig, IsKeptForTheNextStart) {
  const TemporaryFolder folder;
  Profile profile;
  profile.directory = folder.path() + "/lab";
  ASSERT_TRUE(runtime::write_file_atomically(folder.file("wanted.yaml"),
                                             "apiVersion: kubescheduler.config.k8s.io/v1\n"
                                             "kind: KubeSchedulerConfiguration\n"
                                             "profiles: [{schedulerName: packer}]\n")
                  .ok());
  ASSERT_TRUE(keep_scheduler_config(profile, folder.file("wanted.yaml")).ok());
  const auto configuration = kept_scheduler_config(profile);
  ASSERT_TRUE(configuration);
  EXPECT_EQ(configuration->profiles[0].name, "packer");
}

TEST(SchedulerConfig, ABadFileIsRefusedByNameAndChangesNothing) {
  const TemporaryFolder folder;
  Profile profile;
  profile.directory = folder.path();
  ASSERT_TRUE(runtime::write_file_atomically(folder.file("bad.yaml"), "kind: Pod\n").ok());
  const auto refused = keep_scheduler_config(profile, folder.file("bad.yaml"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message,
            folder.file("bad.yaml") +
                ": expected kind KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1");
  EXPECT_TRUE(kept_scheduler_config(profile));
}

}  // namespace
}  // namespace minik
