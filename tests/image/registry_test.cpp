#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "control/base/text.h"
#include "runtime/image/http_client.h"
#include "runtime/image/registry_auth.h"
#include "runtime/image/registry_client.h"
#include "tests/image/image_fixture.h"
#include "tests/image/loopback_server.h"

namespace minik::runtime {
namespace {

// A real docker-registry on a free loopback port.
class DockerRegistry {
 public:
  explicit DockerRegistry(const std::string& more_http = "", const std::string& auth = "") {
    spill(folder_ / "config.yml",
          cat("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: ", folder_ / "data",
              "\nhttp:\n  addr: 127.0.0.1:0\n", more_http, auth));
    int log[2];
    if (::pipe2(log, O_CLOEXEC) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(log[1], 1);
      ::dup2(log[1], 2);
      ::execlp("docker-registry", "docker-registry", "serve", (folder_ / "config.yml").c_str(),
               nullptr);
      ::_exit(127);
    }
    ::close(log[1]);
    log_ = UniqueFd(log[0]);
    std::string text;
    char byte = 0;
    while (authority_.empty() && ::read(log_.get(), &byte, 1) == 1) {
      text += byte;
      constexpr std::string_view kListening = "listening on ";
      const size_t at = text.find(kListening);
      if (at == std::string::npos || byte != '"') continue;
      const std::string_view rest = std::string_view(text).substr(at + kListening.size());
      authority_ = rest.substr(0, rest.find_first_of(",\""));
    }
  }
  ~DockerRegistry() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
  }
  const std::string& authority() const { return authority_; }
  std::string name(const std::string& rest) const { return cat(authority_, "/", rest); }

 private:
  TempFolder folder_;
  UniqueFd log_;
  pid_t child_ = -1;
  std::string authority_;
};

MadeImage sample() {
  return image_of({{{folder("etc/"), ""}, {file("etc/a"), "a"}}, {{file("x", 0755), "1"}}},
                  Compression::kGzip);
}

class Registry : public ::testing::Test {
 protected:
  Registry() : store_(*ImageStore::open(folder_ / "store")) {}

  void load(const std::string& name) {
    ASSERT_OK(load_images(*store_, source_of(oci_archive(sample(), name)), "archive"));
  }

