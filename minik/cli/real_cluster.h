// A real cluster that goes through a scenario: what `minik sim compare` does to the cluster of a profile, and the
// watches that see what comes of it.
//
// It must be empty at the beginning and is empty in the end. Its images are the demo server under the scenario's names,
// which behaves as the scenario says. A fault of the API server is the end of the daemon by SIGKILL; while it is away the
// watches try to come back, and then learn from a list what has gone meanwhile. What fails ends the command with its words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/schema/schema.h"
#include "minik/process/profile.h"
#include "sim/action.h"
#include "sim/agreement/comparable.h"
#include "sim/agreement/history.h"

namespace minik::cli {

// The kinds whose objects are compared.
inline constexpr std::string_view kCompared[] = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Pod", "EndpointSlice",
                                                 "PodDisruptionBudget"};
const control::ResourceInfo& resource_of(std::string_view kind);
// Not what every cluster has of its own.
bool is_compared(const control::Value& object);

class RealCluster {
 public:
  RealCluster(Profile profile, const sim::Comparable& comparable);
  ~RealCluster();

  // All deeds at their moments, until the scenario's end; what the watches have seen.
  sim::WorldHistory live_through();

 private:
  class Watches;
  // Of a registry, or of what a namespace's quota has left, and how it ends.
  struct Outage {
    Duration until;
    std::function<void()> end;
  };

  void perform_all();
  void must_be_empty();
  std::string first_object();
  void perform(const sim::Action& deed);
  void act(const sim::ApplyAction& action);
  void act(const sim::PatchAction& action);
  void act(const sim::DeleteAction& action);
  void act(const sim::CordonAction& action);
  void act(const sim::DrainAction& action);
  void act(const sim::RestartAction& action);
  void act(const sim::InjectAction& action);
  template <typename Other>
  void act(const Other&);  // refused before
  void strike_pods(const sim::PodFault& fault, Duration lasts);
  void stop_daemon(int signal);
  void start_daemon();
  void make_images(const std::set<std::string>& names);
  void take_images(const std::string& match);
  void settle_quota(const std::string& namespace_);
  void set_unschedulable(bool unschedulable);
  void remove_all();
  // Until this moment of the scenario; what ends before it ends at its own.
  void wait_until(Duration at);

  Profile profile_;
  const sim::Comparable& comparable_;
  std::set<std::string> images_;
  std::vector<std::string> applied_;
  std::unique_ptr<Watches> watches_;
  int64_t begin_ms_ = 0;
  Duration now_;
  std::optional<Duration> daemon_back_;
  std::vector<Outage> outages_;
  std::map<std::string, std::multiset<std::string>> exhausted_;  // by namespace
};

}  // namespace minik::cli
