// What the agent of a node may ask for and write: its node, its pods, and what they need.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class NodeAccess : public HttpWorld {
 protected:
  NodeAccess() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})");
    for (const char* name : {"n1", "n2"}) call("POST", "/api/v1/nodes", cat(R"({"metadata":{"name":")", name, R"("}})"));
    for (const char* name : {"used", "unused"}) call("POST", "/api/v1/namespaces/default/secrets", cat(R"({"metadata":{"name":")", name, R"("}})"));
    create_config_map("settings");
    pod("mine", "n1");
    pod("theirs", "n2");
  }
  void pod(const std::string& name, const std::string& node) {
    const std::string volumes = node == "n1" ? R"("volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"used"}}]}}],)" : "";
    const std::string env = node == "n1" ? R"(,"envFrom":[{"configMapRef":{"name":"settings"}}])" : "";
    const auto made = call("POST", kPods, cat(R"({"metadata":{"name":")", name, R"("},"spec":{"nodeName":")", node, R"(",)", volumes,
                                              R"("containers":[{"name":"c","image":"i")", env, "}]}}"));
    ASSERT_EQ(made.status, 201) << made.message();
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             const std::string& type = "application/merge-patch+json") {
    return call_as(n1, method, target, body, method == "PATCH" ? type : "application/json");
  }

  static constexpr const char* kPods = "/api/v1/namespaces/default/pods";
  const UserInfo n1{"system:node:n1", "", {"system:nodes", "system:authenticated"}, {}};
};

TEST_F(NodeAccess, ReachesTheSecretsAndConfigMapsOfItsPodsAlone) {
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/secrets/used").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dused").status, 200);
  EXPECT_EQ(ask("GET", path("settings")).status, 200);
  const auto refused = ask("GET", "/api/v1/namespaces/default/secrets/unused");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(), R"(secrets "unused" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" )"
                               R"(in the namespace "default": no relationship found between node 'n1' and this object)");
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/secrets").status, 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/namespaces/default/secrets/used").status, 403);
}

TEST_F(NodeAccess, ReadsTheAccountsOfItsPods) {
  call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"other"}})");
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/serviceaccounts/default").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/serviceaccounts/other").status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/serviceaccounts").status, 403);
}

TEST_F(NodeAccess, ReadsItsOwnNodeAndPods) {
  EXPECT_EQ(ask("GET", "/api/v1/nodes/n1").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/nodes/n2").status, 403);
  EXPECT_EQ(ask("GET", cat(kPods, "/mine")).status, 200);
  EXPECT_EQ(ask("GET", cat(kPods, "/theirs")).status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/pods").status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/services").status, 200) << "what every node may read";
  EXPECT_EQ(ask("GET", "/apis/apps/v1/deployments").status, 403);
}

TEST_F(NodeAccess, ReportsOnlyOfItsOwnPods) {
  const std::string status = R"({"status":{"phase":"Running"}})";
  EXPECT_EQ(ask("PATCH", cat(kPods, "/mine/status"), status).status, 200);
  EXPECT_EQ(ask("PATCH", cat(kPods, "/theirs/status"), status).message(),
            R"(pods "theirs" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself)");
  EXPECT_EQ(ask("PATCH", cat(kPods, "/mine/status"), R"({"metadata":{"labels":{"app":"other"}}})").message(),
            R"(pods "mine" is forbidden: node "n1" cannot update labels through pod status)");
  EXPECT_EQ(ask("DELETE", cat(kPods, "/theirs")).message(),
            R"(pods "theirs" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself)");
  EXPECT_EQ(ask("DELETE", cat(kPods, "/mine")).status, 200);
}

