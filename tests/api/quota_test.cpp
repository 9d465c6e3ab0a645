// What a ResourceQuota refuses and charges, seen over HTTP. There is no controller here: a test
// reports status.hard as the controller would.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kQuotas = "/api/v1/namespaces/default/resourcequotas";
constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
constexpr std::string_view kServices = "/api/v1/namespaces/default/services";
constexpr std::string_view kClaims = "/api/v1/namespaces/default/persistentvolumeclaims";

class Quota : public HttpWorld {
 protected:
  Quota() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts",
         R"({"metadata":{"name":"default"}})");
  }

  void limit(const std::string& hard, const std::string& scopes = "[]") {
    const std::string spec = cat(R"({"hard":)", hard, R"(,"scopes":)", scopes, "}");
    const auto made =
        call("POST", std::string(kQuotas), cat(R"({"metadata":{"name":"q"},"spec":)", spec, "}"));
    ASSERT_EQ(made.status, 201) << made.message();
    report(hard);
  }
  void report(const std::string& hard) {
    const auto told =
        call("PATCH", cat(kQuotas, "/q/status"),
             cat(R"({"status":{"hard":)", hard, R"(,"used":{}}})"), "application/merge-patch+json");
    ASSERT_EQ(told.status, 200) << told.message();
  }
  std::string used(const std::string& name) {
    return call("GET", cat(kQuotas, "/q")).body[keys::kStatus][keys::kUsed].get(name).string();
  }
  Answer pod(const std::string& name, const std::string& resources = "{}",
             const std::string& more = "") {
    return call("POST", std::string(kPods),
                cat(R"({"metadata":{"name":")", name, R"("},"spec":{)", more,
                    R"("containers":[{"name":"c","image":"i","resources":)", resources, "}]}}"));
  }
};

TEST_F(Quota, RefusesWhatIsTooMuchInTheWordsOfKubernetes) {
  limit(R"({"pods":"2"})");
  EXPECT_EQ(pod("a").status, 201);
  EXPECT_EQ(pod("b").status, 201);
  EXPECT_EQ(used("pods"), "2");
  const auto third = pod("c");
  EXPECT_EQ(third.status, 403);
  EXPECT_EQ(third.message(),
            "pods \"c\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: "
            "pods=2");
}

TEST_F(Quota, NamesOnlyWhatIsExceeded) {
  limit(R"({"pods":"9","requests.cpu":"1","requests.memory":"1Gi","limits.cpu":"4"})");
  const auto amount = [](const std::string& cpu) {
    return cat(R"({"requests":{"cpu":")", cpu, R"(","memory":"64Mi"},"limits":{"cpu":"1"}})");
  };
  EXPECT_EQ(pod("a", amount("750m")).status, 201);
  EXPECT_EQ(used("requests.cpu"), "750m");
  EXPECT_EQ(used("requests.memory"), "64Mi");
  EXPECT_TRUE(pod("b", amount("500m"))
                  .message()
                  .ends_with("exceeded quota: q, requested: requests.cpu=500m, used: "
                             "requests.cpu=750m, limited: requests.cpu=1"));
}

TEST_F(Quota, DemandsThatEveryContainerSaysWhatIsLimited) {
  limit(R"({"limits.cpu":"4","requests.memory":"1Gi"})");
  EXPECT_EQ(pod("a").message(),
            "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: c; "
            "requests.memory for: c");
}

TEST_F(Quota, ChargesNothingForADryRunOrARefusedObject) {
  limit(R"({"configmaps":"1","count/configmaps":"1"})");
  EXPECT_EQ(create_config_map("a", "?dryRun=All").status, 201);
  EXPECT_EQ(create_config_map("Not_a_name").status, 422);
  EXPECT_EQ(used("configmaps"), "0");
  EXPECT_EQ(create_config_map("a").status, 201);
  EXPECT_EQ(used("count/configmaps"), "1");
  EXPECT_EQ(create_config_map("b").status, 403);
}

TEST_F(Quota, CountsObjectsOfAnyGroup) {
  limit(R"({"count/deployments.apps":"1"})");
  const auto deployment = [this](const std::string& name) {
    return call(
        "POST", "/apis/apps/v1/namespaces/default/deployments",
        cat(R"({"metadata":{"name":")", name,
            R"("},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":)",
            R"({"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})"));
  };
  EXPECT_EQ(deployment("a").status, 201);
  EXPECT_EQ(deployment("b").message(),
            "deployments.apps \"b\" is forbidden: exceeded quota: q, requested: "
            "count/deployments.apps=1, used: "
            "count/deployments.apps=1, limited: count/deployments.apps=1");
}

TEST_F(Quota, CountsNodePortsAlsoOfAServiceThatBecomesOne) {
  limit(R"({"services":"5","services.nodeports":"1","services.loadbalancers":"0"})");
  const auto service = [this](const std::string& name, const std::string& type,
                              const std::string& ports) {
    return call("POST", std::string(kServices),
                cat(R"({"metadata":{"name":")", name, R"("},"spec":{"type":")", type,
                    R"(","ports":[)", ports, "]}}"));
  };
  const std::string one = R"({"name":"a","port":1})", two = cat(one, R"(,{"name":"b","port":2})");
  EXPECT_EQ(service("lb", "LoadBalancer", one).status, 403);
  EXPECT_EQ(service("two", "NodePort", two).status, 403);
  EXPECT_EQ(service("plain", "ClusterIP", two).status, 201);
  const auto change = [this](const std::string& patch) {
    return call("PATCH", cat(kServices, "/plain"), patch, "application/merge-patch+json").status;
  };
  EXPECT_EQ(change(R"({"spec":{"type":"NodePort"}})"), 403);
  EXPECT_EQ(change(cat(R"({"spec":{"type":"NodePort","ports":[)", one, "]}}")), 200);
  EXPECT_EQ(used("services.nodeports"), "1");
}