  TempFolder folder_;
  std::unique_ptr<ImageStore> store_;
};

TEST_F(Registry, TakesAnImageAndGivesItBack) {
  if (!have("docker-registry")) GTEST_SKIP() << "SKIPPED: docker-registry is not installed";
  const DockerRegistry registry;
  const std::string name = registry.name("team/app:1");
  load(name);
  ASSERT_OK(push_image(*store_, name));
  const ImageInfo pushed = *store_->find(name);
  ASSERT_OK(store_->remove(name, {}));

  int64_t fetched = 0;
  TransferOptions options;
  options.progress = [&](const TransferProgress& progress) {
    fetched += progress.done_bytes == progress.total_bytes ? progress.total_bytes : 0;
  };
  const auto pulled = pull_image(*store_, name, options);
  ASSERT_OK(pulled);
  EXPECT_EQ(pulled->id, pushed.id);
  EXPECT_EQ(pulled->names, std::vector<std::string>{name});
  EXPECT_EQ(pulled->repo_digests,
            std::vector<std::string>{registry.name("team/app@" + pushed.target.text())});
  EXPECT_GT(fetched, 0);
  EXPECT_EQ(slurp(store_->rootfs_layers(*pulled)->front() + "/x"), "1");
  // By digest, and again without fetching anything.
  const auto again = pull_image(*store_, pulled->repo_digests.front());
  ASSERT_OK(again);
  EXPECT_EQ(again->id, pushed.id);
  // The tag takes the digest along.
  ASSERT_OK(store_->remove(name, {}));
  EXPECT_TRUE(store_->list()->empty());

  const auto missing = pull_image(*store_, registry.name("team/app:2"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("team/app:2"), std::string::npos);
}

TEST_F(Registry, ChecksTheLogin) {
  if (!have("docker-registry")) GTEST_SKIP() << "SKIPPED: docker-registry is not installed";
  // me:secret
  spill(folder_ / "htpasswd", "me:$2b$04$NT1tjzW9jzwHxbbzM0FyIewrTlAD9sHRCSYXwhis0SqWGs2PPQltu\n");
  const DockerRegistry registry(
      "", cat("auth:\n  htpasswd:\n    realm: test\n    path: ", folder_ / "htpasswd", "\n"));
  const std::string name = registry.name("app:1");
  load(name);
  TransferOptions options;
  EXPECT_EQ(push_image(*store_, name, options).error().code, ErrorCode::kUnauthorized);
  options.credentials = RegistryCredentials{"me", "wrong"};
  const auto wrong = push_image(*store_, name, options);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kUnauthorized);
  EXPECT_NE(wrong.error().message.find("password"), std::string::npos) << wrong.error().message;
  options.credentials = RegistryCredentials{"me", "secret"};
  ASSERT_OK(push_image(*store_, name, options));
  ASSERT_OK(pull_image(*store_, name, options));
}

TEST_F(Registry, MustShowACertificateThatIsTrusted) {
  if (!have("docker-registry")) GTEST_SKIP() << "SKIPPED: docker-registry is not installed";
  if (!have("openssl")) GTEST_SKIP() << "SKIPPED: openssl is not installed to make a certificate";
  const std::string made = output_of(
      "cd " + folder_.path() +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-keyout key.pem -out cert.pem -subj /CN=registry -addext subjectAltName=IP:127.0.0.1 "
      "2>/dev/null && echo ok");
  ASSERT_EQ(made, "ok\n");
  const DockerRegistry registry(cat("  tls:\n    certificate: ", folder_ / "cert.pem",
                                    "\n    key: ", folder_ / "key.pem", "\n"));
  const std::string name = registry.name("app:1");
  load(name);
  TransferOptions options;
  const auto distrusted = push_image(*store_, name, options);
  ASSERT_FALSE(distrusted.ok());
  EXPECT_EQ(distrusted.error().code, ErrorCode::kForbidden);
  EXPECT_NE(distrusted.error().message.find("not trusted"), std::string::npos);
  options.authorities_file = folder_ / "cert.pem";
  ASSERT_OK(push_image(*store_, name, options));
  ASSERT_OK(pull_image(*store_, name, options));
  // A certificate is for its host: localhost is not 127.0.0.1.
  const std::string other = cat("localhost", name.substr(name.find(':')));
  const auto foreign = pull_image(*store_, other, options);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error().code, ErrorCode::kForbidden) << foreign.error().message;
}

TEST_F(Registry, ThatIsNotThereIsSaidSo) {
  std::string authority;
  {
    authority = LoopbackServer([](const SeenRequest&) { return ""; }).authority();
  }
  const auto pulled = pull_image(*store_, authority + "/app");
  ASSERT_FALSE(pulled.ok());
  EXPECT_EQ(pulled.error().code, ErrorCode::kServiceUnavailable);
  EXPECT_NE(pulled.error().message.find(authority), std::string::npos);
  EXPECT_EQ(pulled.error().message.find('\n'), std::string::npos);
}

// A registry that wants tokens, sends blobs from another place, and breaks the line once.
class FakeRegistry {
 public:
  FakeRegistry()
      : image_(image_of({{{file("big"), std::string(1 << 20, 'b')}}})),
        server_([this](const SeenRequest& request) { return answer(request); }) {}

  std::string name() const { return server_.authority() + "/team/app:1"; }
  const LoopbackServer& server() const { return server_; }
  const MadeImage& image() const { return image_; }
  int breaks = 0;            // answers of the layer that stop half way
  bool starts_over = false;  // ignores Range
  std::string layer_sent_instead;
  std::atomic<bool>* cancel_at_layer = nullptr;

 private:
  std::string answer(const SeenRequest& request) {
    const std::string& target = request.target;
    const auto header = [&](const char* key) {
      const auto found = request.headers.find(key);
      return found == request.headers.end() ? std::string() : found->second;
    };
    if (target.starts_with("/token?")) {
      return LoopbackServer::answer(200, R"({"token":"t0k3n","expires_in":300})");
    }
    if (target.starts_with("/elsewhere/")) return layer(header("range"));
    if (header("authorization") != "Bearer t0k3n") {
      return LoopbackServer::answer(
          401, R"({"errors":[{"code":"UNAUTHORIZED","message":"no"}]})",
          cat("WWW-Authenticate: Bearer realm=\"http://", server_.authority(),
              "/token\",service=\"fake\",scope=\"repository:team/app:pull\"\r\n"));
    }
    if (target == "/v2/team/app/manifests/1") return LoopbackServer::answer(200, image_.manifest);
    if (target == "/v2/team/app/blobs/" + Digest::of(image_.config).text()) {
      return LoopbackServer::answer(200, image_.config);
    }
    return LoopbackServer::answer(
        307, "",
        cat("Location: http://localhost:", server_.authority().substr(10), "/elsewhere/x\r\n"));
  }

