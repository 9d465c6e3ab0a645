#include "minik/cli/sweep.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "control/base/text.h"
#include "minik/net/unique_fd.h"
#include "sim/run.h"

namespace minik::cli {

namespace {

// One process at work: seeds go down one pipe, results come up the other, a line each.
struct Job {
  pid_t pid = -1;
  UniqueFd orders, results;
  std::optional<uint64_t> seed;  // that it works on
  std::string received;
};

sim::SeedResult run_seed(const sim::Scenario& scenario, uint64_t seed) {
  sim::RunOptions options;
  options.seed = seed;
  const auto outcome = sim::run_scenario(scenario, options);
  return outcome ? sim::result_of(seed, *outcome) : sim::broken_result(seed, outcome.error().message);
}

sim::SeedResult run_drawn(const SweepOptions& options, uint64_t seed) {
  const auto scenario = options.draw(seed);
  return scenario ? run_seed(*scenario, seed) : sim::broken_result(seed, scenario.error().message);
}

[[noreturn]] void work(const sim::Scenario& scenario, const SweepOptions& options, int orders, int results) {
  uint64_t seed = 0;
  while (read(orders, &seed, sizeof seed) == sizeof seed) {
    const std::string line = sim::write_result(options.draw ? run_drawn(options, seed) : run_seed(scenario, seed)) + "\n";
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t n = write(results, line.data() + sent, line.size() - sent);
      if (n <= 0) _exit(1);
      sent += static_cast<size_t>(n);
    }
  }
  _exit(0);
}

Result<Job> start_job(const sim::Scenario& scenario, const SweepOptions& options, const std::vector<Job>& others) {
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) != 0) return error_from_errno(errno, "make a pipe");
  const UniqueFd down_read(down[0]);
  UniqueFd down_write(down[1]);
  if (pipe2(up, O_CLOEXEC) != 0) return error_from_errno(errno, "make a pipe");
  UniqueFd up_read(up[0]);
  const UniqueFd up_write(up[1]);
  const pid_t pid = fork();
  if (pid < 0) return error_from_errno(errno, "fork");
  if (pid == 0) {
    // Only its own ends: a pipe that others hold open does not end when its job is told to.
    for (const auto& other : others) {
      close(other.orders.get());
      close(other.results.get());
    }
    close(down[1]);
    close(up[0]);
    work(scenario, options, down[0], up[1]);
  }
  Job job;
  job.pid = pid;
  job.orders = std::move(down_write);
  job.results = std::move(up_read);
  return job;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    return cat("the process was ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)),
               "): what it said stands above");
  }
  return cat("the process ended with exit code ", WEXITSTATUS(status));
}

class Sweep {
 public:
  Sweep(const sim::Scenario& scenario, const SweepOptions& options)
      : scenario_(scenario), options_(options), next_(options.first) {}
  ~Sweep() {
    for (auto& job : jobs_) {
      kill(job.pid, SIGKILL);
      waitpid(job.pid, nullptr, 0);
    }
  }

  Result<std::vector<sim::SeedResult>> run() {
    while (!enough_) {
      while (jobs_.size() < options_.jobs && left()) {
        MINIK_ASSIGN(auto job, start_job(scenario_, options_, jobs_));
        jobs_.push_back(std::move(job));
        give_order(jobs_.back());
      }
      if (jobs_.empty()) break;
      MINIK_TRY(wait());
    }
    std::ranges::sort(results_, {}, &sim::SeedResult::seed);
    return std::move(results_);
  }

 private:
  bool left() const { return !past_last_; }

  void give_order(Job& job) {
    if (!left()) {
      job.orders = UniqueFd();  // it ends when nothing comes any more
      return;
    }
    const uint64_t seed = next_;
    past_last_ = seed == options_.last;
    next_ = seed + 1;
    job.seed = seed;
    // A pipe takes eight bytes at once; a job that has died is met when its results end.
    (void)!write(job.orders.get(), &seed, sizeof seed);
  }

  void add(sim::SeedResult result) {
    if (options_.on_result && !options_.on_result(result)) enough_ = true;
    results_.push_back(std::move(result));
  }

  Status wait() {
    std::vector<pollfd> watched;
    for (const auto& job : jobs_) watched.push_back({job.results.get(), POLLIN, 0});
    if (poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return error_from_errno(errno, "poll");
    for (size_t i = watched.size(); i-- > 0;) {
      if (watched[i].revents == 0) continue;
      if (!receive(jobs_[i])) bury(i);
    }
    return {};
  }

  // False: it has ended.
  bool receive(Job& job) {
    char buffer[1 << 16];
    const ssize_t n = read(job.results.get(), buffer, sizeof buffer);
    if (n <= 0) return n < 0 && errno == EINTR;
    job.received.append(buffer, static_cast<size_t>(n));
    for (size_t end = job.received.find('\n'); end != std::string::npos; end = job.received.find('\n')) {
      auto result = sim::read_result(std::string_view(job.received).substr(0, end));
      job.received.erase(0, end + 1);
      job.seed.reset();
      if (result) add(*std::move(result));
      give_order(job);
    }
    return true;
  }

  void bury(size_t index) {
    Job& job = jobs_[index];
    int status = 0;
    waitpid(job.pid, &status, 0);
    if (job.seed) add(sim::broken_result(*job.seed, how_it_ended(status)));
    jobs_.erase(jobs_.begin() + static_cast<ptrdiff_t>(index));
  }

  const sim::Scenario& scenario_;
  const SweepOptions& options_;
  uint64_t next_;
  bool past_last_ = false, enough_ = false;
  std::vector<Job> jobs_;
  std::vector<sim::SeedResult> results_;
};

}  // namespace

Result<std::vector<sim::SeedResult>> sweep(const sim::Scenario& scenario, const SweepOptions& options) {
  // A job that dies between two orders must not end the sweep.
  signal(SIGPIPE, SIG_IGN);
  return Sweep(scenario, options).run();
}

}  // namespace minik::cli
