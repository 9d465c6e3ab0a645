#include "runtime/container/output_relay.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace minik::runtime {

namespace {

// Where the kernel does not say how much there is: the largest usual pipe.
constexpr size_t kRestBytesMax = 1024 * 1024;
constexpr size_t kEarlyBytesMax = 16 * 1024;

}  // namespace

OutputRelay::~OutputRelay() {
  if (source_ >= 0) close(source_);
  for (const auto& guest : guests_) close(guest.fd);
}

void OutputRelay::open(int source) {
  source_ = source;
  fcntl(source_, F_SETFL, O_NONBLOCK);
}

bool OutputRelay::attach(int guest) {
  if (guests_.size() >= kGuestsMax) return false;
  fcntl(guest, F_SETFL, O_NONBLOCK);
  guests_.push_back({guest, std::exchange(early_, {})});
  keeps_early_ = false;
  if (!guests_.back().pending.empty()) deliver(guests_.back());
  return true;
}

void OutputRelay::add_polled(std::vector<pollfd>& polled) {
  // Only now: a descriptor that was closed in the middle of a turn could be another's at its end.
  std::erase_if(guests_, [](const Guest& guest) {
    if (guest.gone) close(guest.fd);
    return guest.gone;
  });
  if (source_ >= 0 && !delivers()) polled.push_back({source_, POLLIN, 0});
  // Without anything to write it is still told when the reader has gone.
  for (const auto& guest : guests_) {
    polled.push_back({guest.fd, static_cast<short>(guest.pending.empty() ? 0 : POLLOUT), 0});
  }
}

bool OutputRelay::handle(const pollfd& ready, LogWriter* log) {
  if (ready.fd == source_) {
    read_once(log);
    return true;
  }
  const auto guest = std::ranges::find(guests_, ready.fd, &Guest::fd);
  if (guest == guests_.end()) return false;
  if (guest->pending.empty()) {
    guest->gone = true;  // nothing was asked for, so it is the end
  } else {
    deliver(*guest);
  }
  return true;
}

void OutputRelay::read_rest(LogWriter* log) {
  if (source_ < 0) return;
  int known = 0;
  if (ioctl(source_, FIONREAD, &known) != 0) known = 0;
  const size_t rest = std::max(kRestBytesMax, static_cast<size_t>(std::max(known, 0)));
  for (size_t done = 0, n = 0; done < rest && (n = read_once(log)) > 0; done += n) {
  }
}

bool OutputRelay::delivers() const {
  return std::ranges::any_of(guests_, [](const Guest& guest) { return !guest.gone && !guest.pending.empty(); });
}

size_t OutputRelay::read_once(LogWriter* log) {
  char buffer[32768];
  const ssize_t n = source_ < 0 ? 0 : read(source_, buffer, sizeof buffer);
  if (n > 0) {
    const std::string_view bytes(buffer, static_cast<size_t>(n));
    if (log) log->write(is_stderr_, bytes);
    if (keeps_early_) early_ += bytes;
    if (early_.size() > kEarlyBytesMax) {
      keeps_early_ = false;
      early_.clear();
    }
    for (auto& guest : guests_) {
      guest.pending += bytes;
      deliver(guest);
    }
    return bytes.size();
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (source_ >= 0) close(source_);
  source_ = -1;
  return 0;
}

void OutputRelay::deliver(Guest& guest) {
  if (guest.gone) return;
  const ssize_t n = write(guest.fd, guest.pending.data(), guest.pending.size());
  if (n > 0) guest.pending.erase(0, static_cast<size_t>(n));
  if (n < 0 && errno != EAGAIN && errno != EINTR) guest.gone = true;
}

}  // namespace minik::runtime
