// Bringing images in from files: OCI layouts (a folder or a tar) and `docker save` archives.
//
// Read: `docker save` of every age (a folder a layer with manifest.json, layers as <digest>.tar,
// and the newer form that is an OCI layout too), `podman save`, `skopeo copy oci:/docker-archive:`,
// `buildx -o type=oci`; the archive and each layer plain, gzip or zstd. An archive is read once, so
// a pipe will do.
//
// Nothing is named before everything is there, verified and (unless asked otherwise) unpacked. A
// corrupt or truncated archive, a wrong digest, a missing blob, an entry that leads out of the
// archive: one line that names the archive and the entry, and the store is as before. Blocking;
// thread-safe as the store.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/archive_reader.h"
#include "runtime/image/image_store.h"

namespace minik::runtime {

struct LoadOptions {
  // The name for an archive that holds one image; instead of what the archive says.
  std::string name;
  ImageStore::Unpack unpack = ImageStore::Unpack::kNow;
};

// A folder is read as an OCI layout, a file as an archive.
Result<std::vector<ImageInfo>> load_images(ImageStore& store, const std::string& path,
                                           const LoadOptions& options = {});
// From a stream; what names it in messages ("standard input").
Result<std::vector<ImageInfo>> load_images(ImageStore& store, ByteSource source,
                                           const std::string& what,
                                           const LoadOptions& options = {});

}  // namespace minik::runtime