  std::string layer(const std::string& range) {
    if (cancel_at_layer != nullptr) *cancel_at_layer = true;
    if (!layer_sent_instead.empty()) return LoopbackServer::answer(200, layer_sent_instead);
    std::string rest = image_.layers[0];
    int status = 200;
    if (!range.empty() && !starts_over) {
      rest = rest.substr(*parse_uint64(std::string_view(range).substr(6, range.size() - 7)));
      status = 206;
    }
    std::string bytes = LoopbackServer::answer(status, rest);
    if (breaks > 0) {
      --breaks;
      bytes.resize(bytes.size() - rest.size() / 2);
    }
    return bytes;
  }

  MadeImage image_;
  LoopbackServer server_;
};

TEST_F(Registry, GetsATokenAndKeepsItFromOthers) {
  FakeRegistry registry;
  const auto pulled = pull_image(*store_, registry.name());
  ASSERT_OK(pulled);
  EXPECT_EQ(slurp(store_->rootfs_layers(*pulled)->front() + "/big").size(), 1U << 20);
  bool asked = false, redirected = false;
  for (const SeenRequest& request : registry.server().seen()) {
    if (request.target.starts_with("/token")) {
      asked = true;
      EXPECT_EQ(request.target, "/token?service=fake&scope=repository%3Ateam%2Fapp%3Apull");
      EXPECT_FALSE(request.headers.contains("authorization"));
    }
    if (request.target.starts_with("/elsewhere")) {
      redirected = true;
      EXPECT_FALSE(request.headers.contains("authorization"));
    }
  }
  EXPECT_TRUE(asked);
  EXPECT_TRUE(redirected);
}

TEST_F(Registry, LineThatBreaksIsTakenUpWhereItBroke) {
  for (const bool starts_over : {false, true}) {
    FakeRegistry registry;
    registry.breaks = 2;
    registry.starts_over = starts_over;
    ASSERT_OK(pull_image(*store_, registry.name()));
    int ranges = 0;
    for (const SeenRequest& request : registry.server().seen()) {
      ranges += request.target.starts_with("/elsewhere") && request.headers.contains("range");
    }
    EXPECT_EQ(ranges, 2);
    ASSERT_OK(store_->remove(registry.name(), {}));
  }
}

TEST_F(Registry, ThatKeepsBreakingLeavesNothing) {
  FakeRegistry registry;
  registry.breaks = 100;
  const auto pulled = pull_image(*store_, registry.name());
  ASSERT_FALSE(pulled.ok());
  EXPECT_EQ(pulled.error().code, ErrorCode::kServiceUnavailable);
  EXPECT_TRUE(paths_under(folder_ / "store/blobs/sha256").empty());
  EXPECT_TRUE(paths_under(folder_ / "store/ingest").empty());
}

TEST_F(Registry, ThatSendsOtherContentIsRefused) {
  for (const std::string& evil : {std::string(1 << 20, 'e'), std::string(4 << 20, 'e')}) {
    FakeRegistry registry;
    // As long as the real layer, then longer.
    registry.layer_sent_instead = evil.size() > (2 << 20) ? evil : registry.image().layers[0];
    registry.layer_sent_instead[1000] ^= 1;
    const auto pulled = pull_image(*store_, registry.name());
    ASSERT_FALSE(pulled.ok());
    EXPECT_EQ(pulled.error().code, ErrorCode::kInvalid) << pulled.error().message;
    EXPECT_TRUE(paths_under(folder_ / "store/blobs/sha256").empty());
  }
}

