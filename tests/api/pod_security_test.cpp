// What PodSecurity refuses and tells, in the words of Kubernetes.
#include "control/api/pod_security_standards.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

std::string details(std::string_view standard, const std::string& spec, const std::string& metadata = "{}") {
  const auto parts = split(standard, ':');
  const PodSecurityStandard wanted{*parse_pod_security_level(parts[0]), *parse_pod_security_version(parts[1])};
  EXPECT_EQ(wanted.text(), standard);
  return violation_details(pod_security_violations(wanted, *parse_json(metadata), *parse_json(spec)));
}

TEST(PodSecurityStandards, DemandOfAPlainPodWhatRestrictedSays) {
  const std::string plain = R"({"containers":[{"name":"a"}]})";
  EXPECT_EQ(details("privileged:latest", plain), "");
  EXPECT_EQ(details("baseline:latest", plain), "");
  EXPECT_EQ(details("restricted:latest", plain),
            R"(allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), )"
            R"(unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), )"
            R"(runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), )"
            R"(seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"))");
  EXPECT_EQ(details("restricted:v1.18", plain),
            R"(allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), )"
            R"(runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true))")
      << "capabilities and seccomp were no business of that version";
}

TEST(PodSecurityStandards, AreContentWithAPodThatKeepsThem) {
  EXPECT_EQ(details("restricted:latest", R"({"securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},
      "initContainers":[{"name":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["NET_BIND_SERVICE"]}}}],
      "containers":[{"name":"a","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}],
      "volumes":[{"name":"v","emptyDir":{}},{"name":"p","projected":{"sources":[]}}]})"), "");
}

TEST(PodSecurityStandards, ForbidTheHostInBaseline) {
  EXPECT_EQ(details("baseline:latest", R"({"hostNetwork":true,"hostPID":true,"volumes":[{"name":"r","hostPath":{"path":"/"}},{"name":"e","hostPath":{"path":"/etc"}}],
      "containers":[{"name":"a","securityContext":{"privileged":true},"ports":[{"containerPort":80,"hostPort":80},{"containerPort":81,"hostPort":81}]},
                    {"name":"b","securityContext":{"capabilities":{"add":["NET_ADMIN","CHOWN"]}},"livenessProbe":{"httpGet":{"host":"10.0.0.1","port":1}}}]})"),
            R"(non-default capabilities (container "b" must not include "NET_ADMIN" in securityContext.capabilities.add), )"
            R"(host namespaces (hostNetwork=true, hostPID=true), hostPath volumes (volumes "r", "e"), )"
            R"(hostPort (container "a" uses hostPorts 80, 81), )"
            R"(probe or lifecycle host (container "b" uses probe or lifecycle host "10.0.0.1"), )"
            R"(privileged (container "a" must not set securityContext.privileged=true))");
  EXPECT_EQ(details("restricted:latest", R"({"volumes":[{"name":"r","hostPath":{"path":"/"}},{"name":"n","nfs":{}}],"containers":[]})"),
            R"(restricted volume types (volumes "r", "n" use restricted volume types "hostPath", "nfs"))");
}

TEST(PodSecurityStandards, NamePodAndContainersThatSetTheSameField) {
  EXPECT_EQ(details("baseline:latest", R"({"securityContext":{"seccompProfile":{"type":"Unconfined"},"sysctls":[{"name":"kernel.msgmax","value":"1"},{"name":"net.ipv4.tcp_rmem","value":"1"}]},
      "containers":[{"name":"a","securityContext":{"seccompProfile":{"type":"Unconfined"},"seLinuxOptions":{"type":"spc_t","user":"u"}}},{"name":"b","securityContext":{"procMount":"Unmasked"}}]})",
                    R"({"annotations":{"container.apparmor.security.beta.kubernetes.io/a":"unconfined"}})"),
            R"(forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/a=\"unconfined\""), )"
            R"(procMount (container "b" must not set securityContext.procMount to "Unmasked"), )"
            R"(seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set), )"
            R"(seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined"), )"
            R"(forbidden sysctl (kernel.msgmax))");
  EXPECT_EQ(details("restricted:latest", R"({"securityContext":{"runAsNonRoot":false,"runAsUser":0,"seccompProfile":{"type":"RuntimeDefault"}},
      "containers":[{"name":"a","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"],"add":["SYS_TIME"]}}}]})"),
            R"(unrestricted capabilities (container "a" must not include "SYS_TIME" in securityContext.capabilities.add), )"
            R"(runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false), runAsUser=0 (pod must not set runAsUser=0))");
}

