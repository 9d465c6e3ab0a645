// Scenario files: what is refused, and how expectations in CEL hold or break.
#include "sim/scenario.h"

#include <gtest/gtest.h>

#include <set>

#include "control/base/text.h"
#include "control/object/yaml.h"
#include "sim/run.h"

namespace minik::sim {
namespace {

// A scenario of one Deployment with three pods; `expectation` is one item of `expect`, which starts
// on line 24.
std::string scenario_with(std::string_view expectation) {
  return cat(R"(apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  duration: 1m
  nodes:
  - {name: node, count: 2}
  images:
  - {match: "*", pull: 1s, start: 1s}
  timeline:
  - at: 1s
    apply:
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: web, namespace: default}
      spec:
        replicas: 3
        selector: {matchLabels: {app: web}}
        template:
          metadata: {labels: {app: web}}
          spec:
            containers: [{name: web, image: "web:1"}]
  expect:
  - )",
             expectation, "\n");
}

std::string refusal(std::string_view expectation) {
  const auto scenario = parse_scenario(scenario_with(expectation), "a.yaml");
  return scenario ? "taken"
                  : scenario.error().message.substr(0, scenario.error().message.find('\n'));
}

Finding finding_of(std::string_view expectation) {
  const auto scenario = parse_scenario(scenario_with(expectation), "a.yaml");
  EXPECT_TRUE(scenario.ok()) << scenario.error().message;
  if (!scenario) return {};
  const auto outcome = run_scenario(*scenario, {.seed = 1, .listeners = {}, .on_action = {}});
  EXPECT_TRUE(outcome.ok());
  return outcome ? outcome->findings.at(0) : Finding{};
}

TEST(Scenario, HoldsAnExpressionOverOneObject) {
  const auto finding = finding_of(
      "{within: 50s, object: {kind: Deployment, name: web}, cel: "
      "\"object.status.?readyReplicas.orValue(0) == object.spec.replicas\"}");
  EXPECT_TRUE(finding.held) << finding.detail;
}

TEST(Scenario, HoldsAnExpressionOverAllObjectsOfAKind) {
  const auto finding = finding_of(
      "{after: 40s, always: true, list: {kind: Pod, labelSelector: app=web}, cel: \"objects.size() "
      "== 3 && objects.all(p, "
      "p.spec.nodeName.startsWith('node'))\"}");
  EXPECT_TRUE(finding.held) << finding.detail;
}

TEST(Scenario, SaysWhyAnExpressionDoesNotHold) {
  EXPECT_EQ(
      finding_of("{after: 40s, always: true, list: {kind: Pod}, cel: \"objects.size() == 4\"}")
          .detail,
      "it is false for the 3 objects");
  EXPECT_EQ(
      finding_of(
          "{within: 5s, object: {kind: Deployment, name: api}, cel: \"object.spec.replicas == 1\"}")
          .detail,
      "it does not exist");
  const auto missing = finding_of(
      "{within: 30s, object: {kind: Deployment, name: web}, cel: \"object.spec.paused\"}");
  EXPECT_FALSE(missing.held);
  EXPECT_TRUE(missing.detail.starts_with("no such key: paused; its status is ")) << missing.detail;
}

TEST(Scenario, NamesTheFieldThatIsNotAsItMustBe) {
  const auto detail = [](const std::string& matches) {
    return finding_of("{within: 40s, object: {kind: Deployment, name: web}, matches: " + matches + "}").detail;
  };
  EXPECT_EQ(detail("{status: {replicas: 3, readyReplicas: 4}}"), "it differs: status.readyReplicas is 3 and not 4");
  EXPECT_EQ(detail("{spec: {paused: true}}"), "it differs: spec.paused is absent and not true");
  const auto conditions = detail("{status: {conditions: [{type: Nothing}]}}");
  EXPECT_TRUE(conditions.starts_with("it differs: no item of status.conditions has {\"type\":\"Nothing\"}: it is [{")) << conditions;
}

