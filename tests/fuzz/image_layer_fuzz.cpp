// Any bytes as a layer: unpacked or refused, and never a file outside the layer's folder.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "control/base/check.h"
#include "runtime/image/archive_reader.h"
#include "runtime/image/disk.h"
#include "runtime/image/layer_writer.h"

namespace {

// A folder with one layer folder in it; everything beside that one is a leak.
std::string scratch() {
  static const std::string path = [] {
    std::string pattern = std::filesystem::temp_directory_path() / "minik-layer-fuzz-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    static std::string removed = pattern;
    std::atexit([] { (void)minik::runtime::remove_tree(removed); });
    return pattern;
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::runtime;
  const std::string root = scratch() + "/layer";
  CHECK(::mkdir(root.c_str(), 0700) == 0);
  const auto unpack = [&]() -> minik::Status {
    size_t at = 0;
    MINIK_ASSIGN(ArchiveReader reader,
                 ArchiveReader::open([&](char* buffer, size_t capacity) -> minik::Result<size_t> {
                   const size_t count = std::min(capacity, size - at);
                   std::copy_n(data + at, count, buffer);
                   at += count;
                   return count;
                 }));
    MINIK_ASSIGN(LayerWriter writer,
                 LayerWriter::open(root, LayerPrivileges{false, false, "user.overlay."}, {}));
    LayerEntry entry;
    for (int entries = 0; entries < 200; ++entries) {
      MINIK_ASSIGN(const bool more, reader.next(entry));
      if (!more) break;
      if (entry.size > (1 << 20)) continue;
      MINIK_TRY(writer.add(entry, [&](int fd) { return reader.read_to_file(fd); }));
    }
    MINIK_TRY(writer.finish());
    MINIK_ASSIGN(const Digest digest, reader.finish());
    CHECK(!digest.empty());
    return {};
  };
  (void)unpack();
  size_t beside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch())) {
    beside += entry.path() == root ? 0 : 1;
  }
  CHECK(beside == 0);
  CHECK(remove_tree(root).ok());
  return 0;
}
