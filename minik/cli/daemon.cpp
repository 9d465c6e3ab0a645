// The process behind `minik start`: one cluster until it is told to stop. Says "ready" or one error
// line on descriptor 3 and closes it; logs to the profile's daemon.log.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <thread>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/base/time.h"
#include "minik/cli/command.h"
#include "minik/process/cluster.h"
#include "minik/process/cluster_end.h"
#include "minik/process/profile.h"
#include "runtime/container/files.h"

namespace minik::cli {

namespace {

constexpr int kHandshake = 3;

void answer(const std::string& text) {
  (void)!write(kHandshake, text.data(), text.size());
  close(kHandshake);
}

// Keeps room for a few lines behind the log's end: why a full disk has ended the daemon must have its place there.
class LogReserve {
 public:
  void renew() const {
    struct stat log {};
    if (fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode)) fallocate(STDERR_FILENO, FALLOC_FL_KEEP_SIZE, log.st_size, kBytes);
  }
  void use(int64_t bytes) {
    used_ += bytes;
    if (used_ < kBytes / 2) return;
    used_ = 0;
    renew();
  }

 private:
  static constexpr int64_t kBytes = 64 * 1024;
  int64_t used_ = 0;
};

void log_to_stderr() {
  static std::mutex mutex;
  static LogReserve reserve;
  reserve.renew();
  set_log_sink(
      [](LogLevel level, std::string_view component, std::string_view message) {
        timespec now{};
        clock_gettime(CLOCK_REALTIME, &now);
        constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
        const std::string line =
            cat(format_micro_time({now.tv_sec * 1'000'000'000LL + now.tv_nsec}), " ",
                kNames[static_cast<int>(level)], " ", component, ": ", message, "\n");
        const std::lock_guard lock(mutex);
        (void)!write(STDERR_FILENO, line.data(), line.size());
        reserve.use(static_cast<int64_t>(line.size()));
      },
      LogLevel::kInfo);
}

// Clients' connections alone may be more than the 1,024 descriptors of a login shell (a limit for select(), which
// nobody here calls). What the machine allows is enough; where it allows less, accepting waits.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Held as long as the process lives: the proof that the cluster runs.
Result<int> take_pid_file(const Profile& profile) {
  MINIK_TRY(runtime::make_directories(profile.run(), 0700));
  const int fd = open(profile.pid_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return error_from_errno(errno, cat("open ", profile.pid_file()));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return Error(ErrorCode::kConflict, cat("cluster ", profile.name, " is already running"));
  }
  const std::string text = cat(getpid(), "\n");
  // Over the old one, not after its end: a disk that is full has no block but that one.
  if (pwrite(fd, text.data(), text.size(), 0) < 0 || ftruncate(fd, static_cast<off_t>(text.size())) != 0) {
    return error_from_errno(errno, cat("write ", profile.pid_file()));
  }
  return fd;
}

}  // namespace

int run_daemon(const std::string& name) {
  log_to_stderr();
  raise_descriptor_limit();
  umask(022);  // pods' users read what it makes; what is nobody's business has a mode of its own
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, kShutdownSignal);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  auto profile = Profile::open(name);
  auto lock = profile ? take_pid_file(*profile) : Result<int>(profile.error());
  if (!lock) {
    answer(lock.error().message);
    return 1;
  }
  fcntl(kHandshake, F_SETFD, FD_CLOEXEC);
  auto cluster = Cluster::open(*std::move(profile));
  if (!cluster) {
    answer(cluster.error().message);
    return 1;
  }
  std::thread waiter([&] {
    int received = 0;
    while (sigwait(&ends, &received) == 0 && received == kShutdownSignal) (*cluster)->shut_down();
    (*cluster)->stop();
  });
  (*cluster)->run([] { answer("ready"); });
  const std::string fatal = (*cluster)->fatal();
  if (!fatal.empty()) MINIK_LOG(kError, "daemon", cat("stopped: ", fatal));
  kill(getpid(), SIGTERM);  // ends the waiter when the cluster ended by itself
  waiter.join();
  cluster->reset();
  return fatal.empty() ? 0 : 1;
}

}  // namespace minik::cli
