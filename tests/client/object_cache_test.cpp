#include "control/client/object_cache.h"

#include <gtest/gtest.h>

#include "control/schema/kinds.h"
#include "scripted_client.h"

namespace minik::control {
namespace {

IndexFunction by_uid() {
  return [](const Value& object, std::vector<Key>& out) {
    out.emplace_back(object[keys::kMetadata][keys::kUid]);
  };
}

TEST(ObjectCache, ListsInOrderOfNamesWhateverTheOrderOfArrival) {
  ObjectCache cache(kinds::kPods);
  for (const auto* name : {"c", "a", "b"}) cache.put(object_named(name, 1));
  std::string names;
  for (const auto& object : cache.list("default")) names += object_name(object);
  EXPECT_EQ(names, "abc");
  EXPECT_TRUE(cache.list("other").empty());
}

TEST(ObjectCache, MovesAnObjectBetweenTheValuesOfAnIndex) {
  ObjectCache cache(kinds::kPods);
  cache.add_index("uid", by_uid());
  cache.put(object_named("a", 1));
  Value moved = object_named("a", 2).with_at({keys::kMetadata, keys::kUid}, "elsewhere");
  const Value before = cache.put(moved);
  EXPECT_EQ(object_uid(before), "uid-a");
  EXPECT_TRUE(cache.indexed("uid", "uid-a").empty());
  EXPECT_EQ(cache.indexed("uid", "elsewhere").size(), 1U);
  EXPECT_EQ(cache.index_values("uid"), std::vector<std::string>{"elsewhere"});
  cache.erase("default", "a");
  EXPECT_TRUE(cache.index_values("uid").empty());
}

TEST(ObjectCache, IndexesWhatWasThereBeforeTheIndex) {
  ObjectCache cache(kinds::kPods);
  cache.put(object_named("a", 1));
  cache.add_index("uid", by_uid());
  EXPECT_EQ(cache.indexed("uid", "uid-a").size(), 1U);
}

}  // namespace
}  // namespace minik::control