TEST(Scenario, RefusesManifestsThatTheApiServerWouldNotTakeAsTheyAre) {
  const auto error_of = [](const std::string& more) {
    const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n"
                                         "  workloads:\n  - apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    spec:\n      " + more + "\n", "a.yaml");
    return scenario ? std::string() : scenario.error().message;
  };
  const auto with_container = [&](const std::string& container, const std::string& label = "web") {
    return error_of("selector: {matchLabels: {app: web}}\n      template: {metadata: {labels: {app: " + label + "}}, spec: {containers: [" + container + "]}}");
  };
  EXPECT_EQ(with_container("{name: a, image: b}"), "");
  EXPECT_EQ(with_container("{name: a}"), "a.yaml:7: Deployment.apps \"web\" is invalid: spec.template.spec.containers[0].image: Required value");
  EXPECT_NE(with_container("{name: A_b, image: b}").find("a.yaml:7: Deployment.apps \"web\" is invalid: spec.template.spec.containers[0].name: Invalid value"),
            std::string::npos);
  EXPECT_NE(with_container("{name: a, image: b, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}").find("must be less than or equal to cpu limit of 1"),
            std::string::npos);
  EXPECT_NE(with_container("{name: a, image: b}", "api").find("`selector` does not match template `labels`"), std::string::npos);
  EXPECT_EQ(error_of("replcas: 3"), "a.yaml:11: spec.workloads[0]: Deployment web: unknown field \"spec.replcas\", perhaps replicas was meant");
  EXPECT_EQ(error_of("template: {spec: {containers: [{name: a, imag: b}]}}"),
            "a.yaml:11: spec.workloads[0]: Deployment web: unknown field \"spec.template.spec.containers[0].imag\", perhaps image was meant");
  EXPECT_EQ(error_of("replicas: three"), "a.yaml:7: spec.workloads[0]: Deployment web: json: cannot unmarshal string into Go struct field "
                                         "DeploymentSpec.spec.replicas of type int32");
}

TEST(Scenario, RefusesMachinesThatCouldNotBe) {
  const auto error_of = [](std::string_view pool, std::string_view image = "{match: x}") {
    const auto scenario = parse_scenario(cat("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes:\n  - {", pool,
                                             "}\n  images:\n  - ", image, "\n"), "a.yaml");
    return scenario ? std::string() : scenario.error().message;
  };
  EXPECT_EQ(error_of("name: node, labels: {tier: web}, taints: [{key: a, effect: NoSchedule}]"), "");
  EXPECT_EQ(error_of("capacity: {cpu: 0}"), "a.yaml:6: spec.nodes[0].capacity.cpu: must be between 1m and 100k");
  EXPECT_EQ(error_of("capacity: {memory: -5Gi}"), "a.yaml:6: spec.nodes[0].capacity.memory: must be between 1Mi and 1Pi");
  EXPECT_EQ(error_of("capacity: {pods: 500}"), "a.yaml:6: spec.nodes[0].capacity.pods: must be between 0 and 250");
  EXPECT_NE(error_of("name: Node_1").find("a.yaml:6: spec.nodes[0].name: a lowercase RFC 1123 subdomain"), std::string::npos);
  EXPECT_NE(error_of("labels: {a b: c}").find("a.yaml:6: spec.nodes[0].labels: Invalid value: \"a b\""), std::string::npos);
  EXPECT_NE(error_of("taints: [{key: a, effect: Never}]").find("a.yaml:6: spec.nodes[0].taints[0].effect: Unsupported value: \"Never\""),
            std::string::npos);
  EXPECT_NE(error_of("taints: [{key: a, effekt: NoSchedule}]").find("perhaps effect was meant"), std::string::npos);
  EXPECT_NE(error_of("zones: [\"a b\"]").find("a.yaml:6: spec.nodes[0].zones: \"a b\": a valid label must be"), std::string::npos);
  EXPECT_EQ(error_of("name: node", "{match: x, uses: {memory: -5Mi}}"), "a.yaml:8: spec.images[0].uses.memory: must be between 0 and 1Pi");
  EXPECT_EQ(error_of("name: node", "{match: x, uses: {memoryGrowthPerSecond: 8Ei}}"),
            "a.yaml:8: spec.images[0].uses.memoryGrowthPerSecond: must be between 0 and 1Pi");
  EXPECT_NE(error_of("name: node", "{match: x}\n  timeline: [{at: 1m, upgradePool: {pool: node, labels: {a b: c}}}]").find("upgradePool.labels: \"a b\": "),
            std::string::npos);
  EXPECT_EQ(error_of("name: node", "{match: x, pull: 1000000h}"),
            "a.yaml:8: spec.images[0].pull: must be a duration such as 90s or 2m30s, of ten years at the most");
  EXPECT_EQ(error_of("name: node", "{match: x, load: {cpu: -1}}"), "a.yaml:8: spec.images[0].load.cpu: must be between 0 and 100k");
}

TEST(Scenario, LetsAnExpressionDemandThatAnObjectIsGone) {
  EXPECT_TRUE(
      finding_of("{within: 5s, object: {kind: Deployment, name: api}, cel: object == null}").held);
}

