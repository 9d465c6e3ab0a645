// Actions: performs what a scenario's users and administrators do, by requests as any client makes them.
//
// They are patient (PatientClient): what fails for the moment is tried again, what is refused for good is told to the
// listener. Objects are applied one after the other, whatever becomes of each. Drains and upgrades go on for as long as
// they take. Owned by a run; control thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/action.h"
#include "sim/cluster.h"
#include "sim/drain.h"
#include "sim/fault_injector.h"
#include "sim/patient_client.h"

namespace minik::sim {

class Actions {
 public:
  Actions(SimulatedCluster& cluster, FaultInjector& faults, Rng rng, FaultInjector::Listener listener);
  ~Actions();

  void perform(const Action& action);
  // Drains and upgrades under way, in words.
  std::vector<std::string> unfinished() const;
  // What has been asked for and not been done yet.
  std::vector<std::string> unanswered() const { return client_.unanswered(); }

 private:
  void act(const Action& from, const ApplyAction& action);
  // The objects from this one on, each when the one before it is there or refused.
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

  bool is_registered(const std::string& node) const;
  std::vector<std::string> choose(const Action& from, const NodeChoice& choice, const std::function<bool(const std::string&)>& candidate);

  SimulatedCluster& cluster_;
  FaultInjector& faults_;
  Rng rng_;
  PatientClient client_;
  std::vector<std::shared_ptr<Drain>> drains_;
  std::vector<std::shared_ptr<PoolUpgrade>> upgrades_;
};

}  // namespace minik::sim
