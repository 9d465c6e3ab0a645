#include "sim/store_log.h"

#include <algorithm>

#include "control/api/stored_kinds.h"
#include "control/base/text.h"
#include "control/schema/schema.h"

namespace minik::sim {

namespace {

constexpr const char* kFile = "/state.db";

}  // namespace

StoreLog::StoreLog(Where where, const control::Schema& schema, Rng rng, Executor& executor, Trace* trace)
    : schema_(schema), executor_(executor), trace_(trace), rng_(rng), life_(std::make_shared<uint64_t>(0)) {
  if (where == Where::kMemory) return;
  disk_ = std::make_unique<PowerLossDisk>(rng_.next());
  const Status opened = open();
  CHECK(opened.ok()) << opened.error().message;
}

StoreLog::~StoreLog() { ++*life_; }

Status StoreLog::open() {
  MINIK_ASSIGN(sqlite_, control::SqliteLog::open(kFile, executor_, control::stored_kind_names(schema_),
                                                 {disk_->name(), control::SqliteLogOptions::Writes::kInAppend}));
  return {};
}

void StoreLog::append(std::vector<control::LogRecord> batch, std::function<void(Status)> durable) {
  if (trace_) {
    for (const auto& record : batch) trace_->on_write(executor_.now(), record);
  }
  // In the order of the batches, each after its own time.
  auto answer = [this, life = life_, mine = *life_, durable = std::move(durable)](const Status& status) {
    if (*life != mine) return;
    if (latency_.is_zero() && last_durable_ <= executor_.now()) {
      durable(status);
      return;
    }
    last_durable_ = std::max(last_durable_, executor_.now()) + latency_.draw(rng_);
    executor_.after(last_durable_ - executor_.now(), [life, mine, durable, status] {
      if (*life == mine) durable(status);
    });
  };
  if (sqlite_) {
    sqlite_->append(std::move(batch), std::move(answer));
  } else {
    memory_.append(std::move(batch), std::move(answer));
  }
}

void StoreLog::cut_power() {
  CHECK(disk_) << "a log in memory has no power to lose";
  ++*life_;
  disk_->cut();
}

void StoreLog::set_full(bool full) {
  CHECK(disk_) << "a log in memory is never full";
  disk_->set_capacity(full ? disk_->used() : SIZE_MAX);
}

Result<control::RecoveredState> StoreLog::recover() {
  ++*life_;
  last_durable_ = executor_.now();
  sqlite_.reset();
  disk_->restart();
  MINIK_TRY(open());
  return sqlite_->recover();
}

}  // namespace minik::sim
