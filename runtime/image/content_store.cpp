#include "runtime/image/content_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "control/base/text.h"

namespace minik::runtime {
namespace {

constexpr std::string_view kLayoutMark = "{\"imageLayoutVersion\":\"1.0.0\"}";
constexpr std::string_view kBlobs = "/blobs/sha256";

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = ::opendir(directory.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(entries);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

BlobWriter::~BlobWriter() {
  if (fd_) ::unlink(temporary_.c_str());
}

Status BlobWriter::write(std::string_view bytes) {
  MINIK_TRY(write_all(fd_.get(), bytes, temporary_));
  hash_.update(bytes);
  size_ += static_cast<int64_t>(bytes.size());
  return {};
}

Result<BlobInfo> BlobWriter::commit(const std::optional<Digest>& expected) {
  const Digest digest = hash_.finish();
  if (expected && *expected != digest) {
    return Error(ErrorCode::kInvalid, cat("the content is ", digest.text(), ", not ",
                                          expected->text(), ": it was damaged on the way"));
  }
  const std::string path = cat(root_, kBlobs, "/", digest.hex());
  struct stat present {};
  if (::stat(path.c_str(), &present) == 0 && present.st_size == size_) {
    ::unlink(temporary_.c_str());
    fd_.reset();
    return BlobInfo{digest, size_};
  }
  ::fchmod(fd_.get(), 0444);
  if (::fsync(fd_.get()) != 0) return disk_error(errno, cat("sync ", temporary_));
  if (::rename(temporary_.c_str(), path.c_str()) != 0) {
    return disk_error(errno, cat("rename to ", path));
  }
  fd_.reset();
  MINIK_TRY(sync_directory(cat(root_, kBlobs)));
  return BlobInfo{digest, size_};
}

Result<ContentStore> ContentStore::open(const std::string& root) {
  ContentStore store(root);
  const auto prepare = [&]() -> Status {
    MINIK_TRY(make_directories(root, 0755));
    MINIK_TRY(make_directories(cat(root, kBlobs), 0755));
    MINIK_TRY(make_directories(cat(root, "/ingest"), 0700));
    {
      MINIK_ASSIGN(const auto alone, store.try_lock_for_removal());
      if (alone) MINIK_TRY(store.sweep_ingest());
    }
    MINIK_ASSIGN(const ContentLease lease, store.lease());
    const std::string mark = cat(root, "/oci-layout");
    if (::access(mark.c_str(), F_OK) == 0) return {};
    return write_file_durably(mark, store.ingest_path(random_name()), kLayoutMark);
  };
  if (auto prepared = prepare(); !prepared) {
    return std::move(prepared).error().in(cat("open image store ", root));
  }
  return store;
}

std::string ContentStore::blob_path(const Digest& digest) const {
  return cat(root_, kBlobs, "/", digest.hex());
}

std::string ContentStore::ingest_path(std::string_view name) const {
  return cat(root_, "/ingest/", name);
}

Result<ContentLease> ContentStore::lease() const {
  MINIK_ASSIGN(FileLock lock, FileLock::shared(cat(root_, "/lock")));
  return ContentLease(std::move(lock));
}

Result<std::optional<FileLock>> ContentStore::try_lock_for_removal() const {
  return FileLock::try_exclusive(cat(root_, "/lock"));
}

std::optional<int64_t> ContentStore::size(const Digest& digest) const {
  struct stat status {};
  if (digest.empty() || ::stat(blob_path(digest).c_str(), &status) != 0) return std::nullopt;
  return status.st_size;
}

Result<UniqueFd> ContentStore::open_blob(const Digest& digest) const {
  auto fd = open_file(blob_path(digest), O_RDONLY);
  if (!fd && fd.error().code == ErrorCode::kNotFound) {
    return Error(ErrorCode::kNotFound, cat("blob ", digest.text(), " is missing in ", root_));
  }
  return fd;
}

Result<std::string> ContentStore::read(const Digest& digest, size_t max) const {
  MINIK_ASSIGN(const UniqueFd fd, open_blob(digest));
  MINIK_ASSIGN(std::string bytes, read_all(fd.get(), max, cat("blob ", digest.text())));
  if (Digest::of(bytes) != digest) {
    return Error(ErrorCode::kInternalError,
                 cat("blob ", digest.text(), " in ", root_,
                     " is damaged; remove its image and load or pull it again"));
  }
  return bytes;
}

Result<BlobWriter> ContentStore::writer() const {
  std::string temporary = ingest_path(random_name());
  MINIK_ASSIGN(UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return BlobWriter(root_, std::move(temporary), std::move(fd));
}

Result<BlobInfo> ContentStore::put(std::string_view bytes) const {
  MINIK_ASSIGN(BlobWriter blob, writer());
  MINIK_TRY(blob.write(bytes));
  return blob.commit();
}

std::vector<Digest> ContentStore::list() const {
  std::vector<Digest> digests;
  for (const std::string& name : names_in(cat(root_, kBlobs))) {
    if (auto digest = Digest::from_hex(name); digest) digests.push_back(*std::move(digest));
  }
  return digests;
}

Status ContentStore::remove_blobs(const FileLock&,
                                  const std::function<bool(const Digest&)>& keep) const {
  for (const Digest& digest : list()) {
    if (keep(digest)) continue;
    if (::unlink(blob_path(digest).c_str()) != 0 && errno != ENOENT) {
      return disk_error(errno, cat("remove blob ", digest.text()));
    }
  }
  return sweep_ingest();
}

Status ContentStore::sweep_ingest() const {
  for (const std::string& name : names_in(cat(root_, "/ingest"))) {
    MINIK_TRY(remove_tree(ingest_path(name)));
  }
  return {};
}

}  // namespace minik::runtime
