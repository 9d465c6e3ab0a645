// What containers need of the machine: looked at before anything is made, so that a refusal leaves
// nothing behind. Only what can be seen without side effects; a kernel may still refuse later.
#pragma once

#include <string>
#include <vector>

namespace minik::runtime {

// What is missing, and what to do about it.
struct HostProblem {
  std::string what, remedy;
};
std::vector<HostProblem> check_host();

}  // namespace minik::runtime
