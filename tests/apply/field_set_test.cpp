#include "control/apply/field_set.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"

namespace minik::control {
namespace {

FieldSet set_of(std::string_view json) { return *FieldSet::from_fields_v1(*parse_json(json)); }
std::string text(const FieldSet& set) { return to_json(set.to_fields_v1()); }

TEST(FieldSet, ComesBackAsItWasWritten) {
  constexpr std::string_view kFields =
      R"({"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{}}},"f:finalizers":{"v:\"a\"":{}}}})";
  EXPECT_EQ(text(set_of(kFields)), kFields);
}

TEST(FieldSet, IsReadAsPeopleWritePaths) {
  const auto paths = set_of(R"({"f:a":{".":{},"k:{\"n\":\"x\",\"p\":80}":{"f:b":{}}},"f:s":{"v:\"y\"":{},"i:3":{}}})").paths();
  EXPECT_EQ(join(paths, " "), R"(.a .a[n="x",p=80].b .s[3] .s[="y"])");
}

TEST(FieldSet, HasTheAlgebraOfSetsOfPaths) {
  const auto a = set_of(R"({"f:a":{".":{},"f:x":{}},"f:b":{}})");
  const auto b = set_of(R"({"f:a":{"f:x":{},"f:y":{}},"f:c":{}})");
  EXPECT_EQ(text(a.united(b)), R"({"f:a":{".":{},"f:x":{},"f:y":{}},"f:b":{},"f:c":{}})");
  EXPECT_EQ(text(a.intersected(b)), R"({"f:a":{"f:x":{}}})");
  EXPECT_EQ(text(a.without(b)), R"({"f:a":{},"f:b":{}})");
  EXPECT_TRUE(a.without(a).empty());
}

TEST(FieldSet, RefusesWhatIsNoPathElement) {
  for (const auto* bad : {R"({"x":{}})", R"({"k:no":{}})", R"({"i:x":{}})", R"({"f:a":1})", "[]", R"({"v:":{}})"}) {
    EXPECT_FALSE(FieldSet::from_fields_v1(*parse_json(bad)).ok()) << bad;
  }
}

}  // namespace
}  // namespace minik::control
