// What a service account does about the pods that run as it, beside its token: which Secrets they may name.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class MountableSecrets : public HttpWorld {
 protected:
  MountableSecrets() {
    const auto made = call("POST", "/api/v1/namespaces/default/serviceaccounts",
                           R"({"metadata":{"name":"default","annotations":{"kubernetes.io/enforce-mountable-secrets":"true"}},
                               "secrets":[{"name":"mine"}],"imagePullSecrets":[{"name":"registry"}]})");
    EXPECT_EQ(made.status, 201) << made.message();
  }
  std::string refusal(const std::string& more, const std::string& of_container = "") {
    const auto answer = call("POST", "/api/v1/namespaces/default/pods?dryRun=All",
                             cat(R"({"metadata":{"name":"p"},"spec":{)", more, R"("containers":[{"name":"a","image":"i")", of_container, "}]}}"));
    return answer.status == 201 ? "taken" : answer.message();
  }
};

TEST_F(MountableSecrets, KeepPodsToWhatTheirAccountLists) {
  const std::string sorry = " is not allowed because service account default does not reference that ";
  EXPECT_EQ(refusal(R"("volumes":[{"name":"v","secret":{"secretName":"mine"}}],)"), "taken");
  EXPECT_EQ(refusal(R"("volumes":[{"name":"v","secret":{"secretName":"other"}}],)"),
            cat(R"(pods "p" is forbidden: volume with secret.secretName="other")", sorry, "secret"));
  EXPECT_EQ(refusal("", R"(,"env":[{"name":"E","valueFrom":{"secretKeyRef":{"name":"other","key":"k"}}}])"),
            cat(R"(pods "p" is forbidden: container a with envVar E referencing secret.secretName="other")", sorry, "secret"));
  EXPECT_EQ(refusal("", R"(,"envFrom":[{"secretRef":{"name":"other"}}])"),
            cat(R"(pods "p" is forbidden: container a with envFrom referencing secret.secretName="other")", sorry, "secret"));
  EXPECT_EQ(refusal(R"("imagePullSecrets":[{"name":"elsewhere"}],)"),
            cat(R"(pods "p" is forbidden: imagePullSecrets[0].name="elsewhere")", sorry, "imagePullSecret"));
}

TEST_F(MountableSecrets, OfAnAccountThatDoesNotInsistAreNoLimit) {
  call("PATCH", "/api/v1/namespaces/default/serviceaccounts/default",
       R"({"metadata":{"annotations":{"kubernetes.io/enforce-mountable-secrets":null}}})", "application/merge-patch+json");
  EXPECT_EQ(refusal(R"("volumes":[{"name":"v","secret":{"secretName":"other"}}],)"), "taken");
}

TEST_F(MountableSecrets, LeaveOutTheTokenWhereEveryContainerHasItsOwn) {
  const auto made = call("POST", "/api/v1/namespaces/default/pods?dryRun=All",
                         R"({"metadata":{"name":"p"},"spec":{"volumes":[{"name":"own","emptyDir":{}}],"containers":[{"name":"a","image":"i",
                             "volumeMounts":[{"name":"own","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}]}})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.body[keys::kSpec][keys::kVolumes].items().size(), 1U);
}

}  // namespace
}  // namespace minik::control
