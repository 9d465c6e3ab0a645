// LogReader: a container's log file, as LogWriter wrote it, given back as its output.
//
// Reads forward from a place that the options choose (tail, since), joins the parts of long lines, and
// can be asked again for what has come since: that is following. A rotated file is followed into its
// successor. Lines that are not in the CRI format are skipped. Blocking; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::runtime {

struct LogLine {
  WallTime time;
  bool is_stderr = false;
  bool whole = true;  // false: the line goes on in the next entry
  std::string_view text;
};
// One entry without its newline; nothing for what is none.
std::optional<LogLine> parse_log_line(std::string_view line);

struct LogReadOptions {
  std::optional<int64_t> tail_lines;
  std::optional<WallTime> since;
  bool timestamps = false;
  std::optional<int64_t> limit_bytes;
};

class LogReader {
 public:
  static Result<LogReader> open(std::string path, LogReadOptions options);
  LogReader(LogReader&&) noexcept;
  LogReader& operator=(LogReader&&) noexcept;
  ~LogReader();

  // What there is to read now, at most about `bytes_max`; empty when there is nothing new.
  Result<std::string> read(size_t bytes_max);
  // limit_bytes has been reached: nothing more will come.
  bool finished() const { return limited_ && left_ <= 0; }

 private:
  LogReader(std::string path, LogReadOptions options, int fd);
  void skip_to_tail();
  bool rotated() const;

  std::string path_;
  LogReadOptions options_;
  int fd_ = -1;
  std::string partial_;
  bool line_begins_ = true;
  bool limited_ = false;
  int64_t left_ = 0;
};

}  // namespace minik::runtime