TEST(Scenario, RefusesFieldsThatNoSuchObjectHas) {
  EXPECT_EQ(refusal("{within: 5s, object: {kind: Deployment, name: web}, matches: {status: {availableReplica: 3}}}"),
            "a.yaml:24: spec.expect[0].matches: unknown field \"status.availableReplica\", perhaps availableReplicas was meant");
  EXPECT_NE(refusal("{within: 5s, object: {kind: Deployment, name: web}, matches: {status: {replicas: three}}}"), "taken");
}

TEST(Scenario, RefusesWhatWouldOnlyComeAfterTheEnd) {
  EXPECT_EQ(refusal("{after: 2m, always: true, count: {kind: Pod, equals: 3}}"),
            "a.yaml:24: after 2m0s is not before the end at spec.duration, 1m0s: make that longer, or this earlier");
  EXPECT_EQ(refusal("{within: 5s, count: {kind: Pod, equals: 3}}\n  faults:\n  - {at: 1m, for: 1m, crashNodes: all}"),
            "a.yaml:26: crashNodes from 1m0s is not before the end at spec.duration, 1m0s: make that longer, or this earlier");
  EXPECT_EQ(refusal("{after: 2m, within: 5s, count: {kind: Pod, equals: 3}}\n  faults:\n  - {at: 50s, for: 1m, crashNodes: all}"), "taken")
      << "until all has come to rest";
}

TEST(Scenario, RefusesSelectorsExpressionsAndPatchesOfFieldsThatNoSuchObjectHas) {
  EXPECT_EQ(refusal("{within: 5s, count: {kind: Pod, fieldSelector: spec.nodeNam=node-1, equals: 3}}"),
            "a.yaml:24: spec.expect[0].count.fieldSelector: no Pod has a field \"spec.nodeNam\", perhaps nodeName was meant");
  EXPECT_EQ(refusal("{within: 5s, count: {kind: Pod, fieldSelector: \"spec.nodeName=node-1,metadata.name=a\", equals: 3}}"), "taken");
  const auto cel = [](const std::string& of, const std::string& text) { return refusal("{never: true, " + of + ", cel: \"" + text + "\"}"); };
  EXPECT_NE(cel("object: {kind: Deployment, name: web}", "object.status.replcas > 5").find("a.yaml:24: spec.expect[0].cel: "), std::string::npos);
  EXPECT_NE(cel("list: {kind: Pod}", "objects.exists(p, p.spec.nodeNam == 'a')").find("undefined field"), std::string::npos);
  EXPECT_EQ(cel("object: {kind: Deployment, name: web}", "object != null && object.?status.?replicas.orValue(0) > 5"), "taken");
  EXPECT_EQ(cel("list: {kind: Pod}", "objects.exists(p, has(p.metadata.labels.app) && p.metadata.labels['app'] == 'a')"), "taken");
  EXPECT_EQ(cel("object: {kind: HorizontalPodAutoscaler, name: web}", "object.status.currentMetrics[0].resource.current.averageUtilization > 100"), "taken");
  const auto patch = [](const std::string& body) {
    const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n  "
                                         "timeline:\n  - {at: 5s, patch: {kind: Deployment, name: web, patch: " + body + "}}\n", "a.yaml");
    return scenario ? std::string("taken") : scenario.error().message;
  };
  EXPECT_NE(patch("{spec: {replcas: 5}}").find("a.yaml:7: spec.timeline[0].patch.patch.spec.replcas: unknown field \"spec.replcas\", perhaps replicas was meant"), std::string::npos);
  EXPECT_EQ(patch("{spec: {replicas: null, template: {spec: {containers: [{name: web, $patch: delete}], $retainKeys: [containers]}}}}"), "taken");
}

TEST(Scenario, TakesAZeroWithoutAUnitAndAllSixtyFourBitsOfASeed) {
  const auto spec = [](const std::string& line) {
    return parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n  " + line + "\n", "a.yaml");
  };
  EXPECT_TRUE(spec("images: [{match: x, ready: 0, pull: \"0\"}]").ok());
  EXPECT_EQ(spec("seed: \"18446744073709551615\"")->seed, UINT64_MAX);
  EXPECT_EQ(spec("seed: 7")->seed, 7U);
  for (const auto* wrong : {"seed: -1", "seed: \"18446744073709551616\"", "seed: 18446744073709551615", "seed: x"}) {
    const auto refused = spec(wrong);
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_TRUE(refused.error().message.starts_with("a.yaml:6: spec.seed: must be a whole number from 0 to ")) << refused.error().message;
  }
}

