// Webhooks and ValidatingAdmissionPolicies, as those meet them who write.
#include "control/admission/review.h"
#include "control/schema/kinds.h"
#include "tests/api/user_admission_world.h"

namespace minik::control {

namespace {

using Answer = sim::WebhookBehaviour::Answer;

TEST_F(UserAdmissionTest, AWebhookThatDeniesIsQuoted) {
  register_webhook("validatingwebhookconfigurations", "no.example.com");
  webhooks.set("no.example.com", {.answer = Answer::kDeny, .message = "not on a Friday"});
  const auto made = create_map("a");
  EXPECT_EQ(made.status, 403);
  EXPECT_EQ(made.message(), "admission webhook \"no.example.com\" denied the request: not on a Friday");
  EXPECT_EQ(get(cat(kMaps, "/a")).status, 404);
}

TEST(WebhookDenial, HasTheReasonAndTheStatusThatTheWebhookChoseButNoSuccess) {
  const auto of = [](std::string_view status) {
    const Error error = denial("w", *parse_json(status));
    return cat(error.http_status(), " ", code_reason(error.code), ": ", error.message);
  };
  const std::string denied = "admission webhook \"w\" denied the request";
  EXPECT_EQ(of(R"({"code":418,"reason":"Conflict","message":"tea"})"), cat("418 Conflict: ", denied, ": tea"));
  EXPECT_EQ(of(R"({"code":200,"reason":"Forbidden"})"), cat("400 Forbidden: ", denied, ": Forbidden"));
  EXPECT_EQ(of("{}"), cat("400 : ", denied, " without explanation"));
}

TEST_F(UserAdmissionTest, AWebhooksOwnReasonAndDetailsReachWhoWrites) {
  register_webhook("validatingwebhookconfigurations", "own.example.com");
  webhooks.set("own.example.com", {.answer = Answer::kDeny, .status = R"({"code":418,"reason":"TooMuchTea","message":"no cups",
      "details":{"name":"pot","kind":"cups","causes":[{"reason":"Empty","message":"none left","field":"data.cups"}],"retryAfterSeconds":7}})"});
  const auto refused = create_map("a");
  EXPECT_EQ(refused.status, 418);
  EXPECT_EQ(refused.body[keys::kReason].as_string(), "TooMuchTea");
  EXPECT_EQ(refused.message(), "admission webhook \"own.example.com\" denied the request: no cups");
  EXPECT_EQ(to_json(refused.body[keys::kDetails]),
            R"({"causes":[{"field":"data.cups","message":"none left","reason":"Empty"}],"kind":"cups","name":"pot","retryAfterSeconds":7})");
}

TEST_F(UserAdmissionTest, AWebhookThatGivesNoDetailsHasNoneAdded) {
  register_webhook("validatingwebhookconfigurations", "short.example.com");
  webhooks.set("short.example.com", {.answer = Answer::kDeny, .status = R"({"code":409,"reason":"Conflict"})"});
  const auto refused = create_map("a");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.message(), "admission webhook \"short.example.com\" denied the request: Conflict");
  EXPECT_FALSE(refused.body[keys::kDetails].has_value());
}

// An address or a port that a webhook writes is asked for like any other.
class ServicesUnderWebhooks : public UserAdmissionTest {
 protected:
  ServicesUnderWebhooks() {
    post("mutatingwebhookconfigurations", R"(metadata: {name: services.example.com}
webhooks:
- name: services.example.com
  clientConfig: {url: "https://hooks.test/check"}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [services], operations: [CREATE, UPDATE]}]
)");
  }
  CustomAnswer make(const std::string& name) {
    return send("POST", kServices, cat(R"({"metadata":{"name":")", name, R"("},"spec":{"ports":[{"port":80}]}})"));
  }
  void patch_by_webhook(const std::string& patch) {
    webhooks.set("services.example.com", {.answer = Answer::kPatch, .patch = patch});
  }
  const std::string kServices = "/api/v1/namespaces/default/services";
};

