// MutatingAdmissionPolicies, as those meet them who write.
#include "tests/api/user_admission_world.h"

namespace minik::control {

namespace {

constexpr const char* kSets = "/apis/apps/v1/namespaces/default/replicasets";
constexpr const char* kPods = "/api/v1/namespaces/default/pods";

class MutatingPolicyTest : public UserAdmissionTest {
 protected:
  // A policy in force; `mutations` is a YAML list in flow style, `more` further fields of the spec.
  CustomAnswer put_in_force(const std::string& name, const std::string& resources, const std::string& mutations,
                            const std::string& more = "reinvocationPolicy: Never") {
    const auto answer = propose(name, resources, mutations, more);
    EXPECT_EQ(answer.status, 201) << answer.message();
    post("mutatingadmissionpolicybindings", cat("metadata: {name: ", name, "}\nspec: {policyName: ", name, "}\n"));
    return answer;
  }
  CustomAnswer propose(const std::string& name, const std::string& resources, const std::string& mutations,
                       const std::string& more = "reinvocationPolicy: Never") {
    const auto parsed = parse_yaml(cat("metadata: {name: ", name, R"(}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: ["*"], apiVersions: ["*"], resources: [)", resources, R"(], operations: [CREATE, UPDATE]}]
  mutations: )", mutations, "\n  ", more, "\n"), "policy");
    CHECK(parsed.ok()) << parsed.error().message;
    return call("POST", cat(kHooks, "mutatingadmissionpolicies"), (*parsed)[0].value);
  }
  static std::string apply(const std::string& expression) {
    return cat("{patchType: ApplyConfiguration, applyConfiguration: {expression: ", to_json(Value(expression)), "}}");
  }
  static std::string patch(const std::string& expression) {
    return cat("{patchType: JSONPatch, jsonPatch: {expression: ", to_json(Value(expression)), "}}");
  }
  CustomAnswer create_pod(const std::string& spec) {
    (void)send("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
    return send("POST", kPods, cat(R"({"metadata":{"name":"p"},"spec":)", spec, "}"));
  }
  Value data(const std::string& name) { return get(cat(kMaps, "/", name)).at("data"); }
};

TEST_F(MutatingPolicyTest, APolicyMayNotMakeAnotherObjectOfTheOneThatIsChanged) {
  ASSERT_EQ(create_map("w4").status, 201);
  put_in_force("rename", "configmaps", cat("[", patch("[JSONPatch{op: 'replace', path: '/metadata/name', value: 'evil'}]"), "]"));
  EXPECT_EQ(change_map("w4", R"({"b":"2"})").status, 422);
  EXPECT_EQ(get(cat(kMaps, "/evil")).status, 404);
}

TEST_F(MutatingPolicyTest, AnApplyConfigurationIsMergedIntoTheObjectByItsSchema) {
  put_in_force("sidecar", "pods", cat("[", apply(R"(
    Object{
      metadata: Object.metadata{labels: {"mesh": object.metadata.name}},
      spec: Object.spec{containers: [Object.spec.containers{name: "proxy", image: "mesh:1"},
                                     Object.spec.containers{name: "web", imagePullPolicy: "Never"}]}
    })"), "]"));
  const auto made = create_pod(R"({"containers":[{"name":"web","image":"web:1"}]})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("metadata.labels")), R"({"mesh":"p"})");
  std::string containers;
  for (const auto& c : made.at("spec.containers").items()) {
    containers += cat(c["name"].as_string(), " ", c["image"].as_string(), " ", c["imagePullPolicy"].as_string(), "; ");
  }
  EXPECT_EQ(containers, "proxy mesh:1 IfNotPresent; web web:1 Never; ");
}

TEST_F(MutatingPolicyTest, AJsonPatchIsMadeOfWhatTheExpressionSees) {
  put_in_force("patch", "configmaps", cat("[", patch(R"(
    [JSONPatch{op: "test", path: "/data/a", value: "1"},
     JSONPatch{op: "add", path: "/metadata/annotations", value: {"by": request.userInfo.username}},
     JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("example.com/size"), value: string(size(object.data))},
     JSONPatch{op: "copy", from: "/data/a", path: "/data/copied"}])"), "]"));
  ASSERT_EQ(create_map("a").status, 201);
  EXPECT_EQ(to_json(data("a")), R"({"a":"1","copied":"1"})");
  EXPECT_EQ(to_json(get(cat(kMaps, "/a")).at("metadata.annotations")), R"({"by":"tester","example.com/size":"1"})");
  // A test that fails is no error: nothing is changed.
  ASSERT_EQ(send("POST", kMaps, R"({"metadata":{"name":"b"},"data":{"a":"2"}})").status, 201);
  EXPECT_EQ(to_json(data("b")), R"({"a":"2"})");
}

TEST_F(MutatingPolicyTest, ConditionsParametersAndVariablesSayWhatIsChanged) {
  send("POST", kMaps, R"({"metadata":{"name":"settings"},"data":{"suffix":"!"}})");
  const auto proposed = propose("vars", "configmaps", cat("[", apply(R"(Object{data: {"said": variables.said}})"), "]"), R"(reinvocationPolicy: Never
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConditions: [{name: not-b, expression: 'object.metadata.name != "b"'}]
  variables: [{name: name, expression: object.metadata.name}, {name: said, expression: variables.name + params.data.suffix}])");
  ASSERT_EQ(proposed.status, 201) << proposed.message();
  post("mutatingadmissionpolicybindings", R"(metadata: {name: vars}
spec: {policyName: vars, paramRef: {name: settings, namespace: default, parameterNotFoundAction: Deny}}
)");
  ASSERT_EQ(create_map("a").status, 201);
  ASSERT_EQ(create_map("b").status, 201);
  EXPECT_EQ(to_json(data("a")), R"({"a":"1","said":"a!"})");
  EXPECT_EQ(to_json(data("b")), R"({"a":"1"})");
  send("DELETE", cat(kMaps, "/settings"), "");
  const auto refused = create_map("c");
  EXPECT_EQ(refused.message(),
            "policy 'vars' with binding 'vars' denied request: failed to configure binding: "
            "no params found for policy binding with `Deny` parameterNotFoundAction");
}

TEST_F(MutatingPolicyTest, PoliciesComeInTheOrderOfTheirNamesAndBeforeWebhooks) {
  put_in_force("b-second", "configmaps", cat("[", apply(R"(Object{data: {"order": object.data.order + "b"}})"), "]"));
  put_in_force("a-first", "configmaps", cat("[", apply(R"(Object{data: {"order": "a"}})"), ", ",
                                            apply(R"(Object{data: {"order": object.data.order + "2"}})"), "]"));
  register_webhook("mutatingwebhookconfigurations", "add.example.com",
                   "matchConditions: [{name: after, expression: 'object.data.order == \"a2b\"'}]");
  webhooks.set("add.example.com", {.answer = sim::WebhookBehaviour::Answer::kPatch,
                                   .patch = R"([{"op":"add","path":"/data/hooked","value":"yes"}])"});
  ASSERT_EQ(create_map("a").status, 201);
  EXPECT_EQ(to_json(data("a")), R"({"a":"1","hooked":"yes","order":"a2b"})");
}

TEST_F(MutatingPolicyTest, APolicyIsAppliedAgainOnceSomethingLaterHasChangedTheObject) {
  const std::string count = apply(R"(Object{data: {"count": string(int(object.data.?count.orValue("0")) + 1)}})");
  put_in_force("again", "configmaps", cat("[", count, "]"), "reinvocationPolicy: IfNeeded");
  put_in_force("later", "configmaps", cat("[", apply(R"(Object{data: {"later": "yes"}})"), "]"),
               "reinvocationPolicy: Never\n  matchConditions: [{name: two, expression: 'object.metadata.name == \"two\"'}]");
  ASSERT_EQ(create_map("one").status, 201);
  ASSERT_EQ(create_map("two").status, 201);
  EXPECT_EQ(to_json(data("one")), R"({"a":"1","count":"1"})");
  EXPECT_EQ(to_json(data("two")), R"({"a":"1","count":"2","later":"yes"})");
}

TEST_F(MutatingPolicyTest, WhatWouldDropWhatItDoesNotMentionIsRefused) {
  put_in_force("atomic", "pods", cat("[", apply(R"(
    Object{spec: Object.spec{containers: [Object.spec.containers{name: "web", args: ["-v"]}]}})"), "]"));
  EXPECT_EQ(create_pod(R"({"containers":[{"name":"web","image":"web:1"}]})").message(),
            "policy 'atomic' with binding 'atomic' denied request: error applying patch: invalid "
            "ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.containers[0].args");
}

TEST_F(MutatingPolicyTest, WhatTheSchemaDoesNotKnowIsNamed) {
  put_in_force("typo", "replicasets", cat("[", apply("Object{spec: Object.spec{replica: 3}}"), "]"));
  const std::string set = R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":)"
                          R"({"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})";
  const auto refused = send("POST", kSets, set);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.at("reason").as_string(), "Invalid");
  EXPECT_EQ(refused.message(),
            "policy 'typo' with binding 'typo' denied request: error applying patch: "
            "failed to convert patch object to typed object: .spec.replica: field not declared in schema");
  send("DELETE", cat(kHooks, "mutatingadmissionpolicies/typo"), "");
  put_in_force("place", "replicasets", cat("[", apply("Object{spec: Object.specs{replicas: 3}}"), "]"));
  EXPECT_EQ(send("POST", kSets, set).message(),
            "policy 'place' with binding 'place' denied request: type mismatch: unexpected "
            "type name \"Object.specs\", expected \"Object.spec\", which matches field name path from root Object type");
}

TEST_F(MutatingPolicyTest, APatchThatMakesNoObjectOfTheKindIsAnErrorWhateverThePolicySays) {
  put_in_force("patch", "replicasets", cat("[", patch(R"([JSONPatch{op: "add", path: "/spec/replica", value: 3}])"), "]"),
               "reinvocationPolicy: Never\n  failurePolicy: Ignore");
  const auto refused = send("POST", kSets, R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":)"
                                           R"({"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.message(), "Internal error occurred: strict decoding error: unknown field \"spec.replica\"");
}

TEST_F(MutatingPolicyTest, AnErrorRefusesTheRequestUnlessItMayBeIgnored) {
  put_in_force("strict", "configmaps", cat("[", apply(R"(Object{data: {"x": object.data.missing}})"), "]"));
  EXPECT_EQ(create_map("a").message(),
            "policy 'strict' with binding 'strict' denied request: expression 'Object{data: {\"x\": "
            "object.data.missing}}' resulted in error: no such key: missing");
  send("DELETE", cat(kHooks, "mutatingadmissionpolicies/strict"), "");
  put_in_force("soft", "configmaps", cat("[", apply(R"(Object{data: {"x": object.data.missing}})"), ", ",
                                         apply(R"(Object{data: {"y": "1"}})"), "]"),
               "reinvocationPolicy: Never\n  failurePolicy: Ignore");
  ASSERT_EQ(create_map("a").status, 201);
  EXPECT_EQ(to_json(data("a")), R"({"a":"1","y":"1"})");
}

TEST_F(MutatingPolicyTest, WhatAPolicyMakesIsValidatedAsIfTheClientHadSentIt) {
  put_in_force("negative", "replicasets", cat("[", apply("Object{spec: Object.spec{replicas: -1}}"), "]"));
  const auto refused = send("POST", kSets, R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":)"
                                           R"({"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  EXPECT_EQ(refused.message(), "ReplicaSet.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0");
}

TEST_F(MutatingPolicyTest, CustomResourcesAreMergedByTheSchemaOfTheirDefinition) {
  const auto definition = parse_yaml(R"(apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {plural: widgets, singular: widget, kind: Widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}
)", "definition");
  ASSERT_EQ(call("POST", kDefinitions, (*definition)[0].value).status, 201);
  settle();
  put_in_force("widgets", "widgets", cat("[", apply(R"(Object{spec: Object.spec{tags: ["b"]}})"), "]"));
  const auto made = send("POST", kWidgets, R"({"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"size":1,"tags":["a"]}})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("spec")), R"({"size":1,"tags":["a","b"]})");
}

// What a policy adds must keep to what a client must keep to: nobody gets around a quota or a limit by it.
TEST_F(MutatingPolicyTest, WhatAPolicyAddsHasDefaultsAndCountsForLimitsAndStandards) {
  ASSERT_EQ(send("POST", "/api/v1/namespaces/default/limitranges",
                 R"({"metadata":{"name":"r"},"spec":{"limits":[{"type":"Container","default":{"cpu":"100m"},"max":{"cpu":"1"}}]}})").status, 201);
  const auto sidecar = [](const std::string& more) {
    return cat("[", apply(cat(R"(Object{spec: Object.spec{containers: [Object.spec.containers{name: "extra", image: "e:1")", more, "}]}}")), "]");
  };
  put_in_force("extra", "pods", sidecar(""));
  const auto made = create_pod(R"({"containers":[{"name":"web","image":"web:1"}]})");
  ASSERT_EQ(made.status, 201) << made.message();
  for (const auto& container : made.at("spec.containers").items()) {
    EXPECT_EQ(container["resources"]["limits"]["cpu"].as_string(), "100m") << to_json(container);
    EXPECT_EQ(container["volumeMounts"].items().size(), 1U) << to_json(container);
  }
  EXPECT_EQ(made.at("spec.volumes").items().size(), 1U);
  send("DELETE", cat(kPods, "/p"), "");

  send("DELETE", cat(kHooks, "mutatingadmissionpolicies/extra"), "");
  put_in_force("large", "pods", sidecar(R"(, resources: Object.spec.containers.resources{limits: {"cpu": "2"}})"));
  const auto large = create_pod(R"({"containers":[{"name":"web","image":"web:1"}]})");
  EXPECT_EQ(large.message(), "pods \"p\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
  send("DELETE", cat(kHooks, "mutatingadmissionpolicies/large"), "");

  ASSERT_EQ(send("PATCH", "/api/v1/namespaces/default", R"({"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"baseline"}}})",
                 "application/merge-patch+json").status, 200);
  put_in_force("root", "pods", sidecar(", securityContext: Object.spec.containers.securityContext{privileged: true}"));
  const auto privileged = create_pod(R"({"containers":[{"name":"web","image":"web:1"}]})");
  EXPECT_EQ(privileged.message(), "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": privileged (container \"extra\" must "
                                  "not set securityContext.privileged=true)");
}

