// The objects that expressions of mutating policies make: Object{…} and JSONPatch{…}.
#include "tests/cel/evaluate.h"

namespace minik::control::cel {
namespace {

std::string made(std::string_view expression, const Type& wanted = {}) {
  static const Environment environment(sample_environment().variables(), ObjectForms::kMutations);
  const auto program = Program::compile(expression, environment, wanted);
  if (!program) return "compile: " + program.error().message.substr(0, program.error().message.find('\n'));
  Budget budget;
  const auto result = program->evaluate(sample_bindings(), budget);
  return result ? result->display() : "error: " + result.error().message;
}

TEST(CelObjects, HaveTheFieldsThatAreNamed) {
  EXPECT_EQ(made("Object{}"), "{}");
  EXPECT_EQ(made("Object{spec: Object.spec{replicas: number, list: [Object.spec.list{a: 'b'}]}, kind: 'x',}"),
            R"({"kind":"x","spec":{"list":[{"a":"b"}],"replicas":7}})");
  EXPECT_EQ(made("Object{?a: optional.none(), ?b: optional.of(1)}"), R"({"b":1})");
  EXPECT_EQ(made("Object{a: 1, a: 2}"), "error: duplicate key in map: \"a\"");
}

TEST(CelObjects, AreValuesLikeOthers) {
  EXPECT_EQ(made("Object{a: 1} == Object{a: 1}"), "true");
  EXPECT_EQ(made("dyn(Object{a: 1}) == dyn(Object.spec{a: 1})"), "false");
  EXPECT_EQ(made("Object{a: {'b': 2}}.a.b + 1"), "3");
  EXPECT_EQ(made("has(Object{a: 1}.b)"), "false");
  EXPECT_EQ(made("Object{a: 1}.b"), "error: no such key: b");
  EXPECT_EQ(made("[1, 2].map(i, Object.spec{n: i})"), R"([{"n":1},{"n":2}])");
}

TEST(CelObjects, OfDifferentTypesDoNotMix) {
  EXPECT_EQ(made("[Object.a{}, Object.b{}]"), "compile: ERROR: <input>:1:22: expected type 'Object.a' but found 'Object.b'");
  EXPECT_EQ(made("Object.spec{}", Type::open_object("Object")),
            "compile: ERROR: <input>:1:1: expression must evaluate to Object, but is of type Object.spec");
  EXPECT_EQ(made("Pod{}"), "compile: ERROR: <input>:1:4: undeclared reference to 'Pod' (in container '')");
  EXPECT_EQ(made("words[0]{a: 1}"), "compile: ERROR: <input>:1:9: Syntax error: found \"{\" where an operator should be");
}

TEST(CelObjects, JsonPatchesHaveTheirFourFields) {
  EXPECT_EQ(made("[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey('x/y~z'), value: words}]", Type::list(json_patch_type())),
            R"([{"op":"add","path":"/a/x~1y~0z","value":["x","y"]}])");
  EXPECT_EQ(made("JSONPatch{op: 'move', from: '/a', path: '/b'}.from"), "\"/a\"");
  EXPECT_EQ(made("JSONPatch{op: number}"),
            "compile: ERROR: <input>:1:15: expected type of field 'op' is 'string' but provided type is 'int'");
  EXPECT_EQ(made("JSONPatch{op: dyn(number)}"), "error: unexpected type int for JSONPatch 'op' field");
  EXPECT_EQ(made("JSONPatch{operation: 'add'}"), "compile: ERROR: <input>:1:11: undefined field 'operation'");
}

TEST(CelObjects, AreOnlyMadeWherePoliciesChangeSomething) {
  EXPECT_EQ(evaluate_text("jsonpatch.escapeKey('a')"),
            "compile: ERROR: <input>:1:20: undeclared reference to 'jsonpatch.escapeKey' (in container '')");
}

}  // namespace
}  // namespace minik::control::cel
