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
  return uid == "solid"     ? OwnerWorth::kSolid
         : uid == "waits"   ? OwnerWorth::kWaits
         : uid == "gone"    ? OwnerWorth::kGone
         : uid == "invalid" ? OwnerWorth::kInvalid
                            : OwnerWorth::kUnknown;
}

GarbageDecision decide(std::string_view owners, std::string_view metadata = "", Dependents dependents = Dependents::kNone) {
  return decide_garbage(object_of(owners, metadata), worth_of, [&] { return dependents; });
}

// "background" and the like for what goes, else what happens instead.
std::string end_of(const GarbageDecision& decision) {
  if (decision.action == Action::kNothing) return "stays";
  if (decision.action == Action::kAsk) return "asks";
  if (decision.action == Action::kSetOwners) return "keeps";
  switch (decision.policy) {
    case PropagationPolicy::kOrphan:
      return "orphan";
    case PropagationPolicy::kForeground:
      return "foreground";
    case PropagationPolicy::kBackground:
      return "background";
    case PropagationPolicy::kUnset:
      break;
  }
  return "unset";
}

TEST(Garbage, IsNothingThatNobodyOwns) {
  EXPECT_EQ(end_of(decide("")), "stays");
  EXPECT_EQ(end_of(decide("{uid: solid}")), "stays");
}

TEST(Garbage, IsWhatHasNoOwnerLeft) {
  EXPECT_EQ(end_of(decide("{uid: gone}")), "background");
  EXPECT_EQ(end_of(decide("{uid: gone}, {uid: gone}", "", Dependents::kSome)), "background");
}

TEST(Garbage, GoesInTheForegroundForAnOwnerThatWaitsWhenItOwnsSomething) {
  EXPECT_EQ(end_of(decide("{uid: waits}", "", Dependents::kSome)), "foreground");
  EXPECT_EQ(end_of(decide("{uid: gone}, {uid: waits}", "", Dependents::kSome)), "foreground");
  EXPECT_EQ(end_of(decide("{uid: waits, blockOwnerDeletion: true}")), "background") << "nothing has to go before it";
}

TEST(Garbage, LeavesItsOwnDependentsAsItsFinalizersSay) {
  EXPECT_EQ(end_of(decide("{uid: gone}", ", finalizers: [orphan]", Dependents::kSome)), "orphan");
  EXPECT_EQ(end_of(decide("{uid: gone}", ", finalizers: [foregroundDeletion]", Dependents::kSome)), "foreground");
  EXPECT_EQ(end_of(decide("{uid: gone}", ", finalizers: [example.com/hold]", Dependents::kSome)), "background");
}

TEST(Garbage, BreaksACircleOfOwnersThatWaitForEachOther) {
  const auto first = decide("{uid: waits, blockOwnerDeletion: true}", "", Dependents::kWaiting);
  EXPECT_EQ(end_of(first), "keeps");
  EXPECT_FALSE(first.owners.items()[0][keys::kBlockOwnerDeletion].as_bool());
  EXPECT_EQ(end_of(decide("{uid: waits, blockOwnerDeletion: false}", "", Dependents::kWaiting)), "foreground");
}

TEST(Garbage, IsNotJudgedByAnOwnerThatNobodyCanKnow) {
  EXPECT_EQ(end_of(decide("{uid: gone}, {uid: invalid}")), "stays");
}

TEST(Garbage, IsNotWhatOneOwnerKeepsAndTheOthersAreForgotten) {
  for (const auto* other : {"{uid: gone}", "{uid: waits}"}) {
    const auto decision = decide(cat(other, ", {uid: solid}"));
    EXPECT_EQ(end_of(decision), "keeps");
    ASSERT_EQ(decision.owners.size(), 1U);
    EXPECT_EQ(decision.owners.items()[0][keys::kUid].as_string(), "solid");
  }
}

TEST(Garbage, IsNothingBeforeTheApiWasAsked) {
  const auto decision = decide("{uid: gone}, {uid: new}");
  EXPECT_EQ(end_of(decision), "asks");
  EXPECT_EQ(decision.owner[keys::kUid].as_string(), "new");
}

TEST(Garbage, IsNotDeletedTwice) {
  EXPECT_EQ(end_of(decide("{uid: gone}", ", deletionTimestamp: '2026-03-01T12:00:00Z'")), "stays");
}

TEST(Garbage, BlocksItsOwnerOnlyWhereTheReferenceSaysSo) {
  const Value owner = object_of("");
  EXPECT_TRUE(blocks_deletion(object_of("{uid: a, blockOwnerDeletion: true}"), owner));
  EXPECT_FALSE(blocks_deletion(object_of("{uid: a}"), owner));
  EXPECT_FALSE(blocks_deletion(object_of("{uid: b, blockOwnerDeletion: true}"), owner));
}

}  // namespace
}  // namespace minik::control
