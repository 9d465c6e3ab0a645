#include "control/controllers/admission_policy_status.h"

#include "decision_world.h"

namespace minik::control {
namespace {

class AdmissionPolicyStatus : public ::testing::Test {
 protected:
  // What the status says after a look at a policy about these resources with these fields of its spec.
  Value status_of(std::string_view rule, std::string_view more) {
    world.add(cat("apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\n"
                  "metadata: {name: p, generation: 3, resourceVersion: '1'}\nspec:\n  matchConstraints: {resourceRules: [{",
                  rule, ", operations: [CREATE]}]}\n", more));
    const Plan plan = world.decide("", "p");
    EXPECT_EQ(text_of(plan), "update validatingadmissionpolicies p/status\n");
    if (plan.writes.empty()) return {};
    world.cache(kinds::kValidatingadmissionpolicies).put(plan.writes[0].request.body);
    return plan.writes[0].request.body[keys::kStatus];
  }
  static std::string warnings(const Value& status) {
    std::string all;
    for (const auto& warning : status.get("typeChecking").get("expressionWarnings").items()) {
      const std::string_view text = warning.get("warning").as_string();
      all += cat(warning.get("fieldRef").as_string(), " ", text.substr(0, text.find('\n')), "\n");
    }
    return all;
  }

  DecisionWorld world{admission_policy_status_controller(Schema::builtin())};
};

constexpr std::string_view kDeployments = "apiGroups: [apps], apiVersions: [v1], resources: [deployments]";

TEST_F(AdmissionPolicyStatus, NamesFieldsThatTheKindDoesNotHave) {
  const Value status = status_of(kDeployments, R"(
  validations:
  - {expression: object.spec.replicas > 1, messageExpression: "'not ' + object.spec.replicas"}
  - {expression: object.replicas > 1}
)");
  EXPECT_EQ(status[keys::kObservedGeneration].as_int(), 3);
  EXPECT_EQ(warnings(status),
            "spec.validations[0].messageExpression apps/v1, Kind=Deployment: ERROR: <input>:1:8: found no matching overload for '_+_' "
            "applied to '(string, int)'\n"
            "spec.validations[1].expression apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n");
  EXPECT_TRUE(world.decide("", "p").empty()) << "once for each generation";
}

TEST_F(AdmissionPolicyStatus, LooksAtEachKindThatIsNamed) {
  const Value status = status_of("apiGroups: [apps], apiVersions: [v1], resources: [deployments, daemonsets]",
                                 "  validations: [{expression: object.spec.replicas > 1}]\n");
  EXPECT_EQ(warnings(status), "spec.validations[0].expression apps/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined field 'replicas'\n");
}

TEST_F(AdmissionPolicyStatus, KnowsTheTypesOfParametersVariablesAndTheRequest) {
  const Value status = status_of(kDeployments, R"(
  paramKind: {apiVersion: v1, kind: ConfigMap}
  variables: [{name: count, expression: object.spec.replicas}]
  validations:
  - expression: variables.count <= int(params.data.max) && request.userInfo.username != ''
  - expression: variables.counts > 1
  - expression: params.spec.max > 1
)");
  EXPECT_EQ(warnings(status),
            "spec.validations[1].expression apps/v1, Kind=Deployment: ERROR: <input>:1:10: undefined field 'counts'\n"
            "spec.validations[2].expression apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'spec'\n");
}

TEST_F(AdmissionPolicyStatus, SaysNothingOfKindsThatAreNotNamed) {
  const Value status = status_of("apiGroups: ['*'], apiVersions: [v1], resources: [deployments]",
                                 "  validations: [{expression: object.replicas > 1}]\n");
  EXPECT_EQ(warnings(status), "");
  EXPECT_TRUE(status.get("typeChecking").is_map());
}

}  // namespace
}  // namespace minik::control
