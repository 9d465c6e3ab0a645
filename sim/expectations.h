// Expectations: what a scenario says must hold, checked at each look of a run and concluded at its end.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario.h"

namespace minik::sim {

struct Finding {
  std::string what;   // the expectation or invariant
  bool held = false;
  Duration at;        // when it was met, or first broken
  std::string detail;
};

class Expectations {
 public:
  explicit Expectations(const std::vector<Expectation>& expectations)
      : expectations_(expectations), states_(expectations.size()) {}

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
  };
  void check_one(const Expectation& e, State& state, Duration now, const Judgement& judged);

  const std::vector<Expectation>& expectations_;
  std::vector<State> states_;
};

}  // namespace minik::sim
