// Shell commands as the processes of exec sessions.
#pragma once

#include <sys/types.h>

#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "minik/net/remote_command.h"

namespace minik {

class Shell {
 public:
  ~Shell();
  ExecStart start(std::string command, bool tty = false);
  // The session of the first process is over.
  std::future<void> closed() { return closed_.get_future(); }

 private:
  ExecIo watched(ExecIo io, pid_t pid);
  ExecIo spawn(const std::string& command);
  ExecIo spawn_on_terminal(const std::string& command);

  std::promise<void> closed_;
  std::once_flag closed_once_;
  std::mutex mutex_;
  std::vector<std::thread> waiters_;  // under mutex_
};

}  // namespace minik
