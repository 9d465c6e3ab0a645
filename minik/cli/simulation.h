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

void add_sweep(CLI::App& sim);

}  // namespace minik::cli
