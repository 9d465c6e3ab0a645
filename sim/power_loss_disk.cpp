#include "sim/power_loss_disk.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "control/base/text.h"

namespace minik::sim {

namespace {
constexpr size_t kSector = 512;
}

// SQLite's view of an open file. It allocates the memory and calls through the table.
struct PowerLossDisk::Handle {
  sqlite3_file base;
  PowerLossDisk* disk;
  std::shared_ptr<File> file;

  static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static PowerLossDisk& disk_of(sqlite3_vfs* vfs) {
    return *static_cast<PowerLossDisk*>(vfs->pAppData);
  }

  static int close(sqlite3_file* file) {
    of(file).file.~shared_ptr();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
    auto& handle = of(file);
    const std::lock_guard lock(handle.disk->mutex_);
    const std::string& bytes = handle.file->current;
    const auto want = static_cast<size_t>(count), from = static_cast<size_t>(offset);
    const size_t have = from < bytes.size() ? std::min(want, bytes.size() - from) : 0;
    if (have > 0) std::memcpy(out, bytes.data() + from, have);
    std::memset(static_cast<char*>(out) + have, 0, want - have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
    auto& handle = of(file);
    return handle.disk->write(*handle.file, static_cast<const char*>(bytes),
                              static_cast<size_t>(count), static_cast<size_t>(offset));
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    return of(file).disk->truncate(*of(file).file, static_cast<size_t>(size));
  }
  static int sync(sqlite3_file* file, int) { return of(file).disk->sync(*of(file).file); }
  static int size(sqlite3_file* file, sqlite3_int64* size) {
    const std::lock_guard lock(of(file).disk->mutex_);
    *size = static_cast<sqlite3_int64>(of(file).file->current.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int is_reserved(sqlite3_file*, int* reserved) {
    *reserved = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return kSector; }
  // As SQLite assumes of every disk of a Unix system: a write spoils no byte beside it.
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int, int*) {
    static const sqlite3_io_methods methods = {
        1,       close,       read,    write,       truncate,        sync,    size,    lock,
        lock,    is_reserved, control, sector_size, characteristics, nullptr, nullptr, nullptr,
        nullptr, nullptr,     nullptr};
    auto& disk = disk_of(vfs);
    const std::lock_guard guard(disk.mutex_);
    file->pMethods = nullptr;
    if (disk.dead_) return SQLITE_IOERR;
    auto& handle = of(file);
    handle.disk = &disk;
    new (&handle.file) std::shared_ptr<File>();
    if (name) {
      auto& slot = disk.files_[name];
      if (!slot) slot = std::make_shared<File>();
      handle.file = slot;
    } else {
      handle.file = std::make_shared<File>();
    }
    file->pMethods = &methods;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int) { return disk_of(vfs).remove(name); }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* result) {
    const std::lock_guard lock(disk_of(vfs).mutex_);
    *result = disk_of(vfs).files_.contains(name) ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int count, char* out) {
    auto& disk = disk_of(vfs);
    const std::lock_guard lock(disk.mutex_);
    for (int i = 0; i < count; ++i) out[i] = static_cast<char>(disk.rng_.below(256));
    return count;
  }
  static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int current_time(sqlite3_vfs*, double* days) {
    *days = 2460000.5;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

PowerLossDisk::PowerLossDisk(uint64_t seed)
    // One process may have many; SQLite tells them apart by their names.
    : name_(cat("power-loss-", reinterpret_cast<uintptr_t>(this))), rng_(seed) {
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(Handle);
  vfs_.mxPathname = 256;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Handle::open;
  vfs_.xDelete = Handle::remove;
  vfs_.xAccess = Handle::access;
  vfs_.xFullPathname = Handle::full_path;
  vfs_.xRandomness = Handle::randomness;
  vfs_.xSleep = Handle::sleep;
  vfs_.xCurrentTime = Handle::current_time;
  vfs_.xGetLastError = Handle::last_error;
  sqlite3_vfs_register(&vfs_, 0);
}

PowerLossDisk::~PowerLossDisk() {
  sqlite3_vfs_unregister(&vfs_);
}

void PowerLossDisk::cut_at(size_t operation) {
  const std::lock_guard lock(mutex_);
  cut_at_ = operation;
}

void PowerLossDisk::cut() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
}

size_t PowerLossDisk::used() const {
  const std::lock_guard lock(mutex_);
  size_t used = 0;
  for (const auto& [name, file] : files_) used += file->current.size();
  return used;
}

void PowerLossDisk::set_capacity(size_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

size_t PowerLossDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void PowerLossDisk::restart() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, file] : files_) lose_unsynced(*file);
  dead_ = false;
  operations_ = 0;
  cut_at_ = SIZE_MAX;
}

int PowerLossDisk::operate() {
  if (!dead_ && operations_++ == cut_at_) dead_ = true;
  return dead_ ? SQLITE_IOERR : SQLITE_OK;
}

int PowerLossDisk::write(File& file, const char* bytes, size_t size, size_t offset) {
  const std::lock_guard lock(mutex_);
  if (dead_) return SQLITE_IOERR;
  size_t used = 0;
  for (const auto& [name, other] : files_) used += other->current.size();
  const size_t end = offset + size;
  if (end > file.current.size() && used + end - file.current.size() > capacity_) return SQLITE_FULL;
  const int code = operate();
  // The write at which the power goes may still have reached the disk in part.
  file.unsynced.push_back({offset, std::string(bytes, size)});
  if (code != SQLITE_OK) return code;
  if (file.current.size() < end) file.current.resize(end);
  std::memcpy(file.current.data() + offset, bytes, size);
  return SQLITE_OK;
}

int PowerLossDisk::truncate(File& file, size_t size) {
  const std::lock_guard lock(mutex_);
  if (const int code = operate(); code != SQLITE_OK) return code;
  file.unsynced.push_back({size, {}});
  file.current.resize(size);
  return SQLITE_OK;
}

int PowerLossDisk::sync(File& file) {
  const std::lock_guard lock(mutex_);
  if (const int code = operate(); code != SQLITE_OK) return code;
  for (const auto& [offset, bytes] : file.unsynced) {
    if (bytes.empty()) {
      file.platter.resize(offset);
      continue;
    }
    if (file.platter.size() < offset + bytes.size()) file.platter.resize(offset + bytes.size());
    std::memcpy(file.platter.data() + offset, bytes.data(), bytes.size());
  }
  file.unsynced.clear();
  return SQLITE_OK;
}

int PowerLossDisk::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const int code = operate(); code != SQLITE_OK) return code;
  return files_.erase(name) ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

void PowerLossDisk::lose_unsynced(File& file) {
  for (const auto& [offset, bytes] : file.unsynced) {
    if (bytes.empty()) {
      if (rng_.below(2)) file.platter.resize(offset);
      continue;
    }
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = std::min(bytes.size() - at, kSector - (offset + at) % kSector);
      if (rng_.below(2)) {
        if (file.platter.size() < offset + at + length) file.platter.resize(offset + at + length);
        std::memcpy(file.platter.data() + offset + at, bytes.data() + at, length);
      }
      at += length;
    }
  }
  file.unsynced.clear();
  file.current = file.platter;
}

}  // namespace minik::sim
