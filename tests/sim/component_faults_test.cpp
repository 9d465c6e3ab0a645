// Single controllers that die, webhooks, quotas and credentials: each fault is felt while it lasts and not afterwards.
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

using control::keys::kSpec;
namespace kinds = control::kinds;

constexpr std::string_view kScaleAtTwo = "  timeline:\n  - {at: 2m5s, scale: {kind: Deployment, name: web, replicas: 12}}\n  faults:\n  - ";

// How long after two minutes it took until all twelve are there.
Duration scaled_after(std::string_view fault, std::string_view objects = "") {
  FaultyRun run(cat(objects, kScaleAtTwo, fault));
  run.to(minutes(2));
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(20))) << fault;
  return run.run->now() - minutes(2);
}

std::string refusal(std::string_view spec) {
  const auto parsed = parse_scenario(cat("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n"
                                         "  nodes: [{name: node, count: 3}]\n", spec), "a.yaml");
  return parsed ? "" : parsed.error().message;
}

TEST(SingleControllers, OneIsMissedWhileTheOthersGoOn) {
  FaultyRun run(R"(  timeline:
  - {at: 2m5s, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}
  faults:
  - {at: 2m, for: 3m, crashComponent: {component: deployment}}
  - {at: 3m, crashNodes: {names: [node-1]}, for: 8m})");
  run.to(minutes(4) + seconds(55));
  EXPECT_TRUE(run.run->cluster().running(Component::kControllers));
  EXPECT_FALSE(run.run->cluster().running({"deployment-controller"}));
  EXPECT_EQ(run.store().count(kinds::kReplicasets), 1U) << "nobody makes the ReplicaSet of the new image";
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown") << "who looks after nodes does so";
  EXPECT_EQ(run.ready_pods(), 6) << "lost pods are replaced";
  EXPECT_TRUE(run.until([&] { return run.store().count(kinds::kReplicasets) == 2; }, seconds(30))) << "once it has the lease";
}

TEST(SingleControllers, OneDiesBetweenTwoOfItsWrites) {
  FaultyRun run(R"(  timeline:
  - {at: 2m, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}
  faults:
  - when:
      between:
        first: {verb: create, kind: ReplicaSet, component: deployment-controller}
        then: {verb: update, kind: ReplicaSet, component: deployment-controller}
    for: 1m
    crashComponent: {component: deployment-controller})");
  run.to(minutes(2) + seconds(30));
  EXPECT_EQ(run.store().count(kinds::kReplicasets), 2U);
  EXPECT_FALSE(run.run->cluster().running({"deployment-controller"})) << "it died after the first write";
  EXPECT_TRUE(run.run->cluster().running(Component::kControllers));
  run.to(minutes(8));
  EXPECT_EQ(run.count([](const control::Value& pod) {
    return pod[kSpec][control::keys::kContainers].items()[0][control::keys::kImage].as_string() == "web:2";
  }), 6);
}

TEST(SingleControllers, OneLosesItsLeaseDoublesAndDiesOften) {
  EXPECT_GT(scaled_after("{at: 2m4s, loseLeader: {component: replicaset}}"), seconds(17));
  for (const auto* fault : {"twoLeaders: {component: replicaset}", "crashAtWrites: {component: replicaset, share: 30%}"}) {
    FaultyRun run(cat(kScaleAtTwo, "{at: 2m, for: 30s, ", fault, "}"));
    run.to(minutes(6));
    EXPECT_EQ(run.available(), 12) << fault;
    EXPECT_EQ(run.store().count(kinds::kPods), 12U) << fault;
  }
}

TEST(SingleControllers, AllOfThemAreMeantByControllers) {
  FaultyRun run(R"(  faults:
  - {at: 2m, for: 1m, crashComponent: {component: controllers}}
  - {at: 4m, for: 1m, crashComponent: {component: job}})");
  run.to(minutes(2) + seconds(30));
  EXPECT_FALSE(run.run->cluster().running(Component::kControllers));
  EXPECT_FALSE(run.run->cluster().running({"job-controller"}));
  run.to(minutes(3) + seconds(30));
  EXPECT_TRUE(run.run->cluster().running({"job-controller"}));
}