TEST(Scenario, SaysWhenAnExpressionIsNoCondition) {
  const auto finding = finding_of("{within: 30s, object: {kind: Deployment, name: web}, cel: \"object.spec.replicas\"}");
  EXPECT_FALSE(finding.held);
  EXPECT_TRUE(finding.detail.starts_with("the expression gives neither true nor false")) << finding.detail;
}

TEST(Scenario, TellsOfWhatHasNotHappened) {
  const auto scenario = parse_scenario(
      scenario_with("{within: 50s, count: {kind: Pod, equals: 3}}\n  faults:\n"
                    "  - {when: {object: {kind: Pod, name: nobody}, matches: {status: {phase: Running}}}, for: 1m, crashNodes: {names: [node-1]}}\n"
                    "  - {at: 30s, crashContainers: {labelSelector: app=wep}}\n  - {at: 31s, crashContainers: {labelSelector: app=web, count: 1}}"),
      "a.yaml");
  ASSERT_TRUE(scenario.ok()) << scenario.error().message;
  std::string notes;
  const auto outcome = run_scenario(*scenario, {.seed = 1, .listeners = {}, .on_action = [&](Duration, const std::string& what) { notes += what + "\n"; }});
  EXPECT_TRUE(outcome.ok());
  EXPECT_NE(notes.find("a.yaml:26: crashNodes has not happened: what it waits for has not come\n"), std::string::npos) << notes;
  EXPECT_NE(notes.find("crashContainers strikes nothing: it chooses no container that runs\n"), std::string::npos) << notes;
  EXPECT_NE(notes.find("crashContainers default/web-"), std::string::npos) << notes;
}

TEST(Scenario, RefusesAWrongExpressionWithItsPlace) {
  EXPECT_EQ(
      refusal(
          "{within: 5s, object: {kind: Deployment, name: web}, cel: \"object.spec.replicas == \"}"),
      "a.yaml:24: spec.expect[0].cel: ERROR: <input>:1:25: Syntax error: found the end where an "
      "expression should be");
  EXPECT_EQ(
      refusal("{within: 5s, object: {kind: Deployment, name: web}, cel: \"objects.size() > 1\"}"),
      "a.yaml:24: spec.expect[0].cel: ERROR: <input>:1:1: undeclared reference to 'objects' (in "
      "container ''); known here: object");
  EXPECT_EQ(refusal("{within: 5s, list: {kind: Pod}, cel: objects.size()}"),
            "a.yaml:24: spec.expect[0].cel: ERROR: <input>:1:1: expression must evaluate to bool, "
            "but is of type int");
}

TEST(Scenario, RefusesExpectationsThatSayTwoThings) {
  EXPECT_EQ(
      refusal("{within: 5s, list: {kind: Pod}, count: {kind: Pod, equals: 1}, cel: \"true\"}"),
      "a.yaml:24: spec.expect[0]: needs one of `object` (with `matches` or `cel`), `count`, "
      "`list` (with `cel`) and `metric`");
  EXPECT_EQ(refusal("{within: 5s, count: {kind: Pod, equals: 1}, cel: \"true\"}"),
            "a.yaml:24: spec.expect[0]: needs one of `matches` and `cel` beside `object`, `cel` "
            "beside `list`, neither beside `count` and `metric`");
  EXPECT_EQ(refusal("{within: 5s, list: {kind: Pod}, matches: {}}"),
            "a.yaml:24: spec.expect[0]: needs `cel` beside `list`");
  EXPECT_EQ(
      refusal("{within: 5s, count: {kind: Pod, labelSelector: \"a in\", equals: 1}}"),
      "a.yaml:24: spec.expect[0].count.labelSelector: must be one such as app=web,tier!=back");
}

