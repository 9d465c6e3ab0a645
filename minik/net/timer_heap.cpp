#include "minik/net/timer_heap.h"

#include <utility>

namespace minik {

TimerId TimerHeap::add(Instant deadline, Task task) {
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot].task = std::move(task);
  heap_.emplace_back();
  place(heap_.size() - 1, Entry{deadline, next_sequence_++, slot});
  sift_up(heap_.size() - 1);
  return TimerId{(static_cast<uint64_t>(slots_[slot].generation) << 32) | slot};
}

void TimerHeap::cancel(TimerId id) {
  const auto slot = static_cast<uint32_t>(id.value);
  const auto generation = static_cast<uint32_t>(id.value >> 32);
  if (!id || slot >= slots_.size() || slots_[slot].generation != generation) return;
  remove(slots_[slot].position);
}

std::optional<Instant> TimerHeap::next_deadline() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline;
}

Task TimerHeap::take_due(Instant now) {
  if (heap_.empty() || heap_.front().deadline > now) return {};
  return remove(0);
}

void TimerHeap::place(size_t position, Entry entry) {
  heap_[position] = entry;
  slots_[entry.slot].position = static_cast<uint32_t>(position);
}

void TimerHeap::sift_up(size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const size_t parent = (position - 1) / 2;
    if (!before(entry, heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void TimerHeap::sift_down(size_t position) {
  const Entry entry = heap_[position];
  for (;;) {
    size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], entry)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

Task TimerHeap::remove(size_t position) {
  const uint32_t slot = heap_[position].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) {
    place(position, last);
    sift_down(position);
    sift_up(slots_[last.slot].position);
  }
  // Generation 0 would make an id that reads as "none".
  if (++slots_[slot].generation == 0) slots_[slot].generation = 1;
  free_.push_back(slot);
  return std::exchange(slots_[slot].task, nullptr);
}

}  // namespace minik
