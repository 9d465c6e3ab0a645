// The eviction subresource: what a budget lets go, and what it says when it does not.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
constexpr std::string_view kBudgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
constexpr const char* kMerge = "application/merge-patch+json";

class Eviction : public HttpWorld {
 protected:
  Eviction() {
    call("POST", "/api/v1/namespaces/default/serviceaccounts",
         R"({"metadata":{"name":"default"}})");
  }

  void pod(const std::string& ready, const std::string& phase = "Running") {
    ASSERT_EQ(
        call(
            "POST", std::string(kPods),
            R"({"metadata":{"name":"a","labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}],
                   "nodeName":"n"}})")
            .status,
        201);
    ASSERT_EQ(call("PATCH", cat(kPods, "/a/status"),
                   cat(R"({"status":{"phase":")", phase,
                       R"(","conditions":[{"type":"Ready","status":")", ready, R"("}]}})"),
                   kMerge)
                  .status,
              200);
  }
  // A budget as its controller has counted it.
  void budget(int healthy, int desired, const std::string& policy = "IfHealthyBudget") {
    ASSERT_EQ(call("POST", std::string(kBudgets),
                   cat(R"({"metadata":{"name":"keep"},"spec":{"minAvailable":)", desired,
                       R"(,"unhealthyPodEvictionPolicy":")", policy,
                       R"(","selector":{"matchLabels":{"app":"web"}}}})"))
                  .status,
              201);
    report(healthy, desired, 1);
  }
  void report(int healthy, int desired, int observed) {
    ASSERT_EQ(
        call("PATCH", cat(kBudgets, "/keep/status"),
             cat(R"({"status":{"observedGeneration":)", observed, R"(,"currentHealthy":)", healthy,
                 R"(,"desiredHealthy":)", desired, R"(,"expectedPods":3,"disruptionsAllowed":)",
                 std::max(0, healthy - desired), "}}"),
             kMerge)
            .status,
        200);
  }
  Answer evict(const std::string& query = "") {
    return call("POST", cat(kPods, "/a/eviction", query),
                R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"a"}})");
  }
  Answer evict_with(const std::string& delete_options) {
    return call("POST", cat(kPods, "/a/eviction"),
                cat(R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"a"},"deleteOptions":)", delete_options, "}"));
  }
  Value disruption_target() {
    const auto pod = call("GET", cat(kPods, "/a"));
    for (const auto& c : pod.body[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == "DisruptionTarget") return c;
    }
    return {};
  }
  std::string why(const Answer& answer) {
    return answer.body[keys::kDetails][keys::kCauses].items()[0][keys::kMessage].string();
  }
};

TEST_F(Eviction, LeavesACommentOnThePodAndSpendsTheBudget) {
  pod("True");
  budget(3, 2);
  EXPECT_EQ(evict().status, 201);
  EXPECT_EQ(disruption_target()[keys::kReason].as_string(), "EvictionByEvictionAPI");
  EXPECT_EQ(disruption_target()[keys::kMessage].as_string(), "Eviction API: evicting");
  EXPECT_EQ(
      call("GET", cat(kBudgets, "/keep")).body[keys::kStatus][keys::kDisruptionsAllowed].as_int(),
      0);
}

TEST_F(Eviction, IsOfThePodThatTheUrlNamesOrOfNone) {
  pod("True");
  const auto other = call("POST", cat(kPods, "/a/eviction"), R"({"metadata":{"name":"foo"}})");
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.message(), "name in URL does not match name in Eviction object");
  const auto elsewhere = call("POST", cat(kPods, "/a/eviction"), R"({"metadata":{"name":"a","namespace":"other"}})");
  EXPECT_EQ(elsewhere.status, 400);
  EXPECT_EQ(elsewhere.message(), "the namespace of the provided object does not match the namespace sent on the request");
  EXPECT_FALSE(call("GET", cat(kPods, "/a")).metadata("deletionTimestamp").has_value());
}

TEST_F(Eviction, ChangesNothingInADryRun) {
  pod("True");
  budget(3, 2);
  EXPECT_EQ(evict("?dryRun=All").status, 201);
  EXPECT_TRUE(disruption_target().is_absent());
}

// As `kubectl drain --dry-run=server` asks.
TEST_F(Eviction, HeedsTheDeleteOptionsInIt) {
  pod("True");
  EXPECT_EQ(evict_with(R"({"dryRun":["All"]})").status, 201);
  EXPECT_TRUE(call("GET", cat(kPods, "/a")).metadata("deletionTimestamp").is_absent());
  EXPECT_EQ(evict_with(R"({"dryRun":["Some"]})").status, 422);
  EXPECT_EQ(evict_with(R"({"preconditions":{"uid":"another"}})").status, 409);
  EXPECT_EQ(evict_with(R"({"gracePeriodSeconds":7})").status, 201);
  EXPECT_EQ(call("GET", cat(kPods, "/a")).metadata("deletionGracePeriodSeconds").as_int(), 7);
}

TEST_F(Eviction, SaysWhatTheBudgetNeeds) {
  pod("True");
  budget(2, 2);
  const auto refused = evict();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.message(), "Cannot evict pod as it would violate the pod's disruption budget.");
  EXPECT_EQ(why(refused), "The disruption budget keep needs 2 healthy pods and has 2 currently");
}

TEST_F(Eviction, WaitsForABudgetThatHasNotBeenCountedSinceItChanged) {
  pod("True");
  budget(3, 2);
  report(3, 2, 0);
  const auto refused = evict();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(why(refused), "The disruption budget keep is still being processed by the server.");
}

TEST_F(Eviction, LetsAnUnhealthyPodGoWhileEnoughOthersAreHealthy) {
  pod("False");
  budget(2, 2);
  EXPECT_EQ(evict().status, 201);
}

TEST_F(Eviction, KeepsAnUnhealthyPodOfABrokenApplicationUnlessThePolicyLetsItGo) {
  pod("False");
  budget(1, 2);
  EXPECT_EQ(evict().status, 429);
  ASSERT_EQ(call("PATCH", cat(kBudgets, "/keep"),
                 R"({"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}})", kMerge)
                .status,
            200);
  EXPECT_EQ(evict().status, 201);
}

TEST_F(Eviction, AsksNoBudgetForAPodThatHasEnded) {
  pod("False", "Failed");
  budget(1, 2);
  EXPECT_EQ(evict().status, 201);
}

}  // namespace
}  // namespace minik::control
