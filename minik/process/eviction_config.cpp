#include "minik/process/eviction_config.h"

#include <unistd.h>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik {

Status keep_eviction_thresholds(const Profile& profile, std::string_view text) {
  if (!trim(text).empty()) {
    const auto parsed = control::parse_eviction_thresholds(text);
    if (!parsed) return Error(parsed.error().code, cat("--eviction-hard: ", parsed.error().message));
  }
  MINIK_TRY(runtime::make_directories(profile.directory, 0700));
  return runtime::write_file_atomically(profile.eviction_hard(), text);
}

Result<control::EvictionThresholds> kept_eviction_thresholds(const Profile& profile) {
  if (access(profile.eviction_hard().c_str(), F_OK) != 0) return control::EvictionThresholds();
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(profile.eviction_hard()));
  if (trim(text).empty()) return control::EvictionThresholds();
  auto thresholds = control::parse_eviction_thresholds(text);
  if (!thresholds) return Error(thresholds.error().code, cat(profile.eviction_hard(), ": ", thresholds.error().message));
  return thresholds;
}

}  // namespace minik
