#include "control/object/value.h"

#include <gtest/gtest.h>

#include "control/object/keys.h"

namespace minik::control {
namespace {

TEST(Value, HoldsScalarsOfEveryWidth) {
  for (const int64_t n : {int64_t{0}, int64_t{-1}, int64_t{1} << 59, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(Value(n).as_int(), n);
    EXPECT_EQ(Value(n), Value(n));
    EXPECT_TRUE(Value(n).is_int());
  }
  EXPECT_EQ(Value(1.5).as_double(), 1.5);
  EXPECT_TRUE(Value(true).as_bool());
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_TRUE(Value().is_absent());
  EXPECT_FALSE(Value(1) == Value(1.0));
}

TEST(Value, HoldsStringsOfEveryLength) {
  for (const std::string& text : std::vector<std::string>{"", "a", "1234567", "12345678",
                                                          "metadata", std::string(5000, 'x')}) {
    const Value value(text);
    EXPECT_EQ(value.as_string(), text);
    EXPECT_EQ(value, Value(text));
    EXPECT_EQ(value.hash(), Value(text).hash());
  }
  EXPECT_FALSE(Value("abc") == Value("abd"));
}

TEST(Value, SortsKeysKeepsTheLastAndDropsAbsent) {
  const Value map = Value::map({{"b", 1}, {"a", 2}, {"c", Value()}, {"b", 3}});
  ASSERT_EQ(map.size(), 2U);
  EXPECT_EQ(map.entries()[0].key.text(), "a");
  EXPECT_EQ(map.get("b").as_int(), 3);
  EXPECT_FALSE(map.contains("c"));
}

TEST(Value, ChangesShareWhatTheyDoNotTouch) {
  const Value pod = Value::map({{keys::kMetadata, Value::map({{"name", "web"}})},
                                {"spec", Value::map({{"containers", Value::array({"a"})}})}});
  const Value moved = pod.with_at({"spec", "nodeName"}, "node-1");
  EXPECT_EQ(moved.at({"spec", "nodeName"}).as_string(), "node-1");
  EXPECT_TRUE(moved.get("metadata").same_node(pod.get("metadata")));
  EXPECT_TRUE(moved.at({"spec", "containers"}).same_node(pod.at({"spec", "containers"})));
  EXPECT_TRUE(pod.at({"spec", "nodeName"}).is_absent());
  EXPECT_EQ(moved.with_at({"spec", "nodeName"}, Value()), pod);
}

TEST(Value, HashesByContentNotByHistory) {
  const Value a = Value::map({{"x", 1}, {"y", Value::array({1, 2})}});
  const Value b = Value::map({{"y", Value::array({1, 2})}}).with("x", 1);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a, b);
  EXPECT_NE(a.hash(), a.with("x", 2).hash());
  // Golden: traces compare hashes across builds and machines.
  EXPECT_EQ(Value("metadata").hash(), Value::map({{"k", "metadata"}}).get("k").hash());
}

TEST(Value, FindsKeysInLargeMaps) {
  MapBuilder builder;
  for (int i = 0; i < 1000; ++i) builder.set("key-" + std::to_string(i), i);
  const Value map = std::move(builder).build();
  EXPECT_EQ(map["key-777"].as_int(), 777);
  EXPECT_EQ(map.get("key-1").as_int(), 1);
  EXPECT_TRUE(map["nope"].is_absent());
}

TEST(Value, ReadersAnswerTheFallbackForOtherTypes) {
  const Value map = Value::empty_map();
  EXPECT_EQ(map["x"].as_int(5), 5);
  EXPECT_EQ(map["x"]["y"].as_string("none"), "none");
  EXPECT_TRUE(Value("x").items().empty());
}

}  // namespace
}  // namespace minik::control
