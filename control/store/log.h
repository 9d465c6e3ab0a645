// Log: the disk edge of the store. A batch is durable as a whole or not at all, batches become durable
// in the order in which they were appended, and an append may be issued before the one before it is
// durable (group commit).
//
// Two logs: SqliteLog in the process (sqlite_log.h), MemoryLog in the simulator and in tests
// (memory_log.h). Both live on the control thread as far as this interface goes; SqliteLog's own writer
// thread posts its answers back.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "control/base/result.h"
#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

struct LogRecord {
  enum class Kind : uint8_t { kPut, kDelete };
  Kind what = Kind::kPut;
  KindId kind;
  Revision revision;
  // The object as stored; for kDelete its last version, stamped with the revision of the deletion.
  Value object;
  // Of the version that this record replaces or deletes; 0 for a new object.
  Revision previous = {};
};

class Log {
 public:
  virtual ~Log() = default;
  // `durable` is called once: success when the batch has reached the disk, an error when it never will
  // (full disk, broken file). After an error the log accepts nothing more and the owner rebuilds the
  // control plane from what is on disk.
  virtual void append(std::vector<LogRecord> batch, std::function<void(Status)> durable) = 0;
};

// When each kind changed last, deletions included: a watch from there on has missed nothing. Of a kind that is not
// named nothing is known but that it has not changed since `others`.
struct LastChanges {
  std::map<KindId, Revision> of;
  Revision others;
};

// What a log found on disk: the last version of every living object and the last revision ever used.
struct RecoveredState {
  std::vector<LogRecord> objects;
  Revision last;
  std::optional<LastChanges> last_changes = {};  // unknown: it may have been at `last`
};

}  // namespace minik::control
