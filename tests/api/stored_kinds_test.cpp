#include "control/api/stored_kinds.h"

#include <gtest/gtest.h>

#include "control/api/twin_kinds.h"
#include "control/object/keys.h"
#include "tests/store/log_fixture.h"

namespace minik::control {
namespace {

void put_one_of_each_kind(OpenStore& life, std::string_view name) {
  for (const auto& resource : Schema::builtin().resources()) {
    if (twin_of(resource.id) == nullptr) life.store->put(resource.id, test_pod(name, life.store->next_revision()));
  }
}

void expect_one_of_each_kind(const OpenStore& life, std::string_view name) {
  for (const auto& resource : Schema::builtin().resources()) {
    if (twin_of(resource.id) != nullptr) continue;
    EXPECT_TRUE(life.store->find(resource.id, "default", name).has_value()) << name << " of " << resource.group_resource();
  }
}

TEST(StoredKinds, AnObjectOfEveryKindIsThereAfterARestartAndMoreCanBeWritten) {
  const TemporaryFolder folder;
  const std::string path = folder.file("state.db");
  {
    auto life = *OpenStore::open(path, {}, stored_kind_names(Schema::builtin()));
    put_one_of_each_kind(*life, "first");
    ASSERT_TRUE(life->commit_and_wait()) << life->fatal;
  }
  {
    auto life = *OpenStore::open(path, {}, stored_kind_names(Schema::builtin()));
    expect_one_of_each_kind(*life, "first");
    put_one_of_each_kind(*life, "second");
    ASSERT_TRUE(life->commit_and_wait()) << life->fatal;
  }
  const auto life = *OpenStore::open(path, {}, stored_kind_names(Schema::builtin()));
  expect_one_of_each_kind(*life, "first");
  expect_one_of_each_kind(*life, "second");
}

}  // namespace
}  // namespace minik::control
