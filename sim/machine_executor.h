// MachineExecutor: the time of one simulated machine. Its monotonic line is the cluster's; its calendar is off by
// the skew of its clock, and while it is frozen nothing that runs on it comes to its turn.
//
// A lane of the VirtualExecutor, which owns tasks and order. As long-lived as the cluster.
#pragma once

#include "sim/virtual_executor.h"

namespace minik::sim {

class MachineExecutor : public Executor {
 public:
  MachineExecutor(VirtualExecutor& cluster, Duration skew) : cluster_(cluster), lane_(cluster.add_lane()), skew_(skew) {}

  Instant now() const override { return cluster_.now(); }
  WallTime wall_now() const override { return cluster_.wall_now() + skew_; }
  void post(Task task) override { cluster_.post(lane_, std::move(task)); }
  TimerId after(Duration delay, Task task) override { return cluster_.after(lane_, delay, std::move(task)); }
  void cancel(TimerId timer) override { cluster_.cancel(timer); }

  void jump(Duration by) { skew_ = skew_ + by; }
  void set_frozen(bool frozen) { cluster_.set_frozen(lane_, frozen); }
  bool frozen() const { return cluster_.frozen(lane_); }

 private:
  VirtualExecutor& cluster_;
  LaneId lane_;
  Duration skew_;
};

}  // namespace minik::sim
