// LayerWriter: writes the entries of one layer under one folder, and nowhere else.
//
// Every path is resolved with openat2(RESOLVE_IN_ROOT): links inside the tree count as if the
// folder were /, and neither `..` nor a link leads out. A path that names `..` is refused outright,
// since no honest layer has one. Entries arrive in the archive's order; later ones replace earlier
// ones. Modes and times of folders are set last, by finish(), so that read-only folders can be
// filled.
//
// One thread. Failing names the entry: `usr/bin/x: No space left on device`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/disk.h"

namespace minik::runtime {

// What this process may write into a folder; found by trying.
struct LayerPrivileges {
  bool owners = false;       // chown to any id
  bool devices = false;      // mknod
  std::string xattr_prefix;  // "trusted.overlay." or "user.overlay."
};
Result<LayerPrivileges> probe_layer_privileges(const std::string& scratch_directory);

struct LayerEntry {
  enum class Type : uint8_t { kFile, kDirectory, kSymlink, kHardLink, kCharacter, kBlock, kFifo };
  Type type = Type::kFile;
  std::string path;
  std::string link;  // of symlinks as written; of hard links a path in the layer
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t device = 0;
  int64_t size = 0;
  timespec modified{};
  std::vector<std::pair<std::string, std::string>> xattrs;
};

class LayerWriter {
 public:
  // lowers: folders of the layers below, topmost first; read for the metadata of implied folders.
  static Result<LayerWriter> open(const std::string& folder, const LayerPrivileges& privileges,
                                  std::vector<std::string> lowers);

  // fill writes a file's content into the descriptor; called for kFile only.
  using Fill = std::function<Status(int fd)>;
  Status add(const LayerEntry& entry, const Fill& fill);
  Status finish();

 private:
  struct Place {
    int parent;        // of the entry, open in parents_
    std::string name;  // last component
    std::string path;  // cleaned
  };
  struct DirectoryMetadata {
    mode_t mode;
    timespec modified;
  };

  LayerWriter(UniqueFd root, const LayerPrivileges& privileges, std::vector<UniqueFd> lowers);

  Result<Place> place(std::string_view path);
  Result<UniqueFd> open_parent(const std::vector<std::string_view>& components);
  Status make_implied(int parent, const std::string& name, const std::string& path);
  Status clear(const Place& place);
  Status whiteout(const Place& place);
  Status add_root(const LayerEntry& entry);
  Status add_directory(const LayerEntry& entry, const Place& place);
  Status add_file(const LayerEntry& entry, const Place& place, const Fill& fill);
  Status add_hard_link(const LayerEntry& entry, const Place& place);
  Status add_node(const LayerEntry& entry, const Place& place);
  Status set_opaque(int directory_fd);
  Status set_owner(const Place& place, const LayerEntry& entry);
  Status set_xattrs(const Place& place, const LayerEntry& entry);

  UniqueFd root_;
  LayerPrivileges privileges_;
  std::vector<UniqueFd> lowers_;
  // The parent of the last entry: archives list a folder's children together.
  std::string parent_path_;
  UniqueFd parent_fd_;
  std::map<std::string, DirectoryMetadata> directories_;
};

}  // namespace minik::runtime
