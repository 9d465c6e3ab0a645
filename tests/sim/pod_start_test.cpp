// How a node agent starts containers: what it says of their images, and whom it does not start.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine with images of a user, or a registry without them.
class ImageRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void pull_image(const std::string& reference, std::optional<PullCredentials> credentials, Done<ImageStatus> done) override {
    SimulatedRuntime::pull_image(reference, std::move(credentials), [this, done](Result<ImageStatus> image) {
      if (!refusal.empty()) return done(Error(ErrorCode::kNotFound, refusal));
      if (image) image->user = user;
      done(std::move(image));
    });
  }
  void find_image(const std::string& reference, Done<ImageStatus> done) override {
    SimulatedRuntime::find_image(reference, [this, done](Result<ImageStatus> image) {
      if (image) image->user = user;
      done(std::move(image));
    });
  }
  void create_container(const std::string& sandbox, ContainerConfig config, Done<std::string> done) override {
    stop_signals.push_back(config.stop_signal);
    SimulatedRuntime::create_container(sandbox, std::move(config), std::move(done));
  }
  std::string user, refusal;
  std::vector<std::string> stop_signals;
};

class PodStart : public OneNode<ImageRuntime> {
 protected:
  PodStart() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }
  void make_pod(const std::string& containers, const std::string& more = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, ", more,
            "containers: [", containers, "]}}"));
    run(seconds(8));
  }
  Value pod() { return store.find(kinds::kPods, "default", "web"); }
  // "Running", or why the first container waits.
  std::string state() {
    const Value state = pod()[keys::kStatus][keys::kContainerStatuses].items()[0][keys::kState];
    if (state[keys::kRunning].has_value()) return "Running";
    return cat(state[keys::kWaiting][keys::kReason].as_string(), ": ", state[keys::kWaiting]["message"].as_string());
  }
  using Words = std::vector<std::string>;
};

TEST_F(PodStart, KeepsRootOutWhereAPodWantsNone) {
  const auto state_of = [this](const std::string& user, const std::string& context) {
    runtime.user = user;
    make_pod("{name: main, image: 'web:1'}", cat("securityContext: {runAsNonRoot: true", context, "}, "));
    const std::string found = state();
    const std::string name = cat(" (pod: \"web_default(", object_uid(pod()), ")\", container: main)");
    remove(kinds::kPods, "default", "web", 0);
    run(seconds(5));
    const size_t at = found.find(name);
    return at == std::string::npos ? found : found.substr(0, at);
  };
  const std::string root = "CreateContainerConfigError: container has runAsNonRoot and image will run as root";
  const auto unknown = [](std::string_view user) {
    return cat("CreateContainerConfigError: container has runAsNonRoot and image has non-numeric user (", user, "), cannot verify user is non-root");
  };
  EXPECT_EQ(state_of("1000", ", runAsUser: 0"), "CreateContainerConfigError: container's runAsUser breaks non-root policy");
  for (const auto* user : {"", "0", "00", "0:0"}) EXPECT_EQ(state_of(user, ""), root) << user;
  EXPECT_EQ(state_of("root:root", ""), unknown("root"));
  EXPECT_EQ(state_of("app", ""), unknown("app"));
  for (const auto* user : {"1000", "1000:0"}) EXPECT_EQ(state_of(user, ""), "Running") << user;
  EXPECT_EQ(state_of("app", ", runAsUser: 7"), "Running");
}

TEST_F(PodStart, TellsTheStepsOfEachContainer) {
  make_pod("{name: one, image: 'web:1'}, {name: two, image: 'web:1'}, {name: three, image: 'web:1'}");
  std::map<std::string, Words> told;
  store.for_each(kinds::kEvents, [&](const Value& event) {
    if (event[keys::kInvolvedObject][keys::kFieldPath].has_value()) {
      told[event[keys::kInvolvedObject][keys::kFieldPath].string()].push_back(cat(event[keys::kMessage].as_string(), " x", event[keys::kCount].as_int()));
    }
  });
  const Words steps{"Container image \"web:1\" already present on machine and can be accessed by the pod x1", "Container created x1",
                    "Container started x1"};
  for (const auto* name : {"two", "three"}) {
    Words& found = told[cat("spec.containers{", name, "}")];
    std::ranges::sort(found);
    EXPECT_EQ(found, (Words{steps[1], steps[0], steps[2]})) << name;
  }
  EXPECT_EQ(told["spec.containers{one}"].size(), 4u) << "it was pulled";
}

