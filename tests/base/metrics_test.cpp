#include "control/base/metrics.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

TEST(Metrics, PrintsPrometheusText) {
  MetricRegistry registry;
  registry.counter("writes_total", "Writes.", {{"verb", "PUT"}}).add(2);
  registry.histogram("wait_seconds", "Wait.", {}, {milliseconds(10), seconds(1)})
      .observe(milliseconds(500));
  EXPECT_EQ(registry.text(),
            "# HELP wait_seconds Wait.\n# TYPE wait_seconds histogram\n"
            "wait_seconds_bucket{le=\"0.01\"} 0\nwait_seconds_bucket{le=\"1\"} 1\n"
            "wait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 0.5\nwait_seconds_count 1\n"
            "# HELP writes_total Writes.\n# TYPE writes_total counter\n"
            "writes_total{verb=\"PUT\"} 2\n");
}

}  // namespace
}  // namespace minik
