// What writes are told beside their answers, in kube-apiserver's words.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

class Warns : public Conformance {
 protected:
  explicit Warns(ApiServerOptions options = {}) : Conformance(std::move(options)) {}
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
                   "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+", R"(spec.hostAliases[1].ip: duplicate ip "1.2.3.4")",
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

TEST_F(Warns, OfOldLabelsAndFieldsOfNodes) {
  EXPECT_EQ(of("/api/v1/nodes", "{metadata: {name: n}, spec: {externalID: x, configSource: {}}}"),
            (Lines{"spec.configSource: the feature is removed", "spec.externalID: this field is deprecated, and is unused by Kubernetes"}));
  constexpr const char* kUse = R"(deprecated since v1.14; use "kubernetes.io/arch" instead)";
  EXPECT_EQ(of("/apis/node.k8s.io/v1/runtimeclasses",
               "{metadata: {name: r}, handler: h, scheduling: {nodeSelector: {beta.kubernetes.io/arch: x}}}"),
            Lines{cat("scheduling.nodeSelector: ", kUse)});
  EXPECT_EQ(of("/apis/storage.k8s.io/v1/storageclasses", "{metadata: {name: s}, provisioner: example.com/p, allowedTopologies: "
                                                         "[{matchLabelExpressions: [{key: beta.kubernetes.io/arch, values: [x]}]}]}"),
            Lines{cat("allowedTopologies[0].matchLabelExpressions[0].key: ", kUse)});
  EXPECT_EQ(of("/api/v1/persistentvolumes",
               "{metadata: {name: v}, spec: {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, hostPath: {path: /x}, nodeAffinity: "
               "{required: {nodeSelectorTerms: [{matchExpressions: [{key: beta.kubernetes.io/arch, operator: Exists}]}]}}}}"),
            Lines{cat("spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is ", kUse)});
}

TEST_F(Warns, OfAddressesThatNobodyShouldWriteSo) {
  EXPECT_EQ(of("/api/v1/namespaces/default/services",
               "{metadata: {name: s}, spec: {type: LoadBalancer, trafficDistribution: PreferClose, externalIPs: ['::ffff:1.2.3.4', '2001:DB8::1'], "
               "loadBalancerSourceRanges: [192.12.2.8/24], ports: [{port: 80}]}}"),
            (Lines{R"(spec.externalIPs[0]: non-standard IP address "::ffff:1.2.3.4" will be considered invalid in a future Kubernetes release: )"
                   R"(use "1.2.3.4")",
                   R"(spec.externalIPs[1]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1"))",
                   R"(spec.loadBalancerSourceRanges[0]: CIDR value "192.12.2.8/24" is ambiguous in this context (should be "192.12.2.0/24" or )"
                   R"("192.12.2.8/32"?))",
                   R"(spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone")"}));
  EXPECT_EQ(of("/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
               "{metadata: {name: n}, spec: {podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.1.2.3/8}}]}]}}"),
            Lines{R"(spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.1.2.3/8" is ambiguous in this context (should be "10.0.0.0/8" or )"
                  R"("10.1.2.3/32"?))"});
  EXPECT_EQ(of("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
               "{metadata: {name: e}, addressType: FQDN, endpoints: [{addresses: [example.com]}]}"),
            Lines{"spec.addressType: FQDN endpoints are deprecated"});
}

TEST_F(Warns, OfPodsThatWillNotBeWhatTheyLookLike) {
  EXPECT_EQ(of(kPods, R"(
metadata: {name: p}
spec:
  affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 1, preference: {matchExpressions: [{key: disk, operator: In, values: [-x]}]}}
  volumes:
  - name: t
    projected: {sources: [{serviceAccountToken: {path: token}}, {configMap: {name: m, items: [{key: k, path: token}]}}]}
  containers:
  - {name: c, image: i, ports: [{containerPort: 80, hostIP: 127.0.0.1}]}
)"),
            (Lines{"spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0]: -x "
                   "is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
                   "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                   "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
                   "spec.volumes[0].projected.sources.configMap[0]: has duplicated path with ServiceAccountToken \"token\"",
                   "spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP "
                   "HostIP:127.0.0.1}"}));
}

// Each pair of equal ports earns one: ten million of them here.
TEST_F(Warns, OfAFewOfAFlood) {
  std::string ports;
  for (int i = 0; i < 5000; ++i) ports += "{containerPort: 80}, ";
  EXPECT_LT(of(kPods, cat("{metadata: {name: flood}, spec: {containers: [{name: c, image: i, ports: [", ports, "]}]}}")).size(), 300U);
}

