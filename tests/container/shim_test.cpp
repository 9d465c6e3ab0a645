// What a container's shim is asked for while it runs: exec, attach, signals, and that it is always there to be asked.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/container/container_fixture.h"

namespace minik::runtime {
namespace {

class ShimTest : public ContainerTest {};

TEST_F(ShimTest, ExecsInsideWithItsOwnExitCode) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  const int null = ::open("/dev/null", O_RDWR);
  const auto session = engine->exec("c", {"sh", "-c", "hostname; cat /proc/1/comm; exit 3"}, false, null, out[1], null);
  ASSERT_TRUE(session) << session.error().message;
  close(out[1]);
  std::string text;
  char buffer[256];
  ssize_t n = 0;
  while ((n = read(out[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  EXPECT_EQ(text, "pod-host\nsleep\n");
  EXPECT_EQ(*Engine::wait_exec(*session), 3);
  close(session->connection);
  close(out[0]);
  EXPECT_EQ(engine->exec("c", {"nope"}, false, null, null, null).error().message,
            "exec: \"nope\": executable file not found in $PATH");
  close(null);
}

TEST_F(ShimTest, EndsAllThatAnExecStartedWhenItsCallerLeaves) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto session = engine->exec("c", {"sh", "-c", "sleep 90 & echo started; sleep 90; true"}, false, null, out[1], null);
  ASSERT_TRUE(session) << session.error().message;
  close(out[1]);
  char buffer[64];
  ASSERT_EQ(read(out[0], buffer, sizeof buffer), 8);
  close(session->connection);
  // Both sleeps hold the pipe: its end says that neither is left.
  EXPECT_EQ(read(out[0], buffer, sizeof buffer), 0);
  EXPECT_EQ(engine->container("c")->phase, ContainerPhase::kRunning);
  close(out[0]);
  close(null);
}

TEST_F(ShimTest, StaysInReachWhileNobodyReadsItsInput) {
  make_sandbox("s");
  auto s = spec("c", {"sleep", "100"});
  s.stdin_open = true;
  ASSERT_TRUE(run(std::move(s)));
  int in[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
  ASSERT_TRUE(engine->attach("c", in[0], -1, -1).ok());
  close(in[0]);
  const std::string flood(1 << 16, 'x');
  pollfd writable{in[1], POLLOUT, 0};
  while (poll(&writable, 1, 300) == 1 && write(in[1], flood.data(), flood.size()) > 0) {
  }
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
  close(in[1]);
}

TEST_F(ShimTest, EndsAnInputThatIsOpenOnceWithItsFirstGuest) {
  make_sandbox("s");
  auto s = spec("c", {"cat"});
  s.stdin_open = s.stdin_once = true;
  const std::string log = s.log_path;
  ASSERT_TRUE(run(std::move(s)));
  int in[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC), 0);
  ASSERT_TRUE(engine->attach("c", in[0], -1, -1).ok());
  close(in[0]);
  ASSERT_EQ(write(in[1], "hello\n", 6), 6);
  close(in[1]);
  wait_for_exit("c");
  EXPECT_NE(read_whole_file(log)->find(" stdout F hello\n"), std::string::npos);
}

TEST_F(ShimTest, GivesAnExecATerminalOfTheSizeAskedForWithANameInTheContainer) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  const auto terminal = engine->open_terminal("c");
  ASSERT_TRUE(terminal) << terminal.error().message;
  winsize size{};
  size.ws_row = 33;
  size.ws_col = 77;
  ASSERT_EQ(ioctl(terminal->master, TIOCSWINSZ, &size), 0);
  const auto session = engine->exec("c", {"busybox", "sh", "-c", "stty size; busybox tty"}, true, terminal->slave,
                                    terminal->slave, terminal->slave);
  ASSERT_TRUE(session) << session.error().message;
  close(terminal->slave);
  EXPECT_EQ(*Engine::wait_exec(*session), 0);
  std::string text;
  char buffer[64];
  ssize_t n = 0;
  while ((n = read(terminal->master, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  EXPECT_EQ(text, "33 77\r\n/dev/pts/0\r\n");
  close(session->connection);
  close(terminal->master);
}

TEST_F(ShimTest, GivesAContainerATerminalOfItsOwn) {
  make_sandbox("s");
  auto wanted = spec("c", {"busybox", "tty"});
  wanted.terminal = true;
  wanted.log_path = directory + "/log";
  ASSERT_TRUE(run(wanted));
  wait_for_exit("c");
  EXPECT_NE(read_whole_file(directory + "/log")->find("/dev/pts/0"), std::string::npos);
}

TEST_F(ShimTest, CountsAContainerWhoseShimWasKilledAsKilled) {
  make_sandbox("s");
  const auto started = run(spec("c", {"sleep", "100"}));
  ASSERT_TRUE(started);
  ASSERT_EQ(kill(shim_of(*started), SIGKILL), 0);
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
  EXPECT_FALSE(engine->start_container("c"));  // and is not started a second time
}

TEST_F(ShimTest, StaysInReachWhileItWritesWithoutEnd) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"busybox", "yes"})));
  EXPECT_EQ(exec_output("c", {"echo", "reached"}), "reached\n");
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
}

TEST_F(ShimTest, IsEndedBySigkillEvenWhenItsShimDoesNotAnswer) {
  engine.reset();
  open({.answer = milliseconds(100)});
  make_sandbox("s");
  const auto started = run(spec("c", {"sleep", "100"}));
  ASSERT_TRUE(started);
  ASSERT_EQ(kill(shim_of(*started), SIGSTOP), 0);
  EXPECT_EQ(engine->signal_container("c", SIGTERM).error().message, "the container's shim does not answer");
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
}

TEST_F(ShimTest, GivesEveryLineToAGuestWhoReadsLate) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "cat; busybox seq 1 50000"});
  s.stdin_open = s.stdin_once = true;
  ASSERT_TRUE(run(std::move(s)));
  int in[2], out[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  ASSERT_TRUE(engine->attach("c", in[0], out[1], -1).ok());
  close(in[0]);
  close(out[1]);
  close(in[1]);  // and the container begins to write
  // The container has written more than its pipe, the guest's and the shim's buffer hold: it waits for us.
  const std::string log = directory + "/logs/c.log";
  for (int i = 0; i < 400 && std::filesystem::file_size(log) < 64 << 10; ++i) usleep(5000);
  EXPECT_EQ(engine->container("c")->phase, ContainerPhase::kRunning);
  std::string text;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = read(out[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(out[0]);
  std::string all;
  for (int i = 1; i <= 50000; ++i) all += cat(i, "\n");
  EXPECT_TRUE(text == all) << text.size() << " bytes instead of " << all.size();
  wait_for_exit("c");
}

TEST_F(ShimTest, ForgetsGuestsWhoHaveGone) {
  make_sandbox("s");
  const auto started = run(spec("c", {"sh", "-c", "while true; do echo tick; sleep 0.01; done"}));
  ASSERT_TRUE(started);
  const std::string open_files = cat("/proc/", shim_of(*started), "/fd");
  const auto count = [&] {
    std::error_code error;
    return std::distance(std::filesystem::directory_iterator(open_files, error), std::filesystem::directory_iterator());
  };
  const auto most = count() + 2;  // the engine's own connections, which come and go
  for (int i = 0; i < 20; ++i) {
    int out[2], err[2];
    ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(err, O_CLOEXEC), 0);
    ASSERT_TRUE(engine->attach("c", -1, out[1], err[1]).ok());
    for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
  }
  for (int i = 0; i < 400 && count() > most; ++i) usleep(5000);
  EXPECT_LE(count(), most);
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
}

TEST_F(ShimTest, StartsAndExecsWhateverItsGroupFileIs) {
  make_sandbox("s");
  ASSERT_EQ(mkfifo((directory + "/rootfs/etc/group").c_str(), 0644), 0);
  ASSERT_EQ(mkfifo((directory + "/rootfs/etc/passwd").c_str(), 0644), 0);
  auto s = spec("c", {"sleep", "100"});
  s.user = "1000";
  const auto started = run(std::move(s));
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(exec_output("c", {"grep", "Uid", "/proc/self/status"}), "Uid:\t1000\t1000\t1000\t1000\n");
}

TEST_F(ShimTest, StaysInReachWhileAnExecCannotStart) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  const Cgroup group(Cgroup::kDefaultRoot, prefix() + "/s/c");
  const std::string freezer = cat(Cgroup::kDefaultRoot, group.version2() ? "/" : "/freezer/", prefix(), "/s/c/",
                                  group.version2() ? "cgroup.freeze" : "freezer.state");
  if (access(freezer.c_str(), W_OK) != 0) GTEST_SKIP() << "SKIPPED: no freezer here";
  ASSERT_TRUE(write_kernel_file(freezer, group.version2() ? "1" : "FROZEN").ok());
  std::thread waits([this] { EXPECT_EQ(exec_output("c", {"echo", "late"}), "late\n"); });
  for (int i = 0; i < 400 && group.members().size() < 2; ++i) usleep(5000);
  EXPECT_TRUE(engine->signal_container("c", SIGCONT).ok());
  ASSERT_TRUE(write_kernel_file(freezer, group.version2() ? "0" : "THAWED").ok());
  waits.join();
}

