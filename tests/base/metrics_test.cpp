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

TEST(Metrics, PrintOpenMetricsToThoseWhoAsk) {
  MetricRegistry registry;
  registry.counter("writes_total", "Writes.", {{"name", "a\"b\\c\nd"}}).add(2);
  EXPECT_EQ(registry.text(MetricFormat::kOpenMetrics),
            "# HELP writes Writes.\n# TYPE writes counter\n"
            "writes_total{name=\"a\\\"b\\\\c\\nd\"} 2\n# EOF\n");
}

TEST(Metrics, OfTimesAreSeconds) {
  MetricRegistry registry;
  registry.gauge("age_seconds", "Age.", {}, MetricUnit::kSeconds).set(milliseconds(1500).ns);
  EXPECT_EQ(registry.text(), "# HELP age_seconds Age.\n# TYPE age_seconds gauge\nage_seconds 1.5\n");
}

TEST(Metrics, AreLookedUpWhenAskedForAsLongAsTheirCollectorLives) {
  MetricRegistry registry;
  auto& gauge = registry.gauge("things", "Things.");
  int64_t things = 3;
  {
    const auto collector = registry.collect([&] { gauge.set(things); });
    EXPECT_TRUE(registry.text().ends_with("things 3\n"));
    things = 4;
    EXPECT_TRUE(registry.text().ends_with("things 4\n"));
    things = 5;
  }
  EXPECT_TRUE(registry.text().ends_with("things 4\n"));
}

}  // namespace
}  // namespace minik
