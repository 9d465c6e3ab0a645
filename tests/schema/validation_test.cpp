#include "control/schema/validation.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/defaults.h"
#include "control/schema/kinds.h"

namespace minik::control {
namespace {

const ResourceInfo& resource(KindId kind) {
  return Schema::builtin().resource(kind);
}

// The object as the server has it when it comes to validation.
Value completed(KindId kind, std::string_view text) {
  return apply_defaults(*resource(kind).type, *parse_json(text));
}

std::string verdict(KindId kind, std::string_view text) {
  const auto errors = check_object(resource(kind), completed(kind, text));
  return errors.empty() ? "valid" : errors.text();
}

std::string verdict_of_change(KindId kind, std::string_view text, std::string_view old) {
  const auto errors = check_change(resource(kind), completed(kind, text), completed(kind, old));
  return errors.empty() ? "valid" : errors.text();
}

std::string pod(std::string_view spec) {
  return std::string(R"({"metadata":{"name":"p","namespace":"default"},"spec":)") +
         std::string(spec) + "}";
}

std::string deployment(std::string_view spec) {
  return std::string(R"({"metadata":{"name":"web","namespace":"default"},"spec":)") +
         std::string(spec) + "}";
}

constexpr std::string_view kTemplate =
    R"("template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]}})";

TEST(Validation, AcceptsAnOrdinaryDeployment) {
  EXPECT_EQ(verdict(kinds::kDeployments,
                    deployment(std::string(R"({"selector":{"matchLabels":{"app":"web"}},)") +
                               std::string(kTemplate) + "}")),
            "valid");
}

TEST(Validation, LetsPodsOfAStatefulSetMountItsClaims) {
  const std::string spec =
      R"({"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":)"
      R"({"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"data","mountPath":"/d"}]}]}}})";
  EXPECT_EQ(verdict(kinds::kStatefulsets, deployment(spec)), "valid");
  EXPECT_NE(verdict(kinds::kDeployments, deployment(spec)), "valid");
}

TEST(Validation, OfStatefulSetsWantsARollOutThatCanMove) {
  const auto told = [](std::string_view further) {
    return verdict(kinds::kStatefulsets,
                   deployment(std::string(R"({"selector":{"matchLabels":{"app":"web"}},)") +
                              std::string(further) + "," + std::string(kTemplate) + "}"));
  };
  EXPECT_EQ(told(R"("updateStrategy":{"rollingUpdate":{"partition":1,"maxUnavailable":"50%"}})"),
            "valid");
  EXPECT_NE(told(R"("updateStrategy":{"rollingUpdate":{"maxUnavailable":0}})").find("cannot be 0"),
            std::string::npos);
  EXPECT_NE(told(R"("updateStrategy":{"rollingUpdate":{"partition":-1}})")
                .find("must be greater than or equal to 0"),
            std::string::npos);
  EXPECT_NE(told(R"("updateStrategy":{"type":"OnDelete","rollingUpdate":{"partition":0}})")
                .find("only allowed for updateStrategy 'RollingUpdate'"),
            std::string::npos);
  EXPECT_NE(told(R"("ordinals":{"start":-2})").find("must be greater than or equal to 0"),
            std::string::npos);
}

TEST(Validation, NamesAMissingImage) {
  const auto errors = check_object(
      resource(kinds::kDeployments),
      completed(
          kinds::kDeployments,
          deployment(
              R"({"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
                                 "spec":{"containers":[{"name":"c"}]}}})")));
  ASSERT_FALSE(errors.empty());
  const Error error = errors.to_error(resource(kinds::kDeployments), "web");
  EXPECT_EQ(error.code, ErrorCode::kInvalid);
  EXPECT_EQ(
      error.message,
      R"(Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value)");
  ASSERT_EQ(error.causes.size(), 1U);
  EXPECT_EQ(error.causes[0].reason, "FieldValueRequired");
  EXPECT_EQ(error.causes[0].message, "Required value");
  EXPECT_EQ(error.causes[0].field, "spec.template.spec.containers[0].image");
}

TEST(Validation, WantsASelectorThatMatchesItsTemplate) {
  EXPECT_EQ(
      verdict(kinds::kDeployments, deployment(std::string("{") + std::string(kTemplate) + "}")),
      "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: "
      "{\"app\":\"web\"}: "
      "`selector` does not match template `labels`]");
  EXPECT_EQ(
      verdict(kinds::kDeployments,
              deployment(std::string(R"({"selector":{"matchLabels":{"app":"db"}},)") +
                         std::string(kTemplate) + "}")),
      R"(spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`)");
  EXPECT_EQ(verdict(kinds::kDeployments,
                    deployment(std::string(R"({"selector":{},)") + std::string(kTemplate) + "}")),
            "spec.selector: Invalid value: {}: empty selector is invalid for deployment");
}

