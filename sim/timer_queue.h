// TimerQueue: what is due when, in the order of (instant, tie-break, sequence), for millions of timers.
//
//   now      |<- buckets of 2 ms ->|  ... 8,192 of them, 17 s ...  |   far
//   a heap     chains of blocks                                        a heap
//
// Most timers of a cluster are due within seconds: they go to the end of a bucket and are put in order only
// when their two milliseconds come, in a heap that fits into the processor's cache. One large heap would miss
// it at every level. What is due later waits in a heap of its own until the buckets reach it.
//
// A bucket is a chain of blocks, and a block that was emptied is the next one that is filled: the queue takes the memory
// of the most timers that ever waited at once, not of the most that each bucket ever had.
//
// Invariants: nothing in the buckets or far away is due before anything in `now`; `far` holds nothing that the
// buckets could take; all blocks of a bucket but its first are full. A plain container: cancelling is its owner's
// business, who skips what is cancelled.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
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
  // Of timers that wait, or have waited, in buckets at once: what has been allocated for them, in blocks.
  size_t blocks() const { return blocks_.size(); }
  static constexpr size_t kBlock = 15;  // timers in one: half a kilobyte

 private:
  static constexpr int kWidthBits = 21;  // of a bucket, in nanoseconds: 2 ms
  static constexpr size_t kBuckets = 8192;
  static constexpr uint32_t kNone = UINT32_MAX;
  static int64_t bucket_of(Instant at) { return at.ns >> kWidthBits; }

  struct Block {
    std::array<Due, kBlock> dues;
    uint32_t count;
    uint32_t next;
  };

  void place(const Due& due);
  uint32_t new_block(uint32_t next);
  bool advance();
  void take_into_now(size_t bucket);
  int64_t next_filled() const;

  int64_t current_ = 0;  // everything up to this bucket is in now_
  std::vector<Due> now_;
  std::vector<uint32_t> buckets_;  // each one's first block, or kNone
  std::deque<Block> blocks_;
  uint32_t free_ = kNone;  // the first of the blocks that nobody uses
  std::array<uint64_t, kBuckets / 64> filled_{};
  std::priority_queue<Due> far_;
};

}  // namespace minik::sim
