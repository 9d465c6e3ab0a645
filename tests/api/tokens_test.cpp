// Tokens of accounts and what they die with, reviews of them, who acts as whom, and who may approve certificates.
#include "control/access/bootstrap_roles.h"
#include "tests/api/certificate_requests.h"
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

// Issues words instead of signatures: "account/pod", with the bond that was ordered.
class Tokens : public HttpWorld {
 protected:
  Tokens() : HttpWorld(options(*this)) {
    call("POST", cat(kDefault, "/serviceaccounts"), R"({"metadata":{"name":"default"}})");
    call("POST", cat(kDefault, "/serviceaccounts"), R"({"metadata":{"name":"robot"}})");
    call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n1"}})");
    const auto pod = call("POST", cat(kDefault, "/pods"),
                          R"({"metadata":{"name":"p"},"spec":{"nodeName":"n1","serviceAccountName":"robot","terminationGracePeriodSeconds":0,
                              "containers":[{"name":"c","image":"i"}]}})");
    EXPECT_EQ(pod.status, 201) << pod.message();
  }
  static ApiServerOptions options(Tokens& world) {
    ApiServerOptions options;
    options.api_audience = "https://kubernetes.default.svc";
    options.issue_token = [&world](const TokenOrder& order) -> Result<std::string> {
      const auto token = cat(order.bond.account.name, "/", order.bond.pod.name, "/", world.issued.size());
      world.issued[token] = order;
      return token;
    };
    options.verify_token = [&world](std::string_view token) -> Result<TokenIdentity> {
      const auto found = world.issued.find(std::string(token));
      if (found == world.issued.end()) return Error(ErrorCode::kUnauthorized, "unknown token");
      TokenIdentity identity;
      identity.user.name = cat("system:serviceaccount:", found->second.bond.namespace_, ":", found->second.bond.account.name);
      identity.audiences = found->second.audiences;
      identity.bond = found->second.bond;
      return identity;
    };
    return options;
  }
  Answer request(const std::string& spec) {
    return call("POST", cat(kDefault, "/serviceaccounts/robot/token"), cat(R"({"spec":)", spec, "}"));
  }
  static std::string token_of(const Answer& answer) { return answer.body[keys::kStatus][keys::kToken].string(); }
  Answer review(const std::string& token, const std::string& audiences = "[]") {
    return call("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                cat(R"({"spec":{"token":")", token, R"(","audiences":)", audiences, "}}"));
  }
  bool is_known(const std::string& token) { return review(token).body[keys::kStatus][keys::kAuthenticated].as_bool(); }

  static constexpr const char* kDefault = "/api/v1/namespaces/default";
  const UserInfo jane{"jane", "", {"system:authenticated"}, {}};
  std::map<std::string, TokenOrder> issued;
};

TEST_F(Tokens, AreForTheirAudienceAndTime) {
  const auto made = request(R"({"audiences":["vault"],"expirationSeconds":7200})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(made.body[keys::kStatus][keys::kExpirationTimestamp].as_string(), "2026-01-01T02:00:00Z");
  EXPECT_EQ(request(R"({"expirationSeconds":60})").status, 422);
  const auto elsewhere = review(token_of(made));
  EXPECT_FALSE(elsewhere.body[keys::kStatus][keys::kAuthenticated].as_bool());
  EXPECT_EQ(elsewhere.body[keys::kStatus][keys::kError].as_string(),
            R"([invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc"]])");
  const auto there = review(token_of(made), R"(["vault","other"])");
  EXPECT_TRUE(there.body[keys::kStatus][keys::kAuthenticated].as_bool());
  EXPECT_EQ(to_json(there.body[keys::kStatus][keys::kAudiences]), R"(["vault"])");
  EXPECT_EQ(there.body[keys::kStatus][keys::kUser][keys::kUsername].as_string(), "system:serviceaccount:default:robot");
}

