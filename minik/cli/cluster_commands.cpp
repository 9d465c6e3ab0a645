// stop, delete, status, logs and kubectl: the small commands about one cluster.
#include <unistd.h>

#include <cstdio>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "minik/cli/api_client.h"
#include "minik/cli/command.h"
#include "minik/cli/profile_use.h"
#include "minik/process/cluster_end.h"
#include "minik/process/kubeconfig.h"
#include "runtime/container/files.h"

namespace minik::cli {

namespace {

void say_what_is_waited_for(const std::vector<std::string>& pods) {
  std::fprintf(stderr, "Waiting for at most %lld s until these have ended (Ctrl-C, then minik stop --now, kills them): %s\n",
               static_cast<long long>(kShutdownMost.seconds()), join(pods, ", ").c_str());
}

std::string node_state(const Profile& profile) {
  namespace keys = control::keys;
  const auto nodes = api_get(profile, "/api/v1/nodes");
  if (!nodes) return "unreachable";
  for (const auto& node : (*nodes)[keys::kItems].items()) {
    for (const auto& condition : node[keys::kStatus][keys::kConditions].items()) {
      const bool ready = condition[keys::kType].as_string() == "Ready";
      if (ready && condition[keys::kStatus].as_string() == "True") return "Ready";
    }
  }
  return "NotReady";
}

void status(const Globals& globals, const std::string& format) {
  const Profile profile = value_or_fail(Profile::open(globals.profile));
  const int pid = daemon_pid(profile);
  const std::string node = pid != 0 ? node_state(profile) : "unknown";
  const std::string state = pid != 0 ? "Running" : profile.exists() ? "Stopped" : "Nonexistent";
  const std::string api = cat("https://127.0.0.1:", profile.api_port);
  const std::string http = cat("http://127.0.0.1:", profile.ingress_port);
  const std::string https = cat("https://127.0.0.1:", profile.ingress_tls_port);
  if (format == "json") {
    const auto facts = control::Value::map({{"name", profile.name},
                                            {"state", state},
                                            {"pid", pid},
                                            {"node", node},
                                            {"api", api},
                                            {"ingress", http},
                                            {"ingressTls", https},
                                            {"directory", profile.directory}});
    std::fputs(control::to_pretty_json(facts).c_str(), stdout);
  } else {
    std::printf("cluster:   %s\nstate:     %s\n", profile.name.c_str(), state.c_str());
    if (pid != 0) {
      std::printf("pid:       %d\nnode:      %s\napi:       %s\ningress:   %s, %s\n", pid,
                  node.c_str(), api.c_str(), http.c_str(), https.c_str());
    }
    std::printf("directory: %s\n", profile.directory.c_str());
  }
  if (pid == 0) throw Exit{1};
}

}  // namespace

void add_stop(Command app, Globals& globals) {
  const auto command = app.add_command("stop", "Stop the cluster and its containers; everything stored stays");
  command.footer(
      "Containers run their preStop hooks, get their stop signal and their pod's grace, though never more than 30 s.\n"
      "Example: minik stop");
  static bool now = false;
  command.add_flag("--now", now, "Kill the containers at once");
  command.callback([&globals] {
    const Profile profile = value_or_fail(Profile::open(globals.profile));
    const auto lock = lock_or_fail(profile);
    const bool running = daemon_pid(profile) != 0;
    const Haste haste = now ? Haste::kAtOnce : Haste::kGraceful;
    check(end_daemon(profile, haste, say_what_is_waited_for));
    check(end_containers(profile, haste, say_what_is_waited_for));
    std::printf("%s \"%s\"\n", running ? "Stopped cluster" : "Not running: cluster",
                profile.name.c_str());
  });
}

void add_delete(Command app, Globals& globals) {
  const auto command = app.add_command("delete", "Stop the cluster at once and remove everything of it");
  command.footer("Its containers are killed without their grace: minik stop before it gives them one.\nExample: minik delete -p lab");
  command.callback([&globals] {
    const Profile profile = value_or_fail(Profile::open(globals.profile));
    const auto lock = lock_or_fail(profile);
    check(end_daemon(profile, Haste::kAtOnce, {}));
    check(remove_containers(profile));
    // First what takes space: the kubeconfig may be on the same disk, and that may be full.
    if (profile.exists()) check(runtime::remove_mounted_tree(profile.directory));
    if (const auto path = kubeconfig_path()) check(remove_from_kubeconfig(*path, profile.name));
    std::printf("Deleted cluster \"%s\"\n", profile.name.c_str());
  });
}

void add_status(Command app, Globals& globals) {
  const auto command = app.add_command("status", "Say how the cluster is; exit code 1 when it does not run");
  command.footer("Example: minik status -o json");
  static std::string format = "text";
  command.add_option("-o,--output", format, "text or json").one_of({"text", "json"});
  command.callback([&globals] { status(globals, format); });
}

void add_logs(Command app, Globals& globals) {
  const auto command = app.add_command("logs", "Print the daemon's own log");
  command.footer("Example: minik logs");
  command.callback([&globals] {
    const Profile profile = value_or_fail(Profile::open(globals.profile));
    const auto text = value_or_fail(runtime::read_whole_file(profile.daemon_log()));
    std::fwrite(text.data(), 1, text.size(), stdout);
  });
}

void add_kubectl(Command app, Globals& globals) {
  const auto command = app.add_command("kubectl", "Run the kubectl of the path against this cluster");
  command.footer("Example: minik kubectl -- get pods -A");
  command.callback([&globals] {
    (void)existing_profile(globals);
    std::vector<std::string> words = {"kubectl", "--context", globals.profile};
    words.insert(words.end(), globals.kubectl_words.begin(), globals.kubectl_words.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp("kubectl", argv.data());
    fail(Error(
        ErrorCode::kNotFound,
        "no kubectl on the path: install it, then run it against the context of the profile"));
  });
}

}  // namespace minik::cli
