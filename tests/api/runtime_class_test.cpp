// What a RuntimeClass adds to a pod that names it.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class RuntimeClasses : public HttpWorld {
 protected:
  RuntimeClasses() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
    const auto made = call("POST", "/apis/node.k8s.io/v1/runtimeclasses",
                           R"({"metadata":{"name":"vm"},"handler":"vm","overhead":{"podFixed":{"cpu":"250m"}},
                               "scheduling":{"nodeSelector":{"vm":"yes"},"tolerations":[{"key":"vm","operator":"Exists"}]}})");
    EXPECT_EQ(made.status, 201) << made.message();
  }
  Answer pod(const std::string& more) {
    return call("POST", "/api/v1/namespaces/default/pods",
                cat(R"({"metadata":{"name":"p"},"spec":{)", more, R"("containers":[{"name":"a","image":"i"}]}})"));
  }
};

TEST_F(RuntimeClasses, GivePodsTheirOverheadAndPlace) {
  const auto made = pod(R"("runtimeClassName":"vm","nodeSelector":{"disk":"ssd"},)");
  ASSERT_EQ(made.status, 201) << made.message();
  const Value& spec = made.body[keys::kSpec];
  EXPECT_EQ(to_json(spec[keys::kOverhead]), R"({"cpu":"250m"})");
  EXPECT_EQ(to_json(spec[keys::kNodeSelector]), R"({"disk":"ssd","vm":"yes"})");
  EXPECT_EQ(spec[keys::kTolerations].items()[0][keys::kKey].as_string(), "vm");
}

TEST_F(RuntimeClasses, AddTolerationsThatThePodLacks) {
  const auto tolerations = [&](const std::string& own) {
    const auto made = pod(cat(R"("runtimeClassName":"vm","tolerations":)", own, ","));
    EXPECT_EQ(made.status, 201) << made.message();
    call("DELETE", "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0");
    std::string text;
    for (const auto& t : made.body[keys::kSpec][keys::kTolerations].items()) {
      if (t[keys::kEffect].as_string() != "NoExecute") text += cat(text.empty() ? "" : " ", t[keys::kKey].as_string(), "/", t[keys::kValue].as_string());
    }
    return text;
  };
  EXPECT_EQ(tolerations(R"([{"key":"disk","operator":"Exists"}])"), "disk/ vm/");
  EXPECT_EQ(tolerations(R"([{"operator":"Exists"}])"), "/") << "all is tolerated already";
  EXPECT_EQ(tolerations(R"([{"key":"vm","value":"a","effect":"NoSchedule"}])"), "vm/") << "the wider one stays";
}

TEST_F(RuntimeClasses, RefusePodsThatSaySomethingElse) {
  EXPECT_EQ(pod(R"("runtimeClassName":"none",)").message(), R"(pods "p" is forbidden: pod rejected: RuntimeClass "none" not found)");
  EXPECT_NE(pod(R"("runtimeClassName":"vm","overhead":{"cpu":"1"},)").message().find("doesn't match RuntimeClass's defined Overhead"), std::string::npos);
  EXPECT_NE(pod(R"("overhead":{"cpu":"1"},)").message().find("Pod Overhead set without corresponding"), std::string::npos);
  EXPECT_NE(pod(R"("runtimeClassName":"vm","nodeSelector":{"vm":"no"},)").message().find("conflict: runtimeClass.scheduling.nodeSelector[vm] = yes"),
            std::string::npos);
}

TEST_F(RuntimeClasses, AreOnlyOneOfWhatAPodGetsFromOthers) {
  call("PATCH", "/api/v1/namespaces/default/serviceaccounts/default", R"({"imagePullSecrets":[{"name":"registry"}]})", "application/merge-patch+json");
  const auto made = pod("");
  EXPECT_EQ(to_json(made.body[keys::kSpec][keys::kImagePullSecrets]), R"([{"name":"registry"}])") << "from its account";
  const auto default_class = [&](std::string_view name) {
    return call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", cat(R"({"metadata":{"name":")", name, R"("},"value":1,"globalDefault":true})"));
  };
  EXPECT_EQ(default_class("a").status, 201);
  EXPECT_NE(default_class("b").message().find("PriorityClass a is already marked as default. Only one default can exist"), std::string::npos);
}

TEST_F(RuntimeClasses, LeavePreemptionToTheClassOfAPodsPriority) {
  ASSERT_EQ(call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
                 R"({"metadata":{"name":"meek"},"value":1,"preemptionPolicy":"Never"})").status, 201);
  EXPECT_EQ(pod(R"("priorityClassName":"meek","preemptionPolicy":"PreemptLowerPriority",)").message(),
            "pods \"p\" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in pod spec; "
            "priority admission controller computed Never from the given PriorityClass name");
  EXPECT_EQ(pod(R"("priorityClassName":"meek",)").body[keys::kSpec][keys::kPreemptionPolicy].as_string(), "Never");
}

}  // namespace
}  // namespace minik::control
