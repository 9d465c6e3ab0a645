// The node agent's edge on real containers, of an image that holds busybox. Skips where it is not root or busybox is missing.
#include "minik/process/container_adapter.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "control/base/text.h"
#include "control/kubelet/environment.h"
#include "control/object/json.h"
#include "minik/process/asio_executor.h"
#include "runtime/container/files.h"
#include "runtime/container/pause.h"
#include "runtime/container/shim.h"
#include "runtime/image/image_maker.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using control::ContainerConfig;
using control::ContainerMount;
using control::ContainerState;
using control::ContainerStatus;

class ContainerAdapterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: containers need root";
    if (access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "SKIPPED: busybox-static is not installed";
    images_ = *runtime::ImageStore::open(folder_.file("images"));
    runtime::BuiltInImage wanted;
    wanted.name = "test:latest";
    wanted.executable = "/bin/busybox";
    wanted.path_in_image = "/bin/busybox";
    const auto made = runtime::make_image(*images_, wanted);
    ASSERT_TRUE(made) << made.error().message;
    image_ = *made;
    open();
    control::PodSandboxConfig pod;
    pod.uid = "uid";
    pod.hostname = "pod-host";
    pod.host_network = true;
    pod.labels = {{"io.kubernetes.pod.uid", "uid"}};
    const auto sandbox = get<control::PodSandboxStatus>([&](auto done) { adapter_->run_pod_sandbox(pod, done); });
    ASSERT_TRUE(sandbox) << sandbox.error().message;
    sandbox_ = sandbox->id;
  }
  void TearDown() override {
    if (!adapter_) return;
    EXPECT_TRUE(get<Unit>([&](auto done) { adapter_->remove_pod_sandbox(sandbox_, done); }));
    EXPECT_TRUE(get<Unit>([&](auto done) { adapter_->remove_pod_directories("uid", done); }));
    EXPECT_FALSE(std::filesystem::exists(folder_.file("pods/uid"))) << "something is still mounted in it";
    close();
    EXPECT_TRUE(runtime::Cgroup(runtime::Cgroup::kDefaultRoot, prefix()).remove().ok());
  }

  static std::string prefix() { return cat("minik-adapter-test-", getpid()); }

  void open() {
    executor_ = std::make_unique<AsioExecutor>();
    workers_ = std::make_unique<WorkerPool>(*executor_, WorkerPoolOptions{.threads = 4});
    ContainerAdapterPaths paths{folder_.file("state"), folder_.file("pods"), folder_.file("logs"), folder_.file("seccomp")};
    auto opened = ContainerAdapter::open(*executor_, *workers_, *images_, nullptr, std::move(paths), prefix());
    ASSERT_TRUE(opened) << opened.error().message;
    adapter_ = *std::move(opened);
    idle_.emplace(*executor_);
    control_ = std::thread([this] {
      idle_->arm(hours(1), [] {});  // so that it does not end for lack of work
      executor_->run();
    });
  }
  // As a node agent that ends, or is killed: the containers go on.
  void close() {
    executor_->stop();
    control_.join();
    idle_.reset();
    adapter_->close();
    workers_.reset();
    adapter_.reset();
    executor_.reset();
  }

  template <typename T, typename Call>
  Result<T> get(Call call) {
    const auto answer = std::make_shared<std::promise<Result<T>>>();
    auto future = answer->get_future();
    executor_->post([call, answer] { call([answer](Result<T> result) { answer->set_value(std::move(result)); }); });
    if (future.wait_for(std::chrono::seconds(20)) == std::future_status::ready) return future.get();
    return Error(ErrorCode::kTimeout, "no answer came");
  }

  ContainerConfig config(const std::string& name, const std::string& script) const {
    ContainerConfig c;
    c.name = name;
    c.image = image_.id.text();
    c.command = {"/bin/busybox", "sh", "-c", script};
    c.log_path = folder_.file(cat("logs/pod_uid/", name, "/0.log"));
    c.labels = {{"io.kubernetes.pod.uid", "uid"}};
    return c;
  }
  ContainerMount mount(ContainerMount::Kind kind, const std::string& volume, const std::string& path) const {
    ContainerMount m;
    m.kind = kind;
    m.host_path = cat(adapter_->pod_volume_root("uid"), "/", volume);
    m.container_path = path;
    return m;
  }

  Result<ContainerStatus> start(const ContainerConfig& c) {
    MINIK_ASSIGN(const auto id, get<std::string>([&](auto done) { adapter_->create_container(sandbox_, c, done); }));
    return get<ContainerStatus>([&](auto done) { adapter_->start_container(id, done); });
  }
  ContainerStatus ended(const std::string& id) {
    for (int i = 0; i < 4000; ++i) {
      const auto status = get<ContainerStatus>([&](auto done) { adapter_->container_status(id, done); });
      if (status && status->state == ContainerState::kExited) return *status;
      usleep(5000);
    }
    ADD_FAILURE() << id << " does not end";
    return {};
  }
  // Runs to the end and gives what it wrote.
  std::string output_of(const ContainerConfig& c) {
    const auto started = start(c);
    EXPECT_TRUE(started) << started.error().message;
    if (!started) return "";
    ended(started->id);
    std::string out;
    const auto log = runtime::read_whole_file(c.log_path);
    for (const auto line : split(log ? std::string_view(*log) : std::string_view(), '\n')) {
      const auto fields = split(line, ' ');
      if (fields.size() > 3) out += cat(line.substr(fields[0].size() + fields[1].size() + fields[2].size() + 3), "\n");
    }
    return out;
  }

  TemporaryFolder folder_;
  std::unique_ptr<AsioExecutor> executor_;
  std::unique_ptr<runtime::ImageStore> images_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<ContainerAdapter> adapter_;
  std::optional<ScopedTimer> idle_;
  std::thread control_;
  runtime::ImageInfo image_;
  std::string sandbox_;
};

