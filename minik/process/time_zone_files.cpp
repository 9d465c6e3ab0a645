#include "minik/process/time_zone_files.h"

#include <filesystem>
#include <fstream>

#include "control/base/text.h"

namespace minik {

namespace {

constexpr const char* kDatabase = "/usr/share/zoneinfo";
constexpr size_t kFileMax = 1 << 20;  // the largest zone has about 4 KiB

}  // namespace

Result<std::string> read_time_zone_file(std::string_view name) {
  const std::filesystem::path path = std::filesystem::path(kDatabase) / name;
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(kFileMax, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<size_t>(file.gcount()));
    if (file.eof()) return bytes;
  }
  const bool absent = !std::filesystem::exists(kDatabase, error);
  return Error(ErrorCode::kNotFound,
               cat("unknown time zone ", name,
                   absent ? ": this machine has no time zone database, install tzdata" : ""));
}

}  // namespace minik