TEST_F(MutatingPolicyTest, WhoUsesParametersMustBeAllowedToReadThem) {
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                 R"({"metadata":{"name":"maker"},"rules":[{"apiGroups":["admissionregistration.k8s.io"],"resources":["*"],"verbs":["*"]}]})").status, 201);
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                 R"({"metadata":{"name":"maker"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"maker"},)"
                 R"("subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"jane"}]})").status, 201);
  LocalClient theirs(executor, *api, UserInfo{"jane", "", {"system:authenticated"}, {}});
  const auto make = [&](const std::string& plural, const std::string& yaml) {
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = schema->find("admissionregistration.k8s.io", "v1", plural)->id;
    request.body = (*parse_yaml(yaml, "document"))[0].value;
    std::string message;
    theirs.send(request, [&](const Result<ApiResponse>& r) { message = r ? "made" : r.error().message; });
    settle();
    return message;
  };
  const std::string policy = R"(
spec:
  reinvocationPolicy: Never
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  mutations: [{patchType: JSONPatch, jsonPatch: {expression: "[]"}}]
)";
  EXPECT_EQ(make("mutatingadmissionpolicies", cat("metadata: {name: plain}", policy)), "made");
  EXPECT_EQ(make("mutatingadmissionpolicies", cat("metadata: {name: p}", policy, "  paramKind: {apiVersion: v1, kind: Secret}\n")),
            "MutatingAdmissionPolicy.admissionregistration.k8s.io \"p\" is invalid: spec.paramKind: Forbidden: user jane must have \"get\" "
            "permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)");
  EXPECT_NE(make("mutatingadmissionpolicybindings", "metadata: {name: b}\nspec: {policyName: plain, paramRef: {name: x, namespace: default, "
                                                    "parameterNotFoundAction: Allow}}\n").find("spec.paramRef: Forbidden: user jane must have"),
            std::string::npos);
}

