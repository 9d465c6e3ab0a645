// Expectations: what a scenario says must hold, checked at each look of a run and concluded at its end.
//
// They follow the run's writes, so that what is said of objects is judged again only after one of their kind has
// changed: in a cluster at rest a look at a count of a thousand pods costs nothing.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/run_listener.h"
#include "sim/run_outcome.h"
#include "sim/scenario.h"

namespace minik::sim {

class Expectations : public RunListener {
 public:
  explicit Expectations(const std::vector<Expectation>& expectations)
      : expectations_(expectations), states_(expectations.size()) {}

  void on_write(Instant now, const control::LogRecord& record) override;
  // The store has been built anew: any object may be another.
  void forget_objects();
  void check(Duration now, const control::Store& store, MetricRegistry& metrics);
  // One for each, in order.
  std::vector<Finding> conclude() const;
  // What has been met or broken since this was last asked.
  std::vector<Finding> newly_settled();
  // None can change any more.
  bool all_broken_or_met() const;

 private:
  struct State {
    bool met = false, broken = false;
    bool told = false;  // by newly_settled()
    std::optional<Duration> since;  // kStable: holds from here on
    Duration at;
    std::string detail;
    std::optional<Judgement> judged;  // of the objects as they were at the last look
  };
  Judgement judged_now(const Predicate& predicate, State& state, const control::Store& store, MetricRegistry& metrics) const;
  void check_one(const Expectation& e, State& state, Duration now, const Judgement& judged);

  const std::vector<Expectation>& expectations_;
  std::vector<State> states_;
  std::set<control::KindId> changed_;  // since the last look
};

}  // namespace minik::sim
