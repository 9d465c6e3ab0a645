// Small files that must appear whole and be read by their owner alone: keys, certificates,
// kubeconfigs.
//
// write_private_file() writes aside in the same folder, syncs as asked, and renames: a reader, or a
// crash, sees the old content or the new one. Blocking; any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik {

enum class Durability {
  kRename,  // whole, but after a power cut possibly the old content: for what can be made again
  kSync,
};

struct FileOwner {
  mode_t mode = 0600;
  // Kept where the file had another owner and we may give it away (root writing a user's
  // kubeconfig).
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
};

Status write_private_file(const std::string& path, std::string_view text, Durability durability,
                          FileOwner owner = {});

// kNotFound when there is none; refuses more than `bytes_max`.
Result<std::string> read_small_file(const std::string& path, size_t bytes_max = 16 * 1024 * 1024);

// Makes the folder and its parents; the last one with this mode if it is new.
Status make_folder(const std::string& path, mode_t mode);

}  // namespace minik
