// The libraries: text, regular expressions, lists, sets, quantities, versions, URLs, addresses.
#include "tests/cel/evaluate.h"

namespace minik::control::cel {
namespace {

TEST(CelText, CountsCharactersNotBytes) {
  expect_all({{"'héllo'.size()", "5"},
              {"'héllo'.charAt(1)", "\"é\""},
              {"'héllo'.indexOf('l')", "2"},
              {"'héllo'.lastIndexOf('l')", "3"},
              {"'héllo'.substring(1, 3)", "\"él\""},
              {"'héllo'.charAt(5)", "\"\""},
              {"'abc'.charAt(4)", "error: index out of range: 4"},
              {"'abc'.substring(2, 1)", "error: invalid substring range. start: 2, end: 1"},
              {"'héllo'.reverse()", "\"olléh\""}});
}

TEST(CelText, SearchesSplitsAndReplaces) {
  expect_all({{"'abc'.contains('bc')", "true"},
              {"'abc'.startsWith('ab') && 'abc'.endsWith('bc')", "true"},
              {"'a,b,c'.split(',')", "[\"a\",\"b\",\"c\"]"},
              {"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
              {"'ab'.split('')", "[\"a\",\"b\"]"},
              {"'a,b'.split(',', 0)", "[]"},
              {"''.split(',')", "[\"\"]"},
              {"['a', 'b'].join('-')", "\"a-b\""},
              {"[].join()", "\"\""},
              {"'hello'.replace('l', 'L')", "\"heLLo\""},
              {"'hello'.replace('l', 'L', 1)", "\"heLlo\""},
              {"'ab'.replace('', '-')", "\"-a-b-\""},
              {"' \\t a \\u00a0'.trim()", "\"a\""},
              {"'TacoCat'.lowerAscii() + 'é'.upperAscii()", "\"tacocaté\""},
              {"strings.quote('a\"b')", "\"\\\"a\\\\\\\"b\\\"\""}});
}

TEST(CelText, Formats) {
  expect_all({{"'%s is %d of %.2f%%'.format(['a', 5, 2.5])", "\"a is 5 of 2.50%\""},
              {"'%x %X %o %b'.format([255, 255, 8, 5])", "\"ff FF 10 101\""},
              {"'%d'.format(['a'])", "error: formatting clause %d does not take this argument"},
              {"'%s'.format([])", "error: index 0 out of range"},
              {"'%s'.format([[1, 2]])", "\"[1,2]\""}});
}

TEST(CelText, MatchesRegularExpressionsAnywhereInTheText) {
  expect_all({{"'web-12'.matches('[0-9]+')", "true"},
              {"'web'.matches('^[a-c]+$')", "false"},
              {"matches('x', object.metadata.name)", "false"},
              {"'abc 123 45'.find('[0-9]+')", "\"123\""},
              {"'123 45 6'.findAll('[0-9]+')", "[\"123\",\"45\",\"6\"]"},
              {"'123 45 6'.findAll('[0-9]+', 2)", "[\"123\",\"45\"]"},
              {"'abc'.findAll('z*').size()", "4"},
              {"'a'.matches('(')",
               "compile: ERROR: <input>:1:13: invalid matches argument: error parsing regexp: "
               "missing ): (: `(`"},
              {"'a'.matches(object.metadata.name + '(')",
               "error: error parsing regexp: missing ): web-1(: `web-1(`"}});
}

TEST(CelList, SumsAndSorts) {
  expect_all({{"[1, 2, 2].isSorted()", "true"},
              {"['b', 'a'].isSorted()", "false"},
              {"[1, 2, 3].sum()", "6"},
              {"[1.5, 2.0].sum()", "3.5"},
              {"[].sum()", "0"},
              {"[duration('1s'), duration('2s')].sum()", "\"3s\""},
              {"[3, 1, 2].min()", "1"},
              {"['a', 'c'].max()", "\"c\""},
              {"[].min()", "error: min called on empty list"},
              {"[1, 2, 1].indexOf(1)", "0"},
              {"[1, 2, 1].lastIndexOf(1)", "2"},
              {"[1].indexOf(5)", "-1"}});
}

TEST(CelSets, CompareWithoutOrder) {
  expect_all({{"sets.contains([1, 2, 3], [3, 1])", "true"},
              {"sets.equivalent([1, 2, 2], [2, 1])", "true"},
              {"sets.intersects([1], [2])", "false"}});
}

TEST(CelKubernetes, CalculatesWithQuantities) {
  expect_all(
      {{"quantity('500m').isLessThan(quantity('1'))", "true"},
       {"quantity('1Gi').compareTo(quantity('1024Mi'))", "0"},
       {"quantity('1Gi') == quantity('1024Mi')", "true"},
       {"quantity('50k').asInteger()", "50000"},
       {"quantity('500m').asInteger()", "error: cannot convert value to integer"},
       {"quantity('1500m').asApproximateFloat()", "1.5"},
       {"quantity('1').add(quantity('500m')).sub(1) == quantity('500m')", "true"},
       {"quantity('-1').sign()", "-1"},
       {"isQuantity('1.3Gi') && !isQuantity('1 apple')", "true"},
       {"quantity(object.spec.containers[1].resources.limits.cpu).isGreaterThan(quantity('400m'))",
        "true"}});
}

TEST(CelKubernetes, OrdersSemanticVersions) {
  expect_all({{"semver('1.2.3').isLessThan(semver('1.10.0'))", "true"},
              {"semver('1.0.0-rc.2').isLessThan(semver('1.0.0-rc.10'))", "true"},
              {"semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))", "true"},
              {"semver('1.0.0+a') == semver('1.0.0+b')", "true"},
              {"isSemver('1.2')", "false"},
              {"isSemver('v1.2', true)", "true"},
              {"semver('4.5.6').minor()", "5"},
              {"isSemver('01.2.3')", "false"}});
}

TEST(CelKubernetes, TakesUrlsApart) {
  expect_all(
      {{"url('https://user@example.com:8080/a%20b?x=1&y=a+b&x=2').getHost()",
        "\"example.com:8080\""},
       {"url('https://[::1]:80/').getHostname()", "\"::1\""},
       {"url('https://[::1]:80/').getPort()", "\"80\""},
       {"url('/only/path').getEscapedPath()", "\"/only/path\""},
       {"url('https://e.com/?x=1&y=a+b&x=2').getQuery()", "{\"x\":[\"1\",\"2\"],\"y\":[\"a b\"]}"},
       {"isURL('not a url') || isURL('relative')", "false"},
       {"url('HTTPS://e.com').getScheme()", "\"https\""}});
}

TEST(CelKubernetes, ValidatesNamedFormats) {
  expect_all(
      {{"format.dns1123Label().validate('web-1').hasValue()", "false"},
       {"format.dns1123Label().validate('Web').value().size()", "1"},
       {"format.dns1123LabelPrefix().validate('web-').hasValue()", "false"},
       {"format.dns1123Label().validate('web-').hasValue()", "true"},
       {"format.named('uuid').value().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
        "false"},
       {"format.uuid().validate('123e4567').value()", "[\"does not match the UUID format\"]"},
       {"format.named('nothing').hasValue()", "false"},
       {"format.byte().validate('aGVsbG8=').hasValue()", "false"},
       {"format.byte().validate('a').value()", "[\"invalid base64\"]"},
       {"format.date().validate('2021-02-29').value()", "[\"invalid date\"]"},
       {"format.datetime().validate('2021-01-01T00:00:00Z').hasValue()", "false"},
       {"format.uri().validate('http://example.com').hasValue()", "false"},
       {"format.labelValue().validate('a b').hasValue()", "true"},
       {"format.qualifiedName().validate('example.com/name').hasValue()", "false"}});
}

TEST(CelKubernetes, KnowsAddressesAndTheirRanges) {
  expect_all({{"ip('10.0.0.1').family()", "4"},
              {"string(ip('2001:DB8::1'))", "\"2001:db8::1\""},
              {"ip.isCanonical('2001:DB8::1')", "false"},
              {"isIP('::ffff:1.2.3.4') || isIP('1.2.3') || isIP('01.2.3.4')", "false"},
              {"ip('127.0.0.1').isLoopback()", "true"},
              {"ip('fe80::1').isLinkLocalUnicast()", "true"},
              {"ip('8.8.8.8').isGlobalUnicast()", "true"},
              {"ip('0.0.0.0').isUnspecified()", "true"},
              {"cidr('10.0.0.0/8').containsIP('10.2.3.4')", "true"},
              {"cidr('10.0.0.0/8').containsCIDR('10.0.0.0/7')", "false"},
              {"string(cidr('10.1.2.3/8').masked())", "\"10.0.0.0/8\""},
              {"cidr('2001:db8::/32').prefixLength()", "32"},
              {"cidr('10.0.0.0/8').ip() == ip('10.0.0.0')", "true"},
              {"isCIDR('10.0.0.0/33')", "false"}});
}

}  // namespace
}  // namespace minik::control::cel