TEST(Validation, ListsSeveralComplaintsInBrackets) {
  EXPECT_EQ(
      verdict(kinds::kPods,
              pod(R"({"restartPolicy":"Sometimes","containers":[{"name":"A","image":"i"}]})")),
      "[spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of "
      "lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
      "character (e.g. 'my-name',  or '123-abc', regex used for validation is "
      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?'), "
      "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", "
      "\"OnFailure\", \"Never\"]");
}

TEST(Validation, OfPodsFindsWhatDoesNotFitTogether) {
  EXPECT_EQ(verdict(kinds::kPods, pod("{}")), "spec.containers: Required value");
  EXPECT_EQ(verdict(kinds::kPods,
                    pod(R"({"containers":[{"name":"a","image":"i"},{"name":"a","image":"i"}]})")),
            R"(spec.containers[1].name: Duplicate value: "a")");
  EXPECT_EQ(
      verdict(
          kinds::kPods,
          pod(R"({"containers":[{"name":"a","image":"i","volumeMounts":[{"name":"data","mountPath":"/d"}]}]})")),
      R"(spec.containers[0].volumeMounts[0].name: Not found: "data")");
  EXPECT_EQ(
      verdict(
          kinds::kPods,
          pod(R"({"containers":[{"name":"a","image":"i","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}]})")),
      R"(spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1)");
  EXPECT_EQ(
      verdict(
          kinds::kPods,
          pod(R"({"containers":[{"name":"a","image":"i","ports":[{"containerPort":70000}]}]})")),
      "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
      "65535, inclusive");
  EXPECT_EQ(
      verdict(
          kinds::kPods,
          pod(R"({"containers":[{"name":"a","image":"i","livenessProbe":{"periodSeconds":5}}]})")),
      "spec.containers[0].livenessProbe: Required value: must specify a handler type");
  EXPECT_EQ(
      verdict(
          kinds::kPods,
          pod(R"({"tolerations":[{"operator":"Equal"}],"containers":[{"name":"a","image":"i"}]})")),
      R"(spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys")");
}

TEST(Validation, OfNamesDependsOnTheKind) {
  EXPECT_EQ(verdict(kinds::kServices,
                    R"({"metadata":{"name":"1st","namespace":"d"},"spec":{"ports":[{"port":80}]}})")
                .substr(0, 61),
            R"(metadata.name: Invalid value: "1st": a DNS-1035 label must co)");
  EXPECT_EQ(verdict(kinds::kConfigmaps, R"({"metadata":{"name":"a.b","namespace":"d"}})"), "valid");
  EXPECT_EQ(verdict(kinds::kClusterroles, R"({"metadata":{"name":"system:node"}})"), "valid");
  EXPECT_EQ(verdict(kinds::kConfigmaps, R"({"metadata":{"namespace":"d"}})"),
            "metadata.name: Required value: name or generateName is required");
}

TEST(Validation, OfLabelsNamesKeysAndValues) {
  EXPECT_EQ(verdict(kinds::kConfigmaps,
                    R"({"metadata":{"name":"a","namespace":"d","labels":{"ok":"not ok"}}})"),
            "metadata.labels: Invalid value: \"not ok\": a valid label must be an empty string or "
            "consist of "
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
            "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
}

TEST(Validation, OfServices) {
  const auto service = [](std::string_view spec) {
    return verdict(kinds::kServices,
                   std::string(R"({"metadata":{"name":"s","namespace":"d"},"spec":)") +
                       std::string(spec) + "}");
  };
  EXPECT_EQ(service("{}"), "spec.ports: Required value");
  EXPECT_EQ(service(R"({"clusterIP":"None","clusterIPs":["None"]})"), "valid");
  EXPECT_EQ(service(R"({"ports":[{"port":80},{"port":81,"name":"b"}]})"),
            "spec.ports[0].name: Required value");
  EXPECT_EQ(
      service(R"({"type":"Odd","ports":[{"port":80}]})"),
      R"(spec.type: Unsupported value: "Odd": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort")");
  EXPECT_EQ(service(R"({"ports":[{"port":80,"nodePort":30000}]})"),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'");
  EXPECT_EQ(service(R"({"type":"ExternalName"})"), "spec.externalName: Required value");
}

TEST(Validation, OfIngresses) {
  const auto ingress = [](std::string_view spec) {
    return verdict(kinds::kIngresses,
                   std::string(R"({"metadata":{"name":"s","namespace":"d"},"spec":)") +
                       std::string(spec) + "}");
  };
  EXPECT_EQ(ingress("{}"),
            "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified");
  EXPECT_EQ(
      ingress(
          R"({"rules":[{"host":"*.a.b","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"s","port":{"number":80}}}}]}}]})"),
      "valid");
  EXPECT_EQ(
      ingress(
          R"({"rules":[{"http":{"paths":[{"path":"x","pathType":"Exact","backend":{"service":{"name":"s","port":{"name":"http"}}}}]}}]})"),
      R"(spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path)");
}