TEST_F(Tokens, DieWithThePodThatTheyAreBoundTo) {
  const auto made = request(R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}})");
  ASSERT_EQ(made.status, 201) << made.message();
  EXPECT_EQ(issued.at(token_of(made)).bond.node.name, "n1") << "a pod's token names its node";
  EXPECT_TRUE(is_known(token_of(made)));
  EXPECT_EQ(call("DELETE", cat(kDefault, "/pods/p?gracePeriodSeconds=0")).status, 200);
  EXPECT_FALSE(is_known(token_of(made)));
}

TEST_F(Tokens, DieWithTheirAccountAlsoWhenAnotherTakesItsName) {
  const auto token = token_of(request("{}"));
  EXPECT_TRUE(is_known(token));
  call("DELETE", cat(kDefault, "/serviceaccounts/robot"));
  EXPECT_FALSE(is_known(token));
  call("POST", cat(kDefault, "/serviceaccounts"), R"({"metadata":{"name":"robot"}})");
  EXPECT_FALSE(is_known(token)) << "it has another uid";
}

TEST_F(Tokens, OfASecretAreGoodForAsLongAsItKeepsThem) {
  const auto uid = [&](const std::string& path) { return call("GET", cat(kDefault, path)).body[keys::kMetadata][keys::kUid].string(); };
  const auto keep = [&](const std::string& token) {
    call("DELETE", cat(kDefault, "/secrets/s"));
    return call("POST", cat(kDefault, "/secrets"),
                cat(R"({"metadata":{"name":"s","annotations":{"kubernetes.io/service-account.name":"robot"}},
                        "type":"kubernetes.io/service-account-token","data":{"token":")", to_base64(token), R"("}})")).status;
  };
  TokenOrder& order = issued["lasting"];
  order.bond.namespace_ = "default";
  order.bond.account = {"robot", uid("/serviceaccounts/robot")};
  order.bond.secret.name = "s";
  order.bond.kept = "lasting";
  EXPECT_FALSE(is_known("lasting")) << "nothing keeps it";
  ASSERT_EQ(keep("lasting"), 201);
  EXPECT_TRUE(is_known("lasting"));
  ASSERT_EQ(keep("another"), 201);
  EXPECT_FALSE(is_known("lasting")) << "it has been replaced";
  ASSERT_EQ(keep("lasting"), 201);
  call("PATCH", cat(kDefault, "/secrets/s"), R"({"metadata":{"finalizers":["example.com/hold"]}})", "application/merge-patch+json");
  call("DELETE", cat(kDefault, "/secrets/s"));
  EXPECT_FALSE(is_known("lasting")) << "it is going";
}

TEST_F(Tokens, AreBoundToWhatIsThere) {
  EXPECT_EQ(request(R"({"boundObjectRef":{"kind":"Pod","name":"none"}})").status, 404);
  EXPECT_EQ(request(R"({"boundObjectRef":{"kind":"Pod","name":"p","uid":"other"}})").status, 409);
  EXPECT_EQ(request(R"({"boundObjectRef":{"kind":"Service","name":"p"}})").status, 400);
  const auto others = call("POST", cat(kDefault, "/serviceaccounts/default/token"), R"({"spec":{"boundObjectRef":{"kind":"Pod","name":"p"}}})");
  EXPECT_EQ(others.message(), R"(cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.)");
}

TEST_F(Tokens, AreGivenToANodeOnlyForItsPods) {
  const UserInfo n1{"system:node:n1", "", {"system:nodes"}, {}}, n2{"system:node:n2", "", {"system:nodes"}, {}};
  const std::string path = cat(kDefault, "/serviceaccounts/robot/token");
  const auto uid = call("GET", cat(kDefault, "/pods/p")).body[keys::kMetadata][keys::kUid].string();
  const std::string bound = cat(R"({"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"p","uid":")", uid, R"("}}})");
  EXPECT_EQ(call_as(n1, "POST", path, bound).status, 201);
  EXPECT_EQ(call_as(n1, "POST", path, R"({"spec":{}})").message(), R"(serviceaccounts "robot" is forbidden: node requested token not bound to a pod)");
  EXPECT_EQ(call_as(n2, "POST", path, bound).status, 403);
}

