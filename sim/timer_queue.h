// TimerQueue: what is due when, in the order of (instant, tie-break, sequence), for millions of timers.
//
//   now      |<- buckets of 2 ms ->|  ... 8,192 of them, 17 s ...  |   far
//   a heap     plain vectors                                           a heap
//
// Most timers of a cluster are due within seconds: they go to the end of a vector and are put in order only
// when their two milliseconds come, in a heap that fits into the processor's cache. One large heap would miss
// it at every level. What is due later waits in a heap of its own until the buckets reach it.
//
// Invariants: nothing in the buckets or far away is due before anything in `now`; `far` holds nothing that the
// buckets could take. A plain container: cancelling is its owner's business, who skips what is cancelled.
#pragma once

#include <array>
#include <cstdint>
#include <queue>
#include <vector>

#include "control/base/time.h"

namespace minik::sim {

struct Due {
  Instant at;
  uint64_t tie;
  uint64_t sequence;
  uint32_t slot;
  uint32_t generation;
  // Heaps of the standard library have the largest on top: reversed.
  bool operator<(const Due& other) const {
    if (at != other.at) return at > other.at;
    if (tie != other.tie) return tie > other.tie;
    return sequence > other.sequence;
  }
};

class TimerQueue {
 public:
  TimerQueue();

  void push(const Due& due);
  // The first one, or null when there is none; valid until the next call.
  const Due* top();
  void pop();

 private:
  static constexpr int kWidthBits = 21;  // of a bucket, in nanoseconds: 2 ms
  static constexpr size_t kBuckets = 8192;
  static int64_t bucket_of(Instant at) { return at.ns >> kWidthBits; }

  void place(const Due& due);
  bool advance();
  int64_t next_filled() const;

  int64_t current_ = 0;  // everything up to this bucket is in now_
  std::vector<Due> now_;
  std::vector<std::vector<Due>> buckets_;
  std::array<uint64_t, kBuckets / 64> filled_{};
  std::priority_queue<Due> far_;
};

}  // namespace minik::sim
