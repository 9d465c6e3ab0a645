#include "control/object/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/object/json.h"

namespace minik::control {
namespace {

std::string json_of(std::string_view yaml) {
  const auto documents = parse_yaml(yaml, "x.yaml");
  if (!documents) return documents.error().message;
  return documents->empty() ? "nothing" : to_json(documents->front().value);
}

TEST(Yaml, ReadsScalarsAsKubernetesClientsDo) {
  EXPECT_EQ(json_of("[yes, Off, 'yes', ~, 0x1F, 0o17, 017, -5, 1.5, 1e3, 08, v1, 1.2.3, '']"),
            R"([true,false,"yes",null,31,15,15,-5,1.5,1000,"08","v1","1.2.3",""])");
}

TEST(Yaml, MergesMapsUnderWhatStandsThere) {
  EXPECT_EQ(json_of("b: &b {i: 1, j: 2}\nw:\n  <<: *b\n  i: 3\n"),
            R"({"b":{"i":1,"j":2},"w":{"i":3,"j":2}})");
  EXPECT_EQ(json_of("w:\n  i: 3\n  <<: [{i: 1, j: 2}, {j: 4, k: 5}]\n"),
            R"({"w":{"i":3,"j":2,"k":5}})");
}

TEST(Yaml, NamesFileAndLineOfWhatIsWrong) {
  EXPECT_EQ(json_of("a: 1\nb: 2\na: 3\n"), "x.yaml:3: key \"a\" is given twice");
  EXPECT_THAT(json_of("a: 1\n b: [\n"), testing::StartsWith("x.yaml:"));
  EXPECT_EQ(json_of("a:\n  [x, y]: 1\n"), "x.yaml:2: a key must be a scalar");
}

TEST(Yaml, BoundsTheExpansionOfAliases) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) laughs += (j ? ", " : "") + last;
    laughs += "]\n";
  }
  EXPECT_THAT(json_of(laughs), testing::HasSubstr("too many values"));
}

TEST(Yaml, RefusesATextThatBeginsWhereNoValueCan) {
  for (const char* text : {",", ",a: ~\n", "a: b\n---\n,\n"}) EXPECT_FALSE(parse_yaml(text)) << text;
  EXPECT_EQ(parse_yaml("---\n---\na: b\n---\nc: d\n")->size(), 2u) << "empty documents are no reason";
}

TEST(Yaml, RemembersWhereEachFieldStood) {
  const auto documents =
      *parse_yaml("# hello\na: 1\n---\nkind: X\nspec:\n  nodes:\n  - count: 3\n");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[1].line, 4);
  EXPECT_EQ(documents[1].lines.at("spec.nodes[0].count"), 7);
}

TEST(Yaml, ReadsWholeNumbersThatAreTooLargeAsJsonDoes) {
  const auto documents = parse_yaml("[40000000000000000000, 0900000000000000000000, '40000000000000000000']");
  EXPECT_EQ(to_json(documents->at(0).value), R"([40000000000000000000,"0900000000000000000000","40000000000000000000"])");
  EXPECT_EQ(parse_yaml(to_yaml(documents->at(0).value))->at(0).value, documents->at(0).value);
}

TEST(Yaml, SaysWhatIsWrongInUtf8) {
  EXPECT_EQ(parse_yaml("a: \"\\\xc2\xa7\"", "a.yaml").error().message, "a.yaml:1: unknown escape character: ");
}

TEST(Yaml, RefusesWhatIsNotUtf8) {
  EXPECT_EQ(parse_yaml("a: 1\nb: \xff\n", "pod.yaml").error().message, "pod.yaml:2: YAML must be UTF-8");
}

TEST(Yaml, ReadsLinesWithAControlCharacterBackAsTheyWere) {
  const Value document = Value::map({{"a", Value("one\x01\ntwo\x7f\n")}});
  EXPECT_EQ(parse_yaml(to_yaml(document))->at(0).value, document) << to_yaml(document);
}

TEST(Yaml, ReadsLinesInAKeyAndAsAWholeDocumentBackAsTheyWere) {
  const Value long_key = Value::map({{Key(std::string(2000, 'k')), Value::map({{"a", Value(1)}})}});
  for (const Value& document : {Value::map({{"a \n:b", Value(1)}}), Value("bg \n:R"), Value::map({{"m", long_key}})}) {
    EXPECT_EQ(parse_yaml(to_yaml(document))->at(0).value, document) << to_yaml(document);
  }
}

TEST(Yaml, QuotesWhatWouldPartDocuments) {
  for (const Value& document : {Value("--- kin"), Value("... kin"), Value::map({{"--- a", Value("...")}})}) {
    EXPECT_EQ(parse_yaml(to_yaml(document))->at(0).value, document) << to_yaml(document);
  }
}

TEST(Yaml, WritesWhatKubectlWrites) {
  EXPECT_EQ(
      to_yaml(*parse_json(
          R"({"kind":"X","l":[{"a":1,"b":[]},["x"]],"s":"yes","t":"two\nlines\n","u":"5","v":"a: b"})")),
      "kind: X\nl:\n- a: 1\n  b: []\n- - x\ns: \"yes\"\nt: |\n  two\n  lines\nu: \"5\"\nv: \"a: "
      "b\"\n");
}

TEST(Yaml, ErrorsThatPeopleMakeOftenNameTheRemedy) {
  const auto tab = parse_yaml("a: 1\nb:\n\tc: 2\n", "x.yaml");
  ASSERT_FALSE(tab.ok());
  EXPECT_TRUE(tab.error().message.starts_with("x.yaml:3: ")) << tab.error().message;
  EXPECT_TRUE(tab.error().message.ends_with("; the line is indented by a tab, and YAML takes spaces")) << tab.error().message;
  const auto bracket = parse_yaml("a: [1, 2\nb: 3\n", "x.yaml");
  ASSERT_FALSE(bracket.ok());
  EXPECT_TRUE(bracket.error().message.ends_with("; a bracket is not closed, or a text between brackets needs quotes")) << bracket.error().message;
}

}  // namespace
}  // namespace minik::control
