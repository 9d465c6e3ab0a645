#include "control/network/ingress_routes.h"

#include <gtest/gtest.h>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/network/ingress_controller.h"
#include "control/object/yaml.h"
#include "tests/controllers/decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kClass = R"(
metadata:
  name: minik
  annotations: {ingressclass.kubernetes.io/is-default-class: "true"}
spec: {controller: minik.dev/ingress-controller}
)";

// Objects by name, as a cluster would have them; a Service "web" and its like made on the spot.
class World {
 public:
  World() { sources.classes = {parse(kClass)}; }

  static Value parse(std::string_view text) {
    auto parsed = parse_yaml(text);
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed->at(0).value;
  }
  void add(std::string_view ingress) { sources.ingresses.push_back(parse(ingress)); }
  // Its one pod has the address; none without one.
  void add_service(std::string_view name, std::string_view address,
                   std::string_view type = "ClusterIP") {
    services[cat("default/", name)] =
        parse(cat("metadata: {name: ", name, ", namespace: default}\nspec: {type: ", type,
                  ", ports: [{name: http, port: 80, targetPort: 8080}, {name: admin, port: 81}]}"));
    slices[cat("default/", name)] = parse(
        cat("addressType: IPv4\nports: [{name: http, port: 8080}, {name: admin, port: 9090}]\n"
            "endpoints: [",
            address.empty() ? "" : cat("{addresses: [", address, "]}"), "]"));
  }
  IngressRoutes routes() {
    sources.service = [this](const ObjectKey& key) { return services[key.text()]; };
    sources.secret = [this](const ObjectKey& key) { return secrets[key.text()]; };
    sources.slices = [this](const ObjectKey& key) {
      const Value& slice = slices[key.text()];
      return slice.has_value() ? std::vector<Value>{slice} : std::vector<Value>{};
    };
    return ingress_routes(sources);
  }
  // What a client sees: the backend's name with its endpoints, or the error.
  std::string ask(std::string_view host, std::string_view path) {
    const IngressRoutes table = routes();
    const auto found = table.find(host, path);
    if (!found) return "404";
    const auto& backend = table.backends()[*found];
    std::string text = backend.name;
    for (const auto& endpoint : backend.endpoints)
      text += cat(" ", format_ipv4(endpoint.address), ":", endpoint.port);
    return backend.endpoints.empty() ? cat("503 ", text) : text;
  }

  IngressSources sources;
  std::map<std::string, Value> services, secrets, slices;
};

std::string ingress(std::string_view name, std::string_view spec,
                    std::string_view created = "2026-03-01T12:00:00Z") {
  return cat("metadata: {name: ", name, ", namespace: default, creationTimestamp: '", created,
             "'}\nspec: ", spec);
}
std::string path(std::string_view text, std::string_view type, std::string_view service) {
  return cat("{path: '", text, "', pathType: ", type, ", backend: {service: {name: ", service,
             ", port: {number: 80}}}}");
}
std::string rule(std::string_view host, const std::vector<std::string>& paths) {
  return cat("{", host.empty() ? "" : cat("host: '", host, "', "), "http: {paths: [",
             join(paths, ", "), "]}}");
}
std::string rules(const std::vector<std::string>& list) {
  return cat("{rules: [", join(list, ", "), "]}");
}

TEST(IngressRoutes, ComparePrefixesElementByElement) {
  World world;
  world.add(
      ingress("a", rules({rule("", {path("/foo", "Prefix", "foo"), path("/bar/", "Prefix", "bar"),
                                    path("/aaa/bbb", "ImplementationSpecific", "deep")})})));
  for (const auto* held : {"/foo", "/foo/", "/foo/bar", "/foo//x"})
    EXPECT_EQ(world.ask("x", held), "503 default/foo:80") << held;
  for (const auto* held : {"/bar", "/bar/", "/bar/x"})
    EXPECT_EQ(world.ask("x", held), "503 default/bar:80") << held;
  for (const auto* held : {"/aaa/bbb", "/aaa/bbb/", "/aaa/bbb/ccc"})
    EXPECT_EQ(world.ask("x", held), "503 default/deep:80") << held;
  for (const auto* other : {"/foobar", "/", "", "*", "/Foo", "/aaa", "/aaa/bb", "/aaa/bbbxyz"})
    EXPECT_EQ(world.ask("x", other), "404") << other;
}

