// The documents of an OCI image: index, manifest and configuration, read from JSON into plain
// values.
//
// Read with Docker's media types as well (manifest v2 schema 2, manifest list); Docker's schema 1
// is refused with its remedy. Unknown members are ignored as the specification asks; a member of
// the wrong type, a digest or size that cannot be, or a document over its bound is kInvalid and
// names the member. Pure functions, any thread. Follows image-spec 1.1.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/digest.h"

namespace minik::runtime {

namespace media_type {
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerIndex =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
}  // namespace media_type

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
};

// Of the machine that this binary runs on: linux/amd64, linux/arm64…
Platform host_platform();

struct Descriptor {
  std::string media_type;
  Digest digest;
  int64_t size = 0;
  std::map<std::string, std::string> annotations;
  Platform platform;  // empty where the index does not say
};

struct Index {
  std::vector<Descriptor> manifests;
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;  // base first
};

struct ImageConfig {
  Platform platform;
  std::string created;  // RFC 3339, as the image says
  std::string user, working_dir, stop_signal;
  std::vector<std::string> entrypoint, command, env;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::vector<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::vector<Digest> diff_ids;  // base first

  bool operator==(const ImageConfig&) const;
};

// True when the document lists manifests rather than layers.
Result<bool> is_index(std::string_view json);
// What it is sent and stored as: its mediaType, else OCI's.
Result<std::string> document_media_type(std::string_view json);
Result<Index> parse_index(std::string_view json);
Result<Manifest> parse_manifest(std::string_view json);
Result<ImageConfig> parse_image_config(std::string_view json);

// Deterministic: equal values give equal bytes, so equal digests.
std::string write_index(const Index& index);
std::string write_manifest(const Manifest& manifest);
std::string write_image_config(const ImageConfig& config);

// One image of a `docker save` archive's manifest.json.
struct ArchiveImage {
  std::string config;                  // path in the archive
  std::vector<std::string> repo_tags;  // "busybox:latest"
  std::vector<std::string> layers;     // paths in the archive, base first
};
Result<std::vector<ArchiveImage>> parse_archive_manifest(std::string_view json);
std::string write_archive_manifest(const std::vector<ArchiveImage>& images);

// The identity of layers 0..i stacked: chain(0) = diff(0), chain(i) = sha256(chain(i-1) + " " +
// diff(i)).
std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids);

// The entry for the platform: exact architecture (and variant where both say one), else nothing. An
// entry that names no platform is taken when it is the only one.
const Descriptor* choose_platform(const Index& index, const Platform& platform);
// "linux/amd64, linux/arm64/v8", for messages.
std::string platforms_text(const Index& index);

}  // namespace minik::runtime
