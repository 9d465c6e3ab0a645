// What a namespace on its way out does next, on plain objects.
#include "control/controllers/namespaces.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/schema/kind_registry.h"
#include "decision_world.h"

namespace minik::control {
namespace {

std::string namespace_of(std::string_view metadata) {
  return cat("\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, uid: ns-1, resourceVersion: '4'", metadata,
             "}\nspec: {finalizers: [kubernetes]}\nstatus: {phase: Terminating}\n");
}
constexpr std::string_view kGoing = ", deletionTimestamp: '2026-03-01T11:59:00Z'";

std::string config_map(std::string_view name, std::string_view metadata = "") {
  return cat("\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: ", name, ", namespace: shop, uid: uid-", name, metadata,
             "}}\n");
}

// A list of one kind as the server gives it, of which it says that there is more.
ApiResponse list_of(const Value& object, int64_t more = 0) {
  return {Value::map({{keys::kMetadata, Value::map({{keys::kRemainingItemCount, more}})}, {keys::kItems, Value::array({object})}}),
          false, false, {}};
}

class NamespaceDecision : public ::testing::Test {
 protected:
  using Answer = std::function<Result<ApiResponse>(const ApiRequest&)>;

  Plan decide() { return world.decide("", "shop"); }
  // Of a server that refuses nothing and has nothing.
  static Result<ApiResponse> nothing(const ApiRequest&) { return ApiResponse{}; }
  // What is done when the server has said that the pods are gone.
  Plan after_pods() { return world.follow(decide(), nothing); }
  // Where it ends in this look.
  Plan outcome(const Answer& answer = nothing) {
    Plan plan = decide();
    while (plan.then) plan = world.follow(plan, answer);
    return plan;
  }
  static std::string told(const Plan& plan, std::string_view type) {
    for (const auto& write : plan.writes) {
      if (write.request.kind != kinds::kNamespaces) continue;
      for (const auto& c : write.request.body[keys::kStatus][keys::kConditions].items()) {
        if (c[keys::kType].as_string() == type) {
          return cat(c[keys::kStatus].as_string(), " ", c[keys::kReason].as_string(), ": ", c[keys::kMessage].as_string());
        }
      }
    }
    return "";
  }
  static auto deletions(const Plan& plan, KindId kind) {
    return std::ranges::count_if(plan.writes, [&](const PlannedWrite& w) {
      return w.request.verb == Verb::kDeleteCollection && w.request.kind == kind;
    });
  }

