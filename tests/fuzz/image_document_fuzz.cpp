// Manifests, indexes and configurations from registries and archives: any bytes are read or
// refused, and what was read writes and reads back as itself.
#include <cstddef>
#include <cstdint>

#include "control/base/check.h"
#include "runtime/image/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::runtime;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)is_index(text);
  if (const auto index = parse_index(text)) {
    const std::string written = write_index(*index);
    const auto again = parse_index(written);
    CHECK(again.ok()) << again.error().message;
    CHECK(write_index(*again) == written);
    (void)choose_platform(*index, host_platform());
  }
  if (const auto manifest = parse_manifest(text)) {
    const std::string written = write_manifest(*manifest);
    const auto again = parse_manifest(written);
    CHECK(again.ok() && write_manifest(*again) == written);
  }
  if (const auto config = parse_image_config(text)) {
    const auto again = parse_image_config(write_image_config(*config));
    CHECK(again.ok() && *again == *config);
    CHECK(chain_ids(config->diff_ids).size() == config->diff_ids.size());
  }
  if (const auto images = parse_archive_manifest(text)) {
    const auto again = parse_archive_manifest(write_archive_manifest(*images));
    CHECK(again.ok() && again->size() == images->size());
  }
  return 0;
}
