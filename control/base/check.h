// CHECK: what cannot happen, on in every build. A failed check prints the expression, the values
// streamed into it and the context of the run (virtual time, seed, the command that reproduces it),
// then aborts: the next start recovers from disk, which is the one error path that is always tested.
//
// Never for input. What a user, a peer or a disk can cause is a Result.
#pragma once

#include <functional>
#include <sstream>
#include <string>

namespace minik {

// Adds lines to the message of a failed CHECK; the simulator says the seed and the virtual time. One
// per thread; the previous one is returned so that nested runs can restore it.
using CheckContext = std::function<std::string()>;
CheckContext set_check_context(CheckContext context);

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* expression);
  [[noreturn]] ~CheckFailure();
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;

  template <typename T>
  CheckFailure& operator<<(const T& value) {
    message_ << value;
    return *this;
  }

 private:
  std::ostringstream message_;
};

}  // namespace minik

#define CHECK(condition) \
  if (condition) [[likely]] { \
  } else \
    ::minik::CheckFailure(__FILE__, __LINE__, #condition)
