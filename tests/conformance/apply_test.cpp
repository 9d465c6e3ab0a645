// Server-side apply on real kinds and their subresources, and the account of every other write.
#include "control/apply/field_set.h"
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

const std::string kWeb = "/apis/apps/v1/namespaces/default/deployments/web";

class Applies : public Conformance {
 protected:
  explicit Applies(ApiServerOptions options = {}) : Conformance(std::move(options)) {}
  static std::string web(const std::string& spec) {
    return cat("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n", spec);
  }
  // "manager operation/subresource: path path; …"
  std::string owners(const Answer& answer) {
    std::string text;
    for (const auto& entry : answer.metadata("managedFields").items()) {
      const auto set = FieldSet::from_fields_v1(entry[keys::kFieldsV1]);
      const auto part = entry[keys::kSubresource].string();
      text += cat(text.empty() ? "" : "; ", entry[keys::kManager].as_string(), " ", entry[keys::kOperation].as_string(),
                  part.empty() ? "" : "/", part, ": ", set ? join(set->paths(), " ") : set.error().message);
    }
    return text;
  }
  void make() {
    ASSERT_EQ(Conformance::apply(kWeb, "one", web(R"(
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
)")).status, 201);
  }
};

TEST_F(Applies, ConflictsNameTheManagerAndTheField) {
  make();
  const auto refused = apply(kWeb, "two", web("  replicas: 3\n"));
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.message(), "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
  EXPECT_EQ(refused.body[keys::kDetails][keys::kCauses].items()[0][keys::kReason].string(), "FieldManagerConflict");
  EXPECT_EQ(refused.body[keys::kDetails][keys::kCauses].items()[0][keys::kField].string(), ".spec.replicas");
}

// `kubectl get -o yaml | kubectl apply --server-side -f -`, some time later.
TEST_F(Applies, AStatusInAnAppliedObjectConflictsWithNobodyAndChangesNothing) {
  make();
  ASSERT_EQ(patch(cat(kWeb, "/status?fieldManager=controller"), R"({"status":{"replicas":2}})").status, 200);
  const auto applied = apply(kWeb, "two", cat(web("  paused: true\n"), "status: {replicas: 7}\n"));
  ASSERT_EQ(applied.status, 200) << applied.message();
  EXPECT_EQ(applied.body[keys::kStatus][keys::kReplicas].as_int(), 2);
  EXPECT_NE(owners(applied).find("controller Update/status: .status.replicas"), std::string::npos) << owners(applied);
  EXPECT_EQ(apply(cat(kWeb, "/status"), "two", web("  paused: true\nstatus: {replicas: 7}\n")).status, 409);
}

TEST_F(Applies, ForceMovesTheField) {
  make();
  const auto forced = apply(kWeb, "two", web("  replicas: 3\n"), true);
  ASSERT_EQ(forced.status, 200) << forced.message();
  EXPECT_NE(owners(forced).find("two Apply: .spec.replicas"), std::string::npos) << owners(forced);
  EXPECT_EQ(owners(forced).find("one Apply: .spec.replicas"), std::string::npos);
}

TEST_F(Applies, WhatTwoSayAlikeTheyShareAndTheLastOneTakesItAway) {
  make();
  ASSERT_EQ(apply(kWeb, "two", web("  replicas: 2\n  paused: true\n")).status, 200);
  ASSERT_EQ(apply(kWeb, "two", web("  paused: true\n")).status, 200);
  EXPECT_EQ(get(kWeb).body[keys::kSpec][keys::kReplicas].as_int(), 2);
  ASSERT_EQ(apply(kWeb, "two", web("  {}\n")).status, 200);
  EXPECT_TRUE(get(kWeb).body[keys::kSpec]["paused"].is_absent());
}

TEST_F(Applies, AScaleMovesTheReplicasToWhoScaled) {
  make();
  ASSERT_EQ(patch(cat(kWeb, "/scale?fieldManager=scaler"), R"({"spec":{"replicas":5}})").status, 200);
  const auto after = get(kWeb);
  EXPECT_EQ(after.body[keys::kSpec][keys::kReplicas].as_int(), 5);
  EXPECT_NE(owners(after).find("scaler Update/scale: .spec.replicas"), std::string::npos) << owners(after);
  const auto refused = apply(kWeb, "one", web("  replicas: 2\n"));
  EXPECT_EQ(refused.status, 409);
}

TEST_F(Applies, AScaleIsAppliedAndConflictsInItsOwnWords) {
  make();
  const std::string scale = "apiVersion: autoscaling/v1\nkind: Scale\nmetadata: {name: web}\nspec: {replicas: 4}\n";
  const auto refused = apply(cat(kWeb, "/scale"), "hpa", scale);
  EXPECT_EQ(refused.status, 409) << refused.message();
  EXPECT_NE(refused.message().find("conflict with \"one\""), std::string::npos) << refused.message();
  const auto forced = apply(cat(kWeb, "/scale"), "hpa", scale, true);
  ASSERT_EQ(forced.status, 200) << forced.message();
  EXPECT_EQ(forced.body[keys::kKind].string(), "Scale");
  EXPECT_NE(owners(get(kWeb)).find("hpa Apply/scale: .spec.replicas"), std::string::npos) << owners(get(kWeb));
}

TEST_F(Applies, AStatusHasManagersOfItsOwn) {
  make();
  const auto applied = apply(cat(kWeb, "/status"), "watcher",
                             "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nstatus: {replicas: 2}\n");
  ASSERT_EQ(applied.status, 200) << applied.message();
  EXPECT_EQ(applied.body[keys::kStatus][keys::kReplicas].as_int(), 2);
  EXPECT_NE(owners(applied).find("watcher Apply/status: .status.replicas"), std::string::npos) << owners(applied);
}

TEST_F(Applies, NameOnlyFieldsThatTheirKindHas) {
  const auto refused = Conformance::apply(kWeb, "one", web(R"(
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: 'a:1', imagePullpolicy: Always}]}
)"));
  EXPECT_EQ(refused.status, 500) << "as a kube-apiserver of 1.35 has it";
  EXPECT_EQ(refused.message(),
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
            ".spec.template.spec.containers[name=\"main\"].imagePullpolicy: field not declared in schema");
  const auto more = Conformance::apply("/api/v1/namespaces/default/configmaps/a", "one",
                                       "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, dat: {}, immutible: true}");
  EXPECT_EQ(more.message(), "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): errors:\n"
                            "  .dat: field not declared in schema\n  .immutible: field not declared in schema");
}

