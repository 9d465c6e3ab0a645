#include "tests/image/image_fixture.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "control/base/text.h"

namespace minik::runtime {
namespace {

std::string blob_path_of(const std::string& bytes) {
  return cat("blobs/sha256/", Digest::of(bytes).hex());
}

Descriptor descriptor_of(const std::string& bytes, std::string_view type) {
  Descriptor descriptor;
  descriptor.media_type = type;
  descriptor.digest = Digest::of(bytes);
  descriptor.size = static_cast<int64_t>(bytes.size());
  return descriptor;
}

MadeImage finish(MadeImage image, ImageConfig config, std::string_view layer_type) {
  config.platform = host_platform();
  config.diff_ids = image.diff_ids;
  image.config = write_image_config(config);
  Manifest manifest;
  manifest.config = descriptor_of(image.config, media_type::kConfig);
  for (const std::string& layer : image.layers) {
    manifest.layers.push_back(descriptor_of(layer, layer_type));
  }
  image.manifest = write_manifest(manifest);
  return image;
}

std::string index_of(const MadeImage& image, const std::string& name) {
  Index index;
  index.manifests = {descriptor_of(image.manifest, media_type::kManifest)};
  index.manifests[0].annotations["org.opencontainers.image.ref.name"] = name;
  return write_index(index);
}

}  // namespace

TempFolder::TempFolder() : TempFolder(std::filesystem::temp_directory_path()) {}

TempFolder::TempFolder(const std::string& parent) {
  std::string pattern = cat(parent, "/minik-image-XXXXXX");
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  EXPECT_TRUE(remove_tree(path_).ok());
}

LayerEntry file(const std::string& path, mode_t mode) {
  LayerEntry entry;
  entry.path = path;
  entry.mode = mode;
  entry.uid = ::getuid();
  entry.gid = ::getgid();
  entry.modified = {1'000'000'000, 0};
  return entry;
}

LayerEntry folder(const std::string& path, mode_t mode) {
  LayerEntry entry = file(path, mode);
  entry.type = LayerEntry::Type::kDirectory;
  return entry;
}

LayerEntry symlink_to(const std::string& path, const std::string& target) {
  LayerEntry entry = file(path, 0777);
  entry.type = LayerEntry::Type::kSymlink;
  entry.link = target;
  return entry;
}

LayerEntry hard_link_to(const std::string& path, const std::string& target) {
  LayerEntry entry = file(path);
  entry.type = LayerEntry::Type::kHardLink;
  entry.link = target;
  return entry;
}

std::string tar_of(const TarContent& content) {
  std::string bytes;
  auto writer = ArchiveWriter::open([&](std::string_view more) -> Status {
    bytes += more;
    return {};
  });
  EXPECT_TRUE(writer.ok());
  for (const auto& [entry, text] : content) {
    const auto added = writer->add(entry, text);
    EXPECT_TRUE(added.ok()) << added.error().message;
  }
  EXPECT_TRUE(writer->finish().ok());
  return bytes;
}

std::string compressed(const std::string& bytes, Compression how) {
  std::string out(bytes.size() + (64U << 10), '\0');
  size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  how == Compression::kGzip ? archive_write_add_filter_gzip(writer)
                            : archive_write_add_filter_zstd(writer);
  archive_write_set_bytes_per_block(writer, 0);
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, bytes.data(), bytes.size()),
            static_cast<la_ssize_t>(bytes.size()));
  archive_write_close(writer);
  archive_write_free(writer);
  archive_entry_free(entry);
  out.resize(used);
  return out;
}

MadeImage image_of(const std::vector<TarContent>& layers, const ImageConfig& base) {
  MadeImage image;
  for (const TarContent& layer : layers) {
    image.layers.push_back(tar_of(layer));
    image.diff_ids.push_back(Digest::of(image.layers.back()));
  }
  return finish(std::move(image), base, media_type::kLayer);
}

MadeImage image_of(const std::vector<TarContent>& layers, Compression how) {
  MadeImage image;
  for (const TarContent& layer : layers) {
    const std::string tar = tar_of(layer);
    image.layers.push_back(compressed(tar, how));
    image.diff_ids.push_back(Digest::of(tar));
  }
  return finish(std::move(image), {},
                how == Compression::kGzip ? media_type::kLayerGzip : media_type::kLayerZstd);
}

std::string docker_archive(const MadeImage& image, const std::vector<std::string>& names) {
  TarContent content;
  ArchiveImage entry;
  entry.repo_tags = names;
  entry.config = cat(Digest::of(image.config).hex(), ".json");
  content.emplace_back(file(entry.config), image.config);
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const std::string at = cat("layer", i, "/");
    content.emplace_back(folder(at), "");
    content.emplace_back(file(at + "VERSION"), "1.0");
    content.emplace_back(file(at + "layer.tar"), image.layers[i]);
    entry.layers.push_back(at + "layer.tar");
  }
  content.emplace_back(file("manifest.json"), write_archive_manifest({entry}));
  return tar_of(content);
}

std::string oci_archive(const MadeImage& image, const std::string& name) {
  TarContent content;
  content.emplace_back(file("oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  content.emplace_back(file("index.json"), index_of(image, name));
  content.emplace_back(file(blob_path_of(image.manifest)), image.manifest);
  content.emplace_back(file(blob_path_of(image.config)), image.config);
  for (const std::string& layer : image.layers) {
    content.emplace_back(file(blob_path_of(layer)), layer);
  }
  return tar_of(content);
}

void write_layout(const std::string& folder_path, const MadeImage& image, const std::string& name) {
  std::filesystem::create_directories(folder_path + "/blobs/sha256");
  spill(folder_path + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  spill(folder_path + "/index.json", index_of(image, name));
  spill(cat(folder_path, "/", blob_path_of(image.manifest)), image.manifest);
  spill(cat(folder_path, "/", blob_path_of(image.config)), image.config);
  for (const std::string& layer : image.layers) {
    spill(cat(folder_path, "/", blob_path_of(layer)), layer);
  }
}

ByteSource source_of(std::string bytes) {
  return [bytes = std::move(bytes), at = size_t{0}](char* buffer,
                                                    size_t capacity) mutable -> Result<size_t> {
    const size_t count = std::min(capacity, bytes.size() - at);
    std::copy_n(bytes.data() + at, count, buffer);
    at += count;
    return count;
  };
}

std::string quick_folder() {
  const bool memory = ::access("/dev/shm", W_OK) == 0;
  return memory ? "/dev/shm" : std::filesystem::temp_directory_path().string();
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
}

std::vector<std::string> paths_under(const std::string& root) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    paths.push_back(std::filesystem::relative(entry.path(), root));
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::string text;
  std::array<char, 4096> buffer{};
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), got);
  }
  return ::pclose(pipe) == 0 ? text : "";
}

bool have(const std::string& program) {
  return !output_of(cat("command -v ", program, " 2>/dev/null")).empty();
}

bool is_root() {
  return ::geteuid() == 0;
}

}  // namespace minik::runtime
