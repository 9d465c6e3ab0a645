#include "runtime/container/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "control/base/text.h"

namespace minik::runtime {

std::optional<LogLine> parse_log_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  const size_t third = second == std::string_view::npos ? second : line.find(' ', second + 1);
  if (third == std::string_view::npos) return {};
  LogLine entry;
  const auto time = parse_time(line.substr(0, first));
  const auto stream = line.substr(first + 1, second - first - 1);
  const auto tag = line.substr(second + 1, third - second - 1);
  if (!time || (stream != "stdout" && stream != "stderr") || (tag != "F" && tag != "P")) return {};
  entry.time = *time;
  entry.is_stderr = stream == "stderr";
  entry.whole = tag == "F";
  entry.text = line.substr(third + 1);
  return entry;
}

Result<LogReader> LogReader::open(std::string path, LogReadOptions options) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) return error_from_errno(errno, cat("open log ", path));
  LogReader reader(std::move(path), options, fd);
  if (options.tail_lines) reader.skip_to_tail();
  return reader;
}

LogReader::LogReader(std::string path, LogReadOptions options, int fd)
    : path_(std::move(path)), options_(options), fd_(fd), limited_(options.limit_bytes.has_value()),
      left_(options.limit_bytes.value_or(0)) {}

LogReader::LogReader(LogReader&& other) noexcept
    : path_(std::move(other.path_)), options_(other.options_), fd_(std::exchange(other.fd_, -1)),
      partial_(std::move(other.partial_)), line_begins_(other.line_begins_), limited_(other.limited_), left_(other.left_) {}

LogReader& LogReader::operator=(LogReader&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(options_, other.options_);
  std::swap(fd_, other.fd_);
  std::swap(partial_, other.partial_);
  std::swap(line_begins_, other.line_begins_);
  std::swap(limited_, other.limited_);
  std::swap(left_, other.left_);
  return *this;
}

LogReader::~LogReader() {
  if (fd_ >= 0) close(fd_);
}

// Backwards in blocks until enough lines are behind us. A long line's parts count as the one line that its
// last part ends, so a part before a whole entry belongs to that entry.
void LogReader::skip_to_tail() {
  if (fd_ < 0) return;
  constexpr off_t kBlock = 65536;
  off_t position = lseek(fd_, 0, SEEK_END);
  if (*options_.tail_lines <= 0) return;
  const off_t end = position;
  int64_t lines = 0;
  off_t below = end;  // where the line begins of which we have seen the most
  // True when the entry that begins at `start` ends the line before the first that is wanted.
  const auto enough = [&](off_t start) {
    char head[64];
    const ssize_t n = start < end ? pread(fd_, head, sizeof head, start) : 0;
    if (n <= 0) return false;
    const auto words = split(std::string_view(head, static_cast<size_t>(n)), ' ');
    const bool ends_line = words.size() < 4 || words[2] != "P";
    if (ends_line && lines == *options_.tail_lines) return true;
    if (ends_line || lines == 0) ++lines;  // the log may end amid a line
    below = start;
    return false;
  };
  std::vector<char> block(kBlock);
  while (position > 0) {
    const off_t size = std::min(position, kBlock);
    position -= size;
    if (pread(fd_, block.data(), static_cast<size_t>(size), position) != size) break;
    for (off_t i = size; i-- > 0;) {
      if (block[static_cast<size_t>(i)] != '\n' || !enough(position + i + 1)) continue;
      lseek(fd_, below, SEEK_SET);
      return;
    }
  }
  lseek(fd_, enough(0) ? below : 0, SEEK_SET);
}

bool LogReader::rotated() const {
  struct stat here {}, there {};
  if (stat(path_.c_str(), &there) != 0) return false;
  return fd_ < 0 || fstat(fd_, &here) != 0 || here.st_ino != there.st_ino;
}

Result<std::string> LogReader::read(size_t bytes_max) {
  std::string out;
  char buffer[32768];
  while (out.size() < bytes_max && !finished()) {
    // Asked first: what was written before the rotation is read before we leave the old file.
    const bool left_behind = rotated();
    const ssize_t n = fd_ < 0 ? 0 : ::read(fd_, buffer, sizeof buffer);
    if (n < 0) return error_from_errno(errno, cat("read log ", path_));
    if (n == 0) {
      const int fd = left_behind ? ::open(path_.c_str(), O_RDONLY | O_CLOEXEC) : -1;
      if (fd < 0) return out;
      if (fd_ >= 0) close(fd_);
      fd_ = fd;
      continue;
    }
    partial_.append(buffer, static_cast<size_t>(n));
    size_t begin = 0;
    for (size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos && !finished(); begin = end + 1) {
      const auto entry = parse_log_line(std::string_view(partial_).substr(begin, end - begin));
      if (!entry || (options_.since && entry->time < *options_.since)) continue;
      std::string line;
      if (options_.timestamps && line_begins_) line = cat(format_nano_time(entry->time), " ");
      line += entry->text;
      if (entry->whole) line += '\n';
      line_begins_ = entry->whole;
      if (limited_) {
        line.resize(std::min(line.size(), static_cast<size_t>(left_)));
        left_ -= static_cast<int64_t>(line.size());
      }
      out += line;
    }
    partial_.erase(0, begin);
  }
  return out;
}

}  // namespace minik::runtime