TEST_F(ContainerAdapterTest, SharesAVolumeInMemoryInThePodAndKeepsItOverRestarts) {
  auto memory = mount(ContainerMount::Kind::kMemory, "cache", "/cache");
  memory.size_limit_bytes = 1 << 20;
  auto writer = config("writer", "echo kept >/cache/file; busybox dd if=/dev/zero of=/cache/much bs=1M count=2 2>&1 | "
                                 "busybox grep -o 'No space left on device'");
  writer.mounts = {memory};
  EXPECT_EQ(output_of(writer), "No space left on device\n");
  close();
  open();
  auto reader = config("reader", "busybox cat /cache/file; (echo no >/cache/other) 2>/dev/null || echo read-only; "
                                 "busybox grep ' /cache ' /proc/mounts | busybox cut -d' ' -f3");
  memory.read_only = true;
  reader.mounts = {memory};
  EXPECT_EQ(output_of(reader), "kept\nread-only\ntmpfs\n");
  const auto usage = get<control::DiskUsage>([&](auto done) { adapter_->disk_usage({"uid"}, done); });
  ASSERT_TRUE(usage);
  EXPECT_TRUE(usage->pods.at("uid").volumes.empty()) << "memory is no disk";
}

TEST_F(ContainerAdapterTest, MountsInsideOfMountsInWhateverOrderTheyAreNamed) {
  auto c = config("c", "busybox ls /a /a/b; busybox cat /etc/hosts | busybox head -n 1");
  c.mounts = {mount(ContainerMount::Kind::kEmptyDir, "inner", "/a/b"), mount(ContainerMount::Kind::kEmptyDir, "outer", "/a/"),
              mount(ContainerMount::Kind::kEmptyDir, "etc", "/etc")};
  ASSERT_TRUE(runtime::make_directories(c.mounts[0].host_path).ok());
  ASSERT_TRUE(runtime::write_file_atomically(c.mounts[0].host_path + "/seen", "").ok());
  EXPECT_EQ(output_of(c), "/a:\nb\n\n/a/b:\nseen\n127.0.0.1\tlocalhost\n");
}

TEST_F(ContainerAdapterTest, LetsTheGroupOfAPodIntoItsVolumes) {
  const std::string secret = cat(adapter_->pod_volume_root("uid"), "/secret");
  const auto written = get<Unit>([&](auto done) {
    adapter_->write_volume(secret, {{"below/key", {"word\n", 0400}}}, 2000, done);
  });
  ASSERT_TRUE(written) << written.error().message;
  auto c = config("c", "busybox cat /secret/below/key; busybox stat -c '%a %g' /empty /memory; "
                       "busybox touch /empty/file && busybox stat -c %g /empty/file");
  c.security.run_as_user = 1000;
  c.security.fs_group = 2000;
  c.mounts = {mount(ContainerMount::Kind::kProjected, "secret", "/secret"), mount(ContainerMount::Kind::kEmptyDir, "empty", "/empty"),
              mount(ContainerMount::Kind::kMemory, "memory", "/memory")};
  EXPECT_EQ(output_of(c), "word\n2777 2000\n2777 2000\n2000\n");
}

TEST_F(ContainerAdapterTest, MountsAnEmptyFolderForAKeyThatIsNotThere) {
  const auto written = get<Unit>([&](auto done) {
    adapter_->write_volume(cat(adapter_->pod_volume_root("uid"), "/settings"), {{"key", {"word\n", 0644}}}, {}, done);
  });
  ASSERT_TRUE(written) << written.error().message;
  auto c = config("c", "busybox ls /there; busybox cat /key");
  c.mounts = {mount(ContainerMount::Kind::kProjected, "settings", "/there"), mount(ContainerMount::Kind::kProjected, "settings", "/key")};
  c.mounts[0].sub_path = "nokey";
  c.mounts[1].sub_path = "key";
  EXPECT_EQ(output_of(c), "word\n");
}

