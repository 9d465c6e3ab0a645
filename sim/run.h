// A run: a scenario with a seed on a simulated cluster, from the first boot to its last virtual moment.
// A pure function of (scenario, seed): the same outcome and the same trace hash every time.
//
// Expectations and the built-in invariants (invariants.h) are checked every virtual second and at the end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/audit/auditor.h"
#include "sim/scenario.h"

namespace minik::sim {

struct Finding {
  std::string what;   // the expectation or invariant
  bool held = false;
  Duration at;        // when it was met, or first broken
  std::string detail;
};

struct RunOutcome {
  std::vector<Finding> findings;
  std::string trace_hash;
  uint64_t trace_entries = 0;
  uint64_t steps = 0;
  uint64_t writes = 0;
  Duration virtual_time;
  bool passed() const;
};

struct RunOptions {
  uint64_t seed = 0;
  std::string trace_file;  // empty: none
  // Told of each action as it happens.
  std::function<void(Duration, const std::string&)> on_action;
  // What the API server tells an audit log; it does not change the run.
  std::optional<control::AuditPolicy> audit_policy = {};
  control::AuditSink audit = {};
};

// A run as its time goes, for who drives it himself (minik/live); run_scenario() is advance() to its end.
class Run {
 public:
  // The scenario must outlive it.
  Run(const Scenario& scenario, RunOptions options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Boots the cluster; once.
  Status start();
  // On to this moment, through all that the timeline has until then; returns early, between two steps, when
  // `interrupt` answers true.
  void advance(Duration until, const std::function<bool()>& interrupt);
  // Performs an action of a timeline, written without `at`, now.
  Status inject(std::string_view text, std::string_view name);
  Duration now() const;
  // The next moment at which anything happens.
  Instant next() const;
  // What is known at this moment.
  RunOutcome conclude() const;

  SimulatedCluster& cluster();

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

Result<RunOutcome> run_scenario(const Scenario& scenario, const RunOptions& options);

}  // namespace minik::sim
