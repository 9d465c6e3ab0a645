#include "tests/net/shell.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace minik {

Shell::~Shell() {
  for (std::thread& waiter : waiters_) waiter.join();
}

ExecStart Shell::start(std::string command, bool tty) {
  return [this, command = std::move(command),
          tty](const std::function<void(Result<ExecIo>)>& started) {
    started(tty ? spawn_on_terminal(command) : spawn(command));
  };
}

ExecIo Shell::watched(ExecIo io, pid_t pid) {
  io.on_exit = [this, pid](std::function<void(ExecExit)> told) {
    const std::lock_guard lock(mutex_);
    waiters_.emplace_back([pid, told = std::move(told)] {
      int status = 0;
      waitpid(pid, &status, 0);
      told({.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)});
    });
  };
  io.close = [this] { std::call_once(closed_once_, [this] { closed_.set_value(); }); };
  return io;
}

ExecIo Shell::spawn(const std::string& command) {
  int in[2], out[2], err[2];
  EXPECT_EQ(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  ExecIo io;
  io.stdin_fd = UniqueFd(in[1]);
  io.stdout_fd = UniqueFd(out[0]);
  io.stderr_fd = UniqueFd(err[0]);
  return watched(std::move(io), pid);
}

ExecIo Shell::spawn_on_terminal(const std::string& command) {
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  ExecIo io;
  io.pty_fd = UniqueFd(terminal);
  io.resize = [terminal](uint16_t rows, uint16_t columns) {
    const winsize size{rows, columns, 0, 0};
    ioctl(terminal, TIOCSWINSZ, &size);
  };
  return watched(std::move(io), pid);
}

}  // namespace minik
