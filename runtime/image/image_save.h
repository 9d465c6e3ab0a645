// Images out of the store into one archive that every engine loads.
//
// The form is that of current `docker save`: an OCI layout (index.json, blobs/) that carries
// Docker's manifest.json too, so docker, podman, containerd, skopeo and minik itself read it. Equal
// images give equal archives. Layers are copied as stored, compressed or not.
//
// To a path it appears complete or not at all. Blocking; any thread; holds a lease while it reads.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/archive_writer.h"
#include "runtime/image/image_store.h"

namespace minik::runtime {

// Names or ids; an id is saved without a name.
Status save_images(const ImageStore& store, const std::vector<std::string>& references,
                   const ArchiveWriter::Sink& sink);
Status save_images(const ImageStore& store, const std::vector<std::string>& references,
                   const std::string& path);

}  // namespace minik::runtime
