// Census: how many pods are in which phase, which nodes are ready and how far each rollout is, kept up write
// by write, so that asking costs nothing and a write costs the same in a cluster of any size.
//
// A pod counts where kubectl's STATUS would put it, with Running cut in two by readiness and Pending by
// whether it has a node. What is not looked at: containers one by one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "control/schema/schema.h"
#include "control/store/log.h"

namespace minik::sim {

enum class PodPhase : uint8_t { kReady, kNotReady, kStarting, kUnscheduled, kTerminating, kFailed, kSucceeded };
inline constexpr size_t kPodPhases = 7;
std::string_view phase_name(PodPhase phase);

struct NodeCount {
  int64_t ready = 0, not_ready = 0, cordoned = 0;  // cordoned ones are in the other two as well
};

// A Deployment, StatefulSet or DaemonSet as its status has it.
struct Rollout {
  int64_t wanted = 0, updated = 0, old = 0, ready = 0;
};

class Census {
 public:
  void on_write(const control::LogRecord& record);

  int64_t pods(PodPhase phase) const { return pods_[static_cast<size_t>(phase)]; }
  int64_t restarts() const { return restarts_; }  // of containers, all in all
  const NodeCount& nodes() const { return nodes_; }
  // By "Deployment default/web"; those that are gone stay with zeros.
  const std::map<std::string, Rollout>& rollouts() const { return rollouts_; }

 private:
  struct PodEntry {
    PodPhase phase = PodPhase::kUnscheduled;
    int32_t restarts = 0;
  };
  void count_pod(const control::LogRecord& record);
  void count_node(const control::LogRecord& record);
  void count_rollout(const control::LogRecord& record, std::string_view kind);

  std::array<int64_t, kPodPhases> pods_{};
  std::map<uint64_t, PodEntry> pod_entries_;  // by the hash of the uid: a million of them fit
  int64_t restarts_ = 0;
  NodeCount nodes_;
  std::map<std::string, NodeCount> node_entries_;
  std::map<std::string, Rollout> rollouts_;
};

}  // namespace minik::sim
