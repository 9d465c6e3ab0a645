// Type checking, limits and costs: what a Program promises whoever compiles expressions of
// strangers.
#include "control/cel/program.h"

#include "tests/cel/evaluate.h"

namespace minik::control::cel {
namespace {

TEST(Program, RefusesNamesAndTypesBeforeItRuns) {
  expect_all(
      {{"objekt.spec",
        "compile: ERROR: <input>:1:1: undeclared reference to 'objekt' (in container ''); known "
        "here: object, number, words, typed"},
       {"1 + 'a'",
        "compile: ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, "
        "string)'"},
       {"number == 'a'",
        "compile: ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, "
        "string)'"},
       {"1 == 1u",
        "compile: ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, "
        "uint)'"},
       {"number.size()",
        "compile: ERROR: <input>:1:12: found no matching overload for 'size' applied to 'int.()'"},
       {"words[0] + 1",
        "compile: ERROR: <input>:1:10: found no matching overload for '_+_' applied to '(string, "
        "int)'"},
       {"frobnicate(1)",
        "compile: ERROR: <input>:1:11: undeclared reference to 'frobnicate' (in container '')"},
       {"number && true",
        "compile: ERROR: <input>:1:1: expected type 'bool' but found 'int' in '_&&_'"},
       {"typed.nam", "compile: ERROR: <input>:1:6: undefined field 'nam'"},
       {"number.field", "compile: ERROR: <input>:1:7: type 'int' does not support field selection"},
       {"number.all(x, true)",
        "compile: ERROR: <input>:1:1: expression of type 'int' cannot be range of a comprehension "
        "(must be list, map, or dynamic)"},
       {"Pod{name: 'a'}",
        "compile: ERROR: <input>:1:4: messages cannot be made here: there is no protocol buffer "
        "type; write a map {'field': value}"}});
}

TEST(Program, ShowsTheLineWithAMark) {
  const auto program = Program::compile("true &&\n  nothing.here", sample_environment());
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().message,
            "ERROR: <input>:2:3: undeclared reference to 'nothing' (in container ''); known here: "
            "object, number, words, typed\n"
            " |   nothing.here\n | ..^");
}

TEST(Program, ReportsEveryTypeErrorAtOnce) {
  const auto program = Program::compile("a + b", Environment({}));
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.error().message.find("'a'"), std::string::npos);
  EXPECT_NE(program.error().message.find("'b'"), std::string::npos);
}

TEST(Program, DemandsTheTypeThatItsPlaceNeeds) {
  const auto program = Program::compile("number + 1", sample_environment(), Kind::kBool);
  ASSERT_FALSE(program.ok());
  EXPECT_TRUE(program.error().message.starts_with(
      "ERROR: <input>:1:1: expression must evaluate to bool, but is of type int"));
  EXPECT_TRUE(Program::compile("object.flag", sample_environment(), Kind::kBool).ok());
}

TEST(Program, ReadsDeclaredTimestampsAndBytesOutOfText) {
  expect_all({{"typed.since < timestamp('2026-02-01T00:00:00Z')", "true"},
              {"string(typed.data)", "\"hi\""},
              {"typed.since.getFullYear()", "2026"},
              {"typed.__namespace__", "\"ns\""}});
}

TEST(Program, EndsAnEvaluationThatCostsTooMuch) {
  const std::string ten = "[0,1,2,3,4,5,6,7,8,9]";
  std::string expression = "true";
  for (const char variable : {'a', 'b', 'c', 'd', 'e', 'f', 'g'}) {
    expression = ten + ".all(" + variable + ", " + expression + ")";
  }
  EXPECT_EQ(evaluate_text(expression), "error: operation cancelled: actual cost limit exceeded");
  // || does not absorb it: whoever pays must see it.
  EXPECT_EQ(evaluate_text(expression + " || true"),
            "error: operation cancelled: actual cost limit exceeded");
}

