#include "runtime/image/archive_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "control/base/check.h"
#include "control/base/text.h"
#include "runtime/image/archive_reader.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

struct WriterFree {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct EntryFree {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

unsigned int kind_of(LayerEntry::Type type) {
  switch (type) {
    case LayerEntry::Type::kDirectory:
      return AE_IFDIR;
    case LayerEntry::Type::kSymlink:
      return AE_IFLNK;
    case LayerEntry::Type::kCharacter:
      return AE_IFCHR;
    case LayerEntry::Type::kBlock:
      return AE_IFBLK;
    case LayerEntry::Type::kFifo:
      return AE_IFIFO;
    case LayerEntry::Type::kFile:
    case LayerEntry::Type::kHardLink:
      return AE_IFREG;
  }
  return AE_IFREG;
}

}  // namespace

struct ArchiveWriter::State {
  Sink sink;
  std::unique_ptr<archive, WriterFree> writer{archive_write_new()};
  std::unique_ptr<archive_entry, EntryFree> entry{archive_entry_new()};
  std::optional<Error> failure;

  Error error() const {
    if (failure) return *failure;
    const char* text = archive_error_string(writer.get());
    return Error(ErrorCode::kInternalError,
                 cat("write archive: ", text == nullptr ? "unknown failure" : text));
  }

  static la_ssize_t write_sink(archive* writer, void* opaque, const void* bytes, size_t size) {
    auto& state = *static_cast<State*>(opaque);
    auto written = state.sink({static_cast<const char*>(bytes), size});
    if (written) return static_cast<la_ssize_t>(size);
    state.failure = written.error();
    archive_set_error(writer, EIO, "%s", written.error().message.c_str());
    return -1;
  }

  Status header(const LayerEntry& from) {
    const Utf8Locale locale;
    archive_entry* to = entry.get();
    archive_entry_clear(to);
    archive_entry_set_pathname(to, from.path.c_str());
    archive_entry_set_filetype(to, kind_of(from.type));
    archive_entry_set_perm(to, from.mode);
    archive_entry_set_uid(to, from.uid);
    archive_entry_set_gid(to, from.gid);
    archive_entry_set_mtime(to, from.modified.tv_sec, from.modified.tv_nsec);
    archive_entry_set_size(to, from.type == LayerEntry::Type::kFile ? from.size : 0);
    if (from.type == LayerEntry::Type::kSymlink) archive_entry_set_symlink(to, from.link.c_str());
    if (from.type == LayerEntry::Type::kHardLink) archive_entry_set_hardlink(to, from.link.c_str());
    if (from.device != 0) archive_entry_set_rdev(to, from.device);
    for (const auto& [name, value] : from.xattrs) {
      archive_entry_xattr_add_entry(to, name.c_str(), value.data(), value.size());
    }
    if (archive_write_header(writer.get(), to) < ARCHIVE_WARN) return error();
    return {};
  }

  Status data(std::string_view bytes) {
    while (!bytes.empty()) {
      const la_ssize_t put = archive_write_data(writer.get(), bytes.data(), bytes.size());
      if (put <= 0) return error();
      bytes.remove_prefix(static_cast<size_t>(put));
    }
    return {};
  }
};

ArchiveWriter::ArchiveWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveWriter::~ArchiveWriter() = default;
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;

Result<ArchiveWriter> ArchiveWriter::open(Sink sink) {
  auto state = std::make_unique<State>();
  state->sink = std::move(sink);
  archive* writer = state->writer.get();
  CHECK(writer != nullptr && state->entry != nullptr);
  CHECK(archive_write_set_format_pax_restricted(writer) == ARCHIVE_OK);
  archive_write_set_bytes_in_last_block(writer, 1);
  if (archive_write_open(writer, state.get(), nullptr, State::write_sink, nullptr) != ARCHIVE_OK) {
    return state->error();
  }
  return ArchiveWriter(std::move(state));
}

Status ArchiveWriter::add(LayerEntry entry, std::string_view content) {
  entry.size = static_cast<int64_t>(content.size());
  MINIK_TRY(state_->header(entry));
  return state_->data(content);
}

Status ArchiveWriter::add_from(const LayerEntry& entry, int fd) {
  MINIK_TRY(state_->header(entry));
  std::string buffer(kCopyBytes, '\0');
  int64_t left = entry.size;
  while (left > 0) {
    const size_t wanted = std::min(buffer.size(), static_cast<size_t>(left));
    const ssize_t got = ::read(fd, buffer.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return disk_error(errno, cat("read ", entry.path));
    if (got == 0) {
      return Error(ErrorCode::kConflict, cat(entry.path, " became shorter while it was read"));
    }
    MINIK_TRY(state_->data({buffer.data(), static_cast<size_t>(got)}));
    left -= got;
  }
  return {};
}

Status ArchiveWriter::finish() {
  if (archive_write_close(state_->writer.get()) != ARCHIVE_OK) return state_->error();
  return {};
}

}  // namespace minik::runtime