TEST_F(ServicesUnderWebhooks, GetNoAddressThatIsTaken) {
  patch_by_webhook(R"([{"op":"add","path":"/spec/clusterIP","value":"10.96.0.1"}])");
  const auto refused = make("thief");
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.message().find("failed to allocate IP 10.96.0.1: provided IP is already allocated"), std::string::npos) << refused.message();
  patch_by_webhook(R"([{"op":"add","path":"/spec/clusterIP","value":"10.96.0.50"}])");
  const auto made = make("web");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(made.at("spec.clusterIPs")), R"(["10.96.0.50"])");
}

TEST_F(ServicesUnderWebhooks, GetWhatTheTypeNeedsThatAWebhookGaveThem) {
  patch_by_webhook(R"([{"op":"replace","path":"/spec/type","value":"NodePort"}])");
  const auto made = make("web");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_GE(made.at("spec.ports").items()[0][keys::kNodePort].as_int(), 30000);
  webhooks.reset();
  ASSERT_EQ(make("plain").status, 201);
  patch_by_webhook(R"([{"op":"replace","path":"/spec/type","value":"NodePort"}])");
  const auto changed = send("PATCH", kServices + "/plain", R"({"metadata":{"labels":{"a":"b"}}})", "application/merge-patch+json");
  ASSERT_EQ(changed.status, 200) << changed.message();
  EXPECT_GE(changed.at("spec.ports").items()[0][keys::kNodePort].as_int(), 30000);
}

// Two Services of one address can come from an older version's store.
TEST_F(UserAdmissionTest, AServiceGivesBackOnlyTheAddressThatIsItsOwn) {
  const std::string services = "/api/v1/namespaces/default/services";
  const Value thief = *parse_json(R"({"metadata":{"name":"thief","namespace":"default","uid":"thief"},"spec":{"clusterIP":"10.96.0.1",
      "clusterIPs":["10.96.0.1"],"ports":[{"port":80,"protocol":"TCP","targetPort":80}]}})");
  store->put(kinds::kServices, thief.with_at({keys::kMetadata, keys::kResourceVersion}, cat(store->next_revision().value)));
  begin_with(&webhooks);
  ASSERT_EQ(send("DELETE", services + "/thief", "").status, 200);
  EXPECT_EQ(send("POST", services, R"({"metadata":{"name":"second"},"spec":{"clusterIP":"10.96.0.1","ports":[{"port":80}]}})").status, 422);
}

TEST_F(UserAdmissionTest, AWebhookThatNobodyAnswersStopsTheWriteUnlessItMayBeIgnored) {
  register_webhook("validatingwebhookconfigurations", "down.example.com");
  webhooks.set("", {.answer = Answer::kOutage});
  const auto made = create_map("a");
  EXPECT_EQ(made.status, 500);
  EXPECT_EQ(made.message(),
            "Internal error occurred: failed calling webhook \"down.example.com\": failed to call webhook: Post "
            "\"https://hooks.test/check?timeout=10s\": dial tcp: connect: connection refused");
  send("DELETE", cat(kHooks, "validatingwebhookconfigurations/down.example.com"), "");
  register_webhook("validatingwebhookconfigurations", "soft.example.com", "failurePolicy: Ignore");
  EXPECT_EQ(create_map("a").status, 201);
}

TEST_F(UserAdmissionTest, ASilentWebhookIsGivenUpAtItsTimeout) {
  register_webhook("validatingwebhookconfigurations", "slow.example.com", "timeoutSeconds: 2");
  webhooks.set("", {.answer = Answer::kSilent});
  const Instant began = executor.now();
  const auto made = create_map("a");
  EXPECT_EQ(made.status, 500);
  EXPECT_NE(made.message().find("context deadline exceeded"), std::string::npos) << made.message();
  EXPECT_EQ((executor.now() - began).ns / 1'000'000'000, 2);
}

TEST_F(UserAdmissionTest, AMutatingWebhookChangesWhatIsStored) {
  register_webhook("mutatingwebhookconfigurations", "add.example.com");
  webhooks.set("add.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"add","path":"/data/b","value":"2"}])"});
  const auto made = create_map("a");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(to_json(get(cat(kMaps, "/a")).at("data")), R"({"a":"1","b":"2"})");
  EXPECT_EQ(webhooks.calls("add.example.com"), 1U);
}