  DecisionWorld world{namespace_controller(Schema::builtin())};
};

TEST_F(NamespaceDecision, IsLeftAloneWhileNobodyDeletesIt) {
  world.add(cat(namespace_of(""), config_map("a")));
  EXPECT_TRUE(decide().empty());
}

TEST_F(NamespaceDecision, DeletesWhatItHasAndSaysWhatIsLeft) {
  world.add(cat(namespace_of(kGoing), config_map("a"), config_map("b")));
  EXPECT_EQ(deletions(after_pods(), kinds::kConfigmaps), 1);
  EXPECT_EQ(deletions(after_pods(), kinds::kPods), 0);
  const Plan plan = outcome();
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: configmaps. has 2 resource instances");
  EXPECT_EQ(told(plan, "NamespaceFinalizersRemaining"),
            "False ContentHasNoFinalizers: All content-preserving finalizers finished");
  EXPECT_EQ(told(plan, "NamespaceDeletionDiscoveryFailure"),
            "False ResourcesDiscovered: All resources successfully discovered");
  EXPECT_EQ(told(plan, "NamespaceDeletionContentFailure"),
            "False ContentDeleted: All content successfully deleted, may be waiting on finalization");
  EXPECT_TRUE(plan.requeue_after);
}

TEST_F(NamespaceDecision, LetsPodsGoBeforeWhatGuardsThem) {
  world.add(cat(namespace_of(kGoing), config_map("a"),
                "\n---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, uid: uid-web}}\n"));
  EXPECT_EQ(deletions(decide(), kinds::kPods), 1);
  const Plan plan = outcome([](const ApiRequest& request) {
    EXPECT_NE(request.kind, kinds::kConfigmaps);
    return ApiResponse{};
  });
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances");
}

TEST_F(NamespaceDecision, AsksTheServerForPodsThatTheCacheDoesNotShowBeforeItDeletes) {
  world.add(cat(namespace_of(kGoing), config_map("a")));
  const Plan plan = outcome([](const ApiRequest& request) -> Result<ApiResponse> {
    EXPECT_EQ(request.kind, kinds::kPods);
    EXPECT_EQ(request.verb, Verb::kList);
    return list_of(Value::map({}));
  });
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances");
}

TEST_F(NamespaceDecision, NamesTheFinalizersThatItWaitsForAndAsksNoTwice) {
  world.add(cat(namespace_of(kGoing),
                config_map("a", ", deletionTimestamp: '2026-03-01T11:59:00Z', finalizers: [example.com/hold]")));
  EXPECT_EQ(deletions(after_pods(), kinds::kConfigmaps), 0) << "it is on its way out already";
  EXPECT_EQ(told(outcome(), "NamespaceFinalizersRemaining"),
            "True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances");
}

TEST_F(NamespaceDecision, LetsNothingStayForOneKindThatIsRefused) {
  world.add(cat(namespace_of(kGoing), config_map("a"),
                "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: key, namespace: shop, uid: uid-key}}\n"));
  int deleted = 0;
  const Plan plan = outcome([&](const ApiRequest& request) -> Result<ApiResponse> {
    if (request.verb == Verb::kDeleteCollection) ++deleted;
    if (request.kind == kinds::kConfigmaps) return Error(ErrorCode::kForbidden, "the keeper says no");
    return ApiResponse{};
  });
  EXPECT_EQ(deleted, 2) << "the Secret after the ConfigMap";
  EXPECT_EQ(told(plan, "NamespaceDeletionContentFailure"),
            "True ContentDeletionFailed: Failed to delete all resource types, 1 remaining: the keeper says no");
  EXPECT_TRUE(plan.requeue_after) << "and not by a back-off that grows";
}

TEST_F(NamespaceDecision, LetsGoOnlyWhenTheServerSaysThatNothingIsLeft) {
  world.add(namespace_of(kGoing));
  int asked = 0;
  const Plan plan = outcome([&](const ApiRequest& request) {
    if (request.verb == Verb::kList) ++asked;
    return ApiResponse{};
  });
  EXPECT_GT(asked, 20) << "every kind";
  const auto& last = plan.writes.back();
  EXPECT_EQ(last.request.subresource, "finalize");
  EXPECT_TRUE(last.request.body[keys::kSpec][keys::kFinalizers].empty());
  const Plan refused = outcome([](const ApiRequest& request) -> Result<ApiResponse> {
    if (request.verb == Verb::kList && request.kind == kinds::kSecrets) return Error(ErrorCode::kTimeout, "no answer");
    return ApiResponse{};
  });
  EXPECT_NE(refused.writes.back().request.subresource, "finalize") << "nobody knows whether Secrets are left";
}

TEST_F(NamespaceDecision, CountsWhatNoCacheShowsByTheServersWord) {
  KindRegistry registry;
  const Schema schema(registry);
  const KindId widgets = *registry.stored("example.com", "widgets");
  const ResourceInfo info{.id = widgets, .group = "example.com", .version = "v1", .plural = "widgets", .singular = "widget",
                          .kind = "Widget", .namespaced = true, .verbs = "list", .short_names = "", .categories = "",
                          .selectable_fields = "", .type = nullptr, .subresources = {}, .api_version = "example.com/v1"};
  registry.define(widgets, info);
  DecisionWorld with_widgets(namespace_controller(schema));
  with_widgets.add(cat(namespace_of(kGoing), config_map("a")));
  int deleted = 0;
  Plan plan = with_widgets.decide("", "shop");
  while (plan.then) {
    plan = with_widgets.follow(plan, [&](const ApiRequest& request) -> Result<ApiResponse> {
      if (request.kind != widgets) return ApiResponse{};
      if (request.verb == Verb::kDeleteCollection) ++deleted;
      const Value held = Value::map({{keys::kMetadata, Value::map({{keys::kFinalizers, Value::array({"example.com/hold"})}})}});
      return request.verb == Verb::kList ? list_of(held, 2) : ApiResponse{};
    });
  }
  EXPECT_EQ(deleted, 1) << "beside what the caches show";
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances, "
            "widgets.example.com has 3 resource instances");
  EXPECT_EQ(told(plan, "NamespaceFinalizersRemaining"),
            "True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances");
  EXPECT_EQ(plan.requeue_after, seconds(60) / 8) << "after a minute on its way";
}

TEST_F(NamespaceDecision, KeepsTheFinalizersOfOthers) {
  std::string home = namespace_of(kGoing);
  home.replace(home.find("[kubernetes]"), 12, "[kubernetes, example.com/audit]");
  world.add(home);
  const Plan plan = outcome();
  const auto kept = plan.writes.back().request.body[keys::kSpec][keys::kFinalizers].items();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].as_string(), "example.com/audit");
}

TEST_F(NamespaceDecision, TellsTheOwnerOfAnotherFinalizerThatNothingIsLeft) {
  std::string home = namespace_of(kGoing);
  home.replace(home.find("[kubernetes]"), 12, "[example.com/audit]");
  world.add(home);
  const Plan plan = decide();
  EXPECT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"), "False ContentRemoved: All content successfully removed");
}

}  // namespace
}  // namespace minik::control
