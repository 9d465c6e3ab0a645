// Any bytes as an image archive: loaded or refused, and after a refusal the store is empty.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "control/base/check.h"
#include "runtime/image/image_load.h"

namespace {

using minik::runtime::ImageStore;

std::string scratch() {
  static const std::string path = [] {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
                          "/minik-archive-fuzz-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    static std::string removed = pattern;
    std::atexit([] { (void)minik::runtime::remove_tree(removed); });
    return pattern;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<ImageStore> store = *ImageStore::open(scratch() + "/store");
  size_t at = 0;
  const auto loaded = minik::runtime::load_images(
      *store,
      [&](char* buffer, size_t capacity) -> minik::Result<size_t> {
        const size_t count = std::min(capacity, size - at);
        std::copy_n(data + at, count, buffer);
        at += count;
        return count;
      },
      "input");
  if (loaded) {
    for (const auto& image : *loaded) CHECK(store->remove(image.id.text(), {}).ok());
  }
  CHECK(store->list()->empty());
  CHECK(store->content().list().empty());
  for (const char* folder : {"/store/layers", "/store/ingest"}) {
    CHECK(std::filesystem::is_empty(scratch() + folder)) << folder;
  }
  return 0;
}
