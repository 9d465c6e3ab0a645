// minik sim serve: a scenario's cluster for real clients, until it is told to stop.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "control/base/text.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "minik/live/live_simulation.h"
#include "minik/process/kubeconfig.h"
#include "runtime/container/files.h"

namespace minik::cli {

namespace {

struct ServeFlags {
  std::string path, listen = "127.0.0.1:0", speed = "1x", name = kLiveName;
  std::optional<uint64_t> seed;
  bool managed_fields = false;
  bool paused = false;
};

// "127.0.0.1:6444" into its two parts.
Status read_address(const std::string& text, LiveOptions& options) {
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : parse_uint64(std::string_view(text).substr(colon + 1));
  if (!port || *port > UINT16_MAX || colon == 0) {
    return Error(ErrorCode::kBadRequest, cat("--listen ", minik::quoted(text), " must be an address and a port, such as "
                                             "127.0.0.1:6444; port 0 lets the kernel choose"));
  }
  options.address = text.substr(0, colon);
  options.port = static_cast<uint16_t>(*port);
  return {};
}

// The context that kubectl had before, to be given back.
class Context {
 public:
  Context(const std::string& name, const LiveOptions& options, const LiveSimulation& live)
      : name_(name), path_(value_or_fail(kubeconfig_path())), before_(current_context(path_)) {
    KubeconfigEntry entry;
    entry.name = name;
    entry.server = cat("https://", options.address, ":", live.port());
    entry.ca_pem = live.keys().ca.certificate_pem;
    entry.client_certificate_pem = live.keys().admin.certificate_pem;
    entry.client_key_pem = live.keys().admin.private_key_pem;
    check(add_to_kubeconfig(path_, entry, CurrentContext::kSwitch));
  }
  ~Context() { (void)remove_from_kubeconfig(path_, name_, before_ == name_ ? "" : before_).ok(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

 private:
  std::string name_, path_, before_;
};

void print_end(const sim::RunOutcome& outcome) {
  for (const auto& finding : outcome.findings) {
    std::printf("%s  %s%s\n", finding.held ? "ok    " : "FAILED", finding.what.c_str(),
                finding.held || finding.detail.empty() ? "" : cat(": ", finding.detail).c_str());
  }
  std::printf("the scenario's %s are over; time goes on\ntrace sha256:%s\n", format_duration(outcome.virtual_time).c_str(),
              outcome.trace_hash.c_str());
  std::fflush(stdout);
}

void serve(const ServeFlags& flags) {
  const sim::Scenario scenario = load_scenario(flags.path);
  LiveOptions options;
  if (Status read = read_address(flags.listen, options); !read.ok()) fail(read.error(), kNotValid);
  auto speed = parse_speed(flags.speed);
  if (!speed) fail(speed.error(), kNotValid);
  options.speed = *speed;
  options.paused = flags.paused;
  options.seed = flags.seed.value_or(scenario.seed);
  if (flags.managed_fields) options.field_accounts = control::FieldAccounts::kAlways;
  options.folder = value_or_fail(live_folder(flags.name));
  if (ask_live(flags.name, "GET", "/status", "")) {
    fail(Error(ErrorCode::kConflict, cat("a simulation ", minik::quoted(flags.name), " is being served already: choose another "
                                         "--name, or stop it")));
  }
  options.on_action = [](Duration at, const std::string& what) {
    std::printf("%10s  %s\n", format_duration(milliseconds(at.milliseconds())).c_str(), what.c_str());
    std::fflush(stdout);
  };
  options.on_end = print_end;
  // Blocked before there are threads, so that none of them takes what ends us.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const auto live = value_or_fail(LiveSimulation::open(scenario, options));
  {
    const Context context(flags.name, options, *live);
    std::thread waiter([&] {
      int received = 0;
      sigwait(&ends, &received);
      live->stop();
    });
    live->run([&] {
      std::printf("scenario %s, seed %llu: %zu nodes at https://%s:%u, time %s\n"
                  "kubectl is configured for it (context \"%s\"). Try: kubectl get nodes; minik sim status\n",
                  scenario.name.c_str(), static_cast<unsigned long long>(options.seed), live->nodes(),
                  options.address.c_str(), static_cast<unsigned>(live->port()),
                  options.paused ? "stands still" : cat("runs at ", format_speed(options.speed)).c_str(),
                  flags.name.c_str());
      std::fflush(stdout);
    });
    waiter.join();
  }
  (void)runtime::remove_mounted_tree(options.folder).ok();
  std::printf("Stopped \"%s\"\n", flags.name.c_str());
}

}  // namespace

void add_serve(Command sim) {
  static ServeFlags flags;
  const auto command = sim.add_command("serve", "Serve a scenario's cluster to kubectl and helm, with time under control");
  command.footer("Example: minik sim serve scenarios/zone-outage.yaml --speed 10x\n"
                 "Then, elsewhere: kubectl get nodes; minik sim pause; minik sim inject 'crashNodes: {count: 3}'");
  command.add_option("file", flags.path, "The scenario, - for standard input").required();
  command.add_option("--seed", flags.seed, "Instead of the scenario's own seed");
  command.add_option("--listen", flags.listen, "Where the API answers; port 0 is any free one").show_default();
  command.add_option("--speed", flags.speed, "A multiple of real time, or max").show_default();
  command.add_flag("--managed-fields", flags.managed_fields,
                   "Keep managedFields of what components write, too, as minik start does; a run takes more than twice the "
                   "time and half as much memory again");
  command.add_flag("--paused", flags.paused, "Begin with time standing still");
  command.add_option("--name", flags.name, "Of the context in the kubeconfig, and for the commands that control it").show_default();
  command.callback([] { serve(flags); });
}

}  // namespace minik::cli
