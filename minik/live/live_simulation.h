// LiveSimulation: a scenario whose virtual time goes at a chosen pace while kubectl, helm and whoever else
// speaks Kubernetes use its API.
//
//   kubectl --TLS--> HttpServer -> ApiFront --+
//                                             +--> OutsideGate --> simulation's thread: time, timeline, API
//   minik sim step … --Unix socket----------- +
//
// The API server, its controllers and the node agents are the simulation's; only bytes are carried here.
// Requests enter between two steps (outside_gate.h), so a scenario that nobody touches gives the trace that
// `minik sim run` gives. Usage (metrics.k8s.io) is measured over a second of virtual time and therefore
// refused while time stands still. Past the scenario's duration time goes on.
//
// open() either serves or says in one line why not. run() belongs to one thread; stop() to any other.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/api/api_server.h"
#include "control/base/result.h"
#include "minik/live/pace.h"
#include "minik/process/pki.h"
#include "sim/run_outcome.h"
#include "sim/scenario.h"

namespace minik {

struct LiveOptions {
  std::string folder;  // for keys and the socket; made anew, gone with the simulation
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: the kernel's choice
  Speed speed = 1000;
  bool paused = false;
  uint64_t seed = 0;
  control::FieldAccounts field_accounts = control::FieldAccounts::kFromFirstClient;
  // Both on the simulation's thread.
  std::function<void(Duration, const std::string&)> on_action;
  std::function<void(const sim::RunOutcome&)> on_end;  // the scenario's duration is over
};

class LiveSimulation {
 public:
  // The scenario must outlive it.
  static Result<std::unique_ptr<LiveSimulation>> open(const sim::Scenario& scenario, LiveOptions options);
  ~LiveSimulation();
  LiveSimulation(const LiveSimulation&) = delete;
  LiveSimulation& operator=(const LiveSimulation&) = delete;

  // On the calling thread until stop(); `ready` is called when the API serves.
  void run(const std::function<void()>& ready);
  void stop();

  uint16_t port() const;
  size_t nodes() const;
  const ClusterPki& keys() const;
  // $MINIK_HOME/.sim/NAME/control, where the commands of a running simulation go.
  static std::string socket_of(const std::string& folder) { return folder + "/control"; }

 private:
  LiveSimulation();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace minik