TEST(Validation, LetsAPodChangeItsImageAndLittleElse) {
  const std::string old = pod(R"({"containers":[{"name":"a","image":"i:1"}]})");
  EXPECT_EQ(verdict_of_change(kinds::kPods, pod(R"({"containers":[{"name":"a","image":"i:2"}]})"),
                              pod(R"({"containers":[{"name":"a","image":"i:1"}]})")),
            "valid");
  EXPECT_EQ(
      verdict_of_change(kinds::kPods,
                        pod(R"({"nodeName":"n","containers":[{"name":"a","image":"i:1"}]})"), old),
      "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
      "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
      "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
      "to 1 if it was previously negative)\n  nodeName: (unset) -> \"n\"\n");
  EXPECT_EQ(
      verdict_of_change(
          kinds::kPods,
          pod(R"({"containers":[{"name":"a","image":"i:1"},{"name":"b","image":"i"}]})"), old),
      "spec.containers: Forbidden: pod updates may not add or remove containers");
}

TEST(Validation, KeepsSelectorsAddressesAndFrozenData) {
  EXPECT_EQ(
      verdict_of_change(kinds::kDeployments, R"({"spec":{"selector":{"matchLabels":{"a":"b"}}}})",
                        R"({"spec":{"selector":{"matchLabels":{"a":"c"}}}})"),
      R"(spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable)");
  EXPECT_EQ(verdict_of_change(kinds::kServices,
                              R"({"spec":{"clusterIP":"10.0.0.2","clusterIPs":["10.0.0.2"]}})",
                              R"({"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"]}})"),
            R"(spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set)");
  EXPECT_EQ(verdict_of_change(kinds::kConfigmaps, R"({"immutable":true,"data":{"a":"2"}})",
                              R"({"immutable":true,"data":{"a":"1"}})"),
            "data: Forbidden: field is immutable when `immutable` is set");
  EXPECT_EQ(verdict_of_change(kinds::kSecrets, R"({"type":"a"})", R"({"type":"b"})"),
            R"(type: Invalid value: "a": field is immutable)");
}

TEST(Validation, DoesNotLookAgainAtWhatItKnows) {
  const Value bad = *parse_json(pod(R"({"containers":[]})"));
  EXPECT_TRUE(
      check_object(resource(kinds::kPods), bad.with_at({"metadata", "name"}, "q"), bad).empty());
}

std::string cron_job(std::string_view spec, std::string_view job_spec = "") {
  return cat(R"({"metadata":{"name":"tick","namespace":"default"},"spec":{)", spec,
             R"(,"jobTemplate":{"spec":{)", job_spec,
             R"("template":{"spec":{"restartPolicy":"Never",
                "containers":[{"name":"main","image":"tick:1"}]}}}}}})");
}

TEST(Validation, RefusesSchedulesThatCannotBeRead) {
  EXPECT_EQ(verdict(kinds::kCronjobs, cron_job(R"("schedule":"*/5 0-6 * JAN SUN")")), "valid");
  EXPECT_EQ(verdict(kinds::kCronjobs, cron_job(R"("schedule":"@daily","timeZone":"Europe/Rome")")),
            "valid");
  EXPECT_EQ(
      verdict(kinds::kCronjobs, cron_job(R"("schedule":"61 * * * *")")),
      "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61");
  EXPECT_EQ(verdict(kinds::kCronjobs, cron_job(R"("schedule":"TZ=UTC 1 * * * *")")),
            "spec.schedule: Invalid value: \"TZ=UTC 1 * * * *\": cannot use TZ or CRON_TZ in "
            "schedule, use timeZone field instead");
  EXPECT_EQ(verdict(kinds::kCronjobs, cron_job(R"("schedule":"@daily","timeZone":"../passwd")")),
            "spec.timeZone: Invalid value: \"../passwd\": unknown time zone ../passwd");
}

TEST(Validation, LeavesTheSelectorOfACronJobsJobsToTheServer) {
  EXPECT_EQ(
      verdict(kinds::kCronjobs, cron_job(R"("schedule":"@daily")", R"("manualSelector":true,)")),
      "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "
      "\"nil\", \"false\"");
}

}  // namespace
}  // namespace minik::control
