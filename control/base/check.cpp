#include "control/base/check.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace minik {

namespace {
thread_local CheckContext check_context;
}  // namespace

CheckContext set_check_context(CheckContext context) {
  return std::exchange(check_context, std::move(context));
}

CheckFailure::CheckFailure(const char* file, int line, const char* expression) {
  message_ << file << ':' << line << ": CHECK(" << expression << ") failed ";
}

CheckFailure::~CheckFailure() {
  // Emptied first: a check that fails inside the context must not come back here.
  if (const auto context = std::exchange(check_context, nullptr)) message_ << '\n' << context();
  message_ << '\n';
  std::fputs(message_.str().c_str(), stderr);
  std::abort();
}

}  // namespace minik