TEST_F(Applies, NeedAManagerAndAWholeHead) {
  EXPECT_EQ(call("PATCH", kWeb, web("  replicas: 1\n"), kApplyPatch).status, 422);
  EXPECT_EQ(apply(kWeb, "one", "spec: {replicas: 1}\n").status, 400);
  EXPECT_EQ(call("PATCH", cat(kWeb, "?fieldManager=a&force=true"), "{}", kMergePatch).status, 422);
}

TEST_F(Applies, OfADryRunShowTheirConflictsAndChangeNothing) {
  make();
  EXPECT_EQ(call("PATCH", cat(kWeb, "?fieldManager=two&dryRun=All"), web("  replicas: 3\n"), kApplyPatch).status, 409);
  EXPECT_EQ(call("PATCH", cat(kWeb, "?fieldManager=two&dryRun=All&force=true"), web("  replicas: 3\n"), kApplyPatch).status, 200);
  EXPECT_EQ(get(kWeb).body[keys::kSpec][keys::kReplicas].as_int(), 2);
}

TEST_F(Applies, EveryUpdateIsEnteredUnderItsAgent) {
  make();
  ASSERT_EQ(patch(kWeb, R"({"spec":{"paused":true}})").status, 200);
  EXPECT_NE(owners(get(kWeb)).find("tester Update: .spec.paused"), std::string::npos) << owners(get(kWeb));
}

// What defaults have added to a field goes with it.
TEST_F(Applies, TakeAwayAWholePartThatTheyNameNoLonger) {
  const auto with = [&](const std::string& spec, const std::string& container) {
    return Conformance::apply(kWeb, "one", web(cat("  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
                                                   "    spec: {", spec, "containers: [{name: web, image: 'web:1'", container, "}]}\n")));
  };
  const auto pod_spec = [&] { return get(kWeb).body[keys::kSpec][keys::kTemplate][keys::kSpec]; };
  const auto container = [&] { return pod_spec()[keys::kContainers].items()[0]; };
  ASSERT_EQ(with("", "").status, 201);
  const Value plain = get(kWeb).body[keys::kSpec];
  const auto node_affinity = "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "
                             "[{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]}}, ";
  ASSERT_EQ(with(cat("os: {name: linux}, ", node_affinity),
                 ", livenessProbe: {httpGet: {port: 80}}, lifecycle: {preStop: {sleep: {seconds: 1}}}").status, 200);
  const auto dropped = with("", "");
  ASSERT_EQ(dropped.status, 200) << dropped.message();
  EXPECT_EQ(to_json(get(kWeb).body[keys::kSpec]), to_json(plain)) << "so no new ReplicaSet is due";

  ASSERT_EQ(with("volumes: [{name: v, configMap: {name: c}}], ", ", readinessProbe: {httpGet: {port: 80}}").status, 200);
  const auto other = with("volumes: [{name: v, secret: {secretName: s}}], ", ", readinessProbe: {tcpSocket: {port: 80}}");
  ASSERT_EQ(other.status, 200) << other.message();
  EXPECT_TRUE(pod_spec()[keys::kVolumes].items()[0][keys::kConfigMap].is_absent());
  EXPECT_TRUE(container()[keys::kReadinessProbe][keys::kHttpGet].is_absent());
  EXPECT_EQ(container()[keys::kReadinessProbe][keys::kTcpSocket][keys::kPort].as_int(), 80);
}

