// Results of a sweep that another machine has written: what is read must be written the same.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "sim/results.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::sim;
  const auto result = read_result({reinterpret_cast<const char*>(data), size});
  if (!result) return 0;
  const std::string line = write_result(*result);
  const auto again = read_result(line);
  CHECK(again.ok() && write_result(*again) == line);
  (void)junit_of_sweep("s", "f", {*result});
  (void)failures_of({*result, *again});
  return 0;
}