TEST_F(PodStart, TellsOfAnInitContainerThatItIsOne) {
  make_pod("{name: main, image: 'web:1'}", "initContainers: [{name: first, image: 'web:1', restartPolicy: Always}], ");
  std::set<std::string> paths;
  store.for_each(kinds::kEvents, [&](const Value& event) {
    if (event[keys::kReason].as_string() == "Started") paths.insert(event[keys::kInvolvedObject][keys::kFieldPath].string());
  });
  EXPECT_EQ(paths, (std::set<std::string>{"spec.containers{main}", "spec.initContainers{first}"}));
}

TEST_F(PodStart, DoesNotAskForWhatIsNoImagesName) {
  make_pod("{name: main, image: 'Foo:1:2'}, {name: other, image: 'web:1'}");
  const std::string why = "Failed to apply default image tag \"Foo:1:2\": couldn't parse image name \"Foo:1:2\": invalid reference format: "
                          "repository name (library/Foo) must be lowercase";
  EXPECT_EQ(state(), cat("InvalidImageName: ", why));
  EXPECT_EQ(messages_of("InspectFailed"), Words{why});
  EXPECT_EQ(messages_of("Failed"), Words{"Error: InvalidImageName"});
  EXPECT_EQ(messages_of("Pulling"), Words{"Pulling image \"web:1\""});
  EXPECT_TRUE(pod()[keys::kStatus][keys::kContainerStatuses].items()[1][keys::kState][keys::kRunning].has_value());
}

TEST_F(PodStart, SaysWhyAnImageIsNotPulled) {
  runtime.refusal = "failed to resolve reference";
  make_pod("{name: main, image: 'web:1'}");
  EXPECT_EQ(state(), "ImagePullBackOff: Back-off pulling image \"web:1\": ErrImagePull: failed to resolve reference");
  EXPECT_THAT(messages_of("Failed"), testing::UnorderedElementsAre("Failed to pull image \"web:1\": failed to resolve reference",
                                                                   "Error: ErrImagePull", "Error: ImagePullBackOff"));
  remove(kinds::kPods, "default", "web", 0);
  run(seconds(5));
  make_pod("{name: main, image: 'other:1', imagePullPolicy: Never}");
  EXPECT_EQ(messages_of("ErrImageNeverPull"), Words{"Container image \"other:1\" is not present with pull policy of Never"});
}

TEST_F(PodStart, HandsOnTheSignalThatEndsAContainer) {
  make_pod("{name: main, image: 'web:1', lifecycle: {stopSignal: SIGUSR1}}", "os: {name: linux}, ");
  EXPECT_EQ(runtime.stop_signals, Words{"SIGUSR1"});
}

TEST_F(PodStart, ShowsWhereItsVolumesAre) {
  make_pod("{name: main, image: 'web:1', volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /r, readOnly: true}]}",
           "volumes: [{name: v, emptyDir: {}}], ");
  EXPECT_EQ(to_json(pod()[keys::kStatus][keys::kContainerStatuses].items()[0][keys::kVolumeMounts]),
            R"([{"mountPath":"/v","name":"v"},{"mountPath":"/r","name":"v","readOnly":true,"recursiveReadOnly":"Disabled"}])");
}

TEST_F(PodStart, TellsAnEndByDeadline) {
  make_pod("{name: main, image: 'web:1'}", "activeDeadlineSeconds: 20, ");
  run(seconds(30));
  EXPECT_EQ(messages_of("DeadlineExceeded"), Words{"Pod was active on the node longer than the specified deadline"});
}

}  // namespace
}  // namespace minik::sim