TEST_F(UserAdmissionTest, ADryRunMeetsNoWebhookThatWouldLeaveTraces) {
  register_webhook("validatingwebhookconfigurations", "clean.example.com");
  EXPECT_EQ(create_map("a", "?dryRun=All").status, 201);
  EXPECT_EQ(get(cat(kMaps, "/a")).status, 404);
}

TEST_F(UserAdmissionTest, AnObjectThatChangesDuringTheWaitIsAConflictForWhoNamedItsVersion) {
  ASSERT_EQ(create_map("a").status, 201);
  register_webhook("validatingwebhookconfigurations", "slow.example.com");
  webhooks.set("", {.delay = seconds(5)});
  Value mine = get(cat(kMaps, "/a")).body;
  executor.after(seconds(1), [&] {
    ApiRequest request;
    request.verb = Verb::kUpdate;
    request.kind = schema->find("", "v1", "configmaps")->id;
    request.namespace_ = "default";
    request.name = "a";
    request.body = store->find(request.kind, "default", "a").with_at({"data", "other"}, "x");
    client->send(request, [](const Result<ApiResponse>& r) { EXPECT_TRUE(r) << r.error().message; });
    webhooks.set("", {.delay = seconds(1)});
  });
  const auto answer = call("PUT", cat(kMaps, "/a"), mine.with_at({"data", "a"}, "2"));
  EXPECT_EQ(answer.status, 409) << answer.message();
  EXPECT_EQ(to_json(get(cat(kMaps, "/a")).at("data")), R"({"a":"1","other":"x"})");
}

TEST_F(UserAdmissionTest, SelectorsAndConditionsChooseWhatAWebhookSees) {
  register_webhook("validatingwebhookconfigurations", "some.example.com",
                   "matchConditions: [{name: not-b, expression: 'object.metadata.name != \"b\"'}]");
  webhooks.set("", {.answer = Answer::kDeny});
  EXPECT_EQ(create_map("a").message(), "admission webhook \"some.example.com\" denied the request without explanation");
  EXPECT_EQ(create_map("b").status, 201);
}

TEST_F(UserAdmissionTest, AWebhookIsAskedAgainOnceALaterOneHasChangedTheObject) {
  register_webhook("mutatingwebhookconfigurations", "a.example.com", "reinvocationPolicy: IfNeeded");
  register_webhook("mutatingwebhookconfigurations", "b.example.com");
  webhooks.set("a.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"add","path":"/data/first","value":"1"}])"});
  ASSERT_EQ(create_map("one").status, 201);
  EXPECT_EQ(webhooks.calls("a.example.com"), 1U);
  webhooks.set("b.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"add","path":"/data/second","value":"2"}])"});
  ASSERT_EQ(create_map("two").status, 201);
  EXPECT_EQ(webhooks.calls("a.example.com"), 3U);
  EXPECT_EQ(webhooks.calls("b.example.com"), 2U);
  EXPECT_EQ(to_json(get(cat(kMaps, "/two")).at("data")), R"({"a":"1","first":"1","second":"2"})");
}

TEST_F(UserAdmissionTest, SelectorsOfNamespacesAndObjectsChooseWhatAWebhookSees) {
  register_webhook("validatingwebhookconfigurations", "labels.example.com", "objectSelector: {matchLabels: {watched: \"yes\"}}");
  register_webhook("validatingwebhookconfigurations", "places.example.com", "namespaceSelector: {matchLabels: {strict: \"yes\"}}");
  webhooks.set("", {.answer = Answer::kDeny, .message = "seen"});
  EXPECT_EQ(create_map("a").status, 201);
  const auto label = R"({"metadata":{"labels":{"watched":"yes"}}})";
  EXPECT_EQ(send("PATCH", cat(kMaps, "/a"), label, "application/merge-patch+json").message(),
            "admission webhook \"labels.example.com\" denied the request: seen");
  ASSERT_EQ(send("PATCH", "/api/v1/namespaces/default", R"({"metadata":{"labels":{"strict":"yes"}}})", "application/merge-patch+json").status, 200);
  EXPECT_EQ(create_map("b").message(), "admission webhook \"places.example.com\" denied the request: seen");
}