TEST(IngressRoutes, PreferTheLongestPathAndExactOnes) {
  World world;
  world.add(ingress(
      "a", rules({rule("", {path("/", "Prefix", "root"), path("/a", "Prefix", "short"),
                            path("/a/b/", "Prefix", "long"), path("/a/b", "Exact", "exact")})})));
  EXPECT_EQ(world.ask("x", "/"), "503 default/root:80");
  EXPECT_EQ(world.ask("x", "/else"), "503 default/root:80");
  EXPECT_EQ(world.ask("x", "/a/c"), "503 default/short:80");
  EXPECT_EQ(world.ask("x", "/a/b"), "503 default/exact:80");
  EXPECT_EQ(world.ask("x", "/a/b/"), "503 default/long:80");
  EXPECT_EQ(world.ask("x", cat("/a/b/", std::string(5000, '/'))), "503 default/long:80");
}

TEST(IngressRoutes, ExactPathsHoldForNothingElse) {
  World world;
  world.add(ingress(
      "a", rules({rule("", {path("/foo", "Exact", "foo"), path("/bar/", "Exact", "bar")})})));
  EXPECT_EQ(world.ask("x", "/foo"), "503 default/foo:80");
  EXPECT_EQ(world.ask("x", "/foo/"), "404");
  EXPECT_EQ(world.ask("x", "/bar"), "404");
}

TEST(IngressRoutes, CompareHostsWithoutCasePortAndLastDot) {
  World world;
  world.add(ingress("a", rules({rule("Foo.example.com", {path("/", "Prefix", "foo")})})));
  for (const auto* same : {"foo.example.com", "FOO.example.COM:8080", "foo.example.com."})
    EXPECT_EQ(world.ask(same, "/"), "503 default/foo:80") << same;
  for (const auto* other : {"bar.example.com", "example.com", "", "a.foo.example.com", "[::1]:80"})
    EXPECT_EQ(world.ask(other, "/"), "404") << other;
}

TEST(IngressRoutes, LetAWildcardStandForOneLabelAndTheExactHostComeFirst) {
  World world;
  world.add(ingress(
      "a", rules({rule("*.foo.com", {path("/", "Prefix", "wild"), path("/w", "Prefix", "w")}),
                  rule("bar.foo.com", {path("/bar", "Prefix", "bar")}),
                  rule("", {path("/any", "Prefix", "any")})})));
  EXPECT_EQ(world.ask("x.foo.com", "/"), "503 default/wild:80");
  EXPECT_EQ(world.ask("bar.foo.com", "/bar"), "503 default/bar:80");
  EXPECT_EQ(world.ask("bar.foo.com", "/w"), "503 default/w:80")
      << "what the exact host leaves open";
  EXPECT_EQ(world.ask("y.x.foo.com", "/"), "404");
  EXPECT_EQ(world.ask("foo.com", "/"), "404");
  EXPECT_EQ(world.ask(".foo.com", "/"), "404");
  EXPECT_EQ(world.ask("foo.com", "/any/thing"), "503 default/any:80");
}

TEST(IngressRoutes, FallBackToTheDefaultBackendOfTheHostThenToAnyones) {
  World world;
  world.add(ingress("a", R"({defaultBackend: {service: {name: first, port: {number: 80}}}})",
                    "2026-01-01T00:00:00Z"));
  world.add(ingress("b", R"({defaultBackend: {service: {name: second, port: {name: http}}},
 rules: [{host: b.com, http: {paths: [)" +
                             path("/x", "Exact", "x") + "]}}, {host: bare.com}]}"));
  EXPECT_EQ(world.ask("b.com", "/x"), "503 default/x:80");
  EXPECT_EQ(world.ask("b.com", "/y"), "503 default/second:http");
  EXPECT_EQ(world.ask("bare.com", "/y"), "503 default/second:http");
  EXPECT_EQ(world.ask("c.com", "/"), "503 default/first:80");
}

TEST(IngressRoutes, LeadToTheReadyEndpointsOfThePortByNumberOrName) {
  World world;
  world.add_service("web", "10.244.0.7");
  world.add(ingress("a", R"({rules: [{http: {paths: [
 {path: /number, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}},
 {path: /name, pathType: Prefix, backend: {service: {name: web, port: {name: admin}}}},
 {path: /none, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]}}]})"));
  EXPECT_EQ(world.ask("x", "/number"), "default/web:80 10.244.0.7:8080");
  EXPECT_EQ(world.ask("x", "/name"), "default/web:admin 10.244.0.7:9090");
  EXPECT_EQ(world.ask("x", "/none"), "503 default/web:8080");
}

TEST(IngressRoutes, GiveTheOldestIngressWhatTwoWant) {
  World world;
  world.add(
      ingress("a", rules({rule("", {path("/", "Prefix", "young")})}), "2026-03-01T12:00:02Z"));
  world.add(ingress("c", rules({rule("", {path("/", "Prefix", "old")})}), "2026-03-01T12:00:01Z"));
  world.add(ingress("b", rules({rule("", {path("/b", "Prefix", "b")})}), "2026-03-01T12:00:03Z"));
  EXPECT_EQ(world.ask("x", "/"), "503 default/old:80");
  EXPECT_EQ(world.ask("x", "/b"), "503 default/b:80");
}

