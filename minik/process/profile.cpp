#include "minik/process/profile.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik {

namespace {

Result<std::string> home() {
  if (const char* own = std::getenv("MINIK_HOME"); own && *own) return std::string(own);
  if (const char* user = std::getenv("HOME"); user && *user) return cat(user, "/.minik");
  return Error(ErrorCode::kBadRequest,
               "neither MINIK_HOME nor HOME is set: say where minik may keep its files, as "
               "MINIK_HOME=/path");
}

bool valid_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

}  // namespace

bool Profile::exists() const {
  return access(directory.c_str(), F_OK) == 0;
}

Result<Profile> Profile::open(const std::string& name) {
  if (!valid_name(name)) {
    return Error(ErrorCode::kBadRequest,
                 cat("profile name ", minik::quoted(name),
                     " must be lower-case letters, digits and '-', at most 32"));
  }
  Profile profile;
  profile.name = name;
  MINIK_ASSIGN(const auto base, home());
  profile.directory = cat(base, "/", name);
  // Who may not look into it would take a cluster that runs for one that does not, or is not there.
  if (access(profile.pid_file().c_str(), R_OK) != 0 && errno == EACCES) {
    return Error(ErrorCode::kForbidden, cat("may not read ", profile.run(), ": run minik as the user who started cluster ", name));
  }
  const auto text = runtime::read_whole_file(profile.directory + "/config");
  if (!text) return profile;
  for (const auto line : split(*text, '\n')) {
    const auto parts = split(line, '=');
    const auto number = parts.size() == 2 ? parse_uint64(parts[1]) : std::nullopt;
    if (!number || *number > UINT16_MAX) continue;
    if (parts[0] == "api_port") profile.api_port = static_cast<uint16_t>(*number);
    if (parts[0] == "ingress_port") profile.ingress_port = static_cast<uint16_t>(*number);
    if (parts[0] == "ingress_tls_port") profile.ingress_tls_port = static_cast<uint16_t>(*number);
  }
  return profile;
}

Status Profile::save() const {
  MINIK_TRY(runtime::make_directories(run(), 0700));
  const std::string path = directory + "/config";
  const std::string text = cat("api_port=", api_port, "\ningress_port=", ingress_port, "\ningress_tls_port=", ingress_tls_port, "\n");
  const auto before = runtime::read_whole_file(path);
  if (before && *before == text) return {};
  return runtime::write_file_atomically(path, text);
}

int daemon_pid(const Profile& profile) {
  const int fd = open(profile.pid_file().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  // The daemon holds the lock as long as it lives, so a stale number never counts.
  const bool running = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  if (!running) return 0;
  const auto text = runtime::read_whole_file(profile.pid_file());
  return text ? static_cast<int>(parse_int64(trim(*text)).value_or(0)) : 0;
}

}  // namespace minik
