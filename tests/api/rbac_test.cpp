// Who may what: roles, bindings, reviews, and that nobody gives what he has not.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kRbac = "/apis/rbac.authorization.k8s.io/v1";
constexpr std::string_view kReviews = "/apis/authorization.k8s.io/v1";

class AccessRules : public HttpWorld {
 protected:
  AccessRules() {
    // The rules of view come together by a controller, which is not here.
    call("PUT", cat(kRbac, "/clusterroles/view"),
         R"({"metadata":{"name":"view"},"rules":[{"apiGroups":[""],"resources":["configmaps","pods","pods/log"],"verbs":["get","list"]}]})");
  }
  void bind(std::string_view role, std::string_view subject, std::string_view namespace_ = "default") {
    const auto made = call("POST", cat(kRbac, "/namespaces/", namespace_, "/rolebindings"),
                           cat(R"({"metadata":{"name":"b-)", role, R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":")",
                               role, R"("},"subjects":[)", subject, "]}"));
    ASSERT_EQ(made.status, 201) << made.message();
  }
  Answer review(const UserInfo& user, std::string_view verb, std::string_view resource) {
    return call_as(user, "POST", cat(kReviews, "/selfsubjectaccessreviews"),
                   cat(R"({"spec":{"resourceAttributes":{"namespace":"default","verb":")", verb, R"(","resource":")", resource, R"("}}})"));
  }

  const UserInfo jane{"jane", "", {"dev", "system:authenticated"}, {}};
  const UserInfo robot{"system:serviceaccount:default:robot", "", {"system:serviceaccounts", "system:authenticated"}, {}};
  static constexpr std::string_view kJane = R"({"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"})";
};

TEST_F(AccessRules, LetNobodyInWhoIsNotNamed) {
  const auto refused = call_as(jane, "GET", std::string(kConfigMaps));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(),
            R"(configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default")");
  EXPECT_EQ(call_as(jane, "DELETE", "/apis/apps/v1/namespaces/default/deployments/web").message(),
            R"(deployments.apps "web" is forbidden: User "jane" cannot delete resource "deployments" in API group "apps" in the namespace "default")");
}

TEST_F(AccessRules, HoldInTheNamespaceOfTheirBinding) {
  bind("view", kJane);
  create_config_map("c");
  EXPECT_EQ(call_as(jane, "GET", std::string(kConfigMaps)).status, 200);
  EXPECT_EQ(call_as(jane, "GET", "/api/v1/namespaces/kube-system/configmaps").status, 403);
  EXPECT_EQ(call_as(jane, "GET", "/api/v1/configmaps").status, 403) << "all namespaces are more than one";
  EXPECT_EQ(call_as(jane, "DELETE", path("c")).status, 403);
}

TEST_F(AccessRules, KnowGroupsAndServiceAccounts) {
  bind("view", R"({"kind":"ServiceAccount","name":"robot"},{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"dev"})");
  EXPECT_EQ(call_as(robot, "GET", std::string(kConfigMaps)).status, 200) << "of the binding's own namespace";
  EXPECT_EQ(call_as(jane, "GET", std::string(kConfigMaps)).status, 200);
}

TEST_F(AccessRules, AreForTheNamesAndSubresourcesThatTheySay) {
  call("POST", cat(kRbac, "/clusterroles"),
       R"({"metadata":{"name":"one"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"resourceNames":["mine"],"verbs":["get"]},
           {"apiGroups":["apps"],"resources":["*/scale"],"verbs":["update"]}]})");
  bind("one", kJane);
  create_config_map("mine");
  create_config_map("other");
  EXPECT_EQ(call_as(jane, "GET", path("mine")).status, 200);
  EXPECT_EQ(call_as(jane, "GET", path("other")).status, 403);
  EXPECT_EQ(call_as(jane, "GET", std::string(kConfigMaps)).status, 403) << "a list has no name";
  EXPECT_EQ(call_as(jane, "PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale", "{}").status, 404) << "allowed, but not there";
  EXPECT_EQ(call_as(jane, "PUT", "/apis/apps/v1/namespaces/default/deployments/web", "{}").status, 403);
}

TEST_F(AccessRules, AreToldToWhoAsks) {
  bind("view", kJane);
  const auto yes = review(jane, "list", "pods");
  EXPECT_EQ(yes.status, 201);
  EXPECT_TRUE(yes.body[keys::kStatus][keys::kAllowed].as_bool());
  EXPECT_EQ(yes.body[keys::kStatus][keys::kReason].as_string(),
            R"(RBAC: allowed by RoleBinding "b-view/default" of ClusterRole "view" to User "jane")");
  EXPECT_FALSE(review(jane, "delete", "pods").body[keys::kStatus][keys::kAllowed].as_bool());
  const auto rules = call_as(jane, "POST", cat(kReviews, "/selfsubjectrulesreviews"), R"({"spec":{"namespace":"default"}})");
  EXPECT_EQ(rules.body[keys::kStatus][keys::kResourceRules].size(), 3U) << to_json(rules.body);
  EXPECT_EQ(call_as(jane, "POST", cat(kReviews, "/subjectaccessreviews"), R"({"spec":{"user":"x","resourceAttributes":{}}})").status, 403)
      << "about others only those ask who may";
  const auto other = call("POST", cat(kReviews, "/subjectaccessreviews"),
                          R"({"spec":{"user":"jane","resourceAttributes":{"namespace":"default","verb":"get","resource":"pods","subresource":"log"}}})");
  EXPECT_TRUE(other.body[keys::kStatus][keys::kAllowed].as_bool());
}

