#include "control/object/selector.h"

#include <gtest/gtest.h>

#include "control/object/json.h"

namespace minik::control {
namespace {

TEST(LabelSelector, MatchesEachOperator) {
  const Value labels = *parse_json(R"({"app":"web","tier":"a","size":"5"})");
  const auto matches = [&](std::string_view text) {
    const auto selector = LabelSelector::parse(text);
    EXPECT_TRUE(selector) << text;
    return selector && selector->matches(labels);
  };
  for (const auto* yes : {"", "app=web", "app==web,tier!=b", "tier in (a, b)", "tier notin (b)",
                          "app", "!nope", "size>4", "size<6", "nope!=x"}) {
    EXPECT_TRUE(matches(yes)) << yes;
  }
  for (const auto* no : {"app=x", "tier notin (a)", "!app", "nope", "size>5", "app=web,tier=b"}) {
    EXPECT_FALSE(matches(no)) << no;
  }
  for (const auto* bad : {"a b", "=x", "a in b", "app=we b", "a in (b"}) {
    EXPECT_FALSE(LabelSelector::parse(bad)) << bad;
  }
}

TEST(LabelSelector, ReadsTheObjectForm) {
  const auto selector = LabelSelector::from_object(*parse_json(
      R"({"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"In","values":["b","a"]}]})"));
  ASSERT_TRUE(selector);
  EXPECT_EQ(selector->text(), "app=web,tier in (a,b)");
  EXPECT_TRUE(LabelSelector::from_object(Value())->selects_nothing());
  EXPECT_TRUE(LabelSelector::from_object(Value::empty_map())->matches(Value()));
}

TEST(FieldSelector, ReadsMissingFieldsAsEmpty) {
  const Value pod = *parse_json(R"({"spec":{"nodeName":"n1"}})");
  EXPECT_TRUE(FieldSelector::parse("spec.nodeName=n1")->matches(pod));
  EXPECT_TRUE(FieldSelector::parse("status.phase!=Running")->matches(pod));
  EXPECT_TRUE(FieldSelector::parse("status.phase=")->matches(pod));
  EXPECT_FALSE(FieldSelector::parse("nonsense"));
}

}  // namespace
}  // namespace minik::control