TEST(SingleControllers, AnInjectedFaultTakesOneFromAmongTheOthers) {
  FaultyRun run("");
  run.to(minutes(2));
  const auto injected = run.run->inject("{crashComponent: {component: replicaset}, for: 1m}", "injected");
  ASSERT_TRUE(injected.ok()) << injected.error().message;
  EXPECT_FALSE(run.run->cluster().running({"replicaset-controller"}));
  EXPECT_TRUE(run.run->cluster().running(Component::kControllers));
  run.to(minutes(4));
  EXPECT_TRUE(run.run->cluster().running({"replicaset-controller"}));
}

TEST(Scenarios, WhatIsMistypedIsAnsweredByWhatMayHaveBeenMeant) {
  EXPECT_NE(refusal("  faults:\n  - {at: 1m, crashComponent: {component: deploymnt}}").find("perhaps deployment"), std::string::npos);
  EXPECT_NE(refusal("  faults:\n  - {at: 1m, crashNods: all}").find("perhaps crashNodes was meant"), std::string::npos);
  EXPECT_NE(refusal("  timeline:\n  - {at: 1m, delete: {kind: Deploymant, name: a}}").find("perhaps Deployment was meant"), std::string::npos);
  EXPECT_EQ(refusal("  faults:\n  - {at: 1m, somethingElse: all}").find("perhaps"), std::string::npos);
  EXPECT_NE(refusal("  faults:\n  - {at: 1m, crashNodes: {pool: nod}}").find("there is no pool \"nod\", perhaps node was meant"), std::string::npos);
  EXPECT_NE(refusal("  faults:\n  - {at: 1m, crashNodes: {zone: a}}").find("no pool of nodes has zones"), std::string::npos);
  EXPECT_NE(refusal("  timeline:\n  - {at: 1m, upgradePool: {pool: nodes}}").find("there is no pool \"nodes\""), std::string::npos);
  EXPECT_TRUE(refusal("  images:\n  - {match: a, asks: {list: [Pods]}}").starts_with("a.yaml:7: "));
  EXPECT_NE(refusal("  faults:\n  - {crashNodes: all}").find("the moments at which it strikes"), std::string::npos);
  EXPECT_NE(refusal("  timeline:\n  - {cordon: all}").find("the moment at which it happens"), std::string::npos);
  const auto injected = parse_actions("{partitionNods: {zone: a}, for: 2m}", "inject");
  ASSERT_FALSE(injected);
  EXPECT_NE(injected.error().message.find("perhaps partitionNodes was meant"), std::string::npos) << injected.error().message;
  const auto running = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec: {nodes: [{name: node, count: 3}]}", "a.yaml");
  EXPECT_TRUE(parse_actions("{crashNodes: {names: [node-2]}}", "inject", &*running).ok());
  EXPECT_NE(parse_actions("{crashNodes: {names: [node-3]}}", "inject", &*running).error().message.find("there is no node \"node-3\""), std::string::npos);
  EXPECT_NE(parse_actions("{cordon: all, for: 2m}", "inject").error().message.find("an action does not last"), std::string::npos);
}

TEST(SingleControllers, NamesThatNobodyHasAreRefusedWhereTheyStand) {
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, crashComponent: {component: deploymnt}}").starts_with("a.yaml:7: "));
  EXPECT_NE(refusal("  faults:\n  - {at: 1m, crashComponent: {component: deploymnt}}").find("deployment-controller"), std::string::npos);
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, troubleLinks: {components: [node-3], loseRequests: 1%}}").starts_with("a.yaml:7: "));
  EXPECT_EQ(refusal("  faults:\n  - {at: 1m, troubleLinks: {components: [node-2], loseRequests: 1%}}"), "");
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, crashNodes: {names: [node-03]}}").starts_with("a.yaml:7: "));
  EXPECT_TRUE(refusal("  faults:\n  - {when: {write: {component: web}}, stopApi: {}}").starts_with("a.yaml:7: "));
  EXPECT_TRUE(refusal("  timeline:\n  - {at: 1m, restart: everything}").starts_with("a.yaml:7: "));
}

// A webhook that is asked about every new pod, as an item of `apply` at this indentation.
std::string webhook_at(std::string_view client_config, size_t indent) {
  const std::string manifest = cat(R"(- apiVersion: admissionregistration.k8s.io/v1
  kind: ValidatingWebhookConfiguration
  metadata: {name: guard}
  webhooks:
  - name: guard.example.com
    failurePolicy: Fail
    sideEffects: None
    timeoutSeconds: 5
    admissionReviewVersions: [v1]
    clientConfig: )", client_config, R"(
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}])");
  std::string text;
  for (const auto line : split(manifest, '\n')) text += cat(std::string(indent, ' '), line, "\n");
  return text;
}