TEST(Program, ChargesWhatWasRead) {
  const auto cost = [](std::string_view expression) {
    const auto program = Program::compile(expression, sample_environment());
    EXPECT_TRUE(program.ok()) << expression;
    Budget budget;
    (void)program->evaluate(sample_bindings(), budget);
    return budget.spent;
  };
  EXPECT_EQ(cost("1"), 0u);
  EXPECT_EQ(cost("number"), 1u);
  EXPECT_EQ(cost("object.spec.replicas"), 3u);
  EXPECT_EQ(cost("number + 1"), 2u);
  EXPECT_EQ(cost("[1, 2]"), 10u);
  EXPECT_EQ(cost("{'a': 1}"), 30u);
  EXPECT_EQ(cost("[1, 2, 3].all(x, x > 0)"), 10u + 3 * (3 + 2) + 1);
  EXPECT_EQ(cost("[1, 2, 3].exists(x, x > 9)"), 10u + 3 * (4 + 2) + 1);
  EXPECT_EQ(cost("[1, 2].map(x, x)"), 10u + 2 * (12 + 1) + 1);
  EXPECT_EQ(cost("number in [1, 2, 3]"), 1u + 10 + 3);
  EXPECT_EQ(cost("words[0] == 'x'"), 3u);
  EXPECT_EQ(cost("'0123456789abc' + 'x'"), 2u);
  EXPECT_EQ(cost("'0123456789'.matches('[0-9]+')"), 2u * 2);
  EXPECT_GT(cost("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.contains('b')"),
            cost("'a'.contains('b')"));
}

TEST(Program, SharesOneBudgetAmongExpressions) {
  const auto program = Program::compile("number + 1", sample_environment());
  ASSERT_TRUE(program.ok());
  Budget budget{.limit = 3};
  EXPECT_TRUE(program->evaluate(sample_bindings(), budget).ok());
  EXPECT_FALSE(program->evaluate(sample_bindings(), budget).ok());
}

TEST(Program, BoundsDepthAndLength) {
  EXPECT_NE(evaluate_text(std::string(10'000, '(')).find("nested deeper"), std::string::npos);
  EXPECT_NE(evaluate_text(std::string(10'000, '[')).find("nested deeper"), std::string::npos);
  std::string sum = "1", any = "false";
  for (int i = 0; i < 1000; ++i) sum += "+1", any += "||false";
  EXPECT_NE(evaluate_text(sum).find("nested deeper"), std::string::npos);
  EXPECT_EQ(evaluate_text(any), "false");
  std::string signs;
  for (int i = 0; i < 10'000; ++i) signs += i % 2 == 0 ? "-" : "!";
  EXPECT_NE(evaluate_text(signs + "1").find("nested deeper"), std::string::npos);
  EXPECT_NE(evaluate_text(std::string(70'000, ' ')).find("more than the 65536"), std::string::npos);
}

TEST(Program, RefusesTextsThatMultiply) {
  std::string expression = "['" + std::string(1000, 'x') + "']";
  for (int i = 0; i < 40; ++i) expression += ".map(s, s + s)";
  EXPECT_TRUE(evaluate_text(expression).starts_with("error: "));
}

TEST(Program, RefusesListsThatDouble) {
  std::string expression = "[[1]]";
  for (int i = 0; i < 40; ++i) expression += ".map(x, [x, x])";
  EXPECT_EQ(evaluate_text("(" + expression + ") == (" + expression + ")"),
            "error: the list would have too many parts");
  std::string ones = "1";
  for (int i = 0; i < 5000; ++i) ones += ",1";
  EXPECT_EQ(evaluate_text("[" + ones + "].map(x, [" + ones + "])"),
            "error: operation cancelled: actual cost limit exceeded");
}

TEST(Program, ChargesForWhatAReplacementMakes) {
  const std::string long_text = "'" + std::string(5000, 'x') + "'";
  std::string ones = "1";
  for (int i = 0; i < 1000; ++i) ones += ",1";
  EXPECT_EQ(
      evaluate_text("[" + ones + "].map(x, " + long_text + ".replace('', " + long_text + "))"),
      "error: the text would be longer than 10485760 bytes");
  EXPECT_EQ(evaluate_text("[" + ones + "].map(x, " + long_text + ".replace('', 'xxxxxxxxxxxx'))"),
            "error: operation cancelled: actual cost limit exceeded");
}

TEST(Program, AnswersBooleansInOneCall) {
  const auto program =
      Program::compile("object.spec.replicas <= number", sample_environment(), Kind::kBool);
  ASSERT_TRUE(program.ok());
  const auto holds = program->evaluate_bool(sample_bindings());
  ASSERT_TRUE(holds.ok());
  EXPECT_TRUE(*holds);
}

}  // namespace
}  // namespace minik::control::cel
