#include "control/object/patch.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {
namespace {

Value doc(std::string_view text) {
  return *parse_json(text);
}

TEST(JsonPatch, AppliesEveryOperationOfRfc6902) {
  const Value base = doc(R"({"a":{"b":[1,2]},"c":"x"})");
  const auto apply = [&](std::string_view patch) { return apply_json_patch(base, doc(patch)); };
  EXPECT_EQ(*apply(R"([{"op":"add","path":"/a/b/1","value":9}])"),
            doc(R"({"a":{"b":[1,9,2]},"c":"x"})"));
  EXPECT_EQ(*apply(R"([{"op":"add","path":"/a/b/-","value":9}])"),
            doc(R"({"a":{"b":[1,2,9]},"c":"x"})"));
  EXPECT_EQ(*apply(R"([{"op":"remove","path":"/a/b/0"}])"), doc(R"({"a":{"b":[2]},"c":"x"})"));
  EXPECT_EQ(*apply(R"([{"op":"move","from":"/c","path":"/d"}])"),
            doc(R"({"a":{"b":[1,2]},"d":"x"})"));
  EXPECT_TRUE(apply(R"([{"op":"test","path":"/c","value":"x"}])"));
  EXPECT_EQ(apply(R"([{"op":"test","path":"/c","value":"y"}])").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(apply(R"([{"op":"remove","path":"/zz"}])").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(apply(R"([{"op":"dance","path":"/c"}])").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(apply(R"({"op":"add"})").error().code, ErrorCode::kBadRequest);
}

TEST(JsonPatch, CountsNegativeIndicesFromTheEnd) {
  const auto apply = [](std::string_view patch) { return apply_json_patch(doc(R"({"a":[1,[2],3]})"), doc(patch)); };
  EXPECT_EQ(*apply(R"([{"op":"replace","path":"/a/-1","value":9}])"), doc(R"({"a":[1,[2],9]})"));
  EXPECT_EQ(*apply(R"([{"op":"remove","path":"/a/-3"}])"), doc(R"({"a":[[2],3]})"));
  EXPECT_EQ(*apply(R"([{"op":"add","path":"/a/-1","value":9}])"), doc(R"({"a":[1,[2],3,9]})")) << "a place more than there is";
  EXPECT_EQ(*apply(R"([{"op":"add","path":"/a/-4","value":9}])"), doc(R"({"a":[9,1,[2],3]})"));
  EXPECT_EQ(*apply(R"([{"op":"add","path":"/a/-2/0","value":9}])"), doc(R"({"a":[1,[9,2],3]})"));
  EXPECT_EQ(*apply(R"([{"op":"copy","from":"/a/-1","path":"/b"}])"), doc(R"({"a":[1,[2],3],"b":3})"));
  for (const auto* beyond : {R"([{"op":"remove","path":"/a/-4"}])", R"([{"op":"add","path":"/a/-5","value":9}])",
                             R"([{"op":"test","path":"/a/-4","value":1}])", R"([{"op":"remove","path":"/a/-"}])"}) {
    EXPECT_EQ(apply(beyond).error().code, ErrorCode::kInvalid) << beyond;
  }
}

TEST(MergePatch, RemovesNullsAndRoundTripsDifferences) {
  const Value from = doc(R"({"a":1,"b":{"c":2,"d":3}})");
  const Value to = doc(R"({"b":{"c":5},"e":[1]})");
  EXPECT_EQ(apply_merge_patch(from, doc(R"({"a":null,"b":{"d":null}})")), doc(R"({"b":{"c":2}})"));
  EXPECT_EQ(apply_merge_patch(from, make_merge_patch(from, to)), to);
  EXPECT_TRUE(make_merge_patch(to, to).empty());
}

// Lists named "containers" merge by name, "finalizers" as a set; everything else is replaced.
class ListRules : public PatchSchema {
 public:
  PatchRule rule(const void*, const Key& field) const override {
    if (field.text() == "containers") return {true, false, "name", this};
    if (field.text() == "finalizers") return {true, false, {}, nullptr};
    return {false, false, {}, this};
  }
};

Result<Value> merge(std::string_view base, std::string_view patch) {
  const ListRules rules;
  return apply_strategic_merge_patch(doc(base), doc(patch), rules, &rules);
}

TEST(StrategicMerge, MergesListsByKey) {
  EXPECT_EQ(*merge(R"({"containers":[{"name":"a","image":"1"},{"name":"b"}]})",
                   R"({"containers":[{"name":"a","image":"2"},{"name":"c"}]})"),
            doc(R"({"containers":[{"name":"a","image":"2"},{"name":"c"},{"name":"b"}]})"));
  EXPECT_EQ(merge(R"({"containers":[]})", R"({"containers":[{"image":"x"}]})").error().code,
            ErrorCode::kBadRequest);
}

TEST(StrategicMerge, ObeysDirectives) {
  EXPECT_EQ(*merge(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                   R"({"containers":[{"name":"a","$patch":"delete"}]})"),
            doc(R"({"containers":[{"name":"b"}]})"));
  EXPECT_EQ(*merge(R"({"containers":[{"name":"a"}]})",
                   R"({"containers":[{"name":"z"},{"$patch":"replace"}]})"),
            doc(R"({"containers":[{"name":"z"}]})"));
  EXPECT_EQ(
      *merge(R"({"finalizers":["a","b"]})", R"({"$deleteFromPrimitiveList/finalizers":["a"]})"),
      doc(R"({"finalizers":["b"]})"));
  EXPECT_EQ(*merge(R"({"strategy":{"type":"RollingUpdate","rollingUpdate":{}}})",
                   R"({"strategy":{"$retainKeys":["type"],"type":"Recreate"}})"),
            doc(R"({"strategy":{"type":"Recreate"}})"));
  EXPECT_EQ(
      *merge(
          R"({"containers":[{"name":"a"},{"name":"b"}]})",
          R"({"$setElementOrder/containers":[{"name":"c"},{"name":"a"},{"name":"b"}],"containers":[{"name":"c"}]})"),
      doc(R"({"containers":[{"name":"c"},{"name":"a"},{"name":"b"}]})"));
}

TEST(StrategicMerge, PutsWhatIsNewBeforeWhatThePatchDoesNotName) {
  EXPECT_EQ(*merge(R"({"containers":[{"name":"demo"}]})", R"({"containers":[{"name":"side"}]})"),
            doc(R"({"containers":[{"name":"side"},{"name":"demo"}]})"));
  EXPECT_EQ(*merge(R"({"containers":[{"name":"a"},{"name":"b"}]})", R"({"containers":[{"name":"b","image":"2"},{"name":"c"}]})"),
            doc(R"({"containers":[{"name":"a"},{"name":"b","image":"2"},{"name":"c"}]})"));
  EXPECT_EQ(*merge(R"({"finalizers":["a"]})", R"({"finalizers":["z"]})"), doc(R"({"finalizers":["z","a"]})"));
}

TEST(StrategicMerge, KeepsThePlaceOfItemsThatOnlyTheLiveListHas) {
  EXPECT_EQ(*merge(R"({"containers":[{"name":"a"},{"name":"live"},{"name":"b"},{"name":"last"}]})",
                   R"({"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]})"),
            doc(R"({"containers":[{"name":"live"},{"name":"b"},{"name":"a"},{"name":"last"}]})"));
  EXPECT_EQ(*merge(R"({"containers":[{"name":"side"},{"name":"a"}]})",
                   R"({"$setElementOrder/containers":[{"name":"a"},{"name":"new"}],
                       "containers":[{"name":"new"}]})"),
            doc(R"({"containers":[{"name":"side"},{"name":"a"},{"name":"new"}]})"));
  EXPECT_EQ(
      *merge(
          R"({"finalizers":["a","b","c"]})",
          R"({"$setElementOrder/finalizers":["c","a"],"$deleteFromPrimitiveList/finalizers":["b"]})"),
      doc(R"({"finalizers":["c","a"]})"));
}

TEST(StrategicMerge, RefusesDirectivesThatContradictThePatch) {
  EXPECT_EQ(merge("{}", R"({"$retainKeys":["a"],"b":1})").error().code, ErrorCode::kBadRequest);
  EXPECT_EQ(merge("{}", R"({"$setElementOrder/containers":1})").error().code,
            ErrorCode::kBadRequest);
  EXPECT_EQ(merge("{}", R"({"$patch":"explode"})").error().code, ErrorCode::kBadRequest);
}

TEST(JsonPatch, RefusesCopiesThatDoubleWithoutEnd) {
  std::string patch = "[";
  for (int i = 0; i < 60; ++i) {
    patch += cat(i ? "," : "", R"({"op":"copy","from":"","path":"/k)", i, R"("})");
  }
  EXPECT_EQ(apply_json_patch(doc("{}"), doc(patch + "]")).error().code, ErrorCode::kInvalid);
}

TEST(JsonPatch, RefusesToMoveAValueIntoItself) {
  EXPECT_EQ(apply_json_patch(doc(R"({"a":{"b":{}}})"),
                             doc(R"([{"op":"move","from":"/a","path":"/a/b/c"}])"))
                .error()
                .code,
            ErrorCode::kInvalid);
}

}  // namespace
}  // namespace minik::control
