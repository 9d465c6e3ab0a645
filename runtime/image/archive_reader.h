// ArchiveReader: a tar archive as a stream of entries, gzip or zstd or plain, hashed on the way.
//
// Two passes through libarchive in one: the outer decompresses, the inner reads tar from it, so
// that the hash of the uncompressed stream (a layer's diff id) is known at the end. Only the tar
// format and those two filters are compiled in, which keeps the static link to libarchive, zlib and
// zstd.
//
// A source is a function that fills a buffer (a file, a socket); 0 is the end. Names are bytes: no
// locale changes them. Failing is kInvalid with the reader's words: a truncated or corrupt archive.
// One thread at a time; blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "control/base/result.h"
#include "runtime/image/digest.h"
#include "runtime/image/layer_writer.h"

namespace minik::runtime {

using ByteSource = std::function<Result<size_t>(char* buffer, size_t capacity)>;
ByteSource source_from_fd(int fd, std::string what);

class ArchiveReader {
 public:
  static Result<ArchiveReader> open(ByteSource source);
  ~ArchiveReader();
  ArchiveReader(ArchiveReader&&) noexcept;
  ArchiveReader& operator=(ArchiveReader&&) = delete;

  // False at the end. Sockets, which no archive can carry, are skipped.
  Result<bool> next(LayerEntry& entry);
  // The current entry's content, in order; holes arrive as zeros.
  using Sink = std::function<Status(std::string_view bytes)>;
  Status read(const Sink& sink);
  // Into a new file, keeping holes.
  Status read_to_file(int fd);
  // Reads to the end of the stream; the digest of all of it, uncompressed.
  Result<Digest> finish();

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Names as bytes for libarchive on this thread while one exists: without a UTF-8 locale it loses
// names that are not ASCII.
class Utf8Locale {
 public:
  Utf8Locale();
  ~Utf8Locale();
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  void* made_ = nullptr;
  void* before_ = nullptr;
};

}  // namespace minik::runtime
