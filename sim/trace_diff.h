// Where two traces part: the first line in which they differ, what stood before it, and which fields of the
// objects written there are not the same.
//
// Pure: given lines, up to the first difference. What cannot be read as a trace is still compared as text.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "sim/trace_file.h"

namespace minik::sim {

struct TraceDivergence {
  uint64_t line = 0;                         // from 1 on, the header included; of deeds, among those
  std::vector<std::string> before;           // the last equal lines
  std::optional<std::string> first, second;  // nothing: that trace has ended
  // Of the object that both lines write, from the first trace's version to the second's; empty when they
  // are about different objects or no writes.
  control::Value changes;
};

// What of two runs is held against each other: every line, or of lines that are deeds what was done and found, whenever.
enum class Compared : uint8_t { kLines, kDeeds };
// An action, a fault or a finding: not a write or a watch event.
bool is_deed(std::string_view line);

// For whoever has the lines one by one, such as a run that is made again.
class TraceComparison {
 public:
  explicit TraceComparison(size_t context = 5, Compared compared = Compared::kLines) : context_(context), compared_(compared) {}
  // The next line of each, or nothing where that trace has ended. False: here they part.
  bool add(const std::optional<std::string>& first, const std::optional<std::string>& second);
  uint64_t equal_lines() const { return lines_; }
  const std::optional<TraceDivergence>& divergence() const { return divergence_; }

 private:
  bool same(const std::optional<std::string>& first, const std::optional<std::string>& second) const;

  size_t context_;
  Compared compared_;
  uint64_t lines_ = 0;
  std::deque<std::string> before_;
  TraceState state_;
  std::optional<TraceDivergence> divergence_;
};

// The next line, or nothing at the end.
using LineSource = std::function<std::optional<std::string>()>;
// Nothing when they are the same from header to end.
std::optional<TraceDivergence> first_divergence(const LineSource& first, const LineSource& second, size_t context = 5,
                                                Compared compared = Compared::kLines);

// As `minik sim diff` and `replay` print it. Long lines are cut.
std::string describe(const TraceDivergence& divergence, Compared compared = Compared::kLines);
// The same for scripts: line, before, first and second as text, and the changes as a JSON patch.
control::Value as_document(const TraceDivergence& divergence);
// Operations of a JSON patch, one to a line: "/status/phase: "Running"".
std::string describe_changes(const control::Value& patch);

}  // namespace minik::sim
