#include "runtime/image/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "control/base/check.h"
#include "control/base/text.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

constexpr int64_t kBlockBytes = 512;

struct ArchiveFree {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using ArchiveHandle = std::unique_ptr<archive, ArchiveFree>;

LayerEntry::Type type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr) return LayerEntry::Type::kHardLink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return LayerEntry::Type::kDirectory;
    case AE_IFLNK:
      return LayerEntry::Type::kSymlink;
    case AE_IFCHR:
      return LayerEntry::Type::kCharacter;
    case AE_IFBLK:
      return LayerEntry::Type::kBlock;
    case AE_IFIFO:
      return LayerEntry::Type::kFifo;
    default:
      return LayerEntry::Type::kFile;
  }
}

void copy_entry(archive_entry* from, LayerEntry& to) {
  to.type = type_of(from);
  to.path = archive_entry_pathname(from);
  const char* link = to.type == LayerEntry::Type::kHardLink ? archive_entry_hardlink(from)
                                                            : archive_entry_symlink(from);
  to.link = link == nullptr ? "" : link;
  to.mode = archive_entry_perm(from);
  to.uid = static_cast<uid_t>(archive_entry_uid(from));
  to.gid = static_cast<gid_t>(archive_entry_gid(from));
  to.device = archive_entry_rdev(from);
  to.size = archive_entry_size(from);
  to.modified = {archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
  to.xattrs.clear();
  archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    to.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

}  // namespace

struct ArchiveReader::State {
  ByteSource source;
  ArchiveHandle outer{archive_read_new()};
  ArchiveHandle inner{archive_read_new()};
  std::string compressed = std::string(kCopyBytes, '\0');
  std::string plain = std::string(kCopyBytes, '\0');
  Sha256 hash;
  std::optional<Error> failure;  // of the source: says more than libarchive's words for it
  int64_t plain_bytes = 0;
  int64_t entries = 0;
  bool ended = false;   // the tar reader has seen the end
  bool filled = false;  // the last block of a sloppy archive

  Error error(archive* reader) const {
    if (failure) return *failure;
    const char* text = archive_error_string(reader);
    return Error(ErrorCode::kInvalid, cat("not a readable tar archive (plain, gzip or zstd): ",
                                          text == nullptr ? "unknown format" : text));
  }

  // Everything that the tar reader sees passes here, and once.
  ssize_t read_plain() {
    const ssize_t got = archive_read_data(outer.get(), plain.data(), plain.size());
    if (got <= 0) return got;
    hash.update({plain.data(), static_cast<size_t>(got)});
    plain_bytes += got;
    if (plain_bytes <= kLayerBytesMax) return got;
    failure = Error(ErrorCode::kRequestEntityTooLarge,
                    cat("more than ", kLayerBytesMax >> 30, " GiB uncompressed"));
    return ARCHIVE_FATAL;
  }

  static la_ssize_t read_source(archive* reader, void* opaque, const void** buffer) {
    auto& state = *static_cast<State*>(opaque);
    auto got = state.source(state.compressed.data(), state.compressed.size());
    if (!got) {
      state.failure = got.error();
      archive_set_error(reader, EIO, "%s", got.error().message.c_str());
      return ARCHIVE_FATAL;
    }
    *buffer = state.compressed.data();
    return static_cast<la_ssize_t>(*got);
  }

  static la_ssize_t read_outer(archive* reader, void* opaque, const void** buffer) {
    auto& state = *static_cast<State*>(opaque);
    const ssize_t got = state.read_plain();
    if (got < 0) {
      const char* text = archive_error_string(state.outer.get());
      archive_set_error(reader, EIO, "%s", text == nullptr ? "cannot decompress" : text);
      return ARCHIVE_FATAL;
    }
    *buffer = state.plain.data();
    if (got > 0 || state.plain_bytes % kBlockBytes == 0) return got;
    // Some tools (umoci insert) end a layer without filling its last block. What stands there is
    // verified by digest; the filling is not part of it.
    const size_t missing = static_cast<size_t>(kBlockBytes - state.plain_bytes % kBlockBytes);
    if (std::exchange(state.filled, true)) return 0;
    std::fill_n(state.plain.begin(), missing, '\0');
    return static_cast<la_ssize_t>(missing);
  }
};

ByteSource source_from_fd(int fd, std::string what) {
  return [fd, what = std::move(what)](char* buffer, size_t capacity) -> Result<size_t> {
    while (true) {
      const ssize_t got = ::read(fd, buffer, capacity);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return disk_error(errno, cat("read ", what));
    }
  };
}

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::~ArchiveReader() = default;
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;

Result<ArchiveReader> ArchiveReader::open(ByteSource source) {
  auto state = std::make_unique<State>();
  state->source = std::move(source);
  archive* outer = state->outer.get();
  archive* inner = state->inner.get();
  CHECK(outer != nullptr && inner != nullptr);
  const bool ready = archive_read_support_filter_gzip(outer) == ARCHIVE_OK &&
                     archive_read_support_filter_zstd(outer) == ARCHIVE_OK &&
                     archive_read_support_format_raw(outer) == ARCHIVE_OK &&
                     archive_read_support_format_tar(inner) == ARCHIVE_OK;
  CHECK(ready);
  archive_entry* whole = nullptr;
  if (archive_read_open(outer, state.get(), nullptr, State::read_source, nullptr) != ARCHIVE_OK ||
      archive_read_next_header(outer, &whole) != ARCHIVE_OK) {
    return state->error(outer);
  }
  if (archive_read_open(inner, state.get(), nullptr, State::read_outer, nullptr) != ARCHIVE_OK) {
    return state->error(inner);
  }
  return ArchiveReader(std::move(state));
}

Result<bool> ArchiveReader::next(LayerEntry& entry) {
  const Utf8Locale locale;
  archive* inner = state_->inner.get();
  while (!state_->ended) {
    archive_entry* found = nullptr;
    const int result = archive_read_next_header(inner, &found);
    if (result == ARCHIVE_EOF) {
      state_->ended = true;
      return false;
    }
    if (result == ARCHIVE_RETRY) continue;
    if (result < ARCHIVE_WARN) return state_->error(inner);
    if (++state_->entries > kArchiveEntriesMax) {
      return Error(ErrorCode::kRequestEntityTooLarge,
                   cat("the archive has more than ", kArchiveEntriesMax, " entries"));
    }
    if (archive_entry_pathname(found) == nullptr) {
      return Error(ErrorCode::kInvalid, "the archive has an entry without a readable name");
    }
    if (archive_entry_filetype(found) == AE_IFSOCK) continue;
    copy_entry(found, entry);
    return true;
  }
  return false;
}

Status ArchiveReader::read(const Sink& sink) {
  archive* inner = state_->inner.get();
  std::string buffer(kCopyBytes, '\0');
  while (true) {
    const la_ssize_t got = archive_read_data(inner, buffer.data(), buffer.size());
    if (got == ARCHIVE_RETRY) continue;
    if (got < 0) return state_->error(inner);
    if (got == 0) return {};
    MINIK_TRY(sink({buffer.data(), static_cast<size_t>(got)}));
  }
}

Status ArchiveReader::read_to_file(int fd) {
  archive* inner = state_->inner.get();
  int64_t end = 0;
  while (true) {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(inner, &data, &size, &offset);
    if (result == ARCHIVE_RETRY) continue;
    if (result < ARCHIVE_WARN) return state_->error(inner);
    end = offset + static_cast<int64_t>(size);
    if (end > kLayerBytesMax) {
      return Error(ErrorCode::kRequestEntityTooLarge,
                   cat("a file of more than ", kLayerBytesMax >> 30, " GiB"));
    }
    if (result == ARCHIVE_EOF) break;
    std::string_view rest(static_cast<const char*>(data), size);
    while (!rest.empty()) {
      const ssize_t put = ::pwrite(fd, rest.data(), rest.size(), offset);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return disk_error(errno, "write");
      rest.remove_prefix(static_cast<size_t>(put));
      offset += put;
    }
  }
  // A hole at the end has no block of its own.
  if (end > 0 && ::ftruncate(fd, end) != 0) return disk_error(errno, "write");
  return {};
}

Result<Digest> ArchiveReader::finish() {
  LayerEntry entry;
  while (true) {
    MINIK_ASSIGN(const bool more, next(entry));
    if (!more) break;
  }
  // What follows the end-of-archive mark is part of the layer's digest too.
  while (true) {
    const ssize_t got = state_->read_plain();
    if (got < 0) return state_->error(state_->outer.get());
    if (got == 0) return state_->hash.finish();
  }
}

Utf8Locale::Utf8Locale() {
  made_ = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (made_ != nullptr) before_ = ::uselocale(static_cast<locale_t>(made_));
}

Utf8Locale::~Utf8Locale() {
  if (made_ == nullptr) return;
  ::uselocale(static_cast<locale_t>(before_));
  ::freelocale(static_cast<locale_t>(made_));
}

}  // namespace minik::runtime
