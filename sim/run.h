// A run: a scenario with a seed on a simulated cluster, from the first boot to its last virtual moment.
// A pure function of (scenario, seed): the same outcome and the same trace hash every time.
//
//   faults' phase: timeline, faults          convergence: everything healed
//   |--------------- spec.duration ----------|------- until nothing is pending for ten seconds, or spec.convergence.within
//
// Expectations are checked every virtual second and at the end; the invariants (invariants/) are told of every change.
//
// Whoever drives a run himself (minik/live) makes a Run and advances it as he likes, also beyond its end;
// run_scenario() goes to its end in one go. Control thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/auditor.h"
#include "sim/actions.h"
#include "sim/cluster.h"
#include "sim/convergence.h"
#include "sim/expectations.h"
#include "sim/fault_injector.h"
#include "sim/invariants.h"
#include "sim/custom_kinds.h"
#include "sim/run_listener.h"
#include "sim/run_outcome.h"
#include "sim/scenario.h"
#include "sim/trace.h"
#include "sim/triggers.h"

namespace minik::sim {

struct RunOptions {
  uint64_t seed = 0;
  // Told of all that happens; they outlive the run.
  std::vector<RunListener*> listeners;
  // Told of each action and fault as it happens.
  std::function<void(Duration, const std::string&)> on_action;
  // What the API server tells an audit log; it does not change the run.
  std::optional<control::AuditPolicy> audit_policy = {};
  control::AuditSink audit = {};
  // Always: managedFields of what components write, too, for more than twice the time and half as much
  // memory again. It is in the trace.
  control::FieldAccounts field_accounts = control::FieldAccounts::kFromFirstClient;
  // Somebody looks at the cluster from outside: nodes do not rest (cluster_rest.cpp).
  bool watched = false;
  // Serve CustomResourceDefinitions that come from outside; those of the scenario are served in any case.
  bool custom_kinds = false;
  // The control plane of `minik start` in the place of Kubernetes' processes (ClusterOptions).
  bool leads_at_once = false;
};

class Run {
 public:
  // The scenario must outlive the run.
  Run(const Scenario& scenario, RunOptions options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Boots the cluster; once.
  Status start();
  // On to this moment, looking every virtual second; returns early, between two steps, when `interrupt` answers true,
  // and once when the run has come to its end.
  void advance(Duration until, const std::function<bool()>& interrupt = [] { return false; });
  bool over() const { return over_; }
  // Performs what a timeline or a list of faults has, written without `at`, now.
  Status inject(std::string_view text, std::string_view name);
  Duration now() const { return Duration{cluster_->executor().now().ns}; }
  // The next moment at which anything happens.
  Instant next() const;
  // What is known at this moment.
  RunOutcome conclude();

  SimulatedCluster& cluster() { return *cluster_; }
  FaultInjector& faults() { return *injector_; }
  Actions& actions() { return *actions_; }
  Trace& trace() { return trace_; }

 private:
  Duration next_look() const;
  void look();
  bool troubled() const;
  void check_invariants();
  void heal();
  void check_convergence();
  void note(const std::string& text);
  void tell(const Finding& finding);
  void fail(const std::string& what, const std::string& why);

  const Scenario& scenario_;
  RunOptions options_;
  std::unique_ptr<CustomSchema> custom_;  // none: the built-in kinds alone
  Trace trace_;
  Expectations expectations_;
  std::vector<Finding> failures_;
  std::unique_ptr<SimulatedCluster> cluster_;
  std::unique_ptr<FaultInjector> injector_;
  std::unique_ptr<Actions> actions_;
  std::unique_ptr<Triggers> triggers_;
  std::unique_ptr<Invariants> invariants_;
  Instant calm_since_;
  std::function<std::string()> outer_context_;
  bool timeline_over_ = false, healed_ = false, over_ = false;
  std::vector<std::unique_ptr<Action>> injected_;
  std::optional<ConvergenceJudge> judge_;  // once everything has healed
  std::optional<Duration> at_rest_since_;
  std::optional<Finding> convergence_;
};

Result<RunOutcome> run_scenario(const Scenario& scenario, const RunOptions& options);

}  // namespace minik::sim
