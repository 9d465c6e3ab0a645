// SessionThreads: a thread for each conversation with a pod (exec, attach, a log that is followed, a dial), for as long as
// it lasts. They work in the containers and the network of the node and answer on connections' loops, so they must be
// over before any of those go.
//
// end() tells all that it is over and waits until the last has gone; what is asked for afterwards is dropped. A body must
// therefore wait for nothing without looking at stop() or pause(). Any thread may call run().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "control/base/executor.h"
#include "control/base/time.h"
#include "minik/net/unique_fd.h"

namespace minik {

class SessionThreads {
 public:
  SessionThreads();
  ~SessionThreads();
  SessionThreads(const SessionThreads&) = delete;
  SessionThreads& operator=(const SessionThreads&) = delete;

  void run(Task body);
  void end();
  // Readable from end() on, for who polls.
  int stop() const { return stop_.get(); }
  // Lets the time go by; false when it is over.
  bool pause(Duration time) const;

 private:
  UniqueFd stop_;
  std::mutex mutex_;
  std::condition_variable all_gone_;
  size_t running_ = 0;
  bool over_ = false;
};

}  // namespace minik
