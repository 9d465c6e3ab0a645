#include "minik/net/event_loop.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "minik/net/timer_heap.h"

namespace minik {

namespace asio = boost::asio;

struct EventLoop::Impl {
  // One thread runs the context: Asio may keep its handlers in a queue without contention.
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};

  std::mutex posted_mutex;
  std::vector<Task> posted;  // under posted_mutex; one Asio handler drains what gathered meanwhile
  std::vector<Task> draining;

  TimerHeap timers;
  asio::steady_timer alarm{context};
  // When the alarm will ring; later than the first timer only while it is being set again.
  std::optional<Instant> alarm_at;

  std::atomic<std::thread::id> thread{};

  static Instant now() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::steady_clock::now().time_since_epoch())
                .count()};
  }

  void drain() {
    {
      const std::lock_guard lock(posted_mutex);
      draining.swap(posted);
    }
    for (Task& task : draining) {
      task();
      task = nullptr;  // what it holds goes before the next one runs
    }
    draining.clear();
    if (draining.capacity() > 4096) draining.shrink_to_fit();
  }

  // An alarm that rings too soon (its timer was cancelled) is cheaper than setting it again each
  // time.
  void arm_alarm() {
    const auto next = timers.next_deadline();
    if (!next || (alarm_at && *alarm_at <= *next)) return;
    alarm_at = next;
    alarm.expires_at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next->ns)));
    alarm.async_wait([this](const boost::system::error_code& error) {
      if (error) return;  // set to an earlier moment
      alarm_at.reset();
      fire_due();
    });
  }

  void fire_due() {
    // The moment is read once, so that timers which set themselves again cannot hold the thread.
    const Instant moment = now();
    while (Task task = timers.take_due(moment)) task();
    arm_alarm();
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() = default;

Instant EventLoop::now() const {
  return Impl::now();
}

WallTime EventLoop::wall_now() const {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

void EventLoop::post(Task task) {
  bool first;
  {
    const std::lock_guard lock(impl_->posted_mutex);
    first = impl_->posted.empty();
    impl_->posted.push_back(std::move(task));
  }
  if (first) asio::post(impl_->context, [impl = impl_.get()] { impl->drain(); });
}

TimerId EventLoop::after(Duration delay, Task task) {
  if (delay < Duration{}) delay = {};
  const TimerId id = impl_->timers.add(Impl::now() + delay, std::move(task));
  impl_->arm_alarm();
  return id;
}

void EventLoop::cancel(TimerId timer) {
  impl_->timers.cancel(timer);
}

void EventLoop::run() {
  impl_->thread = std::this_thread::get_id();
  impl_->context.run();
  impl_->thread = std::thread::id();
}

void EventLoop::stop() {
  impl_->context.stop();
}

bool EventLoop::on_loop_thread() const {
  return impl_->thread == std::this_thread::get_id();
}

struct FdWatch::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, int fd) : descriptor(context) {
    boost::system::error_code ignored;  // a descriptor that cannot be watched fails in its waits
    descriptor.assign(fd, ignored);
  }

  void wait(asio::posix::descriptor_base::wait_type type, Task& slot, Task task) {
    if (slot) return;
    slot = std::move(task);
    if (!descriptor.is_open()) {
      asio::post(descriptor.get_executor(), [self = shared_from_this(), &slot] { run(slot); });
      return;
    }
    descriptor.async_wait(type, [self = shared_from_this(), &slot](const auto& error) {
      if (error == asio::error::operation_aborted) return;
      run(slot);  // any other error: the read or write that follows will name it
    });
  }

  static void run(Task& slot) {
    if (const Task task = std::exchange(slot, nullptr)) task();
  }

  asio::posix::stream_descriptor descriptor;
  Task on_readable;
  Task on_writable;
};

FdWatch::FdWatch(EventLoop& loop, int fd)
    : state_(std::make_shared<State>(loop.impl_->context, fd)) {}

FdWatch::~FdWatch() {
  state_->on_readable = nullptr;
  state_->on_writable = nullptr;
  if (state_->descriptor.is_open()) state_->descriptor.release();
}

void FdWatch::wait_readable(Task task) {
  state_->wait(asio::posix::descriptor_base::wait_read, state_->on_readable, std::move(task));
}

void FdWatch::wait_writable(Task task) {
  state_->wait(asio::posix::descriptor_base::wait_write, state_->on_writable, std::move(task));
}

bool FdWatch::waiting_readable() const {
  return static_cast<bool>(state_->on_readable);
}
bool FdWatch::waiting_writable() const {
  return static_cast<bool>(state_->on_writable);
}

}  // namespace minik
