#include "control/store/memory_log.h"

#include <utility>

namespace minik::control {

MemoryLog::MemoryLog(Keep keep, Disk disk)
    : keep_(keep), disk_(std::move(disk)), generation_(std::make_shared<uint64_t>(0)) {}

MemoryLog::~MemoryLog() { ++*generation_; }

void MemoryLog::append(std::vector<LogRecord> batch, std::function<void(Status)> durable) {
  ++batches_;
  records_ += batch.size();
  if (!disk_) {
    apply(batch);
    durable({});
    return;
  }
  const size_t records = batch.size();
  disk_(records, [this, generation = generation_, mine = *generation_, batch = std::move(batch),
                  durable = std::move(durable)](Status status) {
    if (*generation != mine) return;  // the power went before the batch reached the disk
    if (status.ok()) apply(batch);
    durable(std::move(status));
  });
}

void MemoryLog::lose_unflushed() { ++*generation_; }

void MemoryLog::apply(const std::vector<LogRecord>& batch) {
  if (batch.empty()) return;
  last_ = batch.back().revision;
  if (keep_ == Keep::kNothing) return;
  for (const auto& record : batch) {
    const auto key = std::make_pair(record.kind, key_of(record.object));
    if (record.what == LogRecord::Kind::kDelete) {
      objects_.erase(key);
    } else {
      objects_.insert_or_assign(key, record);
    }
  }
}

RecoveredState MemoryLog::recover() const {
  RecoveredState state;
  state.last = last_;
  for (const auto& [key, record] : objects_) state.objects.push_back(record);
  return state;
}

}  // namespace minik::control
