// What a node agent says of its pods and of its Node while others say something of them, too.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

class PodStatus : public OneNode<> {
 protected:
  PodStatus() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }

  // Somebody's patch of a condition, which arrives just before the agent's n-th write of the status of an object of this kind.
  void overtake(KindId kind, int nth, std::string_view type, std::string_view status) {
    agent.overtake = [=, writes = 0](const ApiRequest& request) mutable -> std::optional<ApiRequest> {
      if (request.verb != Verb::kUpdate || request.subresource != "status" || request.kind != kind || ++writes != nth) return std::nullopt;
      ApiRequest patch = request;
      patch.verb = Verb::kPatch;
      patch.patch_type = PatchType::kStrategicMerge;
      patch.body = *parse_json(cat(R"({"status":{"conditions":[{"type":")", type, R"(","status":")", status, R"("}]}})"));
      return patch;
    };
  }
  void make_gated_pod() {
    add("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
        "readinessGates: [{conditionType: example.com/served}], containers: [{name: main, image: 'web:1'}]}}");
    run(seconds(10));
  }
  static Value condition(const Value& object, std::string_view type) {
    for (const auto& c : object[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return c;
    }
    return {};
  }
  Value condition(std::string_view type) { return condition(store.find(kinds::kPods, "default", "web"), type); }
};

TEST_F(PodStatus, KeepsAConditionThatSomebodyWritesMeanwhile) {
  for (const int nth : {1, 2}) {
    SCOPED_TRACE(nth);
    overtake(kinds::kPods, nth, "example.com/served", "True");
    make_gated_pod();
    EXPECT_EQ(condition("example.com/served")[keys::kStatus].string(), "True");
    EXPECT_EQ(condition("Ready")[keys::kStatus].string(), "True");
    remove(kinds::kPods, "default", "web", 0);
    run(seconds(10));
  }
}

TEST_F(PodStatus, OfANodeKeepsAConditionThatSomebodyWritesMeanwhile) {
  overtake(kinds::kNodes, 1, "KernelDeadlock", "False");
  run(minutes(10));
  const Value node = store.find(kinds::kNodes, "", "a");
  EXPECT_EQ(condition(node, "KernelDeadlock")[keys::kStatus].string(), "False");
  EXPECT_EQ(condition(node, "Ready")[keys::kStatus].string(), "True");
}

TEST_F(PodStatus, TellsAGateThatIsClosedFromOneOfWhichNobodyHasSpoken) {
  make_gated_pod();
  EXPECT_EQ(condition("Ready")["message"].string(), "corresponding condition of pod readiness gate \"example.com/served\" does not exist.");
  ASSERT_TRUE(patch(kinds::kPods, "default", "web", R"({"status":{"conditions":[{"type":"example.com/served","status":"False"}]}})", "status",
                    PatchType::kStrategicMerge));
  run(seconds(1));
  EXPECT_EQ(condition("Ready")["message"].string(), "the status of pod readiness gate \"example.com/served\" is not \"True\", but False");
}

}  // namespace
}  // namespace minik::sim
