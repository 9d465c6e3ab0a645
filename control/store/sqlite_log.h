// SqliteLog: the store's disk, one SQLite file in WAL mode with synchronous=FULL.
//
//   control thread            writer thread
//   append(batch) --queue-->  BEGIN; rows of every waiting batch; COMMIT (one fsync)
//   durable(status) <--post-- one task for the whole group, batches in order
//
// The file holds the last version of each living object in a row whose number is the object's
// revision; replacing an object adds a row and removes the one before it in the same transaction.
// So the file needs no compaction, new rows are neighbours, and recovery is one scan in revision
// order. Rows carry a checksum, because SQLite itself would not notice a flipped bit. Of deletions the
// last one of each kind is noted, so that a restart can tell who has missed nothing.
//
// Invariants: an acknowledged batch survives kill -9 and loss of power; a batch is there as a whole
// or not at all, and never without the batches before it. The file is locked for one process.
//
// Created, called and destroyed on the control thread; sqlite_log.cpp is the home of the one thread
// beside it. The destructor writes what was appended. It fails for good at the first error (full
// disk, broken file): every later batch gets the same error, and the owner rebuilds from the file.
// A file that is damaged, locked or of a newer format is refused by one line that names it and the
// remedy; one of format 1, which noted no deletions, becomes one of format 2. It keeps no history:
// watches from before a kind's last change are Expired after a start.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/executor.h"
#include "control/base/result.h"
#include "control/store/log.h"

namespace minik::control {

// The disk outlives the numbers of a process: it names kinds as "pods" or "deployments.apps".
struct KindNames {
  std::function<std::string(KindId)> name;
  std::function<std::optional<KindId>(std::string_view)> find;
};

struct SqliteLogOptions {
  // The SQLite VFS under the file, by name; empty: the operating system's.
  std::string vfs;
  // In whose time the file is written: a simulated cluster has but one thread, and each append is a commit.
  enum class Writes : uint8_t { kOnThread, kInAppend };
  Writes writes = Writes::kOnThread;
};

class SqliteLog final : public Log {
 public:
  // Makes the file when there is none. `executor` runs the durable callbacks and must outlive the
  // log.
  static Result<std::unique_ptr<SqliteLog>> open(const std::string& path, Executor& executor,
                                                 KindNames names, SqliteLogOptions options = {});
  ~SqliteLog() override;

  // Once, before the first append. Rows of a kind that nobody knows any more stay in the file and
  // are named by unknown_kinds().
  Result<RecoveredState> recover();
  const std::vector<std::string>& unknown_kinds() const { return unknown_kinds_; }

  void append(std::vector<LogRecord> batch, std::function<void(Status)> durable) override;

 private:
  class Writer;
  SqliteLog(std::unique_ptr<Writer> writer, KindNames names);

  std::unique_ptr<Writer> writer_;
  KindNames names_;
  std::vector<int64_t> disk_kinds_;  // by KindId; 0: not written yet
  std::vector<std::string> unknown_kinds_;
};

}  // namespace minik::control
