// What webhooks and policies may say of themselves, before anybody calls them.
#include "tests/api/user_admission_world.h"

namespace minik::control {
namespace {

class AdmissionRules : public UserAdmissionTest {
 protected:
  std::string refusal_of_webhook(const std::string& found_at, const std::string& resources = "[configmaps]") {
    const auto parsed = parse_yaml(cat(R"(
metadata: {name: hook}
webhooks:
- name: hook.test.io
  clientConfig: )", found_at, R"(
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: [""], apiVersions: [v1], resources: )", resources, R"(, operations: [CREATE]}]
)"), "document");
    CHECK(parsed.ok()) << parsed.error().message;
    const auto made = call("POST", cat(kHooks, "validatingwebhookconfigurations?dryRun=All"), (*parsed)[0].value);
    return made.status == 201 ? "" : made.message();
  }
  std::string refusal_of_conversion(const std::string& webhook) {
    const auto parsed = parse_yaml(cat(R"(
metadata: {name: fishes.sea.org}
spec:
  group: sea.org
  scope: Namespaced
  names: {plural: fishes, kind: Fish}
  conversion: {strategy: Webhook, webhook: )", webhook, R"(}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
)"), "document");
    CHECK(parsed.ok()) << parsed.error().message;
    const auto made = call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All", (*parsed)[0].value);
    return made.status == 201 ? "" : made.message();
  }
  static bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
};

TEST_F(AdmissionRules, AWebhookIsFoundAtAPlainHttpsUrl) {
  EXPECT_EQ(refusal_of_webhook("{url: 'https://hooks.test:8443/check'}"), "");
  EXPECT_TRUE(has(refusal_of_webhook("{url: 'http://hooks.test/'}"), R"(webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only)"));
  EXPECT_TRUE(has(refusal_of_webhook("{url: foo}"), R"("": host must be provided; desired format: https://host[/path])"));
  EXPECT_TRUE(has(refusal_of_webhook("{url: 'https://me:secret@hooks.test/'}"), R"("me:secret": user information is not permitted in the URL)"));
  EXPECT_TRUE(has(refusal_of_webhook("{url: 'https://hooks.test/a?b=c'}"), R"("b=c": query parameters are not permitted in the URL)"));
  EXPECT_TRUE(has(refusal_of_webhook("{url: 'https://hooks.test/a#b'}"), R"("b": fragments are not permitted in the URL)"));
}

TEST_F(AdmissionRules, AWebhookIsFoundAtAPathOfAService) {
  EXPECT_EQ(refusal_of_webhook("{service: {name: s, namespace: n, path: /a/b/}}"), "");
  const auto with = [&](const std::string& more) { return refusal_of_webhook(cat("{service: {name: s, namespace: n, ", more, "}}")); };
  EXPECT_TRUE(has(with("path: foo"), R"(clientConfig.service.path: Invalid value: "foo": must start with a '/')"));
  EXPECT_TRUE(has(with("path: /a//b"), R"("/a//b": segment[1] may not be empty)"));
  EXPECT_TRUE(has(with("port: 70000"), "clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535"));
}

TEST_F(AdmissionRules, AConversionIsFoundInTheSameWayAndSpeaksV1) {
  EXPECT_EQ(refusal_of_conversion("{conversionReviewVersions: [v1], clientConfig: {url: 'https://hooks.test/convert'}}"), "");
  const auto at = [&](const std::string& address) { return refusal_of_conversion(cat("{conversionReviewVersions: [v1], clientConfig: ", address, "}")); };
  EXPECT_TRUE(has(at("{url: 'http://hooks.test/'}"), R"(spec.conversion.webhookClientConfig.url: Invalid value: "http": 'https' is the only)"));
  EXPECT_TRUE(has(at("{service: {name: s, namespace: n, path: foo}}"), "must start with a '/'"));
  EXPECT_TRUE(has(at("{url: 'https://hooks.test/', caBundle: Zm9v}"), "unable to load root certificates: unable to parse bytes as PEM block"));
  EXPECT_TRUE(has(refusal_of_conversion("{conversionReviewVersions: [v3], clientConfig: {url: 'https://hooks.test/'}}"),
                  "spec.conversion.conversionReviewVersions"));
}

TEST_F(AdmissionRules, APatchThatDoesNotFitIsNoFailedCall) {
  register_webhook("mutatingwebhookconfigurations", "add.example.com", "failurePolicy: Ignore");
  webhooks.set("add.example.com", {.answer = sim::WebhookBehaviour::Answer::kPatch, .patch = R"([{"op":"remove","path":"/data/none"}])"});
  const auto made = create_map("a");
  EXPECT_EQ(made.status, 500);
  EXPECT_TRUE(made.message().starts_with("Internal error occurred: ")) << made.message();
  EXPECT_FALSE(has(made.message(), "failed calling webhook")) << made.message();
}

TEST_F(AdmissionRules, AnAuditAnnotationIsTextOrNothing) {
  const auto policy = [&](const std::string& expression) {
    const auto parsed = parse_yaml(cat(R"(
metadata: {name: noted}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}]}
  auditAnnotations: [{key: note, valueExpression: ")", expression, R"("}]
)"), "document");
    CHECK(parsed.ok()) << parsed.error().message;
    return call("POST", cat(kHooks, "validatingadmissionpolicies?dryRun=All"), (*parsed)[0].value);
  };
  EXPECT_EQ(policy("'a'").status, 201);
  EXPECT_EQ(policy("null").status, 201);
  EXPECT_EQ(policy("object.metadata.name").status, 201);
  EXPECT_EQ(policy("1").status, 422);
  EXPECT_TRUE(has(policy("1").message(), "must evaluate to one of [string null_type]"));
}

}  // namespace
}  // namespace minik::control
