#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "minik/cli/command.h"
#include "minik/cli/huge_pages.h"
#include "runtime/container/pause.h"
#include "runtime/container/shim.h"

namespace minik::cli {

void fail(const Error& error, int code) {
  std::fprintf(stderr, "minik: %s\n", error.message.c_str());
  throw Exit{code};
}

void check(const Status& status) {
  if (!status.ok()) fail(status.error());
}

namespace {

// Everything behind `kubectl` is kubectl's own, flags included: it never reaches our parser.
std::vector<std::string> take_kubectl_words(std::vector<std::string>& words) {
  for (size_t i = 1; i < words.size(); ++i) {
    const bool is_profile = words[i - 1] == "-p" || words[i - 1] == "--profile";
    if (words[i] != "kubectl" || is_profile) continue;
    std::vector<std::string> rest(words.begin() + static_cast<ptrdiff_t>(i) + 1, words.end());
    if (rest == std::vector<std::string>{"--help"} || rest == std::vector<std::string>{"-h"})
      return {};
    words.resize(i + 1);
    if (!rest.empty() && rest[0] == "--") rest.erase(rest.begin());
    return rest;
  }
  return {};
}

// Whether all that was printed got where it should. Who closes a pipe early has seen enough.
bool was_written() {
  struct stat out{};
  const bool is_file = fstat(STDOUT_FILENO, &out) == 0 && !S_ISFIFO(out.st_mode) && !S_ISSOCK(out.st_mode);
  const bool flushed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (flushed || !is_file) return true;
  std::fprintf(stderr, "minik: cannot write all to standard output: is its disk full?\n");
  return false;
}

int run(int argc, char** argv) {
  const CommandLine app("minik", "A whole Kubernetes in one binary, and the same control plane in virtual time.",
                        "minik 0.1.0 (Kubernetes v1.35)");
  app.footer("Example: minik start && kubectl get nodes");
  Globals globals;
  app.add_option("-p,--profile", globals.profile, "The cluster's name; also its context in the kubeconfig").show_default();
  add_start(app, globals);
  add_stop(app, globals);
  add_delete(app, globals);
  add_status(app, globals);
  add_logs(app, globals);
  add_kubectl(app, globals);
  add_image(app, globals);
  add_sim(app, globals);
  std::vector<std::string> words(argv, argv + argc);
  globals.kubectl_words = take_kubectl_words(words);
  try {
    return app.run(words);
  } catch (const Exit& exit) {
    return exit.code;
  }
}

}  // namespace
}  // namespace minik::cli

int main(int argc, char** argv) {
  // Before anything else: these are other programs in the same file.
  if (minik::runtime::is_shim_invocation(argc, argv)) return minik::runtime::shim_main(argc, argv);
  if (minik::runtime::is_pause_invocation(argc, argv)) return minik::runtime::pause_main(argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "demo-server") return minik::cli::run_demo_server();
  if (first == "daemon" && argc == 3) return minik::cli::run_daemon(argv[2]);
  if (first == "sim") minik::cli::start_with_huge_pages(argv);
  const int code = minik::cli::run(argc, argv);
  return minik::cli::was_written() ? code : 1;
}
