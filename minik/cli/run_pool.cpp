#include "minik/cli/run_pool.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/base/text.h"
#include "minik/net/unique_fd.h"
#include "sim/run.h"

namespace minik::cli {

namespace {

struct Child {
  pid_t pid = -1;
  UniqueFd result;
};

[[noreturn]] void work(const RunOrder& order, int result_fd) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  sim::RunOptions options;
  options.seed = order.seed;
  const auto outcome = sim::run_scenario(*order.scenario, options);
  const auto result = outcome ? sim::result_of(order.seed, *outcome) : sim::broken_result(order.seed, outcome.error().message);
  const std::string line = sim::write_result(result);
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t n = write(result_fd, line.data() + sent, line.size() - sent);
    if (n <= 0) _exit(1);
    sent += static_cast<size_t>(n);
  }
  _exit(0);
}

Result<Child> start(const RunOrder& order) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return error_from_errno(errno, "make a pipe");
  Child child;
  child.result = UniqueFd(ends[0]);
  const UniqueFd write_end(ends[1]);
  child.pid = fork();
  if (child.pid < 0) return error_from_errno(errno, "fork");
  if (child.pid == 0) work(order, ends[1]);
  return child;
}

sim::SeedResult await(Child& child, uint64_t seed) {
  std::string line;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t n = read(child.result.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    line.append(buffer, static_cast<size_t>(n));
  }
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (auto result = sim::read_result(line)) return *std::move(result);
  return sim::broken_result(seed, WIFSIGNALED(status) ? cat("the process was ended by signal ", WTERMSIG(status), " (",
                                                            strsignal(WTERMSIG(status)), ")")
                                                      : cat("the process ended with exit code ", WEXITSTATUS(status)));
}

}  // namespace

Result<std::vector<sim::SeedResult>> run_each(const std::vector<RunOrder>& orders) {
  std::vector<Child> children;
  Status started;
  for (const auto& order : orders) {
    auto child = start(order);
    if (!child) {
      started = child.error();
      break;
    }
    children.push_back(*std::move(child));
  }
  std::vector<sim::SeedResult> results;
  for (size_t i = 0; i < children.size(); ++i) results.push_back(await(children[i], orders[i].seed));
  MINIK_TRY(started);
  return results;
}

}  // namespace minik::cli
