// MetricsRecorder: the cluster's own metrics and the census of pods, nodes and rollouts over virtual time, as
// OpenMetrics text whose every sample has its moment: what `promtool tsdb create-blocks-from openmetrics`
// takes, so that Prometheus and Grafana show a simulated day like a real one.
//
// Looks every `every`, or more seldom in runs so long that it would be more than kSamplesMax looks. A series that
// has not changed is told again only as often as Prometheus needs to go on showing it. The points of one series
// stand together, as the format demands.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "control/base/metrics.h"
#include "sim/census.h"
#include "sim/run_listener.h"

namespace minik::sim {

class MetricsRecorder : public RunListener {
 public:
  static constexpr int64_t kSamplesMax = 1'000;

  // `begin` is the wall time at virtual time 0.
  MetricsRecorder(WallTime begin, Duration run_time, Duration every = seconds(15));

  void on_write(Instant now, const control::LogRecord& record) override;
  void on_second(Duration now, SimulatedCluster& cluster) override;

  std::string page() const;

 private:
  struct Series {
    std::string points;        // all that is written
    std::string last, next;    // what was written last, and what this look has
    Duration written;
  };
  struct Family {
    std::string title;                     // its HELP and TYPE lines
    std::map<std::string, Series> series;  // by labels without `le`
  };
  void sample(Duration now, std::string_view page);
  void count();

  WallTime begin_;
  Duration run_time_, every_, next_;
  Census census_;
  MetricRegistry registry_;
  std::map<std::string, Family> families_;
};

// "name{a="b",le="1"} 5" has the series "{a="b"}": the points of a histogram belong together.
std::string series_of(std::string_view sample);

}  // namespace minik::sim
