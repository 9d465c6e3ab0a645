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

TEST(LabelSelector, SaysWhereItsTextGoesWrongAsKubernetesDoes) {
  const auto said = [](std::string_view text) {
    const auto selector = LabelSelector::parse(text);
    return selector ? selector->text() : selector.error().message;
  };
  const std::string wrong = "unable to parse requirement: ";
  EXPECT_EQ(said("a in (b"), wrong + "found '', expected: ',' or ')'");
  EXPECT_EQ(said("a==="), wrong + "found '=', expected: identifier");
  EXPECT_EQ(said("a b"), wrong + "found 'b', expected: in, notin, =, ==, !=, gt, lt");
  EXPECT_EQ(said("a in b"), wrong + "found 'b' expected: '('");
  EXPECT_EQ(said("a in ()"), wrong + "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  EXPECT_EQ(said("a=b c"), "found 'c', expected: ',' or 'end of string'");
  EXPECT_EQ(said("a=b,"), "found '', expected: identifier after ','");
  EXPECT_EQ(said("=b"), "found '=', expected: !, identifier, or 'end of string'");
  EXPECT_EQ(said("a>x"), wrong + "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer");
  EXPECT_EQ(said("a=-b").substr(0, wrong.size() + 48), wrong + "values[0][a]: Invalid value: \"-b\": a valid label");
}

TEST(LabelSelector, TakesWordsForOperatorsOnlyWhereOneMayStand) {
  const auto canonical = [](std::string_view text) { return LabelSelector::parse(text)->text(); };
  EXPECT_EQ(canonical("in in (in,notin), notin=in, !in"), "in in (in,notin),!in,notin=in");
  EXPECT_EQ(canonical("a in (x,,x, y)"), "a in (,x,y)");
  EXPECT_EQ(canonical("a in (,)"), "a=");
  EXPECT_EQ(canonical("a=,b!="), "a=,b!=");
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
