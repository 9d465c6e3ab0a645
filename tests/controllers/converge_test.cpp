// What the controllers do together, whatever happens to them. A controller of its own story has it beside
// its decision tests.
#include "tests/controllers/converge.h"

#include "control/base/text.h"
#include "control/schema/kinds.h"

namespace minik::sim {
namespace {

std::string deployment(int replicas) {
  return cat(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: )",
             replicas, R"(
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
)");
}

constexpr std::string_view kNewImage =
    R"({"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}})";

TEST(Convergence, ARolloutEndsWithTheNewPodsOnly) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), deployment(8));
  // Late enough that the first image has its ReplicaSet by then, whatever happens: it is part of the history.
  story.changes.push_back(merge_patch_at(seconds(80), "deployments", "web", kNewImage));
  story.trouble = seconds(160);
  expect_convergence(story);
}

TEST(Convergence, ScalingUpAndDownEndsAtTheLastNumber) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), deployment(3));
  story.changes.push_back(merge_patch_at(seconds(15), "deployments", "web", R"({"spec":{"replicas":15}})"));
  story.changes.push_back(merge_patch_at(seconds(25), "deployments", "web", R"({"spec":{"replicas":5}})"));
  expect_convergence(story);
}

TEST(Convergence, NothingIsLeftOfADeletedDeployment) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), deployment(5));
  story.changes.push_back(delete_at(seconds(20), "deployments", "web"));
  expect_convergence(story);
}

TEST(Convergence, ADeletedNamespaceTakesEverythingWithIt) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
)");
  auto inside = apply_at(seconds(10), R"(
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: green}
)");
  story.changes.insert(story.changes.end(), inside.begin(), inside.end());
  auto gone = delete_at(seconds(40), "namespaces", "shop", "");
  story.changes.push_back(gone);
  expect_convergence(story);
}

ConvergenceCase job_story(std::string_view spec, ImageBehaviour image) {
  ConvergenceCase story;
  image.exit_after = Distribution{seconds(2), seconds(8)};
  story.images = {image};
  story.changes = apply_at(seconds(0), cat(R"(
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: "sum:1"}]}}
)", spec));
  return story;
}

TEST(Convergence, AJobCountsEachSuccessOnce) {
  expect_convergence(job_story("  completions: 12\n  parallelism: 4\n", {}));
}

TEST(Convergence, AnIndexedJobSucceedsOnceForEachIndex) {
  expect_convergence(job_story("  completions: 12\n  parallelism: 4\n  completionMode: Indexed\n", {}));
}

TEST(Convergence, AFailingJobEndsAtItsLimit) {
  ImageBehaviour failing;
  failing.exit_code = 1;
  expect_convergence(job_story("  completions: 3\n  backoffLimit: 2\n", failing));
}

// What the Job says in the end. A controller that was dead meanwhile knows nothing of the suspension. A pod that
// was let go of just before the controller died may have run to its end, which nobody counts; it stays as what it is.
std::string told_by_job(const control::Store& store) {
  const control::Value& status = store.find(control::kinds::kJobs, "default", "sum").get("status");
  std::string text = cat("succeeded ", status.get("succeeded").as_int(), ", failed ", status.get("failed").as_int());
  for (const auto& c : status.get("conditions").items()) {
    if (c.get("status").as_string() == "True") text += cat(", ", c.get("type").as_string());
  }
  return text;
}

// Not one failure is allowed, so that a pod which is counted as one when it is only taken away fails the Job.
TEST(Convergence, AJobThatIsSuspendedAndResumedHasLostNothing) {
  auto story = job_story("  completions: 12\n  parallelism: 4\n  backoffLimit: 0\n", {});
  story.changes.push_back(merge_patch_at(seconds(6), "jobs", "sum", R"({"spec":{"suspend":true}})"));
  story.changes.push_back(merge_patch_at(seconds(30), "jobs", "sum", R"({"spec":{"suspend":false}})"));
  story.state = told_by_job;
  expect_convergence(story);
}

TEST(Convergence, EachIndexOfAFailingJobHasItsOwnLimit) {
  ImageBehaviour failing;
  failing.exit_code = 1;
  expect_convergence(job_story("  completions: 3\n  parallelism: 3\n  completionMode: Indexed\n  backoffLimitPerIndex: 1\n",
                               failing));
}

TEST(Convergence, NothingIsLeftOfAJobThatIsDeletedWithItsPods) {
  auto story = job_story("  completions: 50\n  parallelism: 5\n", {});
  auto gone = delete_at(seconds(15), "jobs", "sum");
  gone.request.options.propagation = control::PropagationPolicy::kBackground;
  story.changes.push_back(gone);
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
