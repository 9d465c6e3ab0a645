#include "minik/net/fd_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "minik/net/limits.h"

namespace minik {
namespace {

// write(2) on a closed pipe or socket raises SIGPIPE. Sockets can be asked not to; for pipes the
// signal must be blocked in the thread, as IoThreads block all signals in theirs.
ssize_t write_quietly(int fd, std::string_view bytes) {
  const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return sent;
  return ::write(fd, bytes.data(), bytes.size());
}

}  // namespace

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

bool set_nonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

std::shared_ptr<FdChannel> FdChannel::open(EventLoop& loop, UniqueFd fd) {
  return std::shared_ptr<FdChannel>(new FdChannel(loop, std::move(fd)));
}

FdChannel::FdChannel(EventLoop& loop, UniqueFd fd) : fd_(std::move(fd)) {
  if (set_nonblocking(fd_.get())) watch_ = std::make_unique<FdWatch>(loop, fd_.get());
}

FdChannel::~FdChannel() {
  close();
}

void FdChannel::start(Events events) {
  events_ = std::make_shared<Events>(std::move(events));
}

void FdChannel::close() {
  watch_.reset();
  fd_.reset();
  events_.reset();
  waiting_.clear();
}

void FdChannel::resume_reading() {
  if (reading_ || read_ended_) return;
  reading_ = true;
  wait_readable();
}

void FdChannel::wait_readable() {
  if (!watch_ || !reading_) return;
  watch_->wait_readable([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_readable();
  });
}

void FdChannel::on_readable() {
  if (!reading_) return;
  thread_local std::array<char, kPumpReadBytes> buffer;
  const ssize_t got = read(fd_.get(), buffer.data(), buffer.size());
  if (got < 0 && would_block()) return wait_readable();
  const auto events = events_;
  if (got > 0) {
    if (events && events->on_bytes) {
      events->on_bytes({buffer.data(), static_cast<size_t>(got)});
    }
    return wait_readable();
  }
  // A terminal whose last process has gone fails with EIO: an end like any other.
  reading_ = false;
  read_ended_ = true;
  if (events && events->on_end) events->on_end();
}

void FdChannel::write(std::string_view bytes) {
  if (!watch_ || ending_ || bytes.empty()) return;
  const bool was_idle = waiting_.empty();
  waiting_.append(bytes);
  if (was_idle) flush();
}

void FdChannel::flush() {
  size_t sent = 0;
  while (sent < waiting_.size()) {
    const ssize_t count = write_quietly(fd_.get(), std::string_view(waiting_).substr(sent));
    if (count < 0 && !would_block()) return broken();
    if (count < 0) break;
    sent += static_cast<size_t>(count);
  }
  waiting_.erase(0, sent);
  if (waiting_.empty()) return finish_writing();
  watch_->wait_writable([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->watch_) return;
    self->flush();
    const auto events = self->events_;
    if (self->waiting_.empty() && events && events->on_drain) events->on_drain();
  });
}

void FdChannel::end_writing() {
  ending_ = true;
  if (waiting_.empty()) finish_writing();
}

void FdChannel::finish_writing() {
  if (!ending_ || write_ended_ || !watch_) return;
  write_ended_ = true;
  if (shutdown(fd_.get(), SHUT_WR) == 0) return;
  if (errno == ENOTSOCK && (fcntl(fd_.get(), F_GETFL) & O_ACCMODE) == O_WRONLY) close();
}

void FdChannel::broken() {
  waiting_.clear();
  ending_ = true;
  // Told later: the caller of write() does not expect to be called back.
  watch_->wait_writable([weak = weak_from_this()] {
    const auto self = weak.lock();
    const auto events = self ? self->events_ : nullptr;
    if (events && events->on_broken) events->on_broken();
  });
}

}  // namespace minik