TEST_F(AccessRules, CannotBeGivenByWhoDoesNotHoldThem) {
  call("POST", cat(kRbac, "/clusterroles"),
       R"({"metadata":{"name":"roles"},"rules":[{"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles","rolebindings"],"verbs":["create","update"]},
           {"apiGroups":[""],"resources":["configmaps"],"verbs":["get"]}]})");
  bind("roles", kJane);
  const auto role = [](std::string_view name, std::string_view verb) {
    return cat(R"({"metadata":{"name":")", name, R"("},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":[")", verb, R"("]}]})");
  };
  const std::string roles = cat(kRbac, "/namespaces/default/roles");
  EXPECT_EQ(call_as(jane, "POST", roles, role("same", "get")).status, 201);
  const auto more = call_as(jane, "POST", roles, role("more", "delete"));
  EXPECT_EQ(more.status, 403);
  EXPECT_EQ(more.message(),
            "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"jane\" (groups=[\"dev\" \"system:authenticated\"]) is "
            "attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"delete\"]}");
  const std::string bindings = cat(kRbac, "/namespaces/default/rolebindings");
  const auto binding = [&](std::string_view name) {
    return cat(R"({"metadata":{"name":"x-)", name, R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":")", name,
               R"("},"subjects":[)", kJane, "]}");
  };
  EXPECT_EQ(call_as(jane, "POST", bindings, binding("cluster-admin")).status, 403);
  EXPECT_EQ(call_as(jane, "POST", bindings, binding("roles")).status, 201) << "what one has one may pass on";
  EXPECT_EQ(call_as(jane, "POST", bindings, binding("none")).status, 404);
}

TEST_F(AccessRules, LetOneActAsAnotherWhoMay) {
  EXPECT_FALSE(api.impersonate(jane, {"bob", "", {}, {}}).ok());
  call("POST", cat(kRbac, "/clusterroles"),
       R"({"metadata":{"name":"as"},"rules":[{"apiGroups":[""],"resources":["users"],"resourceNames":["bob"],"verbs":["impersonate"]}]})");
  call("POST", cat(kRbac, "/clusterrolebindings"),
       cat(R"({"metadata":{"name":"as"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"as"},"subjects":[)", kJane, "]}"));
  const auto bob = api.impersonate(jane, {"bob", "", {}, {}});
  ASSERT_TRUE(bob) << bob.error().message;
  EXPECT_EQ(bob->groups, std::vector<std::string>{"system:authenticated"});
  const auto group = api.impersonate(jane, {"bob", "", {"system:masters"}, {}});
  ASSERT_FALSE(group.ok());
  EXPECT_EQ(group.error().message,
            R"(groups "system:masters" is forbidden: User "jane" cannot impersonate resource "groups" in API group "" at the cluster scope)");
}

TEST_F(AccessRules, AskForCreateWhereAnApplyWouldMake) {
  call("POST", cat(kRbac, "/clusterroles"),
       R"({"metadata":{"name":"patcher"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":["patch"]}]})");
  bind("patcher", kJane);
  const auto apply = [&](std::string_view name) {
    return call_as(jane, "PATCH", cat(path(name), "?fieldManager=t"),
                   cat(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")", name, R"("},"data":{"b":"2"}})"), "application/apply-patch+yaml");
  };
  create_config_map("there");
  EXPECT_EQ(apply("there").status, 200);
  EXPECT_EQ(apply("new").message(),
            R"(configmaps "new" is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "default")");
}

TEST_F(AccessRules, TellOfARoleThatIsNotThere) {
  bind("none", kJane);
  EXPECT_EQ(call_as(jane, "GET", std::string(kConfigMaps)).message(),
            R"(configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default": )"
            R"(RBAC: clusterrole.rbac.authorization.k8s.io "none" not found)");
}

TEST_F(AccessRules, MayNameOneObjectOfAList) {
  call("POST", cat(kRbac, "/clusterroles"),
       R"({"metadata":{"name":"one"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"resourceNames":["mine"],"verbs":["list"]}]})");
  bind("one", kJane);
  EXPECT_EQ(call_as(jane, "GET", cat(kConfigMaps, "?fieldSelector=metadata.name%3Dmine")).status, 200);
  EXPECT_EQ(call_as(jane, "GET", cat(kConfigMaps, "?fieldSelector=metadata.name%3Dother")).status, 403);
}

TEST_F(AccessRules, StayWithTheirRole) {
  bind("view", kJane);
  const auto moved = call("PATCH", cat(kRbac, "/namespaces/default/rolebindings/b-view"), R"({"roleRef":{"name":"edit"}})", "application/merge-patch+json");
  EXPECT_EQ(moved.status, 422);
  EXPECT_NE(moved.message().find("cannot change roleRef"), std::string::npos);
}

}  // namespace
}  // namespace minik::control
