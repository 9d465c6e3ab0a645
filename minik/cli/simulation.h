// What the commands of `minik sim` share.
#pragma once

#include <string>

#include "minik/cli/command.h"
#include "sim/scenario.h"

namespace minik::cli {

inline constexpr int kFailed = 1, kNotValid = 2;

// Ends the program with exit code 2 and the place in the file when it is not valid.
sim::Scenario load_scenario(const std::string& path);
Status write_report(const std::string& path, const std::string& text);

// Of the simulation that `minik sim serve` serves unless it is told otherwise.
inline constexpr const char* kLiveName = "minik-sim";
// $MINIK_HOME/.sim/NAME
Result<std::string> live_folder(const std::string& name);
struct LiveAnswer {
  int status = 0;  // of HTTP
  std::string body;
};
// kServiceUnavailable when none of that name is served.
Result<LiveAnswer> ask_live(const std::string& name, const std::string& method, const std::string& path,
                            const std::string& body);

void add_sweep(CLI::App& sim);
void add_serve(CLI::App& sim);
void add_live_control(CLI::App& sim);
void add_import(CLI::App& sim);
void add_compare(CLI::App& sim, Globals& globals);

}  // namespace minik::cli
