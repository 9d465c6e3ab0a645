// RunListener: who follows a run while it happens: the trace file, a report, a terminal, a comparison.
//
// Listeners hear of everything in the order in which it happens, at virtual times that never go back, and
// change nothing: a run with listeners has the trace hash of the run without. All calls come from the
// thread that runs.
#pragma once

#include <string>

#include "control/base/time.h"
#include "control/client/request.h"
#include "control/store/log.h"

namespace minik::control {
class Schema;
}

namespace minik::sim {

class SimulatedCluster;

struct Finding;

class RunListener {
 public:
  virtual ~RunListener() = default;
  // Before anything else: what the kinds of records are. It lives as long as the run.
  virtual void on_schema(const control::Schema& schema);
  // A committed write, and what a component is told of one.
  virtual void on_write(Instant now, const control::LogRecord& record);
  virtual void on_delivery(Instant now, const std::string& component, const control::WatchEvent& event);
  // An action of the timeline or a fault, as it begins.
  virtual void on_action(Duration now, const std::string& text);
  // Each virtual second.
  virtual void on_second(Duration now, SimulatedCluster& cluster);
  // Once, at the moment when it is known.
  virtual void on_finding(Duration now, const Finding& finding);
};

}  // namespace minik::sim
