// Triggers: waits for what a scenario's actions and faults wait for, and fires them: those of one moment in the order in
// which they were armed, all others each in a task of its own.
//
// Owned by a run. What it watches is the cluster's requests and stored state; nothing it does is seen by the cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "sim/cluster.h"
#include "sim/trigger.h"

namespace minik::sim {

class Triggers {
 public:
  Triggers(SimulatedCluster& cluster, Rng rng) : cluster_(cluster), rng_(rng) {}

  // `fire` runs once, or for a random trigger again and again until stop(). Before the cluster starts.
  void arm(const Trigger& trigger, std::function<void()> fire, std::string what = {});
  // What has waited for something that has not come: "file:line: crashNodes".
  std::vector<std::string> never_fired() const;
  // Asks the predicates; every virtual second.
  void look();
  // Nothing fires any more.
  void stop() { stopped_ = true; }

 private:
  struct Waiting {
    Trigger trigger;
    std::function<void()> fire;
    Rng rng;  // of kRandom
    int64_t seen = 0;  // kWrite: matching writes so far; kBetween: whether the first has been
    bool fired = false;
    std::string what = {};
  };
  void fire_later(Waiting& waiting);
  void again(const std::shared_ptr<Waiting>& waiting, Duration wait);
  void watch_requests();

  SimulatedCluster& cluster_;
  Rng rng_;
  std::vector<std::shared_ptr<Waiting>> waiting_;
  std::map<Duration, std::vector<std::shared_ptr<Waiting>>> moments_;  // of kAt
  bool watches_ = false, stopped_ = false;
};

}  // namespace minik::sim
