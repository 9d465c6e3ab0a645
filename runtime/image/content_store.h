// ContentStore: blobs under their digests, in the blob half of an OCI image layout.
//
//   <root>/oci-layout               {"imageLayoutVersion":"1.0.0"}
//   <root>/blobs/sha256/<hex>       content; complete, verified and on disk as soon as the name
//   exists <root>/ingest/                  files and folders that are being made <root>/lock flock:
//   shared by whoever adds, exclusive for whoever collects
//
// A blob is written in ingest/, verified, fsynced and renamed, so kill -9 at any moment leaves no
// half blob under a name. What a killed process left in ingest/ goes at the next open() that finds
// nobody adding. Whoever adds blobs holds a ContentLease until something names them (the image
// index), so that no other process collects them in between.
//
// Thread-safe: all state is on disk. Blocking: for worker threads. Fails with one error that names
// the blob and the folder; a full disk leaves nothing behind.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/digest.h"
#include "runtime/image/disk.h"

namespace minik::runtime {

// While one exists no process removes blobs or layers.
class ContentLease {
 private:
  friend class ContentStore;
  explicit ContentLease(FileLock lock) : lock_(std::move(lock)) {}
  FileLock lock_;
};

struct BlobInfo {
  Digest digest;
  int64_t size = 0;
};

// One blob that is being written. Unless committed it vanishes with the object.
class BlobWriter {
 public:
  BlobWriter(BlobWriter&&) noexcept = default;
  BlobWriter& operator=(BlobWriter&&) = delete;
  ~BlobWriter();

  Status write(std::string_view bytes);
  int64_t size() const { return size_; }
  // Makes the blob visible. With an expected digest, other content is kInvalid and is thrown away.
  Result<BlobInfo> commit(const std::optional<Digest>& expected = {});

 private:
  friend class ContentStore;
  BlobWriter(std::string root, std::string temporary, UniqueFd fd)
      : root_(std::move(root)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

  std::string root_;
  std::string temporary_;
  UniqueFd fd_;
  Sha256 hash_;
  int64_t size_ = 0;
};

class ContentStore {
 public:
  // Makes the folders where they are missing and sweeps what a killed process left.
  static Result<ContentStore> open(const std::string& root);

  const std::string& root() const { return root_; }
  std::string blob_path(const Digest& digest) const;
  std::string ingest_path(std::string_view name) const;

  Result<ContentLease> lease() const;

  // The size; nothing when the blob is not here.
  std::optional<int64_t> size(const Digest& digest) const;
  bool has(const Digest& digest) const { return size(digest).has_value(); }
  // A whole document, verified against its digest: a disk that changed it is an error.
  Result<std::string> read(const Digest& digest, size_t max) const;
  Result<UniqueFd> open_blob(const Digest& digest) const;

  // The caller holds a lease.
  Result<BlobWriter> writer() const;
  Result<BlobInfo> put(std::string_view bytes) const;

  // For collectors: empty when somebody is adding just now, and the next collection gets the
  // garbage.
  Result<std::optional<FileLock>> try_lock_for_removal() const;
  // Removes the blobs that keep() refuses, and sweeps ingest/.
  Status remove_blobs(const FileLock& removal_lock,
                      const std::function<bool(const Digest&)>& keep) const;
  std::vector<Digest> list() const;

 private:
  explicit ContentStore(std::string root) : root_(std::move(root)) {}
  Status sweep_ingest() const;
  std::string root_;
};

}  // namespace minik::runtime