TEST(IngressRoutes, BelongToClassesOfOurController) {
  World world;
  world.sources.classes.push_back(
      World::parse("metadata: {name: nginx}\nspec: {controller: k8s.io/ingress-nginx}"));
  const auto ours = [&](std::string_view text) {
    return is_our_ingress(World::parse(text), world.sources.classes);
  };
  EXPECT_TRUE(ours("spec: {ingressClassName: minik}"));
  EXPECT_TRUE(ours("spec: {}"));
  EXPECT_FALSE(ours("spec: {ingressClassName: nginx}"));
  EXPECT_FALSE(ours("spec: {ingressClassName: unknown}"));
  EXPECT_FALSE(ours("metadata: {annotations: {kubernetes.io/ingress.class: nginx}}\nspec: {}"));
  EXPECT_TRUE(ours("metadata: {annotations: {kubernetes.io/ingress.class: minik}}\nspec: {}"));
  world.sources.classes[0] =
      World::parse("metadata: {name: minik}\nspec: {controller: minik.dev/ingress-controller}");
  EXPECT_FALSE(ours("spec: {}")) << "our class is not the default";
}

TEST(IngressRoutes, TakeCertificatesFromSecretsForTheHostsThatTheyName) {
  World world;
  world.secrets["default/good"] = World::parse(
      cat("data: {tls.crt: ", to_base64("certificate"), ", tls.key: ", to_base64("key"), "}"));
  world.secrets["default/bad"] = World::parse("data: {tls.crt: Zm9v}");
  world.add(ingress(
      "a",
      "{tls: [{hosts: [A.com, '*.b.com'], secretName: good}, {hosts: [c.com], secretName: bad},"
      " {hosts: [a.com], secretName: good}, {secretName: good}]}"));
  const IngressRoutes table = world.routes();
  ASSERT_EQ(table.certificates().size(), 2U);
  EXPECT_EQ(table.certificates()[0].hosts, (std::vector<std::string>{"a.com", "*.b.com"}));
  EXPECT_EQ(table.certificates()[0].certificate_pem, "certificate");
  EXPECT_EQ(table.certificates()[1].hosts, std::vector<std::string>{""});
  EXPECT_EQ(table.hosts(), (std::vector<std::string>{"*.b.com", "a.com"}));
}

DecisionWorld controller_world() {
  return DecisionWorld(ingress_controller({"127.0.0.1", 80, 443}));
}

constexpr std::string_view kControllerObjects = R"(
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: minik}
spec: {controller: minik.dev/ingress-controller}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site, namespace: default}
spec:
  ingressClassName: minik
  tls: [{hosts: [a.com], secretName: keys}]
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
)";

TEST(IngressController, WritesTheAddressOnceThenSaysWhatIsMissing) {
  auto world = controller_world();
  world.add(kControllerObjects);
  Plan plan = world.decide("default", "site");
  EXPECT_EQ(text_of(plan), "update ingresses site/status | Sync: Answers at http://127.0.0.1:80\n");
  EXPECT_TRUE(plan.events.empty());
  world.cache(kinds::kIngresses).put(plan.writes[0].request.body);
  plan = world.decide("default", "site");
  EXPECT_TRUE(plan.writes.empty()) << "a settled Ingress is silent";
  ASSERT_EQ(plan.events.size(), 2U);
  EXPECT_EQ(plan.events[0].reason, "SecretNotFound");
  EXPECT_EQ(plan.events[1].reason, "ServiceNotFound");
  EXPECT_EQ(plan.events[1].message, R"(service "default/web" does not exist)");
}

TEST(IngressController, IsWokenByWhatTheIngressMentionsAndLeavesOthersAlone) {
  auto world = controller_world();
  world.add(kControllerObjects);
  const auto named = [](std::string_view name) {
    return World::parse(cat("metadata: {name: ", name, ", namespace: default}"));
  };
  const std::vector<ObjectKey> site = {{"default", "site"}};
  EXPECT_EQ(world.woken_by(kinds::kServices, {}, named("web")), site);
  EXPECT_EQ(world.woken_by(kinds::kSecrets, named("keys"), {}), site);
  EXPECT_TRUE(world.woken_by(kinds::kServices, {}, named("other")).empty());
  world.cache(kinds::kIngressclasses).erase("", "minik");
  EXPECT_TRUE(world.decide("default", "site").empty());
}

}  // namespace
}  // namespace minik::control
