#include "control/client/object_cache.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
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

Value labelled(const char* name, int revision, const char* app) {
  return object_named(name, revision)
      .with_at({keys::kMetadata, keys::kLabels}, app ? Value::map({{"app", app}}) : Value());
}

std::string selected(const ObjectCache& cache, const char* selector) {
  std::string names;
  for (const auto& object : cache.selected("default", *LabelSelector::parse(selector))) names += object_name(object);
  return names;
}

TEST(ObjectCache, FindsBySelectorWhatIsLabelledSoNow) {
  ObjectCache cache(kinds::kPods);
  cache.put(labelled("d", 1, "web"));
  cache.group_by_labels();
  cache.put(labelled("a", 2, "db"));
  cache.put(labelled("b", 3, "web"));
  cache.put(labelled("c", 4, nullptr));
  EXPECT_EQ(selected(cache, "app=web"), "bd");
  EXPECT_EQ(selected(cache, "app"), "abd") << "in order, also over groups";
  EXPECT_EQ(selected(cache, "!app"), "c");
  cache.put(labelled("b", 5, "db"));
  EXPECT_EQ(selected(cache, "app=web"), "d");
  EXPECT_EQ(selected(cache, "app=db"), "ab");
  cache.put(labelled("b", 6, "db"));
  EXPECT_EQ(cache.selected("default", *LabelSelector::parse("app=db"))[1][keys::kMetadata][keys::kResourceVersion],
            object_named("b", 6)[keys::kMetadata][keys::kResourceVersion])
      << "the newest version";
  cache.erase("default", "b");
  cache.erase("default", "c");
  EXPECT_EQ(selected(cache, "app=db"), "a");
  EXPECT_EQ(selected(cache, "!app"), "");
  cache.clear();
  EXPECT_EQ(selected(cache, "app"), "");
}

TEST(ObjectCache, CountsWhatIsAlikeAsItChanges) {
  ObjectCache cache(kinds::kPods);
  cache.put(labelled("a", 1, "web"));
  cache.add_tally("by-app", [](const Value& object) -> TallyEntry {
    const Value& labels = object[keys::kMetadata][keys::kLabels];
    if (labels.empty()) return {};
    return {labels.get("app"), {object_name(object) == "a" ? 1U : 0U, labels}};
  });
  cache.put(labelled("b", 2, "web"));
  cache.put(labelled("c", 3, "web"));
  cache.put(labelled("d", 4, nullptr));
  const auto counts = [&](std::string_view app) {
    std::string text;
    for (const auto& [trait, count] : cache.tally("by-app", app)) text += cat(trait.bits, "x", count, " ");
    return text;
  };
  EXPECT_EQ(counts("web"), "1x1 0x2 ");
  cache.put(labelled("c", 5, "db"));
  EXPECT_EQ(counts("web"), "1x1 0x1 ");
  EXPECT_EQ(counts("db"), "0x1 ");
  cache.erase("default", "c");
  cache.put(labelled("a", 6, nullptr));
  EXPECT_EQ(counts("db"), "");
  EXPECT_EQ(counts("web"), "0x1 ");
}

}  // namespace
}  // namespace minik::control
