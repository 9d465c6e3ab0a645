#include "sim/timer_queue.h"

#include <algorithm>
#include <bit>

namespace minik::sim {

TimerQueue::TimerQueue() : buckets_(kBuckets, kNone) {}

void TimerQueue::push(const Due& due) {
  const int64_t bucket = bucket_of(due.at);
  if (bucket <= current_) {
    now_.push_back(due);
    std::push_heap(now_.begin(), now_.end());
  } else if (bucket - current_ < static_cast<int64_t>(kBuckets)) {
    place(due);
  } else {
    far_.push(due);
  }
}

void TimerQueue::place(const Due& due) {
  const auto at = static_cast<size_t>(bucket_of(due.at)) % kBuckets;
  uint32_t& first = buckets_[at];
  if (first == kNone || blocks_[first].count == kBlock) first = new_block(first);
  Block& block = blocks_[first];
  block.dues[block.count++] = due;
  filled_[at / 64] |= uint64_t{1} << at % 64;
}

uint32_t TimerQueue::new_block(uint32_t next) {
  uint32_t made = free_;
  if (made == kNone) {
    made = static_cast<uint32_t>(blocks_.size());
    blocks_.emplace_back();
  } else {
    free_ = blocks_[made].next;
  }
  blocks_[made].count = 0;
  blocks_[made].next = next;
  return made;
}

void TimerQueue::take_into_now(size_t bucket) {
  for (uint32_t at = buckets_[bucket]; at != kNone;) {
    Block& block = blocks_[at];
    now_.insert(now_.end(), block.dues.begin(), block.dues.begin() + block.count);
    const uint32_t next = block.next;
    block.next = free_;
    free_ = at;
    at = next;
  }
  buckets_[bucket] = kNone;
  filled_[bucket / 64] &= ~(uint64_t{1} << bucket % 64);
}

const Due* TimerQueue::top() {
  return now_.empty() && !advance() ? nullptr : &now_.front();
}

void TimerQueue::pop() {
  std::pop_heap(now_.begin(), now_.end());
  now_.pop_back();
}

// The next bucket that has something, or -1; they stand in a circle, and the one of current_ is empty.
int64_t TimerQueue::next_filled() const {
  const auto start = static_cast<size_t>(current_) % kBuckets;
  for (size_t step = 0; step <= filled_.size(); ++step) {
    const size_t word = (start / 64 + step) % filled_.size();
    uint64_t bits = filled_[word];
    if (step == 0) bits &= ~uint64_t{0} << start % 64;
    if (step == filled_.size()) bits &= ~(~uint64_t{0} << start % 64);
    if (bits == 0) continue;
    const size_t found = word * 64 + static_cast<size_t>(std::countr_zero(bits));
    return current_ + static_cast<int64_t>((found + kBuckets - start) % kBuckets);
  }
  return -1;
}

// Makes the next filled bucket the current one.
bool TimerQueue::advance() {
  int64_t next = next_filled();
  if (next < 0) {
    if (far_.empty()) return false;
    next = bucket_of(far_.top().at);
  }
  current_ = next;
  take_into_now(static_cast<size_t>(current_) % kBuckets);
  while (!far_.empty() && bucket_of(far_.top().at) - current_ < static_cast<int64_t>(kBuckets)) {
    const Due due = far_.top();
    far_.pop();
    if (bucket_of(due.at) == current_) {
      now_.push_back(due);
    } else {
      place(due);
    }
  }
  std::make_heap(now_.begin(), now_.end());
  return true;
}

}  // namespace minik::sim