TEST_F(ContainerAdapterTest, KeepsTheEndOfATerminationMessageOfAnySize) {
  auto c = config("c", "busybox truncate -s 3G /message; echo -n the end >>/message; exit 3");
  c.termination_message_path = "/message";
  const auto started = start(c);
  ASSERT_TRUE(started) << started.error().message;
  const auto status = ended(started->id);
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_EQ(status.message.size(), 4096U);
  EXPECT_TRUE(status.message.ends_with("the end"));
}

TEST_F(ContainerAdapterTest, KeepsTheImageOfAContainerHoweverItWasNamed) {
  {
    // As a pull names it: by the digest of the manifest.
    const auto lease = images_->content().lease();
    ASSERT_TRUE(lease);
    runtime::Descriptor target;
    target.media_type = runtime::media_type::kManifest;
    target.digest = image_.manifest;
    target.size = static_cast<int64_t>(std::filesystem::file_size(images_->content().blob_path(image_.manifest)));
    const std::string name = cat("docker.io/library/test@", image_.manifest.text());
    const auto named = images_->adopt(target, {name}, runtime::ImageStore::Unpack::kLater, *lease);
    ASSERT_TRUE(named) << named.error().message;
    ASSERT_FALSE(named->repo_digests.empty());
  }
  const auto started = start(config("c", "busybox sleep 100"));
  ASSERT_TRUE(started) << started.error().message;
  const auto refused = get<Unit>([&](auto done) { adapter_->remove_image(image_.id.text(), done); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  // Who looks while no engine is open finds the same.
  const auto recorded = runtime::Engine::recorded_containers(folder_.file("state"));
  EXPECT_EQ(images_of(recorded, *images_), runtime::ImagesInUse{image_.id});
}

// The pod of Kubernetes' documentation, and the same with supplementalGroupsPolicy: Strict.
TEST_F(ContainerAdapterTest, AddsTheGroupsOfTheImageUnlessThePodIsStrict) {
  const std::string group = folder_.file("group");
  ASSERT_TRUE(runtime::write_file_atomically(group, "root:x:0:\nalice:x:1000:\ngroup-in-image:x:50000:alice\n", 0644).ok());
  const std::string passwd = folder_.file("passwd");
  ASSERT_TRUE(runtime::write_file_atomically(passwd, "alice:x:1000:1000::/:/bin/sh\n", 0644).ok());
  for (const auto* policy : {"Merge", "Strict"}) {
    const auto pod = control::parse_json(cat(R"({"securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "supplementalGroups": [4000],
        "supplementalGroupsPolicy": ")", policy, "\"}}"));
    ASSERT_TRUE(pod);
    auto c = config(policy, "");
    c.command = {"/bin/busybox", "grep", "Groups:", "/proc/self/status"};
    c.security = control::make_security(*pod, {});
    ContainerMount file;
    file.host_path = group;
    file.container_path = "/etc/group";
    c.mounts.push_back(file);
    file.host_path = passwd;
    file.container_path = "/etc/passwd";
    c.mounts.push_back(file);
    const std::string out = output_of(c);
    EXPECT_EQ(trim(out), policy == std::string_view("Merge") ? "Groups:\t3000 4000 50000" : "Groups:\t3000 4000");
  }
}

TEST_F(ContainerAdapterTest, NamesTheHostUnlessThePodDoes) {
  EXPECT_EQ(output_of(config("plain", "echo $HOSTNAME")), "pod-host\n");
  auto named = config("named", "");
  named.command = {"/bin/busybox", "env"};  // all that there is, twice if it is
  named.env = {{"HOSTNAME", "own"}};
  const std::string all = output_of(named);
  EXPECT_NE(all.find("HOSTNAME=own\n"), std::string::npos) << all;
  EXPECT_EQ(all.find("HOSTNAME=pod-host\n"), std::string::npos) << all;
}

TEST_F(ContainerAdapterTest, EndsContainersWhileRegistriesKeepPullsWaiting) {
  // Connections are taken, and nothing ever comes.
  const UniqueFd silent(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_TRUE(bind(silent.get(), generic, size) == 0 && listen(silent.get(), 64) == 0 &&
              getsockname(silent.get(), generic, &size) == 0);
  const auto started = start(config("c", "busybox sleep 100"));
  ASSERT_TRUE(started) << started.error().message;
  executor_->post([&] {
    for (int i = 0; i < 20; ++i) {
      adapter_->pull_image(cat("127.0.0.1:", ntohs(address.sin_port), "/slow/image:", i), std::nullopt,
                           [](const Result<control::ImageStatus>&) {});
    }
  });
  EXPECT_TRUE(get<Unit>([&](auto done) { adapter_->stop_container(started->id, Duration{}, done); }));
}

}  // namespace
}  // namespace minik

int main(int argc, char** argv) {
  if (minik::runtime::is_shim_invocation(argc, argv)) return minik::runtime::shim_main(argc, argv);
  if (minik::runtime::is_pause_invocation(argc, argv)) return minik::runtime::pause_main(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
