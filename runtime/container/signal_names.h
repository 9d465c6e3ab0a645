// Signals as images and pods name them (STOPSIGNAL, lifecycle.stopSignal): "SIGTERM", "TERM", "15", "SIGRTMIN+3".
#pragma once

#include <optional>
#include <string_view>

namespace minik::runtime {

// Whatever the case; nothing when there is no such signal.
std::optional<int> parse_signal(std::string_view name);

}  // namespace minik::runtime
