#include "runtime/container/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "control/base/text.h"
#include "control/base/time.h"

namespace minik::runtime {

namespace {
constexpr size_t kLineMax = 16 * 1024;
}

LogWriter::LogWriter(std::string path) : path_(std::move(path)) { open(); }

LogWriter::~LogWriter() {
  flush();
  if (fd_ >= 0) close(fd_);
}

void LogWriter::open() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  struct stat info {};
  size_ = fd_ >= 0 && fstat(fd_, &info) == 0 ? info.st_size : 0;
}

void LogWriter::rotate() {
  close(fd_);
  for (int i = kFilesMax - 1; i > 1; --i) {
    std::rename(cat(path_, ".", i - 1).c_str(), cat(path_, ".", i).c_str());
  }
  std::rename(path_.c_str(), cat(path_, ".1").c_str());
  open();
}

void LogWriter::write(bool is_stderr, std::string_view bytes) {
  std::string& pending = pending_[is_stderr ? 1 : 0];
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (pending.size() + piece.size() >= kLineMax) {
      const size_t room = kLineMax - pending.size();
      pending += piece.substr(0, room);
      write_line(is_stderr, pending, false);
      pending.clear();
      bytes.remove_prefix(room);
      continue;
    }
    pending += piece;
    if (end == std::string_view::npos) return;
    write_line(is_stderr, pending, true);
    pending.clear();
    bytes.remove_prefix(end + 1);
  }
}

void LogWriter::flush() {
  for (const int stream : {0, 1}) {
    if (!pending_[stream].empty()) write_line(stream == 1, pending_[stream], false);
    pending_[stream].clear();
  }
}

void LogWriter::write_line(bool is_stderr, std::string_view text, bool whole) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const WallTime wall{now.tv_sec * 1'000'000'000LL + now.tv_nsec};
  const std::string line =
      cat(format_nano_time(wall), is_stderr ? " stderr " : " stdout ", whole ? "F " : "P ", text, "\n");
  if (size_ + static_cast<int64_t>(line.size()) > kBytesMax && size_ > 0) rotate();
  // A full disk loses output, not the container.
  if (fd_ >= 0 && ::write(fd_, line.data(), line.size()) > 0) size_ += static_cast<int64_t>(line.size());
}

}  // namespace minik::runtime
