#include "control/object/json.h"

#include <gtest/gtest.h>

namespace minik::control {
namespace {

std::string rewritten(std::string_view text) {
  return to_json(*parse_json(text));
}

TEST(Json, WritesNumbersAsGoDoes) {
  EXPECT_EQ(rewritten("[1, -0, 9223372036854775807, 18446744073709551616]"),
            "[1,0,9223372036854775807,18446744073709551616]");
  EXPECT_EQ(rewritten("[1e105, 1e-100, -2.5e300]"), "[1e+105,1e-100,-2.5e+300]");
  EXPECT_EQ(rewritten("[100000.0, 1.5, 1e21, 1e-7, 0.000001, 1e20]"),
            "[100000,1.5,1e+21,1e-7,0.000001,100000000000000000000]");
}

TEST(Json, EscapesWhatHtmlAndJavaScriptWouldMisread) {
  EXPECT_EQ(to_json(Value("<a & b>\xe2\x80\xa8\x01\n")),
            R"("\u003ca \u0026 b\u003e\u2028\u0001\n")");
  EXPECT_EQ(rewritten(R"("\ud83d\ude00 \u00e4")"), "\"\xf0\x9f\x98\x80 \xc3\xa4\"");
}

// The writer works in pieces of some thousand bytes: what is escaped may stand at the end of one.
TEST(Json, WritesLongTextsAsShortOnes) {
  for (size_t before = 4'080; before < 4'100; ++before) {
    const std::string text = cat(std::string(before, 'x'), "\"<\n\x01\xe2\x80\xa8\xe2\x82\xac", std::string(9'000, 'y'));
    const Value document = Value::map({{"metadata", Value::array({text, "Running"})}, {text, 1}});
    const auto read = parse_json(to_json(document));
    ASSERT_TRUE(read) << before << ": " << read.error().message;
    EXPECT_EQ(*read, document) << before;
    EXPECT_EQ(*parse_json(to_pretty_json(document)), document) << before;
  }
}

// Parts of every size and depth, more of them than the writer remembers, in more documents than it needs to know one.
TEST(Json, WritesDocumentsOfAListAsEachAlone) {
  std::vector<Value> shared;
  for (int i = 0; i < 700; ++i) {
    const Value below = shared.empty() ? Value("leaf") : shared[static_cast<size_t>(i * 7) % shared.size()];
    shared.push_back(i % 3 == 0 ? Value::array({i, below, Value::empty_map()})
                                : Value::map({{"below", below}, {"text", std::string(static_cast<size_t>(i) * 5, 'x')}}));
  }
  std::vector<Value> documents;
  for (int i = 0; i < 60; ++i) {
    std::vector<Value> parts;
    for (size_t part = 0; part < 40; ++part) parts.push_back(shared[(static_cast<size_t>(i) / 20 * 300 + part * 11) % shared.size()]);
    documents.push_back(Value::map({{"name", i}, {"parts", Value::array(parts)}}));
  }
  JsonListWriter writer;
  for (const auto& document : documents) {
    std::string written = "behind what was there before: ";
    const size_t before = written.size();
    writer.write(document, written);
    EXPECT_EQ(written.substr(before), to_json(document)) << document["name"].as_int();
  }
}

TEST(Json, NamesThePlaceOfAnError) {
  EXPECT_EQ(parse_json("{\"a\":\n  [1,,2]}").error().message,
            "invalid JSON at line 2, column 6: syntax error");
  EXPECT_EQ(parse_json("").error().message, "invalid JSON at line 1, column 1: incomplete JSON");
  EXPECT_FALSE(parse_json("{} {}"));
  EXPECT_FALSE(parse_json("\"\xff\""));
  EXPECT_FALSE(parse_json(std::string(1000, '[')));
}

TEST(Json, ListsDuplicateFieldsByTheirPath) {
  std::vector<std::string> duplicates;
  const auto value = parse_json(
      R"({"spec":{"containers":[{"name":"a"},{"name":"b","name":"c","name":"d"}],"x":1,"x":2},"spec2":{}})",
      &duplicates);
  EXPECT_EQ(duplicates, (std::vector<std::string>{"spec.containers[1].name", "spec.x"}));
  EXPECT_EQ(value->get("spec").get("containers").items()[1].get("name").as_string(), "d");
}

TEST(Json, IndentsAsKubectlDoes) {
  EXPECT_EQ(to_pretty_json(*parse_json(R"({"a":[1,{"b":[]}],"c":{}})")),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}\n");
}

}  // namespace
}  // namespace minik::control
