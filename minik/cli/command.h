// What the commands share: how each registers itself, how errors end, how facts are printed.
//
// A command is one file with one function that adds it to the command line and a callback that does
// the work. Exit codes: 0 done, 1 it failed, 2 the command line or a file given is not valid.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "minik/cli/command_line.h"

namespace minik::cli {

// Thrown by callbacks to end with a code after the message was printed; stops in main().
struct Exit {
  int code;
};

[[noreturn]] void fail(const Error& error, int code = 1);
template <typename T>
T value_or_fail(Result<T> result) {
  if (!result) fail(result.error());
  return *std::move(result);
}
void check(const Status& status);

struct Globals {
  std::string profile = "minik";
  // What follows `kubectl` on the command line, word for word.
  std::vector<std::string> kubectl_words;
};

void add_start(Command app, Globals& globals);
void add_stop(Command app, Globals& globals);
void add_delete(Command app, Globals& globals);
void add_status(Command app, Globals& globals);
void add_logs(Command app, Globals& globals);
void add_kubectl(Command app, Globals& globals);
void add_image(Command app, Globals& globals);
void add_sim(Command app, Globals& globals);

// Hidden commands: the daemon behind `start`, and the program of the image minik/demo.
int run_daemon(const std::string& profile);
int run_demo_server();

}  // namespace minik::cli
