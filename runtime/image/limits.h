// Limits on what the image store takes from outside, each with its reason. A document or an archive
// that passes one of them is refused by name; nothing here is ever reached by an image that people
// use.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minik::runtime {

// Manifests, indexes and configurations are read whole. Registries refuse manifests over 4 MiB.
inline constexpr size_t kDocumentBytesMax = 4U << 20;
// An OCI index may name an index; nothing real nests deeper than two.
inline constexpr int kIndexDepthMax = 4;
// Overlayfs takes 500 lower layers; Docker stops at 127.
inline constexpr size_t kLayersMax = 127;
// One unpacked layer: stops a decompression bomb before a disk of ordinary size is full.
inline constexpr int64_t kLayerBytesMax = int64_t{64} << 30;
// Entries of one layer or archive: each costs an inode.
inline constexpr int64_t kArchiveEntriesMax = 4'000'000;
// Attempts to follow links between the entries of an archive (`docker save` links equal layers).
inline constexpr int kArchiveLinksMax = 8;
// How much moves at once between a file, a hash and a decompressor.
inline constexpr size_t kCopyBytes = 256U << 10;

}  // namespace minik::runtime
