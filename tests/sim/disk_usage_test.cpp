// What containers write, and what the node agent does about it.
#include "control/kubelet/eviction.h"
#include "control/object/yaml.h"
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

// A pod on node-0 beside the six of `web`; `more` is the rest of its spec.
std::string pod(std::string_view name, std::string_view image, std::string_view resources, std::string_view more = "") {
  return cat("  - {at: 20s, apply: {apiVersion: v1, kind: Pod, metadata: {name: ", name, "}, spec: {nodeName: node-0, containers: [{name: c, image: \"",
             image, "\", resources: ", resources, more, "}}}\n");
}

constexpr std::string_view kNoVolume = "}]";
constexpr std::string_view kScratch = ", volumeMounts: [{name: scratch, mountPath: /scratch}]}], volumes: [{name: scratch, emptyDir: {}}]";
constexpr std::string_view kSmallScratch =
    ", volumeMounts: [{name: scratch, mountPath: /scratch}]}], volumes: [{name: scratch, emptyDir: {sizeLimit: 100Mi}}]";

std::string images(std::string_view uses) {
  return cat("{match: \"web:*\", preloaded: true}\n  - {match: \"writer:*\", preloaded: true, ready: 1s, uses: {", uses, "}}");
}

class Disk : public testing::Test {
 protected:
  FaultyRun& begin(const std::string& timeline, const std::string& behaviour, std::string_view more = "") {
    return run_.emplace(cat("  timeline:\n", timeline, more), 1, behaviour);
  }
  const control::Value& status(std::string_view name) {
    return run_->store().find(control::kinds::kPods, "default", name)[control::keys::kStatus];
  }
  std::string reason(std::string_view name) { return status(name)["reason"].string(); }
  std::string message(std::string_view name) { return status(name)["message"].string(); }

  std::optional<FaultyRun> run_;
};

TEST_F(Disk, AContainerOverItsLimitIsEvictedThoughTheDiskHasRoom) {
  auto& run = begin(pod("writer", "writer:1", "{limits: {ephemeral-storage: 100Mi}}", kNoVolume) + pod("free", "writer:1", "{}", kNoVolume),
                    images("disk: 40Mi, diskGrowthPerSecond: 1Mi"));
  run.to(seconds(70));
  EXPECT_EQ(status("writer")["phase"].as_string(), "Running");
  run.to(seconds(110));
  EXPECT_EQ(reason("writer"), "Evicted");
  EXPECT_EQ(message("writer"), "Pod ephemeral local storage usage exceeds the total limit of containers 100Mi. ");
  EXPECT_FALSE(control::condition(run.store().find(control::kinds::kPods, "default", "writer"), "DisruptionTarget").has_value())
      << "it is its own doing";
  EXPECT_EQ(status("writer")["containerStatuses"].items()[0]["state"]["terminated"]["exitCode"].as_int(-1), 0)
      << "it is told, and has the least of graces";
  EXPECT_EQ(status("free")["phase"].as_string(), "Running");
  EXPECT_EQ(run.condition("node-0", "DiskPressure"), "False");
}

TEST(StorageLimit, OfOneContainerOfSeveralIsItsOwn) {
  const auto pod = control::parse_yaml(
      "spec:\n  containers:\n  - {name: small, resources: {limits: {ephemeral-storage: 10Mi}}}\n"
      "  - {name: large, resources: {limits: {ephemeral-storage: 1Gi}}}\n  - {name: free}\n");
  ASSERT_TRUE(pod.ok());
  control::EvictionCandidate candidate{(*pod)[0].value, {}};
  EXPECT_TRUE(control::has_storage_limit(candidate.pod));
  candidate.written.containers = {{"small", 10 << 20}, {"large", 900 << 20}, {"free", 5 << 20}};
  EXPECT_EQ(control::exceeded_storage_limit(candidate), std::nullopt);
  candidate.written.containers["small"] += 1;
  EXPECT_EQ(control::exceeded_storage_limit(candidate), "Container small exceeded its local ephemeral storage limit \"10Mi\". ");
  candidate.pod = candidate.pod.with_at({"spec", "priority"}, control::kCriticalPriority);
  EXPECT_EQ(control::exceeded_storage_limit(candidate), std::nullopt) << "critical pods stay";
}

TEST(StorageLimit, OfAPodIsThatOfTheStepWhichHasMostWithItsSidecars) {
  const auto pod = control::parse_yaml(
      "spec:\n  initContainers:\n  - {name: side, restartPolicy: Always, resources: {limits: {ephemeral-storage: 1Gi}}}\n"
      "  - {name: init, resources: {limits: {ephemeral-storage: 5Gi}}}\n  containers:\n"
      "  - {name: main, resources: {limits: {ephemeral-storage: 1Gi}}}\n");
  ASSERT_TRUE(pod.ok());
  control::EvictionCandidate candidate{(*pod)[0].value, {}};
  candidate.written.volumes = {{"scratch", int64_t{6} << 30}};
  EXPECT_EQ(control::exceeded_storage_limit(candidate), std::nullopt);
  candidate.written.volumes["scratch"] += 1;
  EXPECT_EQ(control::exceeded_storage_limit(candidate), "Pod ephemeral local storage usage exceeds the total limit of containers 6Gi. ");
}

