// PowerLossDisk: an SQLite VFS in memory whose power can go at any write.
//
// Each file has what is on the platter and what was written since its last sync. When the power
// goes, every sector of 512 bytes written since then survives or not by the seed's choice, in any
// combination, as a disk with a write cache may do; everything after that fails with an I/O error
// until restart(). Deletions are taken as durable at once, and so is the existence of a file:
// SQLite syncs directories for those, which an ordinary file system obeys. Locks are not modelled:
// one process.
//
// The log's own writer thread may call it while a test holds it, hence the mutex; in a simulated cluster the log
// writes on the one thread that there is.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/base/rng.h"

namespace minik::sim {

class PowerLossDisk {
 public:
  explicit PowerLossDisk(uint64_t seed);
  ~PowerLossDisk();
  PowerLossDisk(const PowerLossDisk&) = delete;
  PowerLossDisk& operator=(const PowerLossDisk&) = delete;

  // For SqliteLogOptions::vfs.
  const std::string& name() const { return name_; }

  // The power goes at the operation (write, truncate, sync, delete) with this number, counted from
  // 0.
  void cut_at(size_t operation);
  // It goes now.
  void cut();
  // Writes that would let all files together grow beyond this fail as on a full disk.
  void set_capacity(size_t bytes);
  size_t used() const;
  size_t operations() const;
  // Power on again, with what survived; operations count on from 0, and no cut is planned.
  void restart();

 private:
  struct Write {
    size_t offset;
    std::string bytes;
  };
  struct File {
    std::string platter;
    std::string current;
    std::vector<Write> unsynced;  // a truncation is a write without bytes
  };
  struct Handle;
  friend struct Handle;

  // SQLITE_OK, or the error that a dead disk gives.
  int operate();
  int write(File& file, const char* bytes, size_t size, size_t offset);
  int truncate(File& file, size_t size);
  int sync(File& file);
  int remove(const std::string& name);
  void lose_unsynced(File& file);

  std::string name_;
  mutable std::mutex mutex_;
  Rng rng_;
  std::map<std::string, std::shared_ptr<File>> files_;
  size_t operations_ = 0;
  size_t cut_at_ = SIZE_MAX;
  size_t capacity_ = SIZE_MAX;
  bool dead_ = false;
  sqlite3_vfs vfs_{};
};

}  // namespace minik::sim
