#include "minik/process/session_threads.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <memory>
#include <thread>
#include <utility>

#include "control/base/check.h"

namespace minik {

SessionThreads::SessionThreads() : stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(stop_.get() >= 0) << "eventfd: errno " << errno;
}

SessionThreads::~SessionThreads() { end(); }

void SessionThreads::run(Task body) {
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    ++running_;
  }
  auto shared = std::make_shared<Task>(std::move(body));
  std::thread([this, shared]() mutable {
    (*shared)();
    shared.reset();  // what it holds goes before it counts as gone
    const std::lock_guard lock(mutex_);
    if (--running_ == 0) all_gone_.notify_all();
  }).detach();
}

void SessionThreads::end() {
  std::unique_lock lock(mutex_);
  over_ = true;
  eventfd_write(stop_.get(), 1);
  all_gone_.wait(lock, [this] { return running_ == 0; });
}

bool SessionThreads::pause(Duration time) const {
  pollfd stop{stop_.get(), POLLIN, 0};
  return poll(&stop, 1, static_cast<int>(time.ns / 1'000'000)) <= 0;
}

}  // namespace minik
