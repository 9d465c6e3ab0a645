// What LimitRanges give and refuse, seen over HTTP.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kRanges = "/api/v1/namespaces/default/limitranges";
constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
constexpr std::string_view kClaims = "/api/v1/namespaces/default/persistentvolumeclaims";

class LimitRange : public HttpWorld {
 protected:
  LimitRange() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts",
         R"({"metadata":{"name":"default"}})");
  }

  void limit(const std::string& item, const std::string& name = "r") {
    const auto made =
        call("POST", std::string(kRanges),
             cat(R"({"metadata":{"name":")", name, R"("},"spec":{"limits":[)", item, "]}}"));
    ASSERT_EQ(made.status, 201) << made.message();
  }
  Answer pod(const std::string& containers, const std::string& more = "") {
    return call(
        "POST", std::string(kPods),
        cat(R"({"metadata":{"name":"a"},"spec":{)", more, R"("containers":[)", containers, "]}}"));
  }
  static std::string container(const std::string& resources, const std::string& name = "c") {
    return cat(R"({"name":")", name, R"(","image":"i","resources":)", resources, "}");
  }
};

TEST_F(LimitRange, GivesContainersWhatTheyLeaveOpenAndSaysSo) {
  limit(
      R"({"type":"Container","default":{"cpu":"500m","memory":"1Gi"},"defaultRequest":{"cpu":"100m"}})");
  const auto made = pod(container(R"({"limits":{"memory":"2Gi"}})"),
                        R"("initContainers":[{"name":"i","image":"i"}],)");
  ASSERT_EQ(made.status, 201) << made.message();
  const Value& resources = made.body[keys::kSpec][keys::kContainers].items()[0][keys::kResources];
  EXPECT_EQ(resources[keys::kLimits].get("cpu").as_string(), "500m");
  EXPECT_EQ(resources[keys::kLimits].get("memory").as_string(), "2Gi");
  EXPECT_EQ(resources[keys::kRequests].get("cpu").as_string(), "100m");
  EXPECT_EQ(resources[keys::kRequests].get("memory").as_string(), "2Gi");  // its own limit
  EXPECT_EQ(
      made.body[keys::kMetadata][keys::kAnnotations].get("kubernetes.io/limit-ranger").as_string(),
      "LimitRanger plugin set: cpu request for container c; cpu limit for container c; cpu, memory "
      "request "
      "for init container i; cpu, memory limit for init container i");
}

TEST_F(LimitRange, FillsItsOwnDefaultsFromMaximumAndMinimum) {
  limit(R"({"type":"Container","max":{"cpu":"2"},"min":{"memory":"64Mi"}})");
  const auto range = call("GET", cat(kRanges, "/r"));
  const Value& item = range.body[keys::kSpec][keys::kLimits].items()[0];
  EXPECT_EQ(item[keys::kDefault].get("cpu").as_string(), "2");
  EXPECT_EQ(item[keys::kDefaultRequest].get("cpu").as_string(), "2");
  EXPECT_EQ(item[keys::kDefaultRequest].get("memory").as_string(), "64Mi");
}

TEST_F(LimitRange, RefusesWhatIsTooSmallOrTooLarge) {
  limit(R"({"type":"Container","min":{"cpu":"200m"},"max":{"cpu":"1"}})");
  EXPECT_EQ(
      pod(container(R"({"requests":{"cpu":"100m"},"limits":{"cpu":"1"}})")).message(),
      "pods \"a\" is forbidden: minimum cpu usage per Container is 200m, but request is 100m");
  EXPECT_EQ(pod(container(R"({"requests":{"cpu":"500m"},"limits":{"cpu":"3"}})")).message(),
            "pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 3");
  EXPECT_EQ(pod(container("{}")).status, 201);
}

TEST_F(LimitRange, ListsEveryRuleThatIsBroken) {
  limit(R"({"type":"Container","min":{"cpu":"200m"},"max":{"memory":"1Gi"}})");
  EXPECT_EQ(pod(container(R"({"requests":{"cpu":"100m"},"limits":{"memory":"2Gi"}})")).message(),
            "pods \"a\" is forbidden: [minimum cpu usage per Container is 200m, but request is "
            "100m, maximum memory "
            "usage per Container is 1Gi, but limit is 2Gi]");
}

