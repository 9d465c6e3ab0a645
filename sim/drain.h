// Drains and upgrades of nodes, as an administrator does them with kubectl.
//
// Each keeps itself alive while it is under way; whoever began it may look at how far it is. Control thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/action.h"
#include "sim/patient_client.h"

namespace minik::sim {

// What a drain asks to go: whatever has ended, and what no DaemonSet owns.
bool drain_moves(const control::Value& pod);
// What it says for that, to the pod's subresource.
control::Value eviction_of(const control::Value& pod, std::optional<int64_t> grace_period_seconds);

// One node: cordon, then evict every pod that a drain moves; what a budget forbids is tried again every five seconds; done
// when all of them are gone. After the timeout it is given up and the node stays cordoned.
class Drain : public std::enable_shared_from_this<Drain> {
 public:
  enum class End : uint8_t { kDrained, kTimedOut };
  Drain(PatientClient& client, std::string node, DrainAction how, std::function<void(End)> done)
      : client_(client), node_(std::move(node)), how_(std::move(how)), done_(std::move(done)) {}

  void start();
  bool over() const { return over_; }
  std::string text() const;

 private:
  void look();
  void evict(const control::Value& pod);
  void end(End how);

  PatientClient& client_;
  std::string node_;
  DrainAction how_;
  std::function<void(End)> done_;
  Instant started_;
  std::map<std::string, Instant> tried_;  // by pod uid: when it was last asked to go
  size_t left_ = 0;
  std::string refused_;  // by whom, of the last pod that may not go
  bool over_ = false;
};

// A pool: its nodes in order, so many at a time: drained, switched off, deleted, and after a while booted as new
// machines. The next begins when a new one is Ready.
class PoolUpgrade : public std::enable_shared_from_this<PoolUpgrade> {
 public:
  PoolUpgrade(PatientClient& client, UpgradePoolAction how, std::vector<std::string> nodes, Rng rng)
      : client_(client), how_(std::move(how)), waiting_(nodes.rbegin(), nodes.rend()), rng_(rng), all_(nodes.size()) {}

  void advance();
  bool over() const { return waiting_.empty() && working_.empty(); }
  // What is left, and the drains under way.
  std::vector<std::string> texts() const;

 private:
  void replace(const std::string& node);
  void await_ready(const std::string& node);

  PatientClient& client_;
  UpgradePoolAction how_;
  std::vector<std::string> waiting_;  // the next is the last
  std::map<std::string, std::shared_ptr<Drain>> working_;
  Rng rng_;
  size_t all_;
};

}  // namespace minik::sim
