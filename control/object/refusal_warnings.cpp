#include "control/object/refusal_warnings.h"

#include <string_view>
#include <utility>

namespace minik::control {

namespace {

constexpr std::string_view kWarning = "Warning";

}  // namespace

Error with_warnings(Error error, const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) error.causes.push_back({std::string(kWarning), warning, ""});
  return error;
}

std::vector<std::string> take_warnings(Error& error) {
  std::vector<std::string> warnings;
  std::erase_if(error.causes, [&warnings](ErrorCause& cause) {
    if (cause.reason != kWarning) return false;
    warnings.push_back(std::move(cause.message));
    return true;
  });
  return warnings;
}

}  // namespace minik::control
