// Actions: performs what a scenario's users and administrators do, by requests as any client makes them.
//
// A request that fails for the moment (the API server is away, throttles or times out) is tried again for minutes,
// as people do; what is refused for good is told to the listener. Drains and upgrades go on for as long as they
// take. Owned by a run; control thread only.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/action.h"
#include "sim/cluster.h"
#include "sim/fault_injector.h"

namespace minik::sim {

class Actions {
 public:
  Actions(SimulatedCluster& cluster, FaultInjector& faults, Rng rng, FaultInjector::Listener listener);
  ~Actions();

  void perform(const Action& action);
  // Drains and upgrades under way, in words.
  std::vector<std::string> unfinished() const;

 private:
  class Drain;
  class Upgrade;

  void act(const Action& from, const ApplyAction& action);
  // The objects from this one on, each when the one before it is there.
  void apply(const std::vector<control::Value>& objects, size_t from, Instant give_up);
  void act(const Action& from, const PatchAction& action);
  void act(const Action& from, const DeleteAction& action);
  void act(const Action& from, const CordonAction& action);
  void act(const Action& from, const DrainAction& action);
  void act(const Action& from, const UpgradePoolAction& action);
  void act(const Action& from, const RestartAction& action);
  void act(const Action& from, const SetLoadAction& action);
  void act(const Action& from, const StartNodesAction& action);
  void act(const Action& from, const HealNodesAction& action);
  void act(const Action& from, const InjectAction& action);

  std::vector<std::string> choose(const Action& from, const NodeChoice& choice);
  // Until it succeeds, is refused for good, or the server has refused it for five minutes; one that is away is waited for.
  // `done` is told once.
  void send(control::ApiRequest request, const std::string& what, std::function<void(const Status&)> done = nullptr);
  void try_send(std::shared_ptr<const control::ApiRequest> request, const std::string& what, Instant give_up,
                std::function<void(const Status&)> done);
  void cordon(const std::string& node, bool unschedulable, std::function<void(const Status&)> done = nullptr);

  SimulatedCluster& cluster_;
  FaultInjector& faults_;
  Rng rng_;
  FaultInjector::Listener listener_;
  int64_t applying_ = 0;  // actions that have not applied their last object
  std::set<std::shared_ptr<Drain>> drains_;
  std::vector<std::shared_ptr<Upgrade>> upgrades_;
};

}  // namespace minik::sim