TEST_F(Registry, PullIsCancelledByItsFlag) {
  std::atomic<bool> cancelled{false};
  FakeRegistry registry;
  registry.cancel_at_layer = &cancelled;
  registry.breaks = 1;
  TransferOptions options;
  options.cancelled = &cancelled;
  const auto pulled = pull_image(*store_, registry.name(), options);
  ASSERT_FALSE(pulled.ok());
  EXPECT_EQ(pulled.error().code, ErrorCode::kConflict) << pulled.error().message;
  EXPECT_TRUE(paths_under(folder_ / "store/blobs/sha256").empty());
}

TEST_F(Registry, ThatSpeaksNonsenseIsRefused) {
  for (const std::string& nonsense : std::vector<std::string>{
           "", "hello\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n<html>",
           LoopbackServer::answer(200, "[]"), LoopbackServer::answer(500, "oops"),
           LoopbackServer::answer(429, "", "Retry-After: 7\r\n"),
           LoopbackServer::answer(302, "", "Location: ftp://x/\r\n"),
           LoopbackServer::answer(302, "", "Location: /again\r\n"),
           LoopbackServer::answer(401, "", "WWW-Authenticate: Negotiate\r\n"),
           "HTTP/1.1 200 OK\r\n" + std::string(1 << 20, 'h')}) {
    const LoopbackServer server([&](const SeenRequest&) { return nonsense; });
    const auto pulled = pull_image(*store_, server.authority() + "/app");
    ASSERT_FALSE(pulled.ok()) << nonsense.substr(0, 100);
    EXPECT_TRUE(pulled.error().message.starts_with("pull 127.0.0.1:")) << pulled.error().message;
    EXPECT_EQ(pulled.error().message.find('\n'), std::string::npos) << pulled.error().message;
  }
  EXPECT_TRUE(paths_under(folder_ / "store/blobs/sha256").empty());
}

TEST(HttpClient, DoesNotWaitForAPeerThatGivesAByteNowAndThen) {
  std::atomic<bool> ended{false};
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_TRUE(::bind(listener.get(), generic, size) == 0 && ::listen(listener.get(), 1) == 0 &&
              ::getsockname(listener.get(), generic, &size) == 0);
  std::thread trickle([&] {
    const UniqueFd peer(::accept(listener.get(), nullptr, nullptr));
    const std::string head = "HTTP/1.1 200 OK\r\nX-Slow: ";
    for (size_t i = 0; !ended && ::send(peer.get(), i < head.size() ? &head[i] : "a", 1, MSG_NOSIGNAL) == 1; ++i) ::usleep(10'000);
  });
  PeerOptions options;
  options.idle_limit = milliseconds(200);
  HttpClient client(options);
  HttpRequest request;
  request.url = *parse_url(cat("http://127.0.0.1:", ntohs(address.sin_port), "/"));
  const auto response = client.send(request);
  ended = true;
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kTimeout);
  trickle.join();
}

TEST(RegistryAuth, ReadsChallenges) {
  const auto bearer = parse_challenge(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push")");
  ASSERT_OK(bearer);
  EXPECT_EQ(bearer->scheme, AuthChallenge::Scheme::kBearer);
  EXPECT_EQ(bearer->realm, "https://auth.docker.io/token");
  EXPECT_EQ(bearer->service, "registry.docker.io");
  EXPECT_EQ(bearer->scope, "repository:a/b:pull,push");
  EXPECT_EQ(parse_challenge("basic realm=x")->scheme, AuthChallenge::Scheme::kBasic);
  EXPECT_FALSE(parse_challenge("").ok());
  EXPECT_FALSE(parse_challenge("Bearer").ok());
  EXPECT_FALSE(parse_challenge("Digest realm=\"x\"").ok());
}

TEST(RegistryAuth, FindsWhatDockerLoginSaved) {
  const std::string text =
      cat(R"({"auths":{"https://index.docker.io/v1/":{"auth":")", to_base64("hub:p:w"),
          R"("},"localhost:5000":{"username":"u","password":"p"}}})");
  EXPECT_EQ(parse_docker_credentials(text, "docker.io"), (RegistryCredentials{"hub", "p:w"}));
  EXPECT_EQ(parse_docker_credentials(text, "localhost:5000"), (RegistryCredentials{"u", "p"}));
  EXPECT_FALSE(parse_docker_credentials(text, "ghcr.io"));
  EXPECT_FALSE(parse_docker_credentials("{", "docker.io"));
  EXPECT_FALSE(docker_credentials("/no/such/file", "docker.io"));
}

}  // namespace
}  // namespace minik::runtime
