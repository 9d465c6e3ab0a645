// PatientClient: the requests of a scenario's users and administrators, who do not give up at the first error.
//
// What fails for the moment (the API server is away, throttles or times out) is tried again each second: for five minutes
// while the server answers, and for as long as it takes while nobody does. What is refused for good is told once. What is
// missing may be among what somebody is still applying, and is waited for; who applies one object after the other does not
// wait for his own next one. Owned by a run's Actions; control thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
  // The same by one who has begun to apply.
  void send_applied(control::ApiRequest request, const std::string& what, Done done);
  // One try.
  void ask(control::ApiRequest request, control::ResponseCallback done) { cluster_.request(std::move(request), std::move(done)); }
  void set_unschedulable(const std::string& node, bool unschedulable, Done done = nullptr);
  // What has been on its way for longer than a try, and what it was told last: "scale web: nobody has answered".
  std::vector<std::string> unanswered() const;
  void begin_applying() { ++applying_; }
  void end_applying() { --applying_; }

  SimulatedCluster& cluster() { return cluster_; }
  void note(const std::string& what) { listener_.note(what); }
  void failed(const std::string& what, const std::string& why) { listener_.failed(what, why); }

  static constexpr Duration kRetry = seconds(1), kGiveUp = minutes(5);

 private:
  struct Attempt {
    control::ApiRequest request;
    std::string what;
    Done done;
    int64_t own_applies = 0;  // of applying_
    Instant began, give_up;
    std::string told;  // the last error
  };
  void start(Attempt attempt);
  void try_send(uint64_t number);
  void answered(uint64_t number, const Result<control::ApiResponse>& result);

  SimulatedCluster& cluster_;
  FaultInjector::Listener listener_;
  int64_t applying_ = 0;
  std::map<uint64_t, Attempt> attempts_;  // by number, those under way
  uint64_t next_number_ = 0;
};

// A request for one object.
control::ApiRequest request_for(control::Verb verb, control::KindId kind, std::string namespace_, std::string name);

}  // namespace minik::sim
