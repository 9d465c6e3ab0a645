// Log lines of the control plane: a level, the component that speaks, and one sentence. Where they go
// (a file, the simulator's timeline, nowhere) is the process' choice through a sink; control/ never
// opens a file. The sink belongs to the process and must be thread-safe; it is set once at start.
#pragma once

#include <functional>
#include <string_view>

namespace minik {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogSink = std::function<void(LogLevel, std::string_view component, std::string_view message)>;

void set_log_sink(LogSink sink, LogLevel least);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view component, std::string_view message);

// The message is built only when somebody listens: MINIK_LOG(kInfo, "scheduler", cat("bound ", pod)).
#define MINIK_LOG(level, component, message)                                      \
  do {                                                                            \
    if (::minik::log_enabled(::minik::LogLevel::level)) {                         \
      ::minik::log_line(::minik::LogLevel::level, component, message);            \
    }                                                                             \
  } while (false)

}  // namespace minik