TEST_F(UserAdmissionTest, ConditionsSeeTheOptionsOfARequest) {
  register_webhook("validatingwebhookconfigurations", "options.example.com",
                   "matchConditions: [{name: mine, expression: 'request.options.kind == \"CreateOptions\" && request.options.?fieldManager == "
                   "optional.of(\"mine\")'}]");
  webhooks.set("", {.answer = Answer::kDeny});
  EXPECT_EQ(create_map("a").status, 201);
  EXPECT_NE(create_map("b", "?fieldManager=mine").status, 201);
}

TEST_F(UserAdmissionTest, AWebhookSeesSubresourcesByTheirOwnKinds) {
  post("validatingwebhookconfigurations", R"(metadata: {name: parts.example.com}
webhooks:
- name: parts.example.com
  clientConfig: {url: "https://hooks.test/check"}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: ["*"], apiVersions: ["*"], resources: ["*/scale", pods/eviction, pods/exec], operations: ["*"]}]
)");
  webhooks.set("parts.example.com", {.answer = Answer::kDeny, .message = "not that part"});
  const std::string sets = "/apis/apps/v1/namespaces/default/replicasets", pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(send("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})").status, 201);
  ASSERT_EQ(send("POST", sets, R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":)"
                               R"({"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})").status, 201);
  ASSERT_EQ(send("POST", pods, R"({"metadata":{"name":"p"},"spec":{"nodeName":"n","containers":[{"name":"c","image":"i"}]}})").status, 201);
  const std::string refused = "admission webhook \"parts.example.com\" denied the request: not that part";
  EXPECT_EQ(send("PATCH", cat(sets, "/web/scale"), R"({"spec":{"replicas":3}})", "application/merge-patch+json").message(), refused);
  EXPECT_EQ(get(cat(sets, "/web")).at("spec.replicas").as_int(), 1);
  EXPECT_EQ(send("POST", cat(pods, "/p/eviction"), R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})").message(), refused);
  EXPECT_EQ(get(cat(pods, "/p")).status, 200);
  // A connection is opened elsewhere; the server is asked about it before.
  const auto may_exec = [&] {
    ApiRequest request;
    request.verb = Verb::kConnect;
    request.kind = schema->find("", "v1", "pods")->id;
    request.namespace_ = "default";
    request.name = "p";
    request.subresource = "exec";
    request.body = Value::map({{"apiVersion", "v1"}, {"kind", "PodExecOptions"}, {"command", Value::array({Value("ls")})}});
    std::string said;
    client->send(request, [&](const Result<ApiResponse>& r) { said = r ? "yes" : r.error().message; });
    settle();
    return said;
  };
  EXPECT_EQ(may_exec(), refused);
  webhooks.set("parts.example.com", {});
  EXPECT_EQ(may_exec(), "yes");
}