TEST_F(Quota, CountsStorageAlsoByClass) {
  limit(R"({"requests.storage":"10Gi","gold.storageclass.storage.k8s.io/requests.storage":"2Gi"})");
  const auto claim = [this](const std::string& name, const std::string& class_name,
                            const std::string& size) {
    return call(
        "POST", std::string(kClaims),
        cat(R"({"metadata":{"name":")", name, R"("},"spec":{"storageClassName":")", class_name,
            R"(","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":")", size,
            R"("}}}})"));
  };
  EXPECT_EQ(claim("a", "gold", "1Gi").status, 201);
  EXPECT_EQ(claim("b", "gold", "2Gi").status, 403);
  EXPECT_EQ(claim("c", "tin", "2Gi").status, 201);
  EXPECT_EQ(used("requests.storage"), "3Gi");
}

TEST_F(Quota, CountsOnlyPodsInItsScopes) {
  limit(R"({"pods":"0"})", R"(["BestEffort"])");
  EXPECT_EQ(pod("a").status, 403);
  EXPECT_EQ(pod("b", R"({"requests":{"cpu":"1"}})").status, 201);
}

TEST_F(Quota, TellsPodsWithADeadlineFromTheOthers) {
  limit(R"({"pods":"0"})", R"(["Terminating"])");
  EXPECT_EQ(pod("a").status, 201);
  EXPECT_EQ(pod("b", "{}", R"("activeDeadlineSeconds":5,)").status, 403);
}

TEST_F(Quota, SelectsClaimsByTheClassOfTheirAttributes) {
  ASSERT_EQ(call("POST", std::string(kQuotas),
                 R"({"metadata":{"name":"q"},"spec":{"hard":{"persistentvolumeclaims":"0"},"scopeSelector":{"matchExpressions":[
                    {"scopeName":"VolumeAttributesClass","operator":"In","values":["fast"]}]}}})").status,
            201);
  report(R"({"persistentvolumeclaims":"0"})");
  const auto claim = [this](const std::string& name, const std::string& more) {
    return call("POST", std::string(kClaims), cat(R"({"metadata":{"name":")", name, R"("},"spec":{)", more,
                                                  R"("accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})")).status;
  };
  EXPECT_EQ(claim("a", ""), 201);
  EXPECT_EQ(claim("b", R"("volumeAttributesClassName":"slow",)"), 201);
  EXPECT_EQ(claim("c", R"("volumeAttributesClassName":"fast",)"), 403);
}

TEST_F(Quota, SelectsByPriorityClass) {
  ASSERT_EQ(
      call(
          "POST", std::string(kQuotas),
          R"({"metadata":{"name":"q"},"spec":{"hard":{"pods":"0"},"scopeSelector":{"matchExpressions":[
                 {"scopeName":"PriorityClass","operator":"In","values":["system-node-critical"]}]}}})")
          .status,
      201);
  report(R"({"pods":"0"})");
  EXPECT_EQ(pod("a").status, 201);
  EXPECT_EQ(pod("b", "{}", R"("priorityClassName":"system-node-critical",)").status, 403);
}

TEST_F(Quota, CountsWhatIsReallyThereWhenACountIsReported) {
  limit(R"({"pods":"1"})");
  EXPECT_EQ(pod("a").status, 201);
  report(R"({"pods":"1"})");  // from caches that have not seen the pod yet
  EXPECT_EQ(used("pods"), "1");
  EXPECT_EQ(pod("b").status, 403);
}

TEST_F(Quota, ChargesAPodThatGrows) {
  limit(R"({"requests.cpu":"2"})");
  ASSERT_EQ(pod("a", R"({"requests":{"cpu":"1"}})").status, 201);
  const auto resize = [this](const std::string& cpu) {
    return call("PATCH", cat(kPods, "/a/resize"), cat(R"({"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":")", cpu, R"("}}}]}})"),
                "application/strategic-merge-patch+json");
  };
  const auto refused = resize("3");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(), "pods \"a\" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=1, limited: requests.cpu=2");
  EXPECT_EQ(resize("2").status, 200);
  EXPECT_EQ(used("requests.cpu"), "2");
}

TEST_F(Quota, CountsWhatIsLeftAfterADeletionWhenACountIsReported) {
  limit(R"({"pods":"2","count/configmaps":"2"})");
  ASSERT_EQ(pod("a").status, 201);
  ASSERT_EQ(pod("b").status, 201);
  EXPECT_EQ(call("DELETE", cat(kPods, "/a?gracePeriodSeconds=0")).status, 200);
  EXPECT_EQ(used("pods"), "2") << "until its controller has looked";
  report(R"({"pods":"2","count/configmaps":"2"})");
  EXPECT_EQ(used("pods"), "1");
}

TEST_F(Quota, LimitsNothingAnyMoreWhenItIsDeleted) {
  limit(R"({"pods":"0"})");
  EXPECT_EQ(pod("a").status, 403);
  EXPECT_EQ(call("DELETE", cat(kQuotas, "/q")).status, 200);
  EXPECT_EQ(pod("a").status, 201);
}

}  // namespace
}  // namespace minik::control
