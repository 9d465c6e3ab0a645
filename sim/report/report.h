// The report of one run: what happened over virtual time, what was found and how to make it again, as one HTML
// page that needs nothing else: no network, no other file.
//
// RunReport listens to the run; page() is its end. The page is this data as JSON inside page.html, with page.css
// and page.js, all three compiled into the binary. Bounded for runs of any length and size: series are thinned
// out (time_series.h), histories have a budget (histories.h), actions and rollouts a largest number, and each
// says what was left out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/census.h"
#include "sim/histories.h"
#include "sim/run.h"
#include "sim/run_listener.h"
#include "sim/time_series.h"

namespace minik::sim {

class RunReport : public RunListener {
 public:
  struct Subject {
    std::string file;  // as the command line gave it
    uint64_t seed = 0;
  };
  RunReport(const Scenario& scenario, Subject subject);

  void on_schema(const control::Schema& schema) override { histories_.on_schema(schema); }
  void on_write(Instant now, const control::LogRecord& record) override;
  void on_delivery(Instant now, const std::string& component, const control::WatchEvent& event) override;
  void on_action(Duration now, const std::string& text) override;
  void on_second(Duration now, SimulatedCluster& cluster) override;

  control::Value data(const RunOutcome& outcome) const;
  std::string page(const RunOutcome& outcome) const;

 private:
  struct Moment {
    Duration at;
    std::string text;
  };
  control::Value findings(const RunOutcome& outcome) const;

  const Scenario& scenario_;
  Subject subject_;
  Census census_;
  Histories histories_;
  TimeSeries pods_, nodes_, activity_;
  std::map<std::string, TimeSeries> rollouts_;
  size_t rollouts_left_out_ = 0, actions_left_out_ = 0;
  std::vector<Moment> actions_;
  int64_t writes_ = 0, deliveries_ = 0, restarts_ = 0;  // since the last row; restarts of the last row
};

}  // namespace minik::sim
