#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/api_client.h"
#include "minik/cli/command.h"
#include "minik/cli/profile_use.h"
#include "minik/process/audit_log.h"
#include "minik/process/eviction_config.h"
#include "minik/process/kubeconfig.h"
#include "minik/process/profile.h"
#include "minik/process/scheduler_config.h"
#include "minik/process/token_file.h"
#include "runtime/container/files.h"
#include "runtime/container/host_check.h"

extern char** environ;

namespace minik::cli {

namespace {

constexpr int kReadyTimeoutMs = 60'000;
constexpr int kNodeTimeoutMs = 60'000;

// Asked before anything is made.
Status can_run_here() {
  const auto problems = runtime::check_host();
  if (problems.empty()) return {};
  return Error(ErrorCode::kServiceUnavailable, cat(problems[0].what, ": ", problems[0].remedy));
}

// Starts the daemon and waits for its word.
Status launch(const Profile& profile) {
  int handshake[2];
  if (pipe2(handshake, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  MINIK_TRY(runtime::make_directories(profile.run(), 0700));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, profile.daemon_log().c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, handshake[1], 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::string program = "minik", command = "daemon", name = profile.name;
  char* argv[] = {program.data(), command.data(), name.data(), nullptr};
  pid_t pid = 0;
  const int result = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(handshake[1]);
  if (result != 0) return error_from_errno(result, "start the daemon");
  std::string answer;
  char buffer[4096];
  for (;;) {
    pollfd p{handshake[0], POLLIN, 0};
    if (poll(&p, 1, kReadyTimeoutMs) == 0) {
      close(handshake[0]);
      kill(pid, SIGTERM);
      return Error(ErrorCode::kTimeout,
                   cat("the cluster did not come up in 60 s: see ", profile.daemon_log()));
    }
    const ssize_t n = read(handshake[0], buffer, sizeof buffer);
    if (n <= 0) break;
    answer.append(buffer, static_cast<size_t>(n));
  }
  close(handshake[0]);
  if (answer == "ready") return {};
  waitpid(pid, nullptr, 0);
  if (answer.empty()) answer = cat("the daemon died while starting: see ", profile.daemon_log());
  return Error(ErrorCode::kInternalError, answer);
}

Status write_kubeconfig(const Profile& profile) {
  MINIK_ASSIGN(const auto path, kubeconfig_path());
  KubeconfigEntry entry;
  entry.name = profile.name;
  entry.server = cat("https://127.0.0.1:", profile.api_port);
  for (const auto& [file, into] :
       {std::pair{"ca.crt", &entry.ca_pem}, std::pair{"admin.crt", &entry.client_certificate_pem},
        std::pair{"admin.key", &entry.client_key_pem}}) {
    MINIK_ASSIGN(*into, runtime::read_whole_file(cat(profile.pki(), "/", file)));
  }
  return add_to_kubeconfig(path, entry, CurrentContext::kSwitch);
}

// A daemon that holds its lock may be up, on its way, or already killed and not yet gone: waits until
// it answers or the lock is free.
bool is_running(const std::string& name) {
  constexpr int kPatienceMs = 10'000, kStepMs = 5;
  for (int waited = 0; waited < kPatienceMs; waited += kStepMs) {
    const Profile profile = value_or_fail(Profile::open(name));
    if (daemon_pid(profile) == 0) return false;
    if (api_get(profile, "/version").ok()) return true;
    usleep(kStepMs * 1000);
  }
  return true;  // what follows says what is wrong with it
}

// What a cluster is started with, and what stays its own for later starts; files that are empty: as before.
struct StartOptions {
  std::string scheduler_config, tokens, audit_policy;
  std::optional<std::string> eviction_hard;

  bool any() const { return !scheduler_config.empty() || !tokens.empty() || !audit_policy.empty() || eviction_hard; }
  Status keep(const Profile& profile) const {
    if (!scheduler_config.empty()) MINIK_TRY(keep_scheduler_config(profile, scheduler_config));
    if (!tokens.empty()) MINIK_TRY(keep_token_file(profile, tokens));
    if (!audit_policy.empty()) MINIK_TRY(keep_audit_policy(profile, audit_policy));
    if (eviction_hard) MINIK_TRY(keep_eviction_thresholds(profile, *eviction_hard));
    return {};
  }
};

void start(const Globals& globals, bool wait, const StartOptions& options) {
  Profile profile = value_or_fail(Profile::open(globals.profile));
  check(can_run_here());
  check(runtime::make_directories(profile.directory.substr(0, profile.directory.rfind('/')), 0700));
  ProfileLock lock = lock_or_fail(profile);
  const bool running = is_running(globals.profile);
  if (running && options.any()) {
    fail(Error(ErrorCode::kConflict,
               "the cluster runs already: stop it first, then start it with another scheduler "
               "configuration, token file, audit policy or thresholds of eviction"),
         2);
  }
  if (!running) {
    const bool is_new = !profile.exists();
    const Status kept = options.keep(profile);
    const auto launched = kept.ok() ? launch(profile) : kept;
    // A first start that failed leaves no trace; what an earlier one stored stays.
    if (!launched.ok() && is_new) (void)runtime::remove_mounted_tree(profile.directory).ok();
    check(launched);
  }
  const uint16_t kept_port = profile.api_port;
  profile = value_or_fail(Profile::open(globals.profile));
  check(write_kubeconfig(profile));
  lock.release();
  if (kept_port != 0 && kept_port != profile.api_port) {
    std::fprintf(stderr,
                 "minik: port %u is in use by another program, so the cluster has moved to %u; copies of its "
                 "kubeconfig need the new port\n",
                 static_cast<unsigned>(kept_port), static_cast<unsigned>(profile.api_port));
  }
  if (wait) check(wait_for_nodes(profile, kNodeTimeoutMs));
  std::printf("%s cluster \"%s\" at https://127.0.0.1:%u\n",
              running ? "Already running:" : "Started", profile.name.c_str(),
              static_cast<unsigned>(profile.api_port));
  std::printf("kubectl is configured for it (context \"%s\"). Try: kubectl get nodes\n",
              profile.name.c_str());
}

}  // namespace

void add_start(Command app, Globals& globals) {
  const auto command = app.add_command("start", "Bring a cluster up in the background");
  command.footer("Example: minik start -p lab");
  static bool wait = true;
  static int nodes = 1;
  static StartOptions options;
  command.add_flag("--wait,!--no-wait", wait, "Return when every node is Ready").show_default();
  command.add_option("--nodes", nodes, "Number of nodes").show_default();
  command.add_option("--scheduler-config", options.scheduler_config,
                     "A KubeSchedulerConfiguration with the scheduler's profiles, kept for later starts")
      .value_name("FILE");
  command.add_option("--token-auth-file", options.tokens,
                     "Static tokens, a line each: token,user,uid,\"group1,group2\"; kept for later starts")
      .value_name("FILE");
  command.add_option("--audit-policy", options.audit_policy,
                     "An audit.k8s.io/v1 Policy of what audit.log in the profile's folder tells; kept for later starts")
      .value_name("FILE");
  command.add_option("--eviction-hard", options.eviction_hard,
                     "What the machine must have left for pods to stay, as a kubelet takes it: "
                     "memory.available<500Mi,nodefs.available<5%; kept for later starts, \"\" ends it. None by default")
      .value_name("THRESHOLDS");
  command.callback([&globals] {
    if (nodes != 1) {
      fail(Error(ErrorCode::kBadRequest,
                 "clusters of more than one real node are not there yet: leave --nodes out, or use "
                 "minik sim"),
           2);
    }
    start(globals, wait, options);
  });
}

}  // namespace minik::cli