TEST(Scenario, RefusesMetricsAndLabelsThatNothingCounts) {
  const std::string place = "a.yaml:24: spec.expect[0].metric";
  EXPECT_EQ(refusal("{within: 5s, metric: {name: apiserver_requests_total, atLeast: 1}}"),
            place + ".name: no metric apiserver_requests_total, perhaps apiserver_request_total was meant; minik sim run --metrics "
                    "writes all that there are");
  EXPECT_EQ(refusal("{within: 5s, metric: {name: workqueue_depth, labels: {nam: deployment}, atLeast: 1}}"),
            place + ".labels.nam: workqueue_depth has no such label, perhaps name was meant; it has name");
  EXPECT_EQ(refusal("{within: 5s, metric: {name: minik_store_objects, labels: {kind: Pod}, atLeast: 1}}"),
            place + ".labels.kind: minik_store_objects has no labels");
  EXPECT_EQ(refusal("{within: 5s, metric: {name: kubelet_running_pods, atLeast: 1}}"),
            place + ".name: kubelet_running_pods is not counted in the simulator, which has the metrics of the API server, the "
                    "controllers and the scheduler");
  EXPECT_EQ(refusal("{within: 5s, metric: {name: minik_sim_pods, atLeast: 1}}"),
            place + ".name: minik_sim_pods is only written by --metrics; `count` says the same of stored objects");
  EXPECT_EQ(refusal("{within: 5s, metric: {name: minik_store_objects_count, atLeast: 1}}").substr(0, place.size() + 42),
            place + ".name: no metric minik_store_objects_count") << "no histogram";
  EXPECT_EQ(refusal("{within: 5s, metric: {name: workqueue_queue_duration_seconds_bucket, labels: {name: job, le: \"0.1\"}, atLeast: 1}}"), "taken");
}

TEST(Scenario, RefusesALoadOfAnImageThatItDoesNotDescribe) {
  const auto error_of = [](const std::string& images, const std::string& image) {
    const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n"
                                         "  images: [" + images + "]\n  timeline: [{at: 1m, setLoad: {image: \"" + image + "\", requests: 5}}]\n", "a.yaml");
    return scenario ? std::string() : scenario.error().message;
  };
  EXPECT_EQ(error_of("{match: \"web:*\"}, {match: \"*\"}", "wbe:*"),
            "a.yaml:7: spec.timeline[0].setLoad.image: no entry of `images` has `match: wbe:*`, perhaps web:* was meant; there are web:*, *");
  EXPECT_EQ(error_of("", "web"), "a.yaml:7: spec.timeline[0].setLoad.image: no entry of `images` has `match: web`");
  EXPECT_EQ(error_of("{match: web}", "web"), "");
}

TEST(Scenario, NamesTheLineOfAFieldInAnotherFile) {
  const ScenarioFiles files{[](const std::string&) -> Result<std::string> {
    return std::string("kind: Service\napiVersion: v1\nmetadata: {name: a}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n"
                       "  metadata: {name: b}\n  spec:\n    prots: []\n");
  }};
  const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n"
                                       "  workloads: [{file: shop.yaml}]\n", "a.yaml", files);
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().message, "shop.yaml:12: items[0]: Service b: unknown field \"spec.prots\", perhaps ports was meant");
}

TEST(Scenario, RefusesAnImageForAContainerThatIsNotThere) {
  const auto error_of = [](const std::string& target) {
    const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n  nodes: [{name: node, count: 1}]\n"
                                         "  workloads: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {a: b}}, "
                                         "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: web, image: a}]}}}}]\n  timeline: [{at: 1m, setImage: {kind: Deployment, image: b, " + target + "}}]\n", "a.yaml");
    return scenario ? std::string() : scenario.error().message;
  };
  EXPECT_EQ(error_of("name: web, container: web"), "");
  EXPECT_EQ(error_of("name: web, container: wbe"),
            "a.yaml:7: setImage: Deployment default/web has no container \"wbe\", perhaps web was meant; it has web");
  EXPECT_EQ(error_of("name: other, container: any"), "") << "somebody else may make it";
}

TEST(Scenario, TellsAnAuditLogWithoutBeingChangedByIt) {
  const auto scenario = parse_scenario(scenario_with("{within: 50s, object: {kind: Deployment, name: web}, cel: \"true\"}"), "a.yaml");
  ASSERT_TRUE(scenario.ok());
  const auto plain = run_scenario(*scenario, {.seed = 1, .listeners = {}, .on_action = {}});
  const auto policy = control::parse_yaml("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata, verbs: [create]}]}");
  std::set<std::string> users;
  RunOptions options{.seed = 1, .listeners = {}, .on_action = {}};
  options.audit_policy = *control::AuditPolicy::from((*policy)[0].value);
  options.audit = [&](const control::AuditRecord& record) { users.insert(record.request->user.name); };
  const auto audited = run_scenario(*scenario, options);
  ASSERT_TRUE(plain.ok() && audited.ok());
  EXPECT_EQ(audited->trace_hash, plain->trace_hash);
  EXPECT_TRUE(users.contains("system:controllers"));
}

}  // namespace
}  // namespace minik::sim
