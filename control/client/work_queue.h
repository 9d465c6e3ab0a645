// WorkQueue: the keys that a controller still has to look at, each at most once, and one worker per
// key.
//
//           add            take                 done
//   (none) -----> queued -------> processing ----------> (none)
//                                   | add                   ^
//                                   +-----> dirty ----------+ done: queued again
//
// The semantics of client-go's work queue: a key added while it is processed runs again afterwards,
// never beside itself. add_rate_limited() backs off per key (5 ms doubling to 1000 s) until
// forget(). A pure state machine plus timers from the executor; control thread only. FIFO among
// ready keys. Its metrics are client-go's, under the queue's name; a key that rests is not worked on.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/object/object_ref.h"

namespace minik::control {

class WorkQueue {
 public:
  // `on_ready` is called when the queue stops being empty; the owner then schedules a turn.
  WorkQueue(Executor& executor, Task on_ready);
  // From now on counts in this registry, which must outlive the queue.
  void count_in(MetricRegistry& metrics, const std::string& name);
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void add(const ObjectKey& key);
  // Not before the delay; an earlier pending delay for the key wins.
  void add_after(const ObjectKey& key, Duration delay);
  void add_rate_limited(const ObjectKey& key);
  void forget(const ObjectKey& key);
  int failures(const ObjectKey& key) const;

  std::optional<ObjectKey> take();
  void done(const ObjectKey& key);
  // Done now, but not taken again before the rest is over.
  void done_after(const ObjectKey& key, Duration rest);

  size_t depth() const { return queue_.size(); }
  // Nothing queued, delayed or processing; a rest with nothing behind it does not count.
  bool idle() const;

 private:
  struct Metrics {
    Gauge &depth, &unfinished, &longest;
    Counter &adds, &retries;
    Histogram &waited, &worked;
    MetricRegistry::Collector collector;
  };
  void collect();
  void worked(const ObjectKey& key);
  void leave(const ObjectKey& key);

  Executor& executor_;
  Task on_ready_;
  std::optional<Metrics> metrics_;
  std::deque<ObjectKey> queue_;
  std::map<ObjectKey, Instant> dirty_;       // queued, or to be queued when done; since when
  std::map<ObjectKey, Instant> processing_;  // since when
  struct Delay {
    Instant at;
    TimerId timer;
  };
  std::map<ObjectKey, Delay> delayed_;
  std::map<ObjectKey, TimerId> resting_;  // still in processing_
  std::map<ObjectKey, int> failures_;
};

}  // namespace minik::control
