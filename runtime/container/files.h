// Small blocking file helpers of the container engine: whole files in and out, directories, removal of
// trees. Errors name the path.
#pragma once

#include <cstdint>
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
// What a tree takes of its file system, a file with several names once; not what is mounted below, nor paths of more than
// 4 KiB. Whoever runs in there goes on writing: what vanishes meanwhile is not counted.
int64_t bytes_on_disk(const std::string& path);

}  // namespace minik::runtime
