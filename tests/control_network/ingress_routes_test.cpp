#include "control/network/ingress_routes.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

Value yaml(std::string_view text) {
  auto parsed = parse_yaml(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed->at(0).value;
}

constexpr std::string_view kClass =
    "metadata: {name: minik, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}\n"
    "spec: {controller: minik.dev/ingress}";

// Every Service exists, has the port 80 named http, and one endpoint; "gone" does not exist.
class IngressRoutesTest : public ::testing::Test {
 protected:
  IngressRoutesTest() {
    world.classes = {yaml(kClass)};
    world.service = [](std::string_view, std::string_view name) {
      return name == "gone" ? Value()
                            : yaml("spec: {ports: [{name: http, port: 80, protocol: TCP}]}");
    };
    world.slices = [](std::string_view, std::string_view) {
      return std::vector<Value>{
          yaml("addressType: IPv4\nports: [{name: http, port: 8080, protocol: TCP}]\n"
               "endpoints: [{addresses: [10.244.0.5]}]")};
    };
    world.secret = [](std::string_view, std::string_view) {
      return yaml("data: {tls.crt: Y2VydA==, tls.key: a2V5}");
    };
  }

  // "host path type service" lines of one Ingress, the older the smaller `age`.
  void add(int age, std::string_view rules, std::string_view extra = "") {
    std::string text =
        cat("metadata: {name: i", age, ", namespace: default, creationTimestamp: '2026-01-0", age,
            "T00:00:00Z'}\nspec:\n  rules:\n");
    for (const auto line : split(rules, '\n')) {
      const auto words = split(line, ' ');
      text += cat("  - {host: '", words[0] == "any" ? "" : words[0], "', http: {paths: [{path: '",
                  words[1], "', pathType: ", words[2], ", backend: {service: {name: ", words[3],
                  ", port: {number: 80}}}}]}}\n");
    }
    world.ingresses.push_back(yaml(cat(text, extra)));
  }

  std::string route(std::string_view host, std::string_view path) const {
    const auto routes = ingress_routes(world);
    const auto* backend = routes.find(host, path);
    return backend == nullptr ? "none" : backend->name;
  }

  IngressWorld world;
};

TEST_F(IngressRoutesTest, MatchPrefixesByWholeElementsAndExactPathsAsTheyAre) {
  add(1, "a.org /foo Prefix foo\na.org /bar Exact bar\na.org /slash/ Prefix slash");
  EXPECT_EQ(route("a.org", "/foo"), "default/foo:80");
  EXPECT_EQ(route("a.org", "/foo/deep"), "default/foo:80");
  EXPECT_EQ(route("a.org", "/food"), "none");
  EXPECT_EQ(route("a.org", "/bar"), "default/bar:80");
  EXPECT_EQ(route("a.org", "/bar/"), "none");
  EXPECT_EQ(route("a.org", "/slash"), "default/slash:80");
  EXPECT_EQ(route("A.ORG", "/foo"), "default/foo:80");
}

TEST_F(IngressRoutesTest, PreferTheLongestPathThenTheExactOneThenTheOlderIngress) {
  add(2, "a.org / Prefix young");
  add(1,
      "a.org / Prefix root\na.org /api Prefix api\na.org /api Exact exact\na.org /api/v1 Prefix "
      "v1");
  EXPECT_EQ(route("a.org", "/"), "default/root:80");
  EXPECT_EQ(route("a.org", "/api"), "default/exact:80");
  EXPECT_EQ(route("a.org", "/api/x"), "default/api:80");
  EXPECT_EQ(route("a.org", "/api/v1/pods"), "default/v1:80");
}

TEST_F(IngressRoutesTest, LookUnderTheHostThenItsWildcardThenAnyHostThenTheDefault) {
  add(1, "a.org /own Prefix own\n*.org / Prefix wild\nany /any Prefix any",
      "  defaultBackend: {service: {name: last, port: {name: http}}}");
  EXPECT_EQ(route("a.org", "/own"), "default/own:80");
  EXPECT_EQ(route("a.org", "/x"), "default/wild:80");
  EXPECT_EQ(route("b.a.org", "/x"), "default/last:http") << "a wildcard stands for one label";
  EXPECT_EQ(route("elsewhere", "/any/x"), "default/any:80");
  EXPECT_EQ(route("", "/x"), "default/last:http");
}

TEST_F(IngressRoutesTest, BelongToTheirClassOrToTheDefaultOne) {
  add(1, "a.org / Prefix mine");
  add(2, "b.org / Prefix theirs", "  ingressClassName: nginx");
  EXPECT_EQ(route("a.org", "/"), "default/mine:80");
  EXPECT_EQ(route("b.org", "/"), "none");
  world.classes = {yaml("metadata: {name: minik}\nspec: {controller: minik.dev/ingress}")};
  EXPECT_EQ(route("a.org", "/"), "none") << "no class, and none is the default";
}

TEST_F(IngressRoutesTest, CarryEndpointsAndKnowWhatIsMissing) {
  add(1, "a.org / Prefix web\na.org /gone Prefix gone");
  const auto routes = ingress_routes(world);
  const auto* web = routes.find("a.org", "/");
  ASSERT_EQ(web->endpoints.size(), 1U);
  EXPECT_EQ(web->endpoints[0].port, 8080);
  EXPECT_FALSE(routes.find("a.org", "/gone")->exists);
}

TEST_F(IngressRoutesTest, CarryTheCertificatesOfTheirSecrets) {
  add(1, "a.org / Prefix web", "  tls: [{hosts: [A.org], secretName: s}]");
  const auto routes = ingress_routes(world);
  ASSERT_EQ(routes.certificates.size(), 1U);
  EXPECT_EQ(routes.certificates[0].hosts, std::vector<std::string>{"a.org"});
  EXPECT_EQ(routes.certificates[0].certificate_pem, "cert");
}

}  // namespace
}  // namespace minik::control