TEST_F(Applies, GoFromRollingUpdatesToRecreation) {
  const auto with = [&](const std::string& strategy) {
    return Conformance::apply(kWeb, "one", web(cat("  selector: {matchLabels: {app: web}}\n  strategy: ", strategy, R"(
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
)")));
  };
  ASSERT_EQ(with("{type: RollingUpdate, rollingUpdate: {maxSurge: 1}}").status, 201);
  const auto after = with("{type: Recreate}");
  ASSERT_EQ(after.status, 200) << after.message();
  EXPECT_EQ(to_json(after.body[keys::kSpec]["strategy"]), R"({"type":"Recreate"})");
}

TEST_F(Applies, NeverTakeTheHeadOfAnObject) {
  const auto map = [](const std::string& more) {
    return cat("{apiVersion: v1, kind: ConfigMap, metadata: {name: a", more, "}, data: {k: v}}");
  };
  ASSERT_EQ(Conformance::apply(path("a"), "one", map(", labels: {x: 'y'}")).status, 201);
  const auto uid = get(path("a")).metadata("uid");
  const auto after = Conformance::apply(path("a"), "one", map(""));
  ASSERT_EQ(after.status, 200) << after.message();
  EXPECT_TRUE(after.metadata("labels").is_absent());
  EXPECT_EQ(after.metadata("uid"), uid);
}

TEST_F(Applies, AreNotInConflictAboutWhatTheyDoNotReach) {
  make();
  ASSERT_EQ(patch(cat(kWeb, "/status?fieldManager=controller"), R"({"status":{"observedGeneration":1,"replicas":1}})").status, 200);
  const auto main = apply(kWeb, "two", cat(web("  paused: true\n"), "status: {observedGeneration: 99}\n"));
  ASSERT_EQ(main.status, 200) << main.message();
  EXPECT_EQ(main.body[keys::kStatus][keys::kObservedGeneration].as_int(), 1);
  const auto status = apply(cat(kWeb, "/status"), "two", cat(web("  replicas: 9\n"), "status: {updatedReplicas: 3}\n"));
  ASSERT_EQ(status.status, 200) << status.message();
  EXPECT_EQ(status.body[keys::kSpec][keys::kReplicas].as_int(), 2);
  EXPECT_EQ(status.body[keys::kStatus][keys::kUpdatedReplicas].as_int(), 3);
  EXPECT_EQ(apply(cat(kWeb, "/status"), "two", cat(web("  {}\n"), "status: {replicas: 7}\n")).status, 409) << "what they do reach";
  const auto late = apply(cat(kWeb, "/status"), "two",
                          "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, resourceVersion: '1'}, status: {updatedReplicas: 4}}");
  EXPECT_EQ(late.status, 409) << "of another version than was seen";
}

// `kubectl apply`, then `kubectl apply --server-side`, then again as at first.
TEST_F(Applies, ByKubectlKeepWhatItAppliedLastUpToDate) {
  constexpr const char* kLast = "kubectl.kubernetes.io/last-applied-configuration";
  const auto last = [&] { return get(path("a")).metadata("annotations")[kLast].string(); };
  const auto map = [](const std::string& data) { return cat(R"({"apiVersion":"v1","data":)", data, R"(,"kind":"ConfigMap","metadata":{"name":"a"}})"); };
  const auto made = parse_json(map(R"({"k":"1"})"));
  ASSERT_EQ(call("POST", cat(kConfigMaps, "?fieldManager=kubectl-client-side-apply"),
                 to_json(made->with(keys::kMetadata, Value::map({{keys::kName, "a"},
                                                                 {keys::kAnnotations, Value::map({{Key(kLast), map(R"({"k":"1"})")}})}})))).status, 201);
  ASSERT_EQ(apply(path("a"), "somebody", map(R"({"other":"x"})")).status, 200);
  EXPECT_EQ(last(), map(R"({"k":"1"})")) << "nobody else's";
  const auto taken = apply(path("a"), "kubectl", map(R"({"k":"2","more":"3"})"));
  ASSERT_EQ(taken.status, 200) << "what it had applied itself is no conflict: " << taken.message();
  EXPECT_EQ(last(), map(R"({"k":"2","more":"3"})") + "\n");
  EXPECT_EQ(taken.body["data"]["k"].string(), "2");
  const auto version = get(path("a")).version();
  ASSERT_EQ(apply(path("a"), "kubectl", map(R"({"k":"2","more":"3"})")).status, 200);
  EXPECT_EQ(get(path("a")).version(), version) << "nothing new is no write";
  const auto refused = apply(path("a"), "kubectl", map(R"({"other":"y"})"));
  EXPECT_EQ(refused.status, 409) << "it never applied this";
}

// As in a cluster of `minik start`.
class Accounts : public Applies {
 protected:
  Accounts() : Applies(always()) {}
  static ApiServerOptions always() {
    ApiServerOptions options;
    options.field_accounts = FieldAccounts::kAlways;
    return options;
  }
  Answer by(const char* component, const char* method, const std::string& target, const std::string& body) {
    agent.clear();
    auto answered = call_as(component_user(component), method, target, body, method == std::string("PATCH") ? kMergePatch : "application/json");
    agent = "tester/v1 (linux)";
    return answered;
  }
};

TEST_F(Accounts, NameTheComponentsOfTheClusterAndTheirSubresources) {
  const std::string pods = "/api/v1/namespaces/default/pods", pod = cat(pods, "/web-1");
  ASSERT_EQ(by("system:kube-controller-manager", "POST", pods,
               R"({"metadata":{"name":"web-1","labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:1"}]}})").status, 201);
  ASSERT_EQ(by("system:node:one", "PATCH", cat(pod, "/status"), R"({"status":{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}]}})").status, 200);
  const auto shown = owners(get(pod));
  EXPECT_NE(shown.find("kube-controller-manager Update: .metadata.labels"), std::string::npos) << shown;
  EXPECT_NE(shown.find(R"(.spec.containers[name="web"].image)"), std::string::npos) << shown;
  EXPECT_NE(shown.find("kubelet Update/status: .status.phase .status.podIP"), std::string::npos) << shown;
  const auto refused = apply(pod, "me", "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, labels: {app: mine}}\n");
  EXPECT_EQ(refused.message().find("Apply failed with 1 conflict: conflict with \"kube-controller-manager\" using v1"), 0U)
      << refused.message();
}

TEST_F(Accounts, NameTheServerItselfForWhatEveryClusterHas) {
  EXPECT_EQ(owners(get("/api/v1/namespaces/default")).find("kube-apiserver Update: "), 0U)
      << owners(get("/api/v1/namespaces/default"));
}

TEST_F(Accounts, OfABindingSayNothing) {
  const std::string pod = "/api/v1/namespaces/default/pods/p";
  create("/api/v1/namespaces/default/pods", "{metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}");
  const auto before = owners(get(pod));
  ASSERT_EQ(by("system:kube-scheduler", "POST", cat(pod, "/binding"), R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"n"}})").status, 201);
  EXPECT_EQ(owners(get(pod)), before);
}

TEST_F(Accounts, OfManyUpdatersAreMergedIntoAnAncientOne) {
  create_config_map("a");
  for (int i = 0; i < 15; ++i) {
    executor.run_until(executor.now() + seconds(1), [] { return false; });
    ASSERT_EQ(patch(cat(path("a"), "?fieldManager=m", i), cat(R"({"data":{"k)", i, R"(":"v"}})")).status, 200);
  }
  const auto shown = owners(get(path("a")));
  EXPECT_EQ(get(path("a")).metadata("managedFields").size(), 10U) << shown;
  EXPECT_NE(shown.find("ancient-changes Update: .data .data.a .data.k0 "), std::string::npos) << shown;
  EXPECT_NE(shown.find("m14 Update: .data.k14"), std::string::npos) << shown;
}

}  // namespace
}  // namespace minik::control
