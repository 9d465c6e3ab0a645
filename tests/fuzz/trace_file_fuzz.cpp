// A trace from elsewhere: its lines are read, applied and compared, and nothing worse than an error happens.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/base/text.h"
#include "sim/trace_diff.h"
#include "sim/trace_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik;
  const auto lines = split({reinterpret_cast<const char*>(data), size}, '\n');
  if (const auto header = sim::read_trace_header(lines[0])) {
    const auto again = sim::read_trace_header(sim::write_trace_header(*header));
    CHECK(again.ok() && again->text == header->text && again->seed == header->seed);
  }
  sim::TraceState state;
  sim::TraceComparison comparison;
  for (const auto line : lines) {
    const auto entry = sim::read_trace_entry(line);
    if (entry) (void)state.apply(*entry);
    comparison.add(std::string(line), std::string(line));
  }
  comparison.add(std::string(lines.back()), std::nullopt);
  CHECK(comparison.divergence().has_value());
  (void)sim::describe(*comparison.divergence());
  return 0;
}