TEST_F(UserAdmissionTest, WhatAWebhookChangesOfABindingAnEvictionOrAConnectionCounts) {
  post("mutatingwebhookconfigurations", R"(metadata: {name: parts}
webhooks:
- name: parts.example.com
  clientConfig: {url: "https://hooks.test/check"}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: ["*"], apiVersions: ["*"], resources: [pods/binding, pods/eviction, pods/exec], operations: ["*"]}]
)");
  const std::string pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(send("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})").status, 201);
  ASSERT_EQ(send("POST", pods, R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})").status, 201);
  const auto patch = [&](const std::string& with) { webhooks.set("parts.example.com", {.answer = Answer::kPatch, .patch = with}); };

  patch(R"([{"op":"replace","path":"/target/name","value":"other"},{"op":"add","path":"/metadata/annotations","value":{"by":"hook"}}])");
  const auto bound = send("POST", cat(pods, "/p/binding"), R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":"n"}})");
  ASSERT_EQ(bound.status, 201) << bound.message();
  EXPECT_EQ(get(cat(pods, "/p")).at("spec.nodeName").as_string(), "other");
  EXPECT_EQ(get(cat(pods, "/p")).at("metadata.annotations.by").as_string(), "hook");

  patch(R"([{"op":"replace","path":"/command","value":["id"]}])");
  ApiRequest exec;
  exec.verb = Verb::kConnect;
  exec.kind = schema->find("", "v1", "pods")->id;
  exec.namespace_ = "default";
  exec.name = "p";
  exec.subresource = "exec";
  exec.body = Value::map({{"apiVersion", "v1"}, {"kind", "PodExecOptions"}, {"command", Value::array({Value("ls")})}});
  Value options;
  client->send(exec, [&](const Result<ApiResponse>& r) { options = r ? r->object : Value(r.error().message); });
  settle();
  EXPECT_EQ(to_json(options["command"]), R"(["id"])");

  patch(R"([{"op":"add","path":"/deleteOptions","value":{"gracePeriodSeconds":7}}])");
  ASSERT_EQ(send("POST", cat(pods, "/p/eviction"), R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})").status, 201);
  EXPECT_EQ(get(cat(pods, "/p")).at("metadata.deletionGracePeriodSeconds").as_int(), 7);
}

TEST_F(UserAdmissionTest, AnEvictionIsNotShownASecondTimeAsADeletion) {
  post("validatingwebhookconfigurations", R"(metadata: {name: pods}
webhooks:
- name: pods.example.com
  clientConfig: {url: "https://hooks.test/check"}
  admissionReviewVersions: [v1]
  sideEffects: None
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [DELETE]}]
)");
  webhooks.set("pods.example.com", {.answer = Answer::kDeny});
  const std::string pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(send("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})").status, 201);
  ASSERT_EQ(send("POST", pods, R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})").status, 201);
  EXPECT_NE(send("DELETE", cat(pods, "/p"), "").message().find("denied the request"), std::string::npos);
  EXPECT_EQ(send("POST", cat(pods, "/p/eviction"), R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}})").status, 201);
  EXPECT_EQ(get(cat(pods, "/p")).status, 404);
}

TEST_F(UserAdmissionTest, AWebhookMayNotMakeAnotherObjectOfTheOneThatIsChanged) {
  ASSERT_EQ(create_map("w4").status, 201);
  register_webhook("mutatingwebhookconfigurations", "m.example.com");
  webhooks.set("m.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"replace","path":"/metadata/name","value":"evil"}])"});
  const auto renamed = change_map("w4", R"({"b":"2"})");
  EXPECT_EQ(renamed.status, 422);
  EXPECT_EQ(renamed.message(), "ConfigMap \"w4\" is invalid: metadata.name: Invalid value: \"evil\": field is immutable");
  EXPECT_EQ(get(cat(kMaps, "/evil")).status, 404);
  webhooks.set("m.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"replace","path":"/metadata/namespace","value":"kube-system"}])"});
  EXPECT_EQ(change_map("w4", R"({"b":"2"})").status, 400);
  EXPECT_TRUE(get(cat(kMaps, "/w4")).at("data.b").is_absent());
}

TEST_F(UserAdmissionTest, AWebhookMayNotMakeANewObjectElsewhere) {
  const std::string theirs = "/api/v1/namespaces/kube-system/configmaps";
  ASSERT_EQ(send("POST", theirs, R"({"metadata":{"name":"victim"},"data":{"safe":"yes"}})").status, 201);
  register_webhook("mutatingwebhookconfigurations", "m.example.com");
  webhooks.set("m.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"replace","path":"/metadata/namespace","value":"kube-system"}])"});
  const auto moved = create_map("victim");
  EXPECT_EQ(moved.status, 400);
  EXPECT_EQ(moved.message(), "the namespace of the provided object does not match the namespace sent on the request");
  EXPECT_EQ(to_json(get(cat(theirs, "/victim")).at("data")), R"({"safe":"yes"})");
  webhooks.set("m.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"remove","path":"/metadata/namespace"},
      {"op":"replace","path":"/metadata/name","value":"renamed"}])"});
  const auto made = create_map("a");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(get(cat(kMaps, "/renamed")).status, 200) << "a new object may be given a name, and stays where it was asked for";
}

