// TimerHeap: pending timers ordered by (deadline, sequence), in a binary heap that knows where each
// timer sits, so that adding, cancelling and firing cost O(log n) with 100,000 of them.
//
// A plain container of the loop's thread. An id is a slot and that slot's generation: cancelling a
// timer that has fired finds another generation and does nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/base/executor.h"

namespace minik {

class TimerHeap {
 public:
  TimerId add(Instant deadline, Task task);
  void cancel(TimerId id);
  // Absent when there is none.
  std::optional<Instant> next_deadline() const;
  // The first timer that is due at `now`, removed; an empty Task when none is.
  Task take_due(Instant now);
  size_t size() const { return heap_.size(); }

 private:
  struct Slot {
    Task task;
    uint32_t generation = 1;
    uint32_t position = 0;  // in heap_
  };
  struct Entry {
    Instant deadline;
    uint64_t sequence;
    uint32_t slot;
  };

  static bool before(const Entry& a, const Entry& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.sequence < b.sequence;
  }
  void place(size_t position, Entry entry);
  void sift_up(size_t position);
  void sift_down(size_t position);
  Task remove(size_t position);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<Entry> heap_;
  uint64_t next_sequence_ = 0;
};

}  // namespace minik