TEST_F(Tokens, AreGivenToANodeOnlyForAudiencesOfThePodAndOfRoles) {
  const UserInfo n1{"system:node:n1", "", {"system:nodes"}, {}};
  call("POST", "/apis/storage.k8s.io/v1/csidrivers", R"({"metadata":{"name":"disks"},"spec":{"tokenRequests":[{"audience":"disk"}]}})");
  const auto made = call("POST", cat(kDefault, "/pods"), R"({"metadata":{"name":"q"},"spec":{"nodeName":"n1","serviceAccountName":"robot",
      "volumes":[{"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"t","audience":"vault"}}]}},
                 {"name":"d","csi":{"driver":"disks"}}],
      "containers":[{"name":"c","image":"i"}]}})");
  ASSERT_EQ(made.status, 201) << made.message();
  const auto ask = [&](const std::string& audiences) {
    return call_as(n1, "POST", cat(kDefault, "/serviceaccounts/robot/token"),
                   cat(R"({"spec":{"audiences":[)", audiences, R"(],"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"q","uid":")",
                       made.metadata("uid").string(), R"("}}})"));
  };
  EXPECT_EQ(ask("").status, 201) << "the account's own token, which every pod gets";
  EXPECT_EQ(ask(R"("vault")").status, 201);
  EXPECT_EQ(ask(R"("disk")").status, 201);
  EXPECT_EQ(ask(R"("vault","disk")").message(), R"(serviceaccounts "robot" is forbidden: node may only request 0 or 1 audiences)");
  EXPECT_EQ(ask(R"("registry")").message(),
            R"(serviceaccounts "robot" is forbidden: audience "registry" not found in pod spec volume, system:node:n1 is not )"
            R"(authorized to request tokens for this audience)");
  call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
       R"({"metadata":{"name":"images"},"rules":[{"apiGroups":[""],"resources":["registry"],"resourceNames":["robot"],
           "verbs":["request-serviceaccounts-token-audience"]}]})");
  call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
       R"({"metadata":{"name":"images"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"images"},
           "subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:nodes"}]})");
  EXPECT_EQ(ask(R"("registry")").status, 201);
}

TEST_F(Tokens, LeaveImpersonationOfEachPartToWhoMay) {
  const auto grant = [&](const std::string& rules) {
    call("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/as");
    call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", cat(R"({"metadata":{"name":"as"},"rules":[)", rules, "]}"));
  };
  call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
       R"({"metadata":{"name":"as"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"as"},
           "subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"}]})");
  const UserInfo wanted{"bob", "42", {}, {{"scopes", {"view", "edit"}}}};
  const std::string users = R"({"apiGroups":[""],"resources":["users","serviceaccounts"],"verbs":["impersonate"]})";
  grant(users);
  const auto refused = api.impersonate(jane, wanted);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, R"(userextras.authentication.k8s.io "view" is forbidden: User "jane" cannot impersonate resource )"
                                     R"("userextras/scopes" in API group "authentication.k8s.io" at the cluster scope)");
  grant(cat(users, R"(,{"apiGroups":["authentication.k8s.io"],"resources":["userextras/scopes","uids"],"verbs":["impersonate"]})"));
  const auto bob = api.impersonate(jane, wanted);
  ASSERT_TRUE(bob) << bob.error().message;
  EXPECT_EQ(bob->extra, wanted.extra);
  const auto robot = api.impersonate(jane, {"system:serviceaccount:default:robot", "", {}, {}});
  ASSERT_TRUE(robot);
  EXPECT_EQ(robot->groups, (std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}));
  EXPECT_FALSE(api.impersonate(jane, {"", "", {"dev"}, {}}).ok()) << "a group without a user";
}