TEST_F(UserAdmissionTest, AWebhookMayNotSayWhoANewObjectIs) {
  register_webhook("mutatingwebhookconfigurations", "m.example.com");
  webhooks.set("m.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"replace","path":"/metadata/uid","value":"mine"},
      {"op":"replace","path":"/metadata/creationTimestamp","value":"2001-01-01T00:00:00Z"}])"});
  const auto made = create_map("a");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_NE(made.at("metadata.uid").as_string(), "mine");
  EXPECT_TRUE(made.at("metadata.creationTimestamp").as_string().starts_with("2026")) << made.at("metadata.creationTimestamp").as_string();
}

TEST_F(UserAdmissionTest, ACollectionOfAnySizeGoesThoughAWebhookSeesEachDeletion) {
  constexpr int kMapsMade = 130;
  for (int i = 0; i < kMapsMade; ++i) ASSERT_EQ(create_map(cat("m", i)).status, 201);
  register_webhook("validatingwebhookconfigurations", "see.example.com");
  const auto gone = send("DELETE", kMaps, "");
  EXPECT_EQ(gone.status, 200) << gone.message();
  EXPECT_EQ(gone.at("items").size(), kMapsMade);
  EXPECT_EQ(get(kMaps).at("items").size(), 0U);
  EXPECT_EQ(webhooks.calls("see.example.com"), kMapsMade);
}

TEST_F(UserAdmissionTest, ACollectionIsWhatWasThereWhenItsDeletionBegan) {
  for (const auto* name : {"a", "b", "c"}) ASSERT_EQ(create_map(name).status, 201);
  ASSERT_EQ(change_map("b", R"({"kept":"yes"})").status, 200);
  ASSERT_EQ(send("PATCH", cat(kMaps, "/b"), R"({"metadata":{"finalizers":["example.com/hold"]}})", "application/merge-patch+json").status, 200);
  register_webhook("validatingwebhookconfigurations", "see.example.com");
  const auto gone = send("DELETE", kMaps, "");
  EXPECT_EQ(gone.status, 200) << gone.message();
  std::string names;
  for (const auto& item : gone.at("items").items()) names += object_name(item);
  EXPECT_EQ(names, "abc");
  EXPECT_EQ(webhooks.calls("see.example.com"), 3U) << "one that is held is asked about once";
  EXPECT_TRUE(get(cat(kMaps, "/b")).at("metadata.deletionTimestamp").has_value());
}

TEST_F(UserAdmissionTest, AWebhookIsMatchedAgainstWhatThoseBeforeItHaveLeft) {
  register_webhook("mutatingwebhookconfigurations", "a.example.com");
  register_webhook("mutatingwebhookconfigurations", "b.example.com", "objectSelector: {matchLabels: {team: blue}}");
  register_webhook("mutatingwebhookconfigurations", "c.example.com",
                   "matchConditions: [{name: blue, expression: \"object.metadata.?labels['team'].orValue('') == 'blue'\"}]");
  register_webhook("mutatingwebhookconfigurations", "d.example.com", "objectSelector: {matchLabels: {team: red}}");
  webhooks.set("a.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"add","path":"/metadata/labels","value":{"team":"blue"}}])"});
  ASSERT_EQ(create_map("x").status, 201);
  EXPECT_EQ(webhooks.calls("b.example.com"), 1U);
  EXPECT_EQ(webhooks.calls("c.example.com"), 1U);
  EXPECT_EQ(webhooks.calls("d.example.com"), 0U);
}