TEST_F(ShimTest, TellsTheFirstToAttachWhatHeHasMissed) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "echo out; echo err >&2; exec cat"});
  s.stdin_open = s.stdin_once = true;
  const std::string log = s.log_path;
  ASSERT_TRUE(run(std::move(s)));
  const auto logged = [&log] {
    const auto text = read_whole_file(log);
    return text && text->find(" stdout F out\n") != std::string::npos && text->find(" stderr F err\n") != std::string::npos;
  };
  while (!logged()) sched_yield();
  const auto heard = [&](int from) {
    char buffer[64];
    const ssize_t n = read(from, buffer, sizeof buffer);
    return std::string(buffer, n > 0 ? static_cast<size_t>(n) : 0);
  };
  int in[2], out[2], err[2], late[2];
  for (int* pair : {in, out, err, late}) ASSERT_EQ(pipe2(pair, O_CLOEXEC), 0);
  ASSERT_TRUE(engine->attach("c", in[0], out[1], err[1]).ok());
  EXPECT_EQ(heard(out[0]), "out\n");
  EXPECT_EQ(heard(err[0]), "err\n");
  ASSERT_TRUE(engine->attach("c", -1, late[1], -1).ok());
  ASSERT_EQ(write(in[1], "more\n", 5), 5);
  EXPECT_EQ(heard(out[0]), "more\n");
  EXPECT_EQ(heard(late[0]), "more\n");
  for (int* pair : {in, out, err, late}) close(pair[0]), close(pair[1]);
  wait_for_exit("c");
  EXPECT_FALSE(engine->attach("c", -1, -1, -1).ok());
}

}  // namespace
}  // namespace minik::runtime
