#include "control/base/log.h"

#include <utility>

namespace minik {

namespace {
LogSink& sink() {
  static LogSink the_sink;
  return the_sink;
}
LogLevel least_level = LogLevel::kInfo;
}  // namespace

void set_log_sink(LogSink new_sink, LogLevel least) {
  sink() = std::move(new_sink);
  least_level = least;
}

bool log_enabled(LogLevel level) { return level >= least_level && sink(); }

void log_line(LogLevel level, std::string_view component, std::string_view message) {
  if (sink()) sink()(level, component, message);
}

}  // namespace minik