TEST_F(LimitRange, LimitsTheRatioOfLimitToRequest) {
  limit(R"({"type":"Container","maxLimitRequestRatio":{"cpu":"2"}})");
  EXPECT_EQ(pod(container(R"({"requests":{"cpu":"300m"},"limits":{"cpu":"1"}})")).message(),
            "pods \"a\" is forbidden: cpu max limit to request ratio per Container is 2, but "
            "provided ratio is 3.333333");
  EXPECT_EQ(pod(container("{}")).message(),
            "pods \"a\" is forbidden: cpu max limit to request ratio per Container is 2, but no "
            "request is specified or "
            "request is 0");
  EXPECT_EQ(pod(container(R"({"requests":{"cpu":"500m"},"limits":{"cpu":"1"}})")).status, 201);
}

TEST_F(LimitRange, AddsUpAPodsContainers) {
  limit(R"({"type":"Pod","max":{"cpu":"1"}})");
  const std::string half = R"({"limits":{"cpu":"600m"}})";
  EXPECT_EQ(pod(cat(container(half), ",", container(half, "d"))).message(),
            "pods \"a\" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m");
  EXPECT_EQ(pod(cat(container(half), ",", container("{}", "d"))).message(),
            "pods \"a\" is forbidden: maximum cpu usage per Pod is 1.  No limit is specified");
  EXPECT_EQ(pod(container(half)).status, 201);
}

TEST_F(LimitRange, HoldsClaimsToTheirSizesAlsoWhenTheyGrow) {
  limit(R"({"type":"PersistentVolumeClaim","min":{"storage":"1Gi"},"max":{"storage":"5Gi"}})");
  const auto claim = [this](const std::string& size) {
    return call(
        "POST", std::string(kClaims),
        cat(R"({"metadata":{"name":"a"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":)",
            R"({"storage":")", size, R"("}}}})"));
  };
  EXPECT_EQ(claim("512Mi").message(),
            "persistentvolumeclaims \"a\" is forbidden: minimum storage usage per "
            "PersistentVolumeClaim is 1Gi, but "
            "request is 512Mi");
  EXPECT_EQ(claim("6Gi").message(),
            "persistentvolumeclaims \"a\" is forbidden: maximum storage usage per "
            "PersistentVolumeClaim is 5Gi, but "
            "request is 6Gi");
  EXPECT_EQ(claim("2Gi").status, 201);
}

TEST_F(LimitRange, HoldsForAPodThatIsResizedToo) {
  limit(R"({"type":"Container","max":{"cpu":"1"}})");
  ASSERT_EQ(pod(container(R"({"requests":{"cpu":"500m"},"limits":{"cpu":"1"}})")).status, 201);
  const auto resize = [this](const std::string& limit) {
    return call("PATCH", cat(kPods, "/a/resize"),
                cat(R"({"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":")", limit, R"("}}}]}})"),
                "application/strategic-merge-patch+json");
  };
  EXPECT_EQ(resize("2").message(), "pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
  EXPECT_EQ(resize("900m").status, 200) << resize("900m").message();
}

TEST_F(LimitRange, IsAskedBeforeTheQuota) {
  limit(R"({"type":"Container","default":{"cpu":"1"}})");
  constexpr std::string_view kQuotas = "/api/v1/namespaces/default/resourcequotas";
  call("POST", std::string(kQuotas),
       R"({"metadata":{"name":"q"},"spec":{"hard":{"limits.cpu":"1"}}})");
  call("PATCH", cat(kQuotas, "/q/status"), R"({"status":{"hard":{"limits.cpu":"1"},"used":{}}})",
       "application/merge-patch+json");
  EXPECT_EQ(pod(container("{}")).status, 201);
  EXPECT_EQ(call("GET", cat(kQuotas, "/q"))
                .body[keys::kStatus][keys::kUsed]
                .get("limits.cpu")
                .as_string(),
            "1");
}

}  // namespace
}  // namespace minik::control