TEST_F(Tokens, AreNoneOfTheBusinessOfWhoMayNotReviewThem) {
  EXPECT_EQ(call_as(jane, "POST", "/apis/authentication.k8s.io/v1/tokenreviews", R"({"spec":{"token":"x"}})").status, 403);
  const auto self = call_as(jane, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  EXPECT_EQ(self.body[keys::kStatus][keys::kUserInfo][keys::kUsername].as_string(), "jane");
}

TEST_F(Tokens, LetCertificatesBeApprovedByWhoMayForThatSigner) {
  constexpr const char* kRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  call("POST", kRequests, cat(R"({"metadata":{"name":"c"},"spec":{"request":")", kJanesRequest, R"(","signerName":"example.com/s","usages":["client auth"]}})"));
  const auto grant = [&](const std::string& signer) {
    const std::string role = cat(R"({"metadata":{"name":"approver"},"rules":[{"apiGroups":["certificates.k8s.io"],"resources":["certificatesigningrequests/approval"],"verbs":["update","patch"]},
                                     {"apiGroups":["certificates.k8s.io"],"resources":["signers"],"resourceNames":[")", signer, R"("],"verbs":["approve"]}]})");
    call("DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterroles/approver");
    call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role);
  };
  call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
       R"({"metadata":{"name":"approver"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"approver"},
           "subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"jane"}]})");
  const auto approve = [&] {
    return call_as(jane, "PATCH", cat(kRequests, "/c/approval"), R"({"status":{"conditions":[{"type":"Approved","status":"True"}]}})", "application/merge-patch+json");
  };
  grant("example.com/other");
  EXPECT_EQ(approve().message(),
            R"(certificatesigningrequests.certificates.k8s.io "c" is forbidden: user not permitted to approve requests with signerName "example.com/s")");
  grant("example.com/*");
  EXPECT_EQ(approve().status, 200);
}

TEST_F(Tokens, OfControllersThatRunOutsideMayDoTheirWork) {
  const auto may = [&](const std::string& account, const std::string& verb, const std::string& group, const std::string& resource) {
    const auto asked = call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                            cat(R"({"spec":{"user":"system:serviceaccount:kube-system:)", account, R"(","resourceAttributes":{"verb":")", verb,
                                R"(","group":")", group, R"(","resource":")", resource, R"(","namespace":"default"}}})"));
    return asked.body[keys::kStatus][keys::kAllowed].as_bool();
  };
  EXPECT_TRUE(may("deployment-controller", "create", "apps", "replicasets"));
  EXPECT_FALSE(may("deployment-controller", "create", "", "pods"));
  EXPECT_TRUE(may("namespace-controller", "deletecollection", "example.com", "gadgets"));
  EXPECT_FALSE(may("nobody", "list", "", "pods"));
  const auto role = call("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:controller:ttl-controller").body;
  EXPECT_EQ(to_json(role[keys::kRules]),
            R"([{"apiGroups":[""],"resources":["nodes"],"verbs":["list","patch","update","watch"]},)"
            R"({"apiGroups":["","events.k8s.io"],"resources":["events"],"verbs":["create","patch","update"]}])");
  const auto reader = call("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/"
                                  "system::extension-apiserver-authentication-reader").body;
  EXPECT_EQ(to_json(reader[keys::kRoleRef]),
            R"({"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"extension-apiserver-authentication-reader"})");
  EXPECT_EQ(reader[keys::kSubjects].size(), 2U);
}

TEST_F(Tokens, CompleteTheRolesOfAnOlderCluster) {
  const Value wanted = bootstrap_cluster_roles()[0];
  const Value stored = wanted.with(keys::kRules, Value::array({wanted[keys::kRules].items()[0], Value::map({{keys::kVerbs, Value::array({"x"})}})}));
  EXPECT_EQ(reconciled(wanted, stored)[keys::kRules].size(), 3U) << "what is missing comes, what was added stays";
  const Value kept = stored.with_at({keys::kMetadata, keys::kAnnotations, Key(kAutoUpdate)}, "false");
  EXPECT_EQ(reconciled(wanted, kept), kept);
  EXPECT_EQ(reconciled(wanted, wanted), wanted);
}

}  // namespace
}  // namespace minik::control