const std::string kWebhook = webhook_at("{url: \"https://guard.example.com/\"}", 2);

TEST(WebhookFaults, NoPodIsMadeWhileTheWebhookFails) {
  const Duration usual = scaled_after("{at: 59m, expireWatches: {}}", kWebhook);
  EXPECT_LT(usual, minutes(1));
  for (const auto* how : {"refused", "silent", "nonsense", "certificateExpired"}) {
    EXPECT_GT(scaled_after(cat("{at: 2m, for: 3m, webhookOutage: {match: \"guard.*\", how: ", how, "}}"), kWebhook), minutes(3)) << how;
  }
  EXPECT_LT(scaled_after("{at: 2m, for: 3m, webhookOutage: {match: \"other.*\"}}", kWebhook), minutes(1));
  EXPECT_GT(scaled_after("{at: 2m, for: 3m, slowWebhooks: {latency: 4s}}", kWebhook), usual + seconds(3));
}

TEST(WebhookFaults, AWebhookIsAwayWithTheMachineOfItsPod) {
  // Its one endpoint stays listed while its machine only stands still.
  FaultyRun run(cat(kWebhook, R"(  timeline:
  - at: 30s
    apply:
    - apiVersion: v1
      kind: Service
      metadata: {name: guard}
      spec: {selector: {app: web}, ports: [{port: 443, targetPort: 80}]}
)", webhook_at("{service: {name: guard, namespace: default}}", 4), R"(  - {at: 2m5s, scale: {kind: Deployment, name: web, replicas: 7}}
  faults:
  - {at: 2m, for: 30s, freezeNodes: all})"));
  run.to(minutes(2) + seconds(25));
  EXPECT_EQ(run.store().count(kinds::kPods), 6U);
  EXPECT_TRUE(run.until([&] { return run.available() == 7; }, minutes(3)));
}

TEST(WebhookFaults, AreRefusedWhereTheyAreWrong) {
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, webhookOutage: {how: rude}}").starts_with("a.yaml:7: "));
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, slowWebhooks: {match: \"*\"}}").starts_with("a.yaml:7: "));
}

TEST(QuotaFaults, NothingIsMadeThatNothingIsLeftFor) {
  FaultyRun run(cat(kScaleAtTwo, "{at: 2m, for: 3m, exhaustQuota: {}}"));
  run.to(minutes(4));
  EXPECT_EQ(run.available(), 6);
  EXPECT_EQ(run.store().count(kinds::kPods), 6U);
  bool told = false;
  run.store().for_each(kinds::kEvents, [&](const control::Value& event) {
    told |= event[control::keys::kMessage].as_string().find("exceeded quota: exhausted") != std::string_view::npos;
  });
  EXPECT_TRUE(told);
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(5)));
  EXPECT_EQ(run.store().count(kinds::kResourcequotas), 0U);
}

TEST(QuotaFaults, CountWhatTheyAreTold) {
  EXPECT_LT(scaled_after("{at: 2m, for: 3m, exhaustQuota: {resources: [services]}}"), minutes(1));
  EXPECT_GT(scaled_after("{at: 2m, for: 3m, exhaustQuota: {resources: [requests.cpu]}}"), minutes(2));
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, exhaustQuota: {resources: [cups]}}").starts_with("a.yaml:7: "));
}

TEST(Credentials, ANodeWhoseCertificateHasExpiredIsLostUntilItIsRenewed) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 3m, expireCertificates: {components: [node-1]}}");
  run.to(minutes(2) + seconds(40));
  EXPECT_EQ(run.condition("node-1", "Ready"), "True") << "the lease has not run out yet";
  run.to(minutes(4));
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
  EXPECT_TRUE(run.run->cluster().kubelet_running("node-1"));
  EXPECT_TRUE(run.until([&] { return run.condition("node-1", "Ready") == "True"; }, minutes(3)));
  EXPECT_TRUE(run.until([&] { return run.available() == 6; }, minutes(2)));
}

