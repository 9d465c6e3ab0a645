// With which credentials a node agent pulls a pod's images, and what it does without them.
#include "control/kubelet/pull_secrets.h"

#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine whose registry knows one password.
class PrivateRegistry : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void pull_image(const std::string& reference, std::optional<PullCredentials> credentials, Done<ImageStatus> done) override {
    tried.push_back(credentials ? cat(credentials->username, ":", credentials->password) : "nobody");
    const bool known = credentials && credentials->password == "right";
    SimulatedRuntime::pull_image(reference, credentials, [done, known](const Result<ImageStatus>& image) {
      known ? done(image) : done(Error(ErrorCode::kUnauthorized, "authentication required"));
    });
  }
  std::vector<std::string> tried;
};

std::string config(const std::string& auths) { return to_base64(cat(R"({"auths":{)", auths, "}}")); }
std::string entry(const std::string& registry, const std::string& user_and_password) {
  return cat("\"", registry, R"(":{"auth":")", to_base64(user_and_password), "\"}");
}
Value secret(const std::string& auths) {
  return Value::map({{keys::kType, "kubernetes.io/dockerconfigjson"}, {keys::kData, Value::map({{".dockerconfigjson", config(auths)}})}});
}
std::string names_for(const std::string& image, const std::string& auths) {
  std::vector<std::string> names;
  for (const auto& found : credentials_for(image, {secret(auths)})) names.push_back(found.username);
  return join(names, " ");
}

TEST(PullSecrets, AreForTheirRegistryAndTheBeginningOfItsPaths) {
  const std::string auths = cat(entry("https://ghcr.io/v2/", "all:x"), ",", entry("ghcr.io/team", "team:x"), ",", entry("localhost:5000", "local:x"));
  EXPECT_EQ(names_for("ghcr.io/team/app:1", auths), "team all") << "the longer first";
  EXPECT_EQ(names_for("ghcr.io/other/app@sha256:0123", auths), "all");
  EXPECT_EQ(names_for("localhost:5000/app", auths), "local");
  EXPECT_EQ(names_for("localhost:5001/app", auths), "");
  EXPECT_EQ(names_for("localhost/app", auths), "");
  EXPECT_EQ(names_for("app", auths), "");
}

TEST(PullSecrets, MayNameManyRegistriesByAGlobForEachPart) {
  const std::string auths = cat(entry("*.azurecr.io", "azure:x"), ",", entry("eu-*.docker.*", "other:x"));
  EXPECT_EQ(names_for("mine.azurecr.io/app", auths), "azure");
  EXPECT_EQ(names_for("azurecr.io/app", auths), "");
  EXPECT_EQ(names_for("a.b.azurecr.io/app", auths), "");
  EXPECT_EQ(names_for("eu-west.docker.dev/app", auths), "other");
}

TEST(PullSecrets, OfDockerHubCountUnderItsOldName) {
  const std::string auths = entry("https://index.docker.io/v1/", "hub:x");
  for (const std::string image : {"nginx", "nginx:1", "team/app", "docker.io/team/app"}) EXPECT_EQ(names_for(image, auths), "hub") << image;
  EXPECT_EQ(names_for("ghcr.io/team/app", auths), "");
}

TEST(PullSecrets, ThatCannotBeReadSayNothing) {
  EXPECT_EQ(names_for("app", ""), "");
  EXPECT_EQ(names_for("app", R"("docker.io":{"auth":"%%%"})"), "");
  EXPECT_EQ(names_for("app", R"("docker.io":7)"), "");
  EXPECT_EQ(credentials_for("app", {secret(R"("docker.io":{"auth":)")}).size(), 0U);
  EXPECT_EQ(credentials_for("app", {Value::map({{keys::kType, "Opaque"}})}).size(), 0U);
}

class PrivateImages : public OneNode<PrivateRegistry> {
 protected:
  PrivateImages() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }
  void make_secret(const std::string& name, const std::string& user_and_password) {
    add(cat("{apiVersion: v1, kind: Secret, metadata: {name: ", name, ", namespace: default}, type: kubernetes.io/dockerconfigjson, data: "
            "{.dockerconfigjson: ", config(entry("registry.test", user_and_password)), "}}"));
  }
  void make_pod(const std::string& secrets) {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, ",
            "imagePullSecrets: [", secrets, "], containers: [{name: main, image: 'registry.test/web:1'}]}}"));
    run(seconds(10));
  }
  std::string phase() { return store.find(kinds::kPods, "default", "web")[keys::kStatus][keys::kPhase].string(); }
  using Words = std::vector<std::string>;
};

TEST_F(PrivateImages, ArePulledWithTheFirstOfThePodsSecretsThatIsGoodForThem) {
  make_secret("old", "me:wrong");
  make_secret("new", "me:right");
  make_pod("{name: old}, {name: new}");
  EXPECT_EQ(runtime.tried, (Words{"me:wrong", "me:right"}));
  EXPECT_EQ(phase(), "Running");
  EXPECT_TRUE(messages_of("Failed").empty());
}

TEST_F(PrivateImages, AreAskedForWithoutASecretThatIsMissing) {
  make_pod("{name: gone}, {name: lost}");
  EXPECT_EQ(runtime.tried.front(), "nobody");
  EXPECT_EQ(phase(), "Pending");
  EXPECT_EQ(messages_of("FailedToRetrieveImagePullSecret"),
            Words{"Unable to retrieve some image pull secrets (gone, lost); attempting to pull the image may not succeed."});
  make_secret("gone", "me:right");
  run(minutes(1));
  EXPECT_EQ(phase(), "Running") << "the next try sees it";
}

}  // namespace
}  // namespace minik::sim
