// What the tests of images share: a folder that goes away, layers and archives made in memory.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/image/archive_writer.h"
#include "runtime/image/content_store.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_store.h"

namespace minik::runtime {

class TempFolder {
 public:
  TempFolder();
  explicit TempFolder(const std::string& parent);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using TarContent = std::vector<std::pair<LayerEntry, std::string>>;

LayerEntry file(const std::string& path, mode_t mode = 0644);
LayerEntry folder(const std::string& path, mode_t mode = 0755);
LayerEntry symlink_to(const std::string& path, const std::string& target);
LayerEntry hard_link_to(const std::string& path, const std::string& target);

std::string tar_of(const TarContent& content);
enum class Compression { kGzip, kZstd };
std::string compressed(const std::string& bytes, Compression how);

// An image of uncompressed or compressed layers, as files of an archive.
struct MadeImage {
  std::vector<std::string> layers;  // as stored
  std::vector<Digest> diff_ids;
  std::string config;
  std::string manifest;
};
MadeImage image_of(const std::vector<TarContent>& layers, const ImageConfig& base = {});
MadeImage image_of(const std::vector<TarContent>& layers, Compression how);

// An archive in the old form of `docker save`, and in the form of an OCI layout.
std::string docker_archive(const MadeImage& image, const std::vector<std::string>& names);
std::string oci_archive(const MadeImage& image, const std::string& name);
// Blobs and index.json under a folder.
void write_layout(const std::string& folder, const MadeImage& image, const std::string& name);

ByteSource source_of(std::string bytes);
// In memory where the machine has such a place: for tests of many syncs.
std::string quick_folder();
std::string slurp(const std::string& path);
void spill(const std::string& path, const std::string& bytes);
// Every path below the folder, sorted.
std::vector<std::string> paths_under(const std::string& folder);
// Standard output of a command; empty when it failed.
std::string output_of(const std::string& command);
bool have(const std::string& program);
bool is_root();

#define ASSERT_OK(result)                                 \
  do {                                                    \
    const auto& checked = (result);                       \
    ASSERT_TRUE(checked.ok()) << checked.error().message; \
  } while (false)

}  // namespace minik::runtime