TEST(PodSecurityStandards, LetRootBeWhereAPodHasUsersOfItsOwn) {
  const char* pod = R"({"hostUsers":false,"securityContext":{"runAsUser":0,"seccompProfile":{"type":"RuntimeDefault"}},
      "containers":[{"name":"a","securityContext":{"procMount":"Unmasked","allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]})";
  EXPECT_EQ(details("baseline:latest", pod), "");
  EXPECT_EQ(details("restricted:latest", pod),
            R"(procMount (container "a" must not set securityContext.procMount to "Unmasked"))") << "root, but not all of /proc";
  EXPECT_EQ(details("restricted:v1.34", pod),
            R"(procMount (container "a" must not set securityContext.procMount to "Unmasked"), )"
            R"(runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), runAsUser=0 (pod must not set runAsUser=0))");
}

class PodSecurity : public HttpWorld {
 protected:
  PodSecurity() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
  }
  Answer label(const std::string& labels) {
    return call("PATCH", "/api/v1/namespaces/default", cat(R"({"metadata":{"labels":{)", labels, "}}}"), "application/merge-patch+json");
  }
  Answer pod(const std::string& name, const std::string& more = "") {
    return call("POST", "/api/v1/namespaces/default/pods",
                cat(R"({"metadata":{"name":")", name, R"("},"spec":{)", more, R"("containers":[{"name":"a","image":"i"}]}})"));
  }
  static constexpr const char* kEnforce = R"("pod-security.kubernetes.io/enforce":)";
};

TEST_F(PodSecurity, RefusesWhatBreaksTheEnforcedStandard) {
  label(cat(kEnforce, R"("baseline")"));
  EXPECT_EQ(pod("fine").status, 201);
  const auto refused = pod("host", R"("hostNetwork":true,)");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(),
            R"(pods "host" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true))");
  EXPECT_EQ(refused.warnings.size(), 0U);
}

TEST_F(PodSecurity, WarnsOfPodsAndOfWhatMakesThem) {
  label(R"("pod-security.kubernetes.io/warn":"baseline","pod-security.kubernetes.io/warn-version":"v1.30")");
  const auto warned = pod("host", R"("hostPID":true,)");
  EXPECT_EQ(warned.status, 201);
  ASSERT_EQ(warned.warnings.size(), 1U);
  EXPECT_EQ(warned.warnings[0], R"(would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true))");
  label(R"("pod-security.kubernetes.io/warn":null,"pod-security.kubernetes.io/warn-version":null,"pod-security.kubernetes.io/enforce":"baseline")");
  const auto deployment = call("POST", "/apis/apps/v1/namespaces/default/deployments",
                               R"({"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
                                   "spec":{"hostPID":true,"containers":[{"name":"a","image":"i"}]}}}})");
  EXPECT_EQ(deployment.status, 201) << "only pods are refused";
  ASSERT_EQ(deployment.warnings.size(), 1U) << "but who only enforces is told of pods that will not come to life";
  EXPECT_EQ(deployment.warnings[0], R"(would violate PodSecurity "baseline:latest": host namespaces (hostPID=true))");
}

TEST_F(PodSecurity, TellsOfThePodsThatANewStandardWouldRefuse) {
  pod("one", R"("hostPID":true,)");
  pod("two", R"("hostPID":true,)");
  pod("fine");
  const auto warned = label(cat(kEnforce, R"("baseline")"));
  EXPECT_EQ(warned.status, 200);
  EXPECT_EQ(warned.warnings,
            (std::vector<std::string>{R"(existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest")",
                                      "one (and 1 other pod): host namespaces"}));
  EXPECT_TRUE(label(cat(kEnforce, R"("privileged")")).warnings.empty());
}

TEST_F(PodSecurity, RefusesLabelsThatSayNoLevel) {
  const auto refused = label(cat(kEnforce, R"("strict")"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(), "metadata.labels[pod-security.kubernetes.io/enforce] FieldValueInvalid");
  EXPECT_NE(refused.message().find(R"(Invalid value: "strict": must be one of privileged, baseline, restricted)"), std::string::npos);
  EXPECT_EQ(label(R"("pod-security.kubernetes.io/warn-version":"1.30")").status, 422);
}

TEST_F(PodSecurity, LetsAPodBeThatWasThereBefore) {
  pod("old", R"("hostPID":true,)");
  label(cat(kEnforce, R"("baseline")"));
  const auto labelled = call("PATCH", "/api/v1/namespaces/default/pods/old", R"({"metadata":{"labels":{"a":"b"}}})", "application/merge-patch+json");
  EXPECT_EQ(labelled.status, 200);
  const auto changed = call("PATCH", "/api/v1/namespaces/default/pods/old", R"({"spec":{"containers":[{"name":"a","image":"other"}]}})",
                            "application/strategic-merge-patch+json");
  EXPECT_EQ(changed.status, 403);
}

}  // namespace
}  // namespace minik::control
