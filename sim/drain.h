// Drains and upgrades of nodes, as an administrator does them with kubectl: see Actions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "sim/actions.h"

namespace minik::sim {

// One node: cordon, then evict every pod that no DaemonSet owns and that has not ended; what a budget forbids is tried
// again every five seconds; done when all of them are gone. After the timeout it is given up and the node stays cordoned.
class Actions::Drain : public std::enable_shared_from_this<Drain> {
 public:
  enum class End : uint8_t { kDrained, kTimedOut };
  Drain(Actions& actions, std::string node, DrainAction how, std::function<void(End)> done)
      : actions_(actions), node_(std::move(node)), how_(std::move(how)), done_(std::move(done)) {}

  void start();
  std::string text() const;

 private:
  void look();
  void evict(const control::Value& pod);
  void end(End how);

  Actions& actions_;
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
class Actions::Upgrade : public std::enable_shared_from_this<Upgrade> {
 public:
  Upgrade(Actions& actions, UpgradePoolAction how, std::vector<std::string> nodes, Rng rng)
      : actions_(actions), how_(std::move(how)), waiting_(nodes.rbegin(), nodes.rend()), rng_(rng), all_(nodes.size()) {}

  void advance();
  std::string text() const;
  bool over() const { return waiting_.empty() && working_.empty(); }

 private:
  void replace(const std::string& node);
  void await_ready(const std::string& node);

  Actions& actions_;
  UpgradePoolAction how_;
  std::vector<std::string> waiting_;  // the next is the last
  std::set<std::string> working_;
  Rng rng_;
  size_t all_;
};

}  // namespace minik::sim
