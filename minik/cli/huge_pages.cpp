#include "minik/cli/huge_pages.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace minik::cli {

namespace {
// jemalloc reads it once, before main.
constexpr const char* kVariable = "MALLOC_CONF";
constexpr const char* kWish = "thp:always";
}  // namespace

void start_with_huge_pages(char** argv) {
  if (const char* set = std::getenv(kVariable)) {
    if (std::string_view(set) == kWish) unsetenv(kVariable);  // this is the second start; nobody inherits it
    return;
  }
  // By its own name and not as /proc/self/exe, which is what it would be called in lists of processes.
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (size <= 0 || setenv(kVariable, kWish, 1) != 0) return;
  execv(path.data(), argv);
  unsetenv(kVariable);
}

}  // namespace minik::cli
