#include "control/schema/decode.h"

#include <gtest/gtest.h>

#include <tuple>

#include "control/object/json.h"

namespace minik::control {
namespace {

const TypeInfo& type_of(std::string_view api_version, std::string_view kind) {
  return *Schema::builtin().find_document(api_version, kind);
}

Result<Decoded> decode_text(std::string_view kind, std::string_view text,
                            std::string_view api_version = "v1") {
  return decode(type_of(api_version, kind), *parse_json(text));
}

std::string failure(std::string_view kind, std::string_view text,
                    std::string_view api_version = "v1") {
  const auto result = decode_text(kind, text, api_version);
  return result ? "no failure" : result.error().message;
}

TEST(Decode, ReturnsTheSameNodeWhenNothingChanges) {
  const Value pod = *parse_json(
      R"({"kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"100m"}}}]}})");
  const auto decoded = decode(type_of("v1", "Pod"), pod);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->object.same_node(pod));
}

TEST(Decode, ListsUnknownFieldsAndDropsThem) {
  const auto decoded = decode_text(
      "Deployment",
      R"({"spec":{"foo":1,"template":{"spec":{"containers":[{"name":"a"},{"name":"b","imagge":"x"}]}}}})",
      "apps/v1");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(
      decoded->unknown_fields,
      (std::vector<std::string>{R"(unknown field "spec.foo")",
                                R"(unknown field "spec.template.spec.containers[1].imagge")"}));
  EXPECT_EQ(to_json(decoded->object),
            R"({"spec":{"template":{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}}})");
}

// Go's types have these behind pointers, where an idle 0 or a chosen false is not the same as nothing.
TEST(Decode, KeepsAZeroThatSomebodySaid) {
  constexpr std::tuple<const char*, const char*, const char*> kDocuments[] = {
      {"autoscaling/v2", "HorizontalPodAutoscaler",
       R"({"status":{"currentMetrics":[{"resource":{"current":{"averageUtilization":0}}}],"observedGeneration":0}})"},
      {"autoscaling/v1", "HorizontalPodAutoscaler", R"({"status":{"currentCPUUtilizationPercentage":0,"observedGeneration":0}})"},
      {"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration",
       R"({"webhooks":[{"clientConfig":{"service":{"port":0}},"timeoutSeconds":0}]})"},
      {"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", R"({"webhooks":[{"timeoutSeconds":0}]})"},
      {"apiextensions.k8s.io/v1", "CustomResourceDefinition",
       R"({"spec":{"conversion":{"webhook":{"clientConfig":{"service":{"port":0}}}}}})"},
      {"apiregistration.k8s.io/v1", "APIService", R"({"spec":{"service":{"port":0}}})"},
      {"batch/v1", "Job", R"({"spec":{"successPolicy":{"rules":[{"succeededCount":0}]}}})"},
      {"v1", "Node", R"({"status":{"features":{"supplementalGroupsPolicy":false},"nodeInfo":{"swap":{"capacity":0}},)"
                     R"("runtimeHandlers":[{"features":{"recursiveReadOnlyMounts":false,"userNamespaces":false}}]}})"},
      {"v1", "Pod", R"({"spec":{"volumes":[{"csi":{"readOnly":false}},{"fc":{"lun":0}},)"
                    R"({"projected":{"sources":[{"podCertificate":{"maxExpirationSeconds":0}}]}}]}})"},
      {"v1", "PersistentVolume", R"({"spec":{"fc":{"lun":0}}})"},
      {"storage.k8s.io/v1", "CSIDriver",
       R"({"spec":{"nodeAllocatableUpdatePeriodSeconds":0,"preventPodSchedulingIfMissing":false,)"
       R"("serviceAccountTokenInSecrets":false,"tokenRequests":[{"expirationSeconds":0}]}})"},
      {"storage.k8s.io/v1", "VolumeAttachment", R"({"status":{"attachError":{"errorCode":0}}})"},
  };
  for (const auto& [api_version, kind, text] : kDocuments) {
    const auto decoded = decode_text(kind, text, api_version);
    ASSERT_TRUE(decoded) << kind;
    EXPECT_EQ(to_json(decoded->object), text);
  }
}

TEST(Decode, SaysWrongTypesAsTheServerDoes) {
  EXPECT_EQ(failure("Deployment", R"({"spec":{"replicas":"three"}})", "apps/v1"),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of "
            "type int32");
  EXPECT_EQ(failure("Deployment", R"({"spec":{"replicas":1.5}})", "apps/v1"),
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas "
            "of type int32");
  EXPECT_EQ(failure("Pod", R"({"spec":{"containers":[{"env":[{"name":"A","value":8}]}]}})"),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value "
            "of type string");
  EXPECT_EQ(failure("Pod", R"({"metadata":{"labels":{"a":1}}})"),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
            "string");
  EXPECT_EQ(failure("Pod", R"({"spec":{"containers":{}}})"),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type "
            "[]v1.Container");
  EXPECT_EQ(failure("Pod", R"({"spec":{"restartPolicy":true}})"),
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type "
            "v1.RestartPolicy");
  EXPECT_EQ(failure("Pod", R"({"spec":[]})"),
            "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec");
  EXPECT_EQ(failure("Pod", R"({"spec":{"containers":[{"resources":{"limits":{"cpu":"much"}}}]}})"),
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
}

TEST(Decode, SaysWhereBase64Breaks) {
  const auto secret = [](std::string_view text) {
    return failure("Secret", std::string(R"({"data":{"a":")") + std::string(text) + R"("}})");
  };
  EXPECT_EQ(secret("aGVsbG8="), "no failure");
  EXPECT_EQ(secret("aGVsbG9v"), "no failure");
  EXPECT_EQ(secret("aA=="), "no failure");
  EXPECT_EQ(secret("hello"), "illegal base64 data at input byte 4");
  EXPECT_EQ(secret("a!bc"), "illegal base64 data at input byte 1");
  EXPECT_EQ(secret("aA=a"), "illegal base64 data at input byte 3");
}

TEST(Decode, WritesEqualContentInOneForm) {
  const auto decoded = decode_text("Pod", R"({"metadata":{"creationTimestamp":null,"labels":{}},
      "spec":{"hostNetwork":false,"priority":0,"nodeName":"","containers":[
        {"name":"c","args":[],"resources":{"limits":{"cpu":"0.1","memory":134217728}}}]},
      "status":{"startTime":"2026-11-23T17:02:00.5+02:00"}})");
  ASSERT_TRUE(decoded);
  EXPECT_EQ(
      to_json(decoded->object),
      R"({"metadata":{},"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"100m","memory":"134217728"}}}],"priority":0},"status":{"startTime":"2026-11-23T15:02:00Z"}})");
}

TEST(Decode, TakesSubtreesItHasSeenAsTheyAre) {
  // The old spec holds what no decoder would let through: only sharing explains that it stays.
  const Value old = *parse_json(R"({"metadata":{"name":"a"},"spec":{"odd":1}})");
  const Value changed = old.with_at({"metadata", "name"}, "b");
  const auto decoded = decode(type_of("v1", "Pod"), changed, old);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->object.same_node(changed));
}

TEST(Decode, ExplainsARefusedBody) {
  const Error error = cannot_be_handled("apps/v1", "Deployment", "Deployment",
                                        strict_decoding_sentence({R"(unknown field "spec.foo")"}));
  EXPECT_EQ(error.code, ErrorCode::kBadRequest);
  EXPECT_EQ(
      error.message,
      R"(Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo")");
}

}  // namespace
}  // namespace minik::control