TEST(Credentials, AControllerWithoutAValidTokenDoesNothing) {
  EXPECT_GT(scaled_after("{at: 2m, for: 3m, expireTokens: {components: [replicaset-controller]}}"), minutes(2));
  EXPECT_GT(scaled_after("{at: 2m, for: 3m, expireCertificates: {components: [scheduler]}}"), minutes(2));
  EXPECT_TRUE(refusal("  faults:\n  - {at: 1m, expireTokens: {components: [nodes]}}").starts_with("a.yaml:7: "));
}

TEST(Leaders, WhoCannotRenewItsLeaseForTenSecondsEndsAndLeadsAgainWhenItCan) {
  for (const auto* fault : {"holdMessages: {components: [controllers]}", "expireCertificates: {components: [controllers]}",
                            "troubleLinks: {components: [controllers], loseRequests: 100%}",
                            "troubleLinks: {components: [controllers], loseAnswers: 100%}"}) {
    FaultyRun run(cat("  faults:\n  - {at: 2m, for: 9s, ", fault, "}\n  - {at: 4m, for: 40s, ", fault, "}"));
    auto& cluster = run.run->cluster();
    run.to(minutes(4) + seconds(9));
    EXPECT_FALSE(run.noted("controllers end")) << "nine seconds are no matter: " << fault;
    run.to(minutes(4) + seconds(11));
    EXPECT_FALSE(cluster.running(Component::kControllers)) << fault;
    EXPECT_TRUE(run.noted("controllers end: they cannot renew their lease")) << fault;
    EXPECT_TRUE(cluster.running(Component::kScheduler)) << "its own link is well: " << fault;
    run.to(minutes(4) + seconds(39));
    EXPECT_FALSE(cluster.running(Component::kControllers)) << fault;
    run.to(minutes(4) + seconds(51));
    EXPECT_TRUE(cluster.running(Component::kControllers)) << fault;
    EXPECT_TRUE(run.noted("controllers lead again")) << fault;
  }
}

TEST(Leaders, AreNotMovedByTroubleThatLetsRenewalsThrough) {
  for (const auto* fault : {"holdWatches: {components: [controllers]}", "troubleLinks: {components: [controllers], loseRequests: 30%}"}) {
    FaultyRun run(cat("  faults:\n  - {at: 2m, for: 1m, ", fault, "}"));
    run.to(minutes(4));
    EXPECT_FALSE(run.noted("controllers end")) << fault;
  }
}

TEST(Leaders, OneThatEndsOverAHeldLinkHasItsWritesArriveWhenTheLinkIsWell) {
  FaultyRun run(R"(  timeline:
  - at: 20s
    apply:
      apiVersion: batch/v1
      kind: CronJob
      metadata: {name: tick}
      spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: web}]}}}}}
  faults:
  - {at: 1m55s, for: 40s, holdMessages: {components: [controllers]}})");
  run.to(minutes(2) + seconds(34));
  EXPECT_EQ(run.store().count(kinds::kJobs), 1U) << "that of the second minute is held";
  run.to(minutes(2) + milliseconds(35'900));
  EXPECT_FALSE(run.run->cluster().running(Component::kControllers)) << "nobody leads yet";
  EXPECT_EQ(run.store().count(kinds::kJobs), 2U) << "what the old leader has sent";
  run.to(minutes(2) + seconds(59));
  EXPECT_TRUE(run.run->cluster().running(Component::kControllers));
  EXPECT_EQ(run.store().count(kinds::kJobs), 2U) << "the next one makes it no second time";
}

TEST(Leaders, LoseTheirLeaseAlsoWhereEveryRequestFails) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 30s, failApi: {share: 100%, code: 500}}");
  run.to(minutes(2) + seconds(11));
  EXPECT_FALSE(run.run->cluster().running(Component::kScheduler));
  EXPECT_TRUE(run.noted("scheduler ends: it cannot renew its lease"));
}

TEST(Credentials, NobodyTalksToAServerWhoseOwnCertificateHasExpired) {
  FaultyRun run(cat(kScaleAtTwo, "{at: 2m, for: 2m, expireCertificates: {components: [api]}}"));
  run.to(minutes(3) + seconds(55));
  EXPECT_EQ(run.store().count(kinds::kPods), 6U);
  EXPECT_EQ(run.restarts(), 0);
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(3)));
}

}  // namespace
}  // namespace minik::sim
