// Runs scenarios and prints what `minik sim run` ends with, one line each: a program of the simulator
// alone, which a test builds by another compiler and compares.
//
//   trace_hash SEED SCENARIO...
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "sim/run.h"

int main(int count, char** words) {
  if (count < 3) {
    std::cerr << "usage: trace_hash SEED SCENARIO...\n";
    return 2;
  }
  for (int i = 2; i < count; ++i) {
    std::ifstream file(words[i]);
    std::stringstream text;
    text << file.rdbuf();
    const auto scenario = minik::sim::parse_scenario(text.str(), words[i]);
    if (!scenario) {
      std::cerr << scenario.error().message << '\n';
      return 2;
    }
    minik::sim::RunOptions options;
    options.seed = std::strtoull(words[1], nullptr, 10);
    const auto outcome = minik::sim::run_scenario(*scenario, options);
    if (!outcome) {
      std::cerr << outcome.error().message << '\n';
      return 1;
    }
    std::cout << scenario->name << " sha256:" << outcome->trace_hash << '\n';
  }
  return 0;
}
