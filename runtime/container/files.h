// Small blocking file helpers of the container engine: whole files in and out, directories, removal of
// trees. Errors name the path.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik::runtime {

Result<std::string> read_whole_file(const std::string& path);
// For kernel files: one write, no creation.
Status write_kernel_file(const std::string& path, std::string_view text);
// Written aside and renamed: readers see the old file or the new one.
Status write_file_atomically(const std::string& path, std::string_view text, int mode = 0600);
Status make_directories(const std::string& path, int mode = 0755);
// Also unmounts what is mounted below; missing is fine.
Status remove_mounted_tree(const std::string& path);

}  // namespace minik::runtime