TEST_F(Warns, OfAppArmorAnnotationsThatNoProfileRepeats) {
  constexpr const char* kUse = R"(deprecated since v1.30; use the "appArmorProfile" field instead)";
  const std::string annotated = "metadata: {labels: {a: b}, annotations: {container.apparmor.security.beta.kubernetes.io/c: runtime/default}}";
  const auto containers = [](const std::string& more) { return cat("spec: {", more, "containers: [{name: c, image: i}]}"); };
  EXPECT_EQ(of("/apis/apps/v1/namespaces/default/deployments",
               cat("{metadata: {name: d}, spec: {selector: {matchLabels: {a: b}}, template: {", annotated, ", ", containers(""), "}}}")),
            Lines{cat("spec.template.metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: ", kUse)});
  const std::string pod = "metadata: {name: p, annotations: {container.apparmor.security.beta.kubernetes.io/c: runtime/default}}";
  EXPECT_EQ(of(kPods, cat("{", pod, ", ", containers(""), "}")),
            Lines{cat("metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: ", kUse)});
  EXPECT_EQ(of(kPods, cat("{", pod, ", ", containers("securityContext: {appArmorProfile: {type: RuntimeDefault}}, "), "}")), Lines());
}

TEST_F(Warns, OfFormatsOfTextsThatADefinitionBringsInAndNobodyKnows) {
  const auto definition = [](const std::string& properties) {
    return cat("{metadata: {name: widgets.example.com}, spec: {group: example.com, scope: Namespaced, names: {plural: widgets, kind: Widget}, "
               "versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {",
               properties, "}}}}]}}");
  };
  const std::string definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const std::string mine = "a: {type: integer, format: int64}, b: {type: string, format: date-time}, c: {type: array, items: {type: string, format: fancy}}";
  EXPECT_EQ(call("POST", cat(definitions, "?fieldManager=test"), definition(mine), "application/yaml").warnings,
            Lines{"unrecognized format \"fancy\""});
  const std::string change = cat(definitions, "/widgets.example.com?fieldManager=test");
  const auto add = [&](const std::string& format) {
    return call("PATCH", change,
                cat(R"([{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/)", format, R"(","value":{"type":"string","format":")",
                    format, R"("}}])"), kJsonPatch);
  };
  EXPECT_EQ(add("odd").warnings, Lines{"unrecognized format \"odd\""});
  EXPECT_EQ(add("uuid").warnings, Lines());
}

class WarnsOfKeys : public Warns {
 protected:
  WarnsOfKeys() : Warns(options()) {}
  static ApiServerOptions options() {
    ApiServerOptions options;
    options.key_pair_problem = [](std::string_view certificate, std::string_view key) {
      return certificate == key ? std::string() : cat(certificate, " is not ", key);
    };
    return options;
  }
};

TEST_F(WarnsOfKeys, OnlyInTlsSecretsWhereTheyDoNotBelongTogether) {
  const auto secret = [](const std::string& type, const std::string& key) {
    return cat("{metadata: {name: s}, type: ", type, ", stringData: {tls.crt: one, tls.key: ", key, "}}");
  };
  constexpr const char* kSecrets = "/api/v1/namespaces/default/secrets";
  EXPECT_EQ(of(kSecrets, secret("kubernetes.io/tls", "two")), Lines{"one is not two"});
  EXPECT_EQ(of(kSecrets, secret("kubernetes.io/tls", "one")), Lines());
  EXPECT_EQ(of(kSecrets, secret("Opaque", "two")), Lines());
}

// Who is refused in the end has still been told what was wrong on the way there.
TEST_F(Warns, WhoIsRefusedAsWell) {
  ASSERT_EQ(create("/api/v1/namespaces/default/resourcequotas", "{metadata: {name: q}, spec: {hard: {pods: 0}}}").status, 201);
  ASSERT_EQ(patch("/api/v1/namespaces/default/resourcequotas/q/status", R"({"status":{"hard":{"pods":"0"},"used":{"pods":"0"}}})").status, 200);
  const auto refused = call("POST", cat(kPods, "?fieldManager=test&fieldValidation=Warn"),
                            "{metadata: {name: p}, spec: {nope: 1, nodeSelector: {beta.kubernetes.io/os: x}, containers: [{name: c, image: i}]}}",
                            "application/yaml");
  EXPECT_EQ(refused.status, 403) << refused.message();
  EXPECT_EQ(refused.warnings, (Lines{"unknown field \"spec.nope\"",
                                     R"(spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead)"}));
  EXPECT_TRUE(refused.body[keys::kDetails][keys::kCauses].is_absent());
}

TEST_F(Warns, NobodyOfWhatIsWell) {
  EXPECT_EQ(of(kPods, "{metadata: {name: p}, spec: {containers: [{name: c, image: i, env: [{name: A, value: a}]}]}}"), Lines());
}

}  // namespace
}  // namespace minik::control