TEST_F(MutatingPolicyTest, APolicyIsRefusedAtTheFieldThatIsWrong) {
  const auto refusal = [&](const std::string& mutations, const std::string& more = "reinvocationPolicy: Never") {
    const auto answer = propose("p", "configmaps", mutations, more);
    EXPECT_EQ(answer.status, 422);
    constexpr std::string_view kHead = "MutatingAdmissionPolicy.admissionregistration.k8s.io \"p\" is invalid: ";
    const std::string message = answer.message();
    return message.starts_with(kHead) ? message.substr(kHead.size()) : message;
  };
  EXPECT_EQ(refusal("[]"), "spec.mutations: Required value: mutations must contain at least one item");
  EXPECT_EQ(refusal("[{patchType: Merge}]"),
            "spec.mutations[0].patchType: Unsupported value: \"Merge\": supported values: \"ApplyConfiguration\", \"JSONPatch\"");
  EXPECT_EQ(refusal("[{patchType: JSONPatch}]"), "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch");
  EXPECT_EQ(refusal("[{patchType: JSONPatch, jsonPatch: {expression: '[]'}, applyConfiguration: {expression: 'Object{}'}}]"),
            "spec.mutations[0].applyConfiguration: Invalid value: \"{applyConfiguration}\": must not be specified when patchType is JSONPatch");
  EXPECT_EQ(refusal(cat("[", apply("Object{}"), "]"), "failurePolicy: Fail"), "spec.reinvocationPolicy: Required value");
  EXPECT_NE(refusal(cat("[", apply("{'a': 1}"), "]")).find("expression must evaluate to Object, but is of type map(string, int)"), std::string::npos);
  EXPECT_NE(refusal(cat("[", patch("[JSONPatch{op: 1, path: 'x'}]"), "]")).find("expected type of field 'op' is 'string' but provided type is 'int'"),
            std::string::npos);
  EXPECT_NE(refusal(cat("[", apply("Object{data: {'a': variables.b}}"), "]")).find("undefined field 'b'"), std::string::npos);
  EXPECT_NE(refusal(cat("[", apply("Object{data: params.data}"), "]")).find("undeclared reference to 'params'"), std::string::npos);
  const auto parsed = parse_yaml(R"(metadata: {name: p}
spec:
  reinvocationPolicy: Never
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE, DELETE]}]}
  mutations: [{patchType: JSONPatch, jsonPatch: {expression: "[]"}}]
)", "policy");
  EXPECT_EQ(call("POST", cat(kHooks, "mutatingadmissionpolicies"), (*parsed)[0].value).message(),
            "MutatingAdmissionPolicy.admissionregistration.k8s.io \"p\" is invalid: spec.matchConstraints.resourceRules[0].operations: "
            "Unsupported value: \"DELETE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\"");
}

}  // namespace

}  // namespace minik::control
