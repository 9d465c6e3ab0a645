// What an object's owners mean for it, on plain objects.
#include "control/controllers/garbage_judgement.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

using Action = GarbageDecision::Action;

Value object_of(std::string_view owners, std::string_view metadata = "") {
  const auto documents = parse_yaml(cat("{metadata: {name: a, uid: a", metadata, ", ownerReferences: [", owners, "]}}"));
  CHECK(documents.ok()) << documents.error().message;
  return (*documents)[0].value;
}

// Owners say by their uid what they are worth.
OwnerWorth worth_of(const Value& owner) {
  const auto uid = owner[keys::kUid].as_string();
  return uid == "solid"   ? OwnerWorth::kSolid
         : uid == "waits" ? OwnerWorth::kWaits
         : uid == "gone"  ? OwnerWorth::kGone
                          : OwnerWorth::kUnknown;
}

GarbageDecision decide(std::string_view owners, std::string_view metadata = "") {
  return decide_garbage(object_of(owners, metadata), worth_of);
}

TEST(Garbage, IsNothingThatNobodyOwns) {
  EXPECT_EQ(decide("").action, Action::kNothing);
  EXPECT_EQ(decide("{uid: solid}").action, Action::kNothing);
}

TEST(Garbage, IsWhatHasNoOwnerLeft) {
  EXPECT_EQ(decide("{uid: gone}").action, Action::kRemoveBackground);
  EXPECT_EQ(decide("{uid: gone}, {uid: gone}").action, Action::kRemoveBackground);
}

TEST(Garbage, GoesInTheForegroundForAnOwnerThatWaits) {
  EXPECT_EQ(decide("{uid: waits}").action, Action::kRemoveForeground);
  EXPECT_EQ(decide("{uid: gone}, {uid: waits}").action, Action::kRemoveForeground);
}

TEST(Garbage, IsNotWhatOneOwnerKeepsAndTheOthersAreForgotten) {
  for (const auto* other : {"{uid: gone}", "{uid: waits}"}) {
    const auto decision = decide(cat(other, ", {uid: solid}"));
    EXPECT_EQ(decision.action, Action::kKeepOwners);
    ASSERT_EQ(decision.owners.size(), 1U);
    EXPECT_EQ(decision.owners.items()[0][keys::kUid].as_string(), "solid");
  }
}

TEST(Garbage, IsNothingBeforeTheApiWasAsked) {
  const auto decision = decide("{uid: gone}, {uid: new}");
  EXPECT_EQ(decision.action, Action::kAsk);
  EXPECT_EQ(decision.owner[keys::kUid].as_string(), "new");
}

TEST(Garbage, IsNotDeletedTwice) {
  EXPECT_EQ(decide("{uid: gone}", ", deletionTimestamp: '2026-03-01T12:00:00Z'").action, Action::kNothing);
}

TEST(Garbage, BlocksItsOwnerOnlyWhereTheReferenceSaysSo) {
  const Value owner = object_of("");
  EXPECT_TRUE(blocks_deletion(object_of("{uid: a, blockOwnerDeletion: true}"), owner));
  EXPECT_FALSE(blocks_deletion(object_of("{uid: a}"), owner));
  EXPECT_FALSE(blocks_deletion(object_of("{uid: b, blockOwnerDeletion: true}"), owner));
}

}  // namespace
}  // namespace minik::control
