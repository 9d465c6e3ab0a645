// cel-spec chapter by chapter: literals, operators, comparisons, lists, maps, macros, conversions,
// time.
#include "tests/cel/evaluate.h"

namespace minik::control::cel {
namespace {

TEST(Cel, ReadsLiteralsOfEveryForm) {
  expect_all({{"0x1F", "31"},
              {"-0x10", "-16"},
              {"5u", "5"},
              {"1.5e3", "1500"},
              {".5", "0.5"},
              {"null", "null"},
              {"true", "true"},
              {"-9223372036854775808", "-9223372036854775808"},
              {"'a\\'b'", "\"a'b\""},
              {"r'a\\n'", "\"a\\\\n\""},
              {"'''a\nb'''", "\"a\\nb\""},
              {"'\\u00e9' == 'é'", "true"},
              {"'\\x41\\101\\U0001F600' == 'AA😀'", "true"},
              {"b'\\xff\\x00'.size()", "2"},
              {"bytes('é').size()", "2"},
              {"rb'\\n'.size()", "2"},
              {"1 // a comment\n + 2", "3"},
              {"[1, 2,]", "[1,2]"},
              {"{'a': 1,}", "{\"a\":1}"}});
}

TEST(Cel, NamesThePlaceOfAWrongLiteral) {
  expect_all(
      {{"9223372036854775808", "compile: ERROR: <input>:1:1: invalid int literal"},
       {"'abc", "compile: ERROR: <input>:1:1: Syntax error: the literal has no closing quote"},
       {"'\\q'",
        "compile: ERROR: <input>:1:2: Syntax error: unknown escape; known are \\a \\b \\f \\n \\r "
        "\\t \\v \\\\ \\? \\\" \\' \\` \\x \\u \\U and octal"},
       {"'\\ud800'",
        "compile: ERROR: <input>:1:2: Syntax error: the escape is no Unicode character"},
       {"1 +",
        "compile: ERROR: <input>:1:4: Syntax error: found the end where an expression should be"},
       {"1 @ 2", "compile: ERROR: <input>:1:3: Syntax error: token recognition error at: \"@\""},
       {"(1 + 2", "compile: ERROR: <input>:1:7: Syntax error: found the end where \")\" should be"},
       {"for", "compile: ERROR: <input>:1:1: Syntax error: reserved identifier: for"},
       {"1 ==\n  'é' +",
        "compile: ERROR: <input>:2:8: Syntax error: found the end where an expression should be"}});
}

TEST(Cel, BindsOperatorsAsTheGrammarSays) {
  expect_all({{"1 + 2 * 3", "7"},
              {"(1 + 2) * 3", "9"},
              {"10 - 3 - 2", "5"},
              {"-2 * -3", "6"},
              {"- - 2", "2"},
              {"!!true", "true"},
              {"1 + 1 == 2 && 2 < 3", "true"},
              {"true || false && false", "true"},
              {"false ? 1 : true ? 2 : 3", "2"},
              {"7 / 2", "3"},
              {"-7 / 2", "-3"},
              {"-7 % 3", "-1"},
              {"7u % 4u", "3"},
              {"2.0 * 1.5", "3"},
              {"1.0 / 0.0 > 1e308", "true"},
              {"-number", "-7"},
              {"!(number > 3)", "false"}});
}

TEST(Cel, RefusesToWrapAround) {
  expect_all({{"9223372036854775807 + 1", "error: integer overflow"},
              {"-9223372036854775808 - 1", "error: integer overflow"},
              {"9223372036854775807 * 2", "error: integer overflow"},
              {"-(-9223372036854775808)", "error: integer overflow"},
              {"0u - 1u", "error: unsigned integer overflow"},
              {"1 / 0", "error: division by zero"},
              {"1 % 0", "error: modulus by zero"},
              {"-9223372036854775808 / -1", "error: integer overflow"}});
}

TEST(Cel, ComparesNumbersOfDifferentTypesByAmount) {
  expect_all({{"1 < 2u", "true"},
              {"1.5 > 1", "true"},
              {"-1 < 0u", "true"},
              {"dyn(1) == 1.0", "true"},
              {"dyn(1) == 1u", "true"},
              {"9223372036854775807 < 9223372036854775808.0", "true"},
              {"dyn(1) == '1'", "false"},
              {"double('NaN') == double('NaN')", "false"},
              {"double('NaN') < 1.0", "false"},
              {"'a' < 'b'", "true"},
              {"b'a' < b'b'", "true"},
              {"false < true", "true"},
              {"1 in [1.0]",
               "compile: ERROR: <input>:1:3: found no matching overload for '@in' applied to "
               "'(int, list(double))'"},
              {"dyn(1) in [1.0]", "true"},
              {"[1, [2]] == [1, 2]",
               "compile: ERROR: <input>:1:5: expected type 'int' but found 'list(int)'"}});
}

TEST(Cel, LetsOneSideDecideDespiteAnErrorOfTheOther) {
  expect_all({{"1 / 0 == 1 || true", "true"},
              {"true || 1 / 0 == 1", "true"},
              {"1 / 0 == 1 && false", "false"},
              {"1 / 0 == 1 && true", "error: division by zero"},
              {"false || 1 / 0 == 1", "error: division by zero"},
              {"object.missing == 1 || true || false", "true"},
              {"true ? 1 : 1 / 0", "1"},
              {"[1, 0].exists(x, 1 / x == 1)", "true"},
              {"[0, 1].exists(x, 1 / x == 1)", "true"},
              {"[0, 2].all(x, 4 / x == 1)", "false"},
              {"[0, 4].all(x, 4 / x == 1)", "error: division by zero"}});
}

TEST(Cel, ReadsDocumentsInPlace) {
  expect_all({{"object.metadata.name", "\"web-1\""},
              {"object['metadata']['name']", "\"web-1\""},
              {"object.spec.containers[1].image", "\"redis:7\""},
              {"object.spec.ratio", "0.5"},
              {"object.spec.missing", "error: no such key: missing"},
              {"object.spec.containers[2]", "error: index out of bounds: 2"},
              {"object.spec.containers[-1]", "error: index out of bounds: -1"},
              {"object.metadata.name.size()", "5"},
              {"object.metadata.name.first", "error: no such overload"},
              {"has(object.spec.replicas)", "true"},
              {"has(object.spec.missing)", "false"},
              {"has(object.missing.deeper)", "error: no such key: missing"},
              {"'app' in object.metadata.labels", "true"},
              {"object.metadata.labels == {'tier': 'front', 'app': 'web'}", "true"},
              {"object.spec.containers.map(c, c.name)", "[\"a\",\"b\"]"},
              {"object.spec.nodeName == null", "true"}});
}

TEST(Cel, MakesListsAndMaps) {
  expect_all({{"[1] + [2, 3]", "[1,2,3]"},
              {"size([1, 2])", "2"},
              {"{'a': 1}.a", "1"},
              {"{1: 'x'}[1]", "\"x\""},
              {"{1: 'x'}[dyn(1u)]", "\"x\""},
              {"{true: 1}[true]", "1"},
              {"{'a': 1, 'a': 2}", "error: duplicate key in map: \"a\""},
              {"{'b': 1, 'a': 2}", "{\"a\":2,\"b\":1}"},
              {"[] == [1]", "false"},
              {"{}.size()", "0"},
              {"[1, 2][dyn(1.0)]", "2"},
              {"{'a': [1, dyn({'b': null})]}", "{\"a\":[1,{\"b\":null}]}"}});
}

TEST(Cel, RunsEveryMacro) {
  expect_all({{"[1, 2, 3].all(x, x > 0)", "true"},
              {"[].all(x, x > 0)", "true"},
              {"[1, 2].exists(x, x == 2)", "true"},
              {"[1, 2, 2].exists_one(x, x == 2)", "false"},
              {"[1, 2].existsOne(x, x == 2)", "true"},
              {"[1, 2].map(x, x * 2)", "[2,4]"},
              {"[1, 2].map(x, x > 1, x * 2)", "[4]"},
              {"[1, 2].filter(x, x > 1)", "[2]"},
              {"{'a': 1}.all(k, k == 'a')", "true"},
              {"{'b': 1, 'a': 2}.map(k, k)", "[\"a\",\"b\"]"},
              {"[1, 2].map(x, [3, 4].map(y, x * y))", "[[3,4],[6,8]]"},
              {"[1, 2].map(number, number)", "[1,2]"},
              {"[5, 6].all(i, v, v == i + 5)", "true"},
              {"{'a': 1}.exists(k, v, k == 'a' && v == 1)", "true"},
              {"[5, 6].transformList(i, v, i + v)", "[5,7]"},
              {"[5, 6].transformList(i, v, i > 0, v)", "[6]"},
              {"{'a': 1, 'b': 2}.transformMap(k, v, v * 10)", "{\"a\":10,\"b\":20}"},
              {"{'a': 1}.transformMapEntry(k, v, {v: k})", "{\"1\":\"a\"}"},
              {"words.map(w, w + '!')", "[\"x!\",\"y!\"]"},
              {"has(object)",
               "compile: ERROR: <input>:1:4: invalid argument to has() macro: it takes a field "
               "selection such as has(object.spec)"},
              {"[1].all(1, true)", "compile: ERROR: <input>:1:9: argument must be a simple name"}});
}

TEST(Cel, TreatsOptionalValuesAsValuesThatMayBeMissing) {
  expect_all({{"object.?spec.?replicas.orValue(1)", "3"},
              {"object.?missing.?deeper.orValue(1)", "1"},
              {"object.?spec.missing.hasValue()", "false"},
              {"object.spec.containers[?0].?image.value()", "\"nginx:1.25\""},
              {"object.spec.containers[?9].hasValue()", "false"},
              {"optional.none().orValue(4)", "4"},
              {"optional.of(1).or(optional.of(2)).value()", "1"},
              {"optional.none().value()", "error: optional.none() dereference"},
              {"optional.ofNonZeroValue('').hasValue()", "false"},
              {"optional.of(2).optMap(x, x * 3).value()", "6"},
              {"optional.of(2).optFlatMap(x, optional.none()).hasValue()", "false"},
              {"[1, ?object.?spec.?replicas, ?optional.none()]", "[1,3]"},
              {"{?'a': optional.none(), 'b': 1}", "{\"b\":1}"},
              {"{'a': 1}[?'b'].orValue(2)", "2"}});
}

TEST(Cel, ConvertsBetweenTypes) {
  expect_all(
      {{"int('-12')", "-12"},
       {"int(3.9)", "3"},
       {"int(-3.9)", "-3"},
       {"int(1e19)", "error: integer overflow"},
       {"uint(-1)", "error: unsigned integer overflow"},
       {"int(18446744073709551615u)", "error: integer overflow"},
       {"double('1.5')", "1.5"},
       {"string(1.5)", "\"1.5\""},
       {"string(5u)", "\"5\""},
       {"string(1000000.0) + string(0.00001)", "\"1e+061e-05\""},
       {"string(b'hi')", "\"hi\""},
       {"string(b'\\xff')", "error: invalid UTF-8 in bytes, cannot convert to string"},
       {"bool('true')", "true"},
       {"int('x')", "error: type conversion error from 'string' to 'int': \"x\""},
       {"type(1) == int", "true"},
       {"type([]) == list && type({}) == map && type(null) == null_type && type(int) == type",
        "true"},
       {"type(timestamp(0)) == google.protobuf.Timestamp", "true"},
       {"dyn('a') + 'b'", "\"ab\""}});
}

TEST(Cel, KnowsTimestampsAndDurations) {
  expect_all(
      {{"timestamp('2026-01-02T03:04:05.5+01:00')", "\"2026-01-02T02:04:05.5Z\""},
       {"timestamp(0)", "\"1970-01-01T00:00:00Z\""},
       {"timestamp('0001-01-01T00:00:00Z') - duration('1s')", "error: timestamp overflow"},
       {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "error: timestamp overflow"},
       {"timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "true"},
       {"duration('1h30m') + duration('500ms')", "\"5400.5s\""},
       {"duration('-1.5s')", "\"-1.5s\""},
       {"timestamp('2026-11-24T01:02:03.456Z').getHours()", "1"},
       {"timestamp('2026-11-24T01:02:03Z').getHours('-02:00')", "23"},
       {"timestamp('2026-11-24T01:02:03Z').getDayOfWeek()", "2"},
       {"timestamp('2026-11-24T00:00:00Z').getMonth()", "10"},
       {"timestamp('2024-12-31T00:00:00Z').getDayOfYear()", "365"},
       {"duration('90m').getHours()", "1"},
       {"timestamp(words[0]) > timestamp('2026-01-02T00:00:00Z')",
        "error: invalid timestamp \"x\"; it must be RFC 3339 such as 2026-01-02T03:04:05Z"},
       {"timestamp('2026-11-24T01:02:03.456Z').getMilliseconds()", "456"},
       {"timestamp('2026-02-30T00:00:00Z')",
        "compile: ERROR: <input>:1:11: invalid timestamp argument: invalid timestamp \"2026-02-30T00:00:00Z\"; it must be RFC 3339 such as "
        "2026-01-02T03:04:05Z"},
       {"timestamp('2026-01-15T12:00:00Z').getHours('America/New_York')", "7"},
       {"timestamp('2026-07-15T12:00:00Z').getHours('America/New_York')", "8"},
       {"timestamp('2026-07-15T23:30:00Z').getDate('Asia/Kolkata')", "16"},
       {"timestamp('2060-07-15T12:00:00Z').getHours('Europe/Berlin')", "14"},
       {"timestamp(0).getHours('Europe/Nowhere')", "error: unknown time zone Europe/Nowhere"},
       {"timestamp(0) < timestamp(1)", "true"},
       {"int(timestamp('1970-01-01T00:01:00Z'))", "60"}});
}

}  // namespace
}  // namespace minik::control::cel
