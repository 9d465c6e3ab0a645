// StoreLog: the disk edge of a simulated cluster's store. Everything that is appended goes into the trace, and then
// either into memory, or through the real SqliteLog onto a simulated disk whose power can go and which can be full.
//
// A commit may take time (virtual); commits stay in their order. After an error or a loss of power the log accepts
// nothing more until recover(), which gives what the disk holds: everything acknowledged, and nothing else for sure.
// Owned by the cluster; control thread only.
#pragma once

#include <functional>
#include <memory>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/store/log.h"
#include "control/store/memory_log.h"
#include "control/store/sqlite_log.h"
#include "sim/distribution.h"
#include "sim/power_loss_disk.h"
#include "sim/trace.h"

namespace minik::sim {

class StoreLog : public control::Log {
 public:
  enum class Where : uint8_t { kMemory, kDisk };
  StoreLog(Where where, const control::Schema& schema, Rng rng, Executor& executor, Trace* trace);
  ~StoreLog() override;

  void append(std::vector<control::LogRecord> batch, std::function<void(Status)> durable) override;

  // Whoever waits for a commit does not hear of it any more.
  void drop_answers() { ++*life_; }
  // Everything that is not on the disk is gone, and nobody hears of it. Only of a log on a disk.
  void cut_power();
  void set_full(bool full);
  void set_latency(Distribution latency) { latency_ = std::move(latency); }
  // Of a log on a disk: opens it anew and reads what is there.
  Result<control::RecoveredState> recover();
  bool on_disk() const { return disk_ != nullptr; }

 private:
  Status open();

  const control::Schema& schema_;
  Executor& executor_;
  Trace* trace_;
  Rng rng_;
  Distribution latency_;
  Instant last_durable_;
  control::MemoryLog memory_;
  std::unique_ptr<PowerLossDisk> disk_;
  std::unique_ptr<control::SqliteLog> sqlite_;
  std::shared_ptr<uint64_t> life_;  // answers of an earlier one are dropped
};

}  // namespace minik::sim