TEST_F(Disk, AVolumeOverItsSizeLimitIsNamed) {
  auto& run = begin(pod("writer", "writer:1", "{}", kSmallScratch), images("volumeGrowthPerSecond: {min: 1Mi, max: 2Mi}"));
  run.to(minutes(3));
  EXPECT_EQ(reason("writer"), "Evicted");
  EXPECT_EQ(message("writer"), "Usage of EmptyDir volume \"scratch\" exceeds the limit \"100Mi\". ");
}

TEST_F(Disk, VolumesCountForTheLimitOfThePod) {
  auto& run = begin(pod("writer", "writer:1", "{limits: {ephemeral-storage: 100Mi}}", kScratch), images("volumeGrowthPerSecond: 1Mi"));
  run.to(minutes(3));
  EXPECT_EQ(message("writer"), "Pod ephemeral local storage usage exceeds the total limit of containers 100Mi. ");
}

TEST_F(Disk, LogsAreRotatedBeforeTheyTakeMoreThanFiftyMebibytes) {
  auto& run = begin(pod("writer", "writer:1", "{limits: {ephemeral-storage: 60Mi}}", kNoVolume) +
                        pod("tight", "writer:1", "{limits: {ephemeral-storage: 40Mi}}", kNoVolume),
                    images("logGrowthPerSecond: 10Mi"));
  run.to(minutes(10));
  EXPECT_EQ(status("writer")["phase"].as_string(), "Running");
  EXPECT_EQ(reason("tight"), "Evicted");
}

TEST_F(Disk, AVolumeOutlivesTheContainerThatWroteIt) {
  // The layer goes with each crash, at 60 MiB at the latest; what is in the volume stays.
  const std::string crashing = images("diskGrowthPerSecond: 1Mi, volumeGrowthPerSecond: 1Mi");
  auto& run = begin(pod("layer", "writer:1", "{limits: {ephemeral-storage: 150Mi}}", kNoVolume) + pod("volume", "writer:1", "{}", kSmallScratch),
                    crashing.substr(0, crashing.size() - 1) + ", crash: {after: 60s}}");
  run.to(minutes(5));
  EXPECT_EQ(status("layer")["phase"].as_string(), "Running");
  EXPECT_EQ(reason("volume"), "Evicted");
}

TEST_F(Disk, AtFifteenPercentTheNodeSaysSoAndGivesUpWhoWritesMost) {
  auto& run = begin(pod("writer", "writer:1", "{}", kScratch), images("volumeGrowthPerSecond: 1Gi"));
  run.to(minutes(1) + seconds(30));
  EXPECT_EQ(run.condition("node-0", "DiskPressure"), "False") << "70 of 100 GiB are taken";
  run.to(minutes(2));
  EXPECT_EQ(run.condition("node-0", "DiskPressure"), "True");
  EXPECT_EQ(reason("writer"), "Evicted");
  EXPECT_EQ(message("writer").find("The node was low on resource: ephemeral-storage. Threshold quantity: 15Gi, available: "), 0U)
      << message("writer");
  EXPECT_EQ(control::condition(run.store().find(control::kinds::kPods, "default", "writer"), "DisruptionTarget")["reason"].as_string(),
            "TerminationByKubelet");
  // What it has written goes at the next look, so that nobody else must.
  run.to(minutes(4));
  EXPECT_EQ(run.count([](const control::Value& p) { return p["status"]["reason"].as_string() == "Evicted"; }), 1);
  run.to(minutes(8));
  EXPECT_EQ(run.condition("node-0", "DiskPressure"), "False");
}

TEST_F(Disk, ImagesThatNobodyUsesGoBeforePods) {
  auto& run = begin(pod("job", "job:1", "{}", kNoVolume) + "  - {at: 1m, delete: {kind: Pod, name: job}}\n" + pod("writer", "writer:1", "{}", kScratch),
                    "{match: \"web:*\", preloaded: true}\n  - {match: \"job:*\", size: 40Gi}\n  - {match: \"writer:*\", preloaded: true, uses: "
                    "{volumeGrowthPerSecond: 256Mi}}");
  run.to(minutes(5));
  EXPECT_EQ(run.condition("node-0", "DiskPressure"), "True") << "40 and 46 GiB are taken at 3m25s";
  EXPECT_EQ(status("writer")["phase"].as_string(), "Running");
  run.to(minutes(6) + seconds(20));
  EXPECT_EQ(reason("writer"), "Evicted") << "by then the disk is filled by what it writes alone";
}

TEST_F(Disk, TheSchedulerPlacesWhatNodesHaveOfIt) {
  auto& run = begin(
      "  - {at: 20s, apply: {apiVersion: v1, kind: Pod, metadata: {name: huge}, spec: {containers: [{name: c, image: \"web:1\", resources: "
      "{requests: {ephemeral-storage: 95Gi}}}]}}}\n",
      "{match: \"*\", preloaded: true}");
  run.to(minutes(1));
  EXPECT_EQ(status("huge")["phase"].as_string(), "Pending") << "a tenth of a disk is not given to pods";
  EXPECT_EQ(run.node("node-0")["status"]["capacity"]["ephemeral-storage"].as_string(), "100Gi");
}

}  // namespace
}  // namespace minik::sim
