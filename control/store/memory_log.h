// MemoryLog: a log without a disk, for the simulator and for tests. It keeps what a disk would hold (the
// last version of each object), so that a simulated restart recovers exactly what was durable.
//
// By default an append is durable at once. With a delay function the simulator decides, per batch, when
// (virtual time) or whether (a full or failing disk) it becomes durable; lose_unflushed() is a power
// loss: batches that are not durable yet are gone and their callbacks never run. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "control/store/log.h"

namespace minik::control {

class MemoryLog : public Log {
 public:
  // Runs `flush` when the batch of this many records shall be durable; an error given to it fails the
  // log for good.
  using Disk = std::function<void(size_t records, std::function<void(Status)> flush)>;

  // `keep_objects` off: nothing is kept and recover() has nothing; for runs that never restart.
  enum class Keep : uint8_t { kObjects, kNothing };
  explicit MemoryLog(Keep keep = Keep::kNothing, Disk disk = nullptr);
  ~MemoryLog() override;

  void append(std::vector<LogRecord> batch, std::function<void(Status)> durable) override;

  void lose_unflushed();
  RecoveredState recover() const;
  uint64_t batches() const { return batches_; }
  uint64_t records() const { return records_; }

 private:
  void apply(const std::vector<LogRecord>& batch);

  Keep keep_;
  Disk disk_;
  std::map<std::pair<KindId, ObjectKey>, LogRecord> objects_;
  Revision last_;
  uint64_t batches_ = 0;
  uint64_t records_ = 0;
  std::shared_ptr<uint64_t> generation_;
};

}  // namespace minik::control
