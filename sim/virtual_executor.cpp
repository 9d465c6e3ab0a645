#include "sim/virtual_executor.h"

#include <algorithm>
#include <utility>

namespace minik::sim {

VirtualExecutor::VirtualExecutor(uint64_t seed, WallTime begin)
    : begin_(begin), rng_(Rng(seed).fork("executor")), lanes_(1) {}

LaneId VirtualExecutor::add_lane() {
  lanes_.emplace_back();
  return {static_cast<uint32_t>(lanes_.size() - 1)};
}

void VirtualExecutor::set_frozen(LaneId id, bool frozen) {
  Lane& lane = lanes_[id.value];
  lane.frozen = frozen;
  if (frozen) return;
  for (auto& ready : lane.ready) ready_.push_back(std::move(ready));
  for (const auto& due : lane.timers) timers_.push(due);
  lane.ready.clear();
  lane.timers.clear();
}

void VirtualExecutor::post(LaneId lane, Task task) { ready_.push_back({std::move(task), lane.value}); }

TimerId VirtualExecutor::after(LaneId lane, Duration delay, Task task) {
  uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Slot& s = slots_[slot];
  s.task = std::move(task);
  s.armed = true;
  s.lane = lane.value;
  const uint64_t tie = rng_.next();
  timers_.push({now_ + std::max(delay, Duration{}), chance_.open(now_) ? tie : 0, sequence_++, slot, s.generation});
  return {(uint64_t{s.generation} << 32 | slot) + 1};
}

void VirtualExecutor::cancel(TimerId timer) {
  if (!timer) return;
  const auto slot = static_cast<uint32_t>(timer.value - 1);
  const auto generation = static_cast<uint32_t>((timer.value - 1) >> 32);
  Slot& s = slots_[slot];
  if (!s.armed || s.generation != generation) return;
  s.armed = false;
  s.task = nullptr;
  ++s.generation;  // its place in the queue is skipped when it comes up
  free_.push_back(slot);
}

bool VirtualExecutor::step_until(Instant end) {
  while (!ready_.empty()) {
    Ready ready = std::move(ready_.front());
    ready_.pop_front();
    if (lanes_[ready.lane].frozen) {
      lanes_[ready.lane].ready.push_back(std::move(ready));
      continue;
    }
    ++steps_;
    ready.task();
    return true;
  }
  const Due* due = next_timer();
  if (!due || due->at > end) return false;
  now_ = std::max(now_, due->at);
  const uint32_t slot = due->slot;
  timers_.pop();
  Slot& s = slots_[slot];
  const Task task = std::exchange(s.task, nullptr);
  s.armed = false;
  ++s.generation;
  free_.push_back(slot);
  ++steps_;
  task();
  return true;
}

// The first one that has not been cancelled and whose lane moves.
const Due* VirtualExecutor::next_timer() {
  for (const Due* due = timers_.top(); due; due = timers_.top()) {
    const Slot& s = slots_[due->slot];
    const bool armed = s.armed && s.generation == due->generation;
    if (armed && !lanes_[s.lane].frozen) return due;
    if (armed) lanes_[s.lane].timers.push_back(*due);
    timers_.pop();
  }
  return nullptr;
}

Instant VirtualExecutor::next() {
  if (!ready_.empty()) return now_;
  const Due* due = next_timer();
  return due ? due->at : Instant{INT64_MAX};
}

void VirtualExecutor::run_until(Instant end) {
  run_until(end, [] { return false; });
}

bool VirtualExecutor::run_until(Instant end, const std::function<bool()>& stop) {
  while (step_until(end)) {
    if (stop()) return true;
  }
  now_ = std::max(now_, end);
  return false;
}

}  // namespace minik::sim
