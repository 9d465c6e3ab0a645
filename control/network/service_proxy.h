// ServiceProxy: keeps the packet filter in step with Services and EndpointSlices; kube-proxy
// without a process of its own.
//
//   ServiceChanges --keys--> rules of those Services --differences--> ServiceCarrier
//
// One update is under way at a time; what changes meanwhile goes into the next one, so a burst of
// changes costs one update. The first update, and the one after a failure, is the whole table:
// nothing is assumed about what is installed. A failed update is tried again with back-off, 1 s
// doubling to 30 s.
//
// Control thread only; the informers, the carrier and the executor must outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/result.h"
#include "control/network/service_changes.h"
#include "control/network/service_rules.h"

namespace minik::control {

struct ServiceRulesUpdate {
  bool whole = false;  // `changed` is everything; what else is installed goes
  std::vector<ServiceRule> changed;
  std::vector<std::string> removed;  // names of rules
};

class ServiceCarrier {
 public:
  virtual ~ServiceCarrier() = default;
  // Installs all of the update or nothing; `done` is called once, on the control thread, in a later
  // turn.
  virtual void carry(ServiceRulesUpdate update, std::function<void(Status)> done) = 0;
};

class ServiceProxy {
 public:
  ServiceProxy(Executor& executor, InformerSet& informers, ServiceCarrier& carrier);
  ~ServiceProxy();
  ServiceProxy(const ServiceProxy&) = delete;
  ServiceProxy& operator=(const ServiceProxy&) = delete;

  // Takes effect when the informers have listed, whether they have started or not.
  void start();
  // Everything known is installed.
  bool settled() const { return started_ && !carrying_ && dirty_.empty() && !needs_whole_; }
  // Sorted by name: what is or will be installed.
  const std::map<std::string, ServiceRule>& rules() const { return rules_; }
  // Called after each change of rules(), before it is carried.
  void on_change(std::function<void()> listener) { listener_ = std::move(listener); }

 private:
  void flush();
  void recompute(const std::string& service, ServiceRulesUpdate& update);
  void on_carried(Status status);

  Executor& executor_;
  ServiceChanges changes_;
  ServiceCarrier& carrier_;
  std::set<std::string> dirty_;
  std::map<std::string, ServiceRule> rules_;
  std::function<void()> listener_;
  ScopedTimer retry_;
  std::shared_ptr<bool> alive_;
  int failures_ = 0;
  bool started_ = false;
  bool carrying_ = false;
  bool needs_whole_ = true;
};

}  // namespace minik::control
