#include "runtime/image/image_load.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>
#include <set>

#include "control/base/log.h"
#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

constexpr std::string_view kBlobFolder = "blobs/sha256/";
constexpr const char* kContainerdName = "io.containerd.image.name";
constexpr const char* kRefName = "org.opencontainers.image.ref.name";

// What an archive or a folder brought: documents by path, everything else as blobs.
struct Contents {
  std::map<std::string, std::string> documents;
  std::map<std::string, BlobInfo> files;
  std::map<std::string, std::string> links;
};

// An image found in it, with the names that it asks for.
struct Found {
  Descriptor target;
  std::vector<std::string> names;
};

Result<std::string> clean_path(std::string_view path) {
  std::vector<std::string> kept;
  for (const std::string_view part : split(path, '/')) {
    if (part == "..") {
      return Error(ErrorCode::kInvalid, cat("entry ", quoted(path.substr(0, 300)),
                                            " leads out of the archive; it was made to overwrite "
                                            "files, do not use it"));
    }
    if (!part.empty() && part != ".") kept.emplace_back(part);
  }
  return join(kept, "/");
}

// Links between entries are relative to the entry that holds them, and may climb inside the
// archive.
std::optional<std::string> link_target(const std::string& from, std::string_view link) {
  std::vector<std::string_view> parts = split(from, '/');
  parts.pop_back();
  if (link.starts_with('/')) return std::nullopt;
  for (const std::string_view part : split(link, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  std::vector<std::string> owned(parts.begin(), parts.end());
  return join(owned, "/");
}

bool is_document(const std::string& path) {
  return path == "manifest.json" || path == "index.json" || path == "oci-layout";
}

std::string_view layer_media_type(std::string_view start) {
  if (start.starts_with("\x1f\x8b")) return media_type::kLayerGzip;
  if (start.starts_with("\x28\xb5\x2f\xfd")) return media_type::kLayerZstd;
  return media_type::kLayer;
}

class Loader {
 public:
  Loader(ImageStore& store, const LoadOptions& options) : store_(store), options_(options) {}

  Result<std::vector<ImageInfo>> archive(ByteSource source) {
    MINIK_ASSIGN(const ContentLease lease, store_.content().lease());
    MINIK_TRY(read_archive(std::move(source)));
    return adopt_all(lease);
  }

  Result<std::vector<ImageInfo>> folder(const std::string& path) {
    MINIK_ASSIGN(const ContentLease lease, store_.content().lease());
    for (const char* name : {"index.json", "manifest.json", "oci-layout"}) {
      auto text = read_file(cat(path, "/", name), kDocumentBytesMax);
      if (text) contents_.documents[name] = *std::move(text);
    }
    if (!contents_.documents.contains("index.json")) {
      return Error(ErrorCode::kInvalid, "no index.json: the folder is not an OCI image layout");
    }
    MINIK_ASSIGN(const Index index, parse_document_index());
    for (const Descriptor& entry : index.manifests) {
      MINIK_TRY(copy_tree(path, entry, Presence::kRequired, 0));
    }
    return adopt_all(lease);
  }

 private:
  enum class Presence : uint8_t { kRequired, kOptional };

  Status read_archive(ByteSource source) {
    MINIK_ASSIGN(ArchiveReader reader, ArchiveReader::open(std::move(source)));
    LayerEntry entry;
    while (true) {
      MINIK_ASSIGN(const bool more, reader.next(entry));
      if (!more) break;
      MINIK_ASSIGN(const std::string path, clean_path(entry.path));
      if (entry.type == LayerEntry::Type::kSymlink || entry.type == LayerEntry::Type::kHardLink) {
        const auto target = entry.type == LayerEntry::Type::kSymlink ? link_target(path, entry.link)
                                                                     : link_target("", entry.link);
        if (!target) {
          return Error(ErrorCode::kInvalid,
                       cat("entry ", quoted(path), " links out of the archive"));
        }
        contents_.links[path] = *target;
      }
      if (entry.type != LayerEntry::Type::kFile) continue;
      if (auto read = read_entry(reader, path); !read) {
        return std::move(read).error().in(cat("entry ", quoted(path)));
      }
    }
    return {};
  }

  Status read_entry(ArchiveReader& reader, const std::string& path) {
    if (is_document(path)) {
      std::string& text = contents_.documents[path];
      text.clear();
      return reader.read([&](std::string_view bytes) -> Status {
        if (text.size() + bytes.size() > kDocumentBytesMax) {
          return Error(ErrorCode::kRequestEntityTooLarge, "the document is too large");
        }
        text += bytes;
        return {};
      });
    }
    MINIK_ASSIGN(BlobWriter blob, store_.content().writer());
    MINIK_TRY(reader.read([&](std::string_view bytes) { return blob.write(bytes); }));
    std::optional<Digest> expected;
    if (path.starts_with(kBlobFolder)) {
      MINIK_ASSIGN(expected, Digest::from_hex(path.substr(kBlobFolder.size())));
    }
    MINIK_ASSIGN(contents_.files[path], blob.commit(expected));
    return {};
  }

  // One blob of a folder, and what it names. An index may name platforms that were left out.
  Status copy_tree(const std::string& folder, const Descriptor& from, Presence presence,
                   int depth) {
    const std::string path = cat(folder, "/", kBlobFolder, from.digest.hex());
    if (presence == Presence::kOptional && ::access(path.c_str(), F_OK) != 0) return {};
    MINIK_TRY(copy_blob(path, from.digest));
    MINIK_ASSIGN(const std::string document, store_.content().read(from.digest, kDocumentBytesMax));
    MINIK_ASSIGN(const bool indexed, is_index(document));
    if (!indexed) {
      MINIK_ASSIGN(const Manifest manifest, parse_manifest(document));
      MINIK_TRY(copy_blob(cat(folder, "/", kBlobFolder, manifest.config.digest.hex()),
                          manifest.config.digest));
      for (const Descriptor& layer : manifest.layers) {
        MINIK_TRY(copy_blob(cat(folder, "/", kBlobFolder, layer.digest.hex()), layer.digest));
      }
      return {};
    }
    if (depth >= kIndexDepthMax) return Error(ErrorCode::kInvalid, "indexes nest too deep");
    MINIK_ASSIGN(const Index index, parse_index(document));
    for (const Descriptor& entry : index.manifests) {
      MINIK_TRY(copy_tree(folder, entry, Presence::kOptional, depth + 1));
    }
    return {};
  }

  Status copy_blob(const std::string& path, const Digest& digest) {
    if (store_.content().has(digest)) return {};
    MINIK_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY));
    MINIK_ASSIGN(BlobWriter blob, store_.content().writer());
    const ByteSource source = source_from_fd(fd.get(), path);
    std::string buffer(kCopyBytes, '\0');
    while (true) {
      MINIK_ASSIGN(const size_t got, source(buffer.data(), buffer.size()));
      if (got == 0) break;
      MINIK_TRY(blob.write({buffer.data(), got}));
    }
    auto committed = blob.commit(digest);
    if (!committed) return std::move(committed).error().in(path);
    return {};
  }

  Result<Index> parse_document_index() const {
    auto index = parse_index(contents_.documents.at("index.json"));
    if (!index) return std::move(index).error().in("index.json");
    return index;
  }

  Result<std::vector<ImageInfo>> adopt_all(const ContentLease& lease) {
    MINIK_ASSIGN(std::vector<Found> found, find_images());
    if (!options_.name.empty()) {
      if (found.size() != 1) {
        return Error(ErrorCode::kInvalid,
                     cat("it holds ", found.size(), " images; a name can be given to one only"));
      }
      found.front().names = {options_.name};
    }
    const auto of = [](const Found& image) {
      return cat("image ", image.names.empty() ? image.target.digest.text() : image.names.front());
    };
    for (const Found& image : found) {
      auto verified = store_.verify(image.target, options_.unpack, lease);
      if (!verified) return std::move(verified).error().in(of(image));
    }
    std::vector<ImageInfo> images;
    for (const Found& image : found) {
      auto adopted = store_.adopt(image.target, image.names, options_.unpack, lease);
      if (!adopted) return std::move(adopted).error().in(of(image));
      images.push_back(*std::move(adopted));
    }
    return images;
  }

  Result<std::vector<Found>> find_images() {
    std::vector<ArchiveImage> docker;
    if (const auto text = contents_.documents.find("manifest.json");
        text != contents_.documents.end()) {
      auto parsed = parse_archive_manifest(text->second);
      if (!parsed) return std::move(parsed).error().in("manifest.json");
      docker = *std::move(parsed);
    }
    if (contents_.documents.contains("index.json")) return find_oci_images(docker);
    if (docker.empty()) {
      return Error(
          ErrorCode::kInvalid,
          "neither manifest.json nor index.json is in it: it is no image archive; make one "
          "with docker save, podman save or skopeo copy");
    }
    std::vector<Found> found;
    for (const ArchiveImage& image : docker) {
      MINIK_ASSIGN(Found one, docker_image(image));
      found.push_back(std::move(one));
    }
    return found;
  }

  Result<std::vector<Found>> find_oci_images(const std::vector<ArchiveImage>& docker) {
    MINIK_ASSIGN(const Index index, parse_document_index());
    const Platform host = host_platform();
    std::vector<Found> found;
    for (const Descriptor& entry : index.manifests) {
      const bool foreign =
          !entry.platform.os.empty() &&
          (entry.platform.os != host.os || entry.platform.architecture != host.architecture);
      if (foreign && index.manifests.size() > 1) continue;
      Found* same = nullptr;  // an image with two names has two entries
      for (Found& earlier : found) {
        if (earlier.target.digest == entry.digest) same = &earlier;
      }
      if (same == nullptr) same = &found.emplace_back(Found{entry, {}});
      for (std::string& name : names_of(entry, docker)) same->names.push_back(std::move(name));
    }
    if (found.empty()) {
      return Error(ErrorCode::kInvalid, cat("index.json names no image for ", host.os, "/",
                                            host.architecture, ", but ", platforms_text(index)));
    }
    return found;
  }

  std::vector<std::string> names_of(const Descriptor& entry,
                                    const std::vector<ArchiveImage>& docker) const {
    if (const auto name = entry.annotations.find(kContainerdName);
        name != entry.annotations.end()) {
      return {name->second};
    }
    // The specification lets ref.name be a tag alone, which names nothing without its repository.
    if (const auto name = entry.annotations.find(kRefName);
        name != entry.annotations.end() && name->second.find_first_of(":/@") != std::string::npos &&
        parse_reference(name->second)) {
      return {name->second};
    }
    const auto document = store_.content().read(entry.digest, kDocumentBytesMax);
    if (!document) return {};
    const auto manifest = parse_manifest(*document);
    if (!manifest) return {};
    for (const ArchiveImage& image : docker) {
      const auto config = resolve(image.config);
      if (config && config->digest == manifest->config.digest) return image.repo_tags;
    }
    return {};
  }

  Result<BlobInfo> resolve(const std::string& path) const {
    MINIK_ASSIGN(std::string at, clean_path(path));
    for (int hops = 0; hops < kArchiveLinksMax; ++hops) {
      if (const auto file = contents_.files.find(at); file != contents_.files.end()) {
        return file->second;
      }
      const auto link = contents_.links.find(at);
      if (link == contents_.links.end()) break;
      at = link->second;
    }
    return Error(ErrorCode::kInvalid, cat("manifest.json names ", quoted(path),
                                          ", which is not in it; it is incomplete, save it again"));
  }

  // An image of the older form gets the manifest that it never had.
  Result<Found> docker_image(const ArchiveImage& image) {
    const ContentStore& content = store_.content();
    MINIK_ASSIGN(const BlobInfo config, resolve(image.config));
    MINIK_ASSIGN(const std::string text, content.read(config.digest, kDocumentBytesMax));
    auto parsed = parse_image_config(text);
    if (!parsed) return std::move(parsed).error().in(cat("entry ", quoted(image.config)));
    if (parsed->diff_ids.size() != image.layers.size()) {
      return Error(ErrorCode::kInvalid,
                   cat("manifest.json names ", image.layers.size(), " layers and ",
                       quoted(image.config), " ", parsed->diff_ids.size()));
    }
    Manifest manifest;
    manifest.config.media_type = media_type::kConfig;
    manifest.config.digest = config.digest;
    manifest.config.size = config.size;
    for (size_t i = 0; i < image.layers.size(); ++i) {
      MINIK_ASSIGN(const BlobInfo blob, resolve(image.layers[i]));
      MINIK_ASSIGN(const UniqueFd fd, content.open_blob(blob.digest));
      char start[4] = {};
      if (::pread(fd.get(), start, sizeof start, 0) < 0) return disk_error(errno, "read a layer");
      Descriptor layer;
      layer.media_type = layer_media_type({start, sizeof start});
      layer.digest = blob.digest;
      layer.size = blob.size;
      if (layer.media_type == media_type::kLayer && blob.digest != parsed->diff_ids[i]) {
        return Error(ErrorCode::kInvalid,
                     cat("entry ", quoted(image.layers[i]), " is ", blob.digest.text(), ", not ",
                         parsed->diff_ids[i].text(), ": it is damaged, save it again"));
      }
      manifest.layers.push_back(std::move(layer));
    }
    MINIK_ASSIGN(const BlobInfo stored, content.put(write_manifest(manifest)));
    Found found;
    found.target.media_type = media_type::kManifest;
    found.target.digest = stored.digest;
    found.target.size = stored.size;
    found.names = image.repo_tags;
    return found;
  }

  ImageStore& store_;
  const LoadOptions& options_;
  Contents contents_;
};

// What an archive brought beside its images goes at once, and so does everything when it failed.
Result<std::vector<ImageInfo>> tidied(ImageStore& store, const std::string& what,
                                      Result<std::vector<ImageInfo>> loaded) {
  if (auto collected = store.collect_garbage(); !collected) {
    MINIK_LOG(kWarning, "image", collected.error().message);
  }
  if (!loaded) return std::move(loaded).error().in(cat("load ", what));
  return loaded;
}

}  // namespace

Result<std::vector<ImageInfo>> load_images(ImageStore& store, ByteSource source,
                                           const std::string& what, const LoadOptions& options) {
  return tidied(store, what, Loader(store, options).archive(std::move(source)));
}

Result<std::vector<ImageInfo>> load_images(ImageStore& store, const std::string& path,
                                           const LoadOptions& options) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return std::move(fd).error().in("load image");
  struct stat status {};
  if (::fstat(fd->get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return tidied(store, path, Loader(store, options).folder(path));
  }
  return load_images(store, source_from_fd(fd->get(), path), path, options);
}

}  // namespace minik::runtime