TEST_F(NodeAccess, CreatesMirrorPodsAndNoOthers) {
  const auto plain = ask("POST", kPods, R"({"metadata":{"name":"x"},"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i"}]}})");
  EXPECT_EQ(plain.status, 403);
  EXPECT_NE(plain.message().find(R"(node "n1" can only create mirror pods)"), std::string::npos) << plain.message();
  const std::string uid = call("GET", "/api/v1/nodes/n1").body[keys::kMetadata][keys::kUid].string();
  const auto mirror = [&](const std::string& owner, const std::string& more) {
    return ask("POST", kPods, cat(R"({"metadata":{"name":"x","annotations":{"kubernetes.io/config.mirror":"h"},"ownerReferences":[)", owner,
                                  R"(]},"spec":{"nodeName":"n1",)", more, R"("containers":[{"name":"c","image":"i"}]}})"));
  };
  const auto own = [&](const std::string& id, const std::string& more) {
    return cat(R"({"apiVersion":"v1","kind":"Node","name":"n1","uid":")", id, R"("})").insert(1, more);
  };
  const std::string node = own(uid, R"("controller":true,)");
  constexpr std::string_view kRefused = "pods \"x\" is forbidden: node \"n1\" ";
  EXPECT_EQ(mirror("", "").message(), cat(kRefused, "can only create pods with an owner reference set to itself"));
  EXPECT_EQ(mirror(own(uid, ""), "").message(), cat(kRefused, "can only create pods with a controller owner reference set to itself"));
  EXPECT_EQ(mirror(own("u", R"("controller":true,)"), "").message(),
            cat("pods \"x\" is forbidden: node n1 UID mismatch: expected u got ", uid));
  EXPECT_EQ(mirror(node, R"("volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"settings"}}]}}],)").message(),
            cat(kRefused, "can not create pods that reference configmaps"));
  EXPECT_EQ(mirror(node, R"("imagePullSecrets":[{"name":"used"}],)").message(), "pods \"x\" is forbidden: a mirror pod may not reference secrets");
  EXPECT_EQ(mirror(node, R"("serviceAccountName":"default",)").message(),
            "pods \"x\" is forbidden: a mirror pod may not reference service accounts");
  const auto made = mirror(node, "");
  EXPECT_EQ(made.status, 201) << made.message();
  EXPECT_TRUE(made.body[keys::kSpec][keys::kServiceAccountName].is_absent());
  EXPECT_TRUE(made.body[keys::kSpec][keys::kVolumes].is_absent()) << "and no token";
}

TEST_F(NodeAccess, TellsOfClaimsOnlyHowLargeTheyAre) {
  const std::string claims = "/api/v1/namespaces/default/persistentvolumeclaims";
  call("POST", claims, R"({"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})");
  call("POST", kPods, R"({"metadata":{"name":"db"},"spec":{"nodeName":"n1","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}],
                          "containers":[{"name":"c","image":"i"}]}})");
  EXPECT_EQ(ask("PATCH", cat(claims, "/data/status"), R"({"status":{"capacity":{"storage":"1Gi"}}})").status, 200);
  EXPECT_EQ(ask("PATCH", cat(claims, "/data/status"), R"({"status":{"phase":"Lost"}})").message(),
            "persistentvolumeclaims \"data\" is forbidden: node \"n1\" is not allowed to update fields other than status.capacity and "
            "status.conditions");
}

TEST_F(NodeAccess, ChangesItsNodeWithinItsRights) {
  EXPECT_EQ(ask("PATCH", "/api/v1/nodes/n1", R"({"metadata":{"labels":{"kubernetes.io/arch":"amd64","mine":"1"}}})").status, 200);
  EXPECT_EQ(ask("PATCH", "/api/v1/nodes/n2", R"({"metadata":{"labels":{"mine":"1"}}})").message(),
            R"(nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2")");
  EXPECT_EQ(ask("PATCH", "/api/v1/nodes/n1", R"({"metadata":{"labels":{"node-restriction.kubernetes.io/x":"1"}}})").message(),
            R"(nodes "n1" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/x)");
  EXPECT_EQ(ask("PATCH", "/api/v1/nodes/n1", R"({"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}})").message(),
            R"(nodes "n1" is forbidden: node "n1" is not allowed to modify taints)");
  EXPECT_EQ(ask("DELETE", "/api/v1/nodes/n1").status, 403);
}

TEST_F(NodeAccess, KeepsItsOwnLease) {
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  EXPECT_EQ(ask("POST", leases, R"({"metadata":{"name":"n1"},"spec":{"holderIdentity":"n1"}})").status, 201);
  EXPECT_EQ(ask("POST", leases, R"({"metadata":{"name":"n2"},"spec":{"holderIdentity":"n1"}})").message(),
            R"(leases.coordination.k8s.io "n2" is forbidden: can only access node lease with the same name as the requesting node)");
}

TEST_F(NodeAccess, IsNobodysWhoIsNotInTheGroupOfNodes) {
  const UserInfo pretender{"system:node:n1", "", {"system:authenticated"}, {}};
  EXPECT_EQ(call_as(pretender, "GET", "/api/v1/nodes/n1").status, 403);
}

}  // namespace
}  // namespace minik::control
