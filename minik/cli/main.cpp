#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "control/base/text.h"
#include "control/base/typo.h"
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

// The command that these words lead to, and the first word behind it that is neither a flag nor a command of it.
std::pair<CLI::App*, std::string> command_of(CLI::App& app, const std::vector<std::string>& words) {
  CLI::App* command = &app;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-')) {
      // What follows may be its value.
      if (words[i] == "-p" || words[i] == "--profile") ++i;
      continue;
    }
    const auto next = command->get_subcommands([&](const CLI::App* one) { return one->get_name() == words[i]; });
    if (next.empty()) return {command, words[i]};
    command = next.front();
  }
  return {command, ""};
}

std::string full_name(const CLI::App* command) {
  return command->get_parent() ? cat(full_name(command->get_parent()), " ", command->get_name()) : command->get_name();
}

// The first flag in front of `word`, or of all words where that is empty, that neither the command nor minik has.
std::string unknown_flag(const CLI::App& command, const CLI::App& app, const std::vector<std::string>& words, std::string_view word) {
  for (size_t i = 1; i < words.size() && (word.empty() || words[i] != word); ++i) {
    const std::string given = words[i].substr(0, words[i].find('='));
    const bool is_long = given.starts_with("--") && given.size() > 2;
    if (is_long && !command.get_option_no_throw(given) && !app.get_option_no_throw(given)) return given;
  }
  return "";
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> known;
  for (const auto* option : command.get_options()) {
    if (!option->get_lnames().empty()) known.push_back("--" + option->get_lnames().front());
  }
  return known;
}

// What people do wrong most: a slip in a command's or a flag's name.
void explain(const CLI::ParseError& error, CLI::App& app, const std::vector<std::string>& words) {
  const auto [command, word] = command_of(app, words);
  const std::string name = full_name(command);
  std::vector<std::string> commands;
  for (const auto* one : command->get_subcommands([](const CLI::App*) { return true; })) commands.push_back(one->get_name());
  std::string what = error.what();
  // Behind a word that is no command a flag may belong to what was meant; behind a file it is this command's.
  if (const auto flag = unknown_flag(*command, app, words, commands.empty() ? "" : word); !flag.empty()) {
    what = cat(name, " has no flag ", flag, perhaps(flag, flags_of(*command)));
  } else if (!commands.empty() && !word.empty()) {
    what = cat("there is no command ", name, " ", word, perhaps(word, commands));
  } else if (!commands.empty()) {
    what = cat(name, " needs a command: ", join(commands, ", "));
  }
  std::fprintf(stderr, "minik: %s\nRun %s --help for more.\n", what.c_str(), name.c_str());
}

// CLI11 takes -1 and what is too large for the largest number.
void refuse_numbers_out_of_range(CLI::App& command) {
  for (auto* option : command.get_options()) {
    if (option->get_type_name() != "UINT") continue;
    option->check([](const std::string& text) {
      return parse_uint64(text) ? std::string() : cat(text, " is not a whole number from 0 to ", UINT64_MAX);
    });
  }
  for (auto* one : command.get_subcommands([](CLI::App*) { return true; })) refuse_numbers_out_of_range(*one);
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
  CLI::App app("A whole Kubernetes in one binary, and the same control plane in virtual time.",
               "minik");
  app.require_subcommand(1);
  app.set_version_flag("--version", "minik 0.1.0 (Kubernetes v1.35)");
  app.footer("Example: minik start && kubectl get nodes");
  Globals globals;
  app.add_option("-p,--profile", globals.profile,
                 "The cluster's name; also its context in the kubeconfig")
      ->capture_default_str();
  app.fallthrough();
  add_start(app, globals);
  add_stop(app, globals);
  add_delete(app, globals);
  add_status(app, globals);
  add_logs(app, globals);
  add_kubectl(app, globals);
  add_image(app, globals);
  add_sim(app, globals);
  refuse_numbers_out_of_range(app);
  std::vector<std::string> words(argv, argv + argc);
  globals.kubectl_words = take_kubectl_words(words);
  const std::vector<std::string> given = words;
  // CLI11 takes the words without the program, last first.
  words.erase(words.begin());
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    explain(error, app, given);
    return 2;
  } catch (const Exit& exit) {
    return exit.code;
  }
  return 0;
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
