// PatientClient: the requests of a scenario's users and administrators, who do not give up at the first error.
//
// What fails for the moment (the API server is away, throttles or times out) is tried again each second: for five minutes
// while the server answers, and for as long as it takes while nobody does. What is refused for good is told once. Owned by
// a run's Actions; control thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sim/cluster.h"
#include "sim/fault_injector.h"

namespace minik::sim {

class PatientClient {
 public:
  PatientClient(SimulatedCluster& cluster, FaultInjector::Listener listener) : cluster_(cluster), listener_(std::move(listener)) {}

  // Once: it succeeded, or was refused.
  using Done = std::function<void(const Status&)>;
  // Without `done` a refusal is told to the listener, as one of `what`.
  void send(control::ApiRequest request, const std::string& what, Done done = nullptr);
  // One try.
  void ask(control::ApiRequest request, control::ResponseCallback done) { cluster_.request(std::move(request), std::move(done)); }
  void set_unschedulable(const std::string& node, bool unschedulable, Done done = nullptr);
  // Whoever is still applying objects: what another one misses may be among them.
  void begin_applying() { ++applying_; }
  void end_applying() { --applying_; }

  SimulatedCluster& cluster() { return cluster_; }
  void note(const std::string& what) { listener_.note(what); }
  void failed(const std::string& what, const std::string& why) { listener_.failed(what, why); }

  static constexpr Duration kRetry = seconds(1), kGiveUp = minutes(5);

 private:
  void try_send(std::shared_ptr<const control::ApiRequest> request, const std::string& what, Instant give_up, Done done);

  SimulatedCluster& cluster_;
  FaultInjector::Listener listener_;
  int64_t applying_ = 0;
};

// A request for one object.
control::ApiRequest request_for(control::Verb verb, control::KindId kind, std::string namespace_, std::string name);

}  // namespace minik::sim
