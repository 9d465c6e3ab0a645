#include "control/object/diff.h"

#include <gtest/gtest.h>

#include "control/object/json.h"
#include "control/object/patch.h"

namespace minik::control {
namespace {

Value json(std::string_view text) { return *parse_json(text); }

TEST(JsonPatchOfTwoDocuments, GoesIntoMapsAndNamesOnlyWhatChanged) {
  const auto patch = make_json_patch(json(R"({"a":{"b":1,"c":2,"gone":true},"same":[1,2]})"),
                                     json(R"({"a":{"b":1,"c":3,"new/~":[]},"same":[1,2]})"));
  EXPECT_EQ(to_json(patch),
            R"([{"op":"replace","path":"/a/c","value":3},{"op":"remove","path":"/a/gone"},)"
            R"({"op":"add","path":"/a/new~1~0","value":[]}])");
}

TEST(JsonPatchOfTwoDocuments, LeavesTheCommonBeginningAndEndOfListsAlone) {
  EXPECT_EQ(to_json(make_json_patch(json("[1,2,3,4]"), json("[1,4]"))),
            R"([{"op":"remove","path":"/2"},{"op":"remove","path":"/1"}])");
  EXPECT_EQ(to_json(make_json_patch(json("[1,4]"), json("[1,2,3,4]"))),
            R"([{"op":"add","path":"/1","value":2},{"op":"add","path":"/2","value":3}])");
}

TEST(JsonPatchOfTwoDocuments, AppliedToTheFirstGivesTheSecond) {
  const char* documents[] = {"{}", "null", "[]", R"({"a":null})", R"({"a":[{"t":"x","s":1},{"t":"y"}]})",
                             R"({"a":[{"t":"y"},{"t":"x","s":1},3]})", R"({"a":{"0":1},"":2,"/":{"~":[[]]}})", "[[1],[2,[3]]]",
                             R"([[1,2],{"a":1},[2,[3,null]]])"};
  for (const auto* from : documents) {
    for (const auto* to : documents) {
      const auto patch = make_json_patch(json(from), json(to));
      const auto again = apply_json_patch(json(from), patch);
      ASSERT_TRUE(again) << from << " to " << to << ": " << again.error().message;
      EXPECT_EQ(to_json(*again), to_json(json(to))) << from << " by " << to_json(patch);
    }
  }
}

TEST(JsonPatchOfTwoDocuments, IsTheWholeSecondWhereTooMuchDiffers) {
  std::vector<Value> many(5'000, Value(1)), other(5'000, Value(2));
  EXPECT_EQ(make_json_patch(Value::array(many), Value::array(other)).size(), 1U);
}

}  // namespace
}  // namespace minik::control
