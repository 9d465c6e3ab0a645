// LogWriter: a container's output in the CRI log format, one line each:
//   2026-11-23T15:02:00.000000000Z stdout F text
// P marks a part of a line longer than 16 KiB or still without its end. The file is rotated by size:
// the last ones are kept as .1, .2…. Used by the shim alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace minik::runtime {

class LogWriter {
 public:
  static constexpr int64_t kBytesMax = 10 << 20;
  static constexpr int kFilesMax = 5;

  explicit LogWriter(std::string path);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void write(bool is_stderr, std::string_view bytes);
  // What waits for the rest of its line is written as it is.
  void flush();

 private:
  void write_line(bool is_stderr, std::string_view text, bool whole);
  void open();
  void rotate();

  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
  std::string pending_[2];
};

}  // namespace minik::runtime
