// What writes are told beside their answers, in kube-apiserver's words.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

class Warns : public Conformance {
 protected:
  using Lines = std::vector<std::string>;
  // Of a client, which has a name; nothing is kept.
  Lines of(const std::string& collection, const std::string& yaml) {
    const auto answer = call("POST", cat(collection, "?dryRun=All&fieldManager=test"), yaml, "application/yaml");
    EXPECT_EQ(answer.status, 201) << answer.message();
    return answer.warnings;
  }
  static constexpr const char* kPods = "/api/v1/namespaces/default/pods";
};

TEST_F(Warns, OfFieldsOfAPodThatDoNothingOrHideOthers) {
  EXPECT_EQ(of(kPods, R"(
metadata: {name: a.b, annotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default}}
spec:
  nodeSelector: {beta.kubernetes.io/os: linux}
  hostAliases: [{ip: 1.2.3.4}, {ip: 1.2.3.4}]
  terminationGracePeriodSeconds: -1
  volumes: [{name: g, gitRepo: {repository: x}}]
  containers:
  - name: c
    image: i
    env: [{name: A, value: a}, {name: A, value: b}, {name: A, value: "$(A)c"}]
    ports: [{containerPort: 80}]
    resources: {requests: {memory: 100m}}
  - {name: d, image: i, ports: [{containerPort: 80}]}
)"),
            (Lines{"metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is "
                   "recommended: [must not contain dots]",
                   R"(spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead)",
                   "spec.volumes[0].gitRepo: deprecated in v1.11", R"(spec.hostAliases[1].ip: duplicate ip "1.2.3.4")",
                   R"(metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the )"
                   R"("seccompProfile" field instead)",
                   R"(spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer)",
                   R"(spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply)",
                   "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
                   "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"}));
}

TEST_F(Warns, OfTemplatesOnCreationAndChange) {
  const std::string web = "/apis/apps/v1/namespaces/default/deployments";
  const std::string body = R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":)"
                           R"({"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A"},{"name":"A"}]}]}}}})";
  const Lines hides{R"(spec.template.spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply)"};
  EXPECT_EQ(call("POST", cat(web, "?fieldManager=test"), body).warnings, hides);
  EXPECT_EQ(patch(cat(web, "/web?fieldManager=test"), R"({"spec":{"replicas":3}})").warnings, hides);
  EXPECT_EQ(patch(cat(web, "/web?fieldManager=test"), R"({"metadata":{"labels":{"x":"y"}}})").warnings, Lines());
}

TEST_F(Warns, OfWhatGoesOutOfUse) {
  EXPECT_EQ(of("/apis/networking.k8s.io/v1/namespaces/default/ingresses",
               "{metadata: {name: i, annotations: {kubernetes.io/ingress.class: x}}, spec: {defaultBackend: {service: {name: s, port: "
               "{number: 80}}}}}"),
            Lines{R"(annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead)"});
  EXPECT_EQ(of("/api/v1/persistentvolumes", "{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, "
                                            "persistentVolumeReclaimPolicy: Recycle, hostPath: {path: /x}}}"),
            Lines{"spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to "
                  "use dynamic provisioning."});
  EXPECT_EQ(of("/api/v1/namespaces/default/services", "{metadata: {name: s}, spec: {clusterIP: None, externalIPs: [1.2.3.4], ports: "
                                                      "[{port: 80}]}}"),
            Lines{"spec.externalIPs is ignored for headless services"});
  EXPECT_EQ(get("/api/v1/namespaces/default/endpoints").warnings,
            Lines{"v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"});
}

// Each pair of equal ports earns one: ten million of them here.
TEST_F(Warns, OfAFewOfAFlood) {
  std::string ports;
  for (int i = 0; i < 5000; ++i) ports += "{containerPort: 80}, ";
  EXPECT_LT(of(kPods, cat("{metadata: {name: flood}, spec: {containers: [{name: c, image: i, ports: [", ports, "]}]}}")).size(), 300U);
}

TEST_F(Warns, NobodyOfWhatIsWell) {
  EXPECT_EQ(of(kPods, "{metadata: {name: p}, spec: {containers: [{name: c, image: i, env: [{name: A, value: a}]}]}}"), Lines());
}

}  // namespace
}  // namespace minik::control
