#include "runtime/image/image_save.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>

#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

LayerEntry file_entry(const std::string& path) {
  LayerEntry entry;
  entry.path = path;
  entry.mode = 0644;
  return entry;
}

LayerEntry folder_entry(const std::string& path) {
  LayerEntry entry;
  entry.type = LayerEntry::Type::kDirectory;
  entry.path = path;
  entry.mode = 0755;
  return entry;
}

std::string blob_name(const Digest& digest) {
  return cat("blobs/sha256/", digest.hex());
}

// A target and all that is here of what it names; other platforms may be missing.
Status collect_blobs(const ContentStore& content, const Digest& target, int depth,
                     std::set<Digest>& blobs) {
  if (depth > kIndexDepthMax) return Error(ErrorCode::kInvalid, "indexes nest too deep");
  if (!blobs.insert(target).second) return {};
  MINIK_ASSIGN(const std::string document, content.read(target, kDocumentBytesMax));
  MINIK_ASSIGN(const bool indexed, is_index(document));
  if (indexed) {
    MINIK_ASSIGN(const Index index, parse_index(document));
    for (const Descriptor& entry : index.manifests) {
      if (content.has(entry.digest)) {
        MINIK_TRY(collect_blobs(content, entry.digest, depth + 1, blobs));
      }
    }
    return {};
  }
  MINIK_ASSIGN(const Manifest manifest, parse_manifest(document));
  blobs.insert(manifest.config.digest);
  for (const Descriptor& layer : manifest.layers) blobs.insert(layer.digest);
  return {};
}

struct Plan {
  Index index;
  std::vector<ArchiveImage> images;
  std::set<Digest> blobs;
};

Status plan_image(const ImageStore& store, const std::string& text, Plan& plan) {
  MINIK_ASSIGN(const ImageInfo image, store.find(text));
  MINIK_TRY(collect_blobs(store.content(), image.target, 0, plan.blobs));
  Descriptor entry;
  MINIK_ASSIGN(const std::string document, store.content().read(image.target, kDocumentBytesMax));
  MINIK_ASSIGN(entry.media_type, document_media_type(document));
  entry.digest = image.target;
  entry.size = static_cast<int64_t>(document.size());

  ArchiveImage* docker = nullptr;
  for (ArchiveImage& earlier : plan.images) {
    if (earlier.config == blob_name(image.id)) docker = &earlier;
  }
  if (docker == nullptr) {
    docker = &plan.images.emplace_back();
    docker->config = blob_name(image.id);
    for (const Descriptor& layer : image.layers) docker->layers.push_back(blob_name(layer.digest));
  }
  const auto reference = parse_reference(text);
  const bool by_name =
      reference && reference->digest.empty() &&
      std::find(image.names.begin(), image.names.end(), reference->text()) != image.names.end();
  if (by_name) {
    docker->repo_tags.push_back(reference->familiar());
    entry.annotations["io.containerd.image.name"] = reference->text();
    entry.annotations["org.opencontainers.image.ref.name"] = reference->tag;
  }
  plan.index.manifests.push_back(std::move(entry));
  return {};
}

}  // namespace

Status save_images(const ImageStore& store, const std::vector<std::string>& references,
                   const ArchiveWriter::Sink& sink) {
  const auto save = [&]() -> Status {
    MINIK_ASSIGN(const ContentLease lease, store.content().lease());
    Plan plan;
    for (const std::string& reference : references) MINIK_TRY(plan_image(store, reference, plan));
    MINIK_ASSIGN(ArchiveWriter archive, ArchiveWriter::open(sink));
    MINIK_TRY(archive.add(folder_entry("blobs/")));
    MINIK_TRY(archive.add(folder_entry("blobs/sha256/")));
    for (const Digest& digest : plan.blobs) {
      MINIK_ASSIGN(const UniqueFd fd, store.content().open_blob(digest));
      LayerEntry entry = file_entry(blob_name(digest));
      entry.size = store.content().size(digest).value_or(0);
      MINIK_TRY(archive.add_from(entry, fd.get()));
    }
    MINIK_TRY(archive.add(file_entry("index.json"), write_index(plan.index)));
    MINIK_TRY(archive.add(file_entry("manifest.json"), write_archive_manifest(plan.images)));
    MINIK_TRY(archive.add(file_entry("oci-layout"), R"({"imageLayoutVersion":"1.0.0"})"));
    return archive.finish();
  };
  if (auto saved = save(); !saved) return std::move(saved).error().in("save image");
  return {};
}

Status save_images(const ImageStore& store, const std::vector<std::string>& references,
                   const std::string& path) {
  const std::string temporary = cat(path, ".", random_name());
  const auto write = [&]() -> Status {
    MINIK_ASSIGN(const UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644));
    MINIK_TRY(save_images(store, references, [&](std::string_view bytes) {
      return write_all(fd.get(), bytes, path);
    }));
    if (::fsync(fd.get()) != 0) return disk_error(errno, cat("sync ", path));
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return disk_error(errno, cat("rename to ", path));
    }
    return {};
  };
  auto written = write();
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace minik::runtime
