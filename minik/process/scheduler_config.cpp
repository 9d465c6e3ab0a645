#include "minik/process/scheduler_config.h"

#include <unistd.h>

#include "control/base/text.h"
#include "control/object/yaml.h"
#include "runtime/container/files.h"

namespace minik {

Result<control::SchedulerConfiguration> read_scheduler_config(const std::string& path) {
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path));
  MINIK_ASSIGN(const auto documents, control::parse_yaml(text, path));
  if (documents.size() != 1) {
    return Error(ErrorCode::kBadRequest,
                 cat(path, ": expected one document, found ", documents.size()));
  }
  auto configuration = control::configuration_from(documents[0].value);
  if (!configuration) {
    return Error(ErrorCode::kBadRequest, cat(path, ": ", configuration.error().message));
  }
  return configuration;
}

Status keep_scheduler_config(const Profile& profile, const std::string& path) {
  MINIK_TRY(read_scheduler_config(path));
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path));
  MINIK_TRY(runtime::make_directories(profile.directory, 0700));
  return runtime::write_file_atomically(profile.scheduler_config(), text);
}

Result<control::SchedulerConfiguration> kept_scheduler_config(const Profile& profile) {
  if (access(profile.scheduler_config().c_str(), F_OK) != 0)
    return control::SchedulerConfiguration();
  return read_scheduler_config(profile.scheduler_config());
}

}  // namespace minik
