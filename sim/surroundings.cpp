#include "sim/surroundings.h"

#include "control/base/text.h"

namespace minik::sim {

Status Surroundings::admit_pull(std::string_view reference, Instant now) {
  if (now - minute >= minutes(1)) {
    minute = now;
    pulls_of_minute = 0;
  }
  for (const auto& trouble : registry) {
    if (!matches_pattern(trouble.match, reference)) continue;
    if (trouble.pulls_per_minute == 0) {
      return Error(ErrorCode::kServiceUnavailable, cat("failed to pull and unpack image ", quoted(reference),
                                                       ": failed to do request: dial tcp: i/o timeout"));
    }
    if (pulls_of_minute >= trouble.pulls_per_minute) {
      return Error(ErrorCode::kTooManyRequests, cat("failed to pull and unpack image ", quoted(reference),
                                                    ": 429 Too Many Requests: toomanyrequests: pull rate limit"));
    }
  }
  ++pulls_of_minute;
  return {};
}

}  // namespace minik::sim