TEST_F(UserAdmissionTest, ASecondRoundAsksNobodyForTheFirstTime) {
  register_webhook("mutatingwebhookconfigurations", "a.example.com", "reinvocationPolicy: IfNeeded\n  objectSelector: {matchLabels: {team: blue}}");
  register_webhook("mutatingwebhookconfigurations", "b.example.com");
  webhooks.set("b.example.com", {.answer = Answer::kPatch, .patch = R"([{"op":"add","path":"/metadata/labels","value":{"team":"blue"}}])"});
  ASSERT_EQ(create_map("x").status, 201);
  EXPECT_EQ(webhooks.calls("a.example.com"), 0U);
}

TEST_F(UserAdmissionTest, AMatchConditionMayAskWhoMayDoWhat) {
  register_webhook("validatingwebhookconfigurations", "no.example.com",
                   "matchConditions: [{name: breakglass, expression: "
                   "\"!authorizer.group('example.com').resource('doors').check('breakglass').allowed()\"}]");
  webhooks.set("no.example.com", {.answer = Answer::kDeny, .message = "locked"});
  EXPECT_EQ(create_map("a").status, 201) << "a member of system:masters may everything";
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                 R"({"metadata":{"name":"maps"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["*"]}]})").status, 201);
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                 R"({"metadata":{"name":"maps"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"maps"},
                     "subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"bob"}]})").status, 201);
  client = std::make_unique<LocalClient>(executor, *api, UserInfo{"bob", "", {"system:authenticated"}, {}});
  const auto refused = create_map("b");
  EXPECT_EQ(refused.status, 403) << refused.message();
  EXPECT_NE(refused.message().find("admission webhook \"no.example.com\" denied the request"), std::string::npos) << refused.message();
}

// ---- policies ----

constexpr const char* kPolicy = R"(
metadata: {name: limit}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}]
  matchConditions: [{name: no-params, expression: 'object.metadata.name != "limits"'}]
  variables: [{name: size, expression: 'size(object.data)'}]
  validations:
  - expression: variables.size <= int(params.data.max)
    messageExpression: '"at most " + params.data.max + " entries, not " + string(variables.size)'
  - expression: oldObject == null || !("fixed" in oldObject.data) || object.data.fixed == oldObject.data.fixed
    message: fixed stays
    reason: Forbidden
)";
constexpr const char* kBinding = R"(
metadata: {name: everywhere}
spec:
  policyName: limit
  validationActions: [Deny]
  paramRef: {name: limits, namespace: default, parameterNotFoundAction: Deny}
)";

TEST_F(UserAdmissionTest, APolicyIsAskedWithItsParametersAndVariables) {
  send("POST", kMaps, R"({"metadata":{"name":"limits"},"data":{"max":"2"}})");
  post("validatingadmissionpolicies", kPolicy);
  EXPECT_EQ(create_map("before").status, 201);
  post("validatingadmissionpolicybindings", kBinding);
  EXPECT_EQ(create_map("a").status, 201);
  const auto refused = change_map("a", R"({"b":"2","c":"3"})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.message(),
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'limit' with binding 'everywhere' denied request: at "
            "most 2 entries, not 3");
  EXPECT_EQ(change_map("a", R"({"fixed":"1"})").status, 200);
  EXPECT_EQ(change_map("a", R"({"fixed":"2"})").status, 403);
  send("DELETE", cat(kMaps, "/limits"), "");
  EXPECT_NE(create_map("c").message().find("no params found for policy binding with `Deny` parameterNotFoundAction"),
            std::string::npos);
}

TEST_F(UserAdmissionTest, ABindingMayOnlyWarn) {
  send("POST", kMaps, R"({"metadata":{"name":"limits"},"data":{"max":"0"}})");
  post("validatingadmissionpolicies", kPolicy);
  std::string warn = kBinding;
  warn.replace(warn.find("[Deny]"), 6, "[Warn]");
  post("validatingadmissionpolicybindings", warn);
  const auto made = create_map("a");
  EXPECT_EQ(made.status, 201);
  ASSERT_EQ(made.warnings.size(), 1U);
  EXPECT_EQ(made.warnings[0],
            "Validation failed for ValidatingAdmissionPolicy 'limit' with binding 'everywhere': at most 0 entries, not 1");
  register_webhook("validatingwebhookconfigurations", "no.example.com");
  webhooks.set("no.example.com", {.answer = Answer::kDeny, .message = "not on a Friday"});
  const auto refused = create_map("b");
  EXPECT_EQ(refused.message(), "admission webhook \"no.example.com\" denied the request: not on a Friday");
  EXPECT_EQ(refused.warnings, made.warnings);
  EXPECT_TRUE(refused.body[keys::kDetails].is_absent());
}

TEST_F(UserAdmissionTest, APolicyThatCannotBeAskedDeniesAlsoWhereItsBindingOnlyWarns) {
  post("validatingadmissionpolicies", kPolicy);
  std::string warn = kBinding;
  warn.replace(warn.find("[Deny]"), 6, "[Warn]");
  post("validatingadmissionpolicybindings", warn);
  const auto refused = create_map("a");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.message(),
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'limit' with binding 'everywhere' denied request: failed to "
            "configure binding: no params found for policy binding with `Deny` parameterNotFoundAction");
  EXPECT_TRUE(refused.warnings.empty());
}

TEST_F(UserAdmissionTest, APolicyWhoseParametersAreOfNoKnownKindIsToBlameItself) {
  post("validatingadmissionpolicies", R"(metadata: {name: lost}
spec:
  paramKind: {apiVersion: example.com/v1, kind: Nothing}
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}]}
  validations: [{expression: "true"}]
)");
  post("validatingadmissionpolicybindings",
       "metadata: {name: b}\nspec: {policyName: lost, validationActions: [Audit], paramRef: {name: x, parameterNotFoundAction: Allow}}\n");
  EXPECT_EQ(create_map("a").message(),
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'lost' denied request: failed to configure policy: failed to find "
            "resource referenced by paramKind: 'example.com/v1, Kind=Nothing'");
}

TEST_F(UserAdmissionTest, APolicyAsksTheAuthorizerWhatItsSenderMayDo) {
  post("validatingadmissionpolicies", R"yaml(metadata: {name: owners}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE]}]}
  validations:
  - expression: "authorizer.requestResource.check('approve').allowed()"
  - expression: "!authorizer.serviceAccount('default', 'robot').group('apps').resource('deployments').namespace('default').check('get').allowed()"
    message: the robot may
  - expression: "authorizer.path('/metrics').check('get').allowed()"
)yaml");
  post("validatingadmissionpolicybindings", "metadata: {name: owners}\nspec: {policyName: owners, validationActions: [Deny]}\n");
  EXPECT_EQ(create_map("a").status, 201);
  UserInfo nobody{"nobody", "", {"system:authenticated"}, {}};
  LocalClient theirs(executor, *api, nobody);
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
                 R"({"metadata":{"name":"maker"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["create"]}]})").status, 201);
  ASSERT_EQ(send("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
                 R"({"metadata":{"name":"maker"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"maker"},)"
                 R"("subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":"nobody"}]})").status, 201);
  ApiRequest request;
  request.verb = Verb::kCreate;
  request.kind = schema->find("", "v1", "configmaps")->id;
  request.namespace_ = "default";
  request.body = Value::map({{"metadata", Value::map({{"name", "b"}})}});
  std::string message;
  theirs.send(request, [&](const Result<ApiResponse>& r) { message = r ? "made" : r.error().message; });
  settle();
  EXPECT_NE(message.find("failed expression: authorizer.requestResource.check('approve').allowed()"), std::string::npos) << message;
}

TEST_F(UserAdmissionTest, APolicyThatDoesNotCompileIsRefused) {
  std::string wrong = kPolicy;
  wrong.replace(wrong.find("size(object.data)"), 17, "size(object.data");
  const auto parsed = parse_yaml(wrong, "policy");
  const auto made = call("POST", cat(kHooks, "validatingadmissionpolicies"), (*parsed)[0].value);
  EXPECT_EQ(made.status, 422);
  EXPECT_NE(made.message().find("spec.variables[0].expression: Invalid value: "), std::string::npos) << made.message();
}

}  // namespace

}  // namespace minik::control
