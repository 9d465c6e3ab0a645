// The families of metrics that a simulated cluster counts, with the labels of their series: what an expectation may name.
//
// Many series come only when there is something to count, so that no running cluster could be asked for all of them. A
// test holds this list to the names in the sources (tests/style), another to the pages of all scenarios of the library.
// The node agents' own metrics are not counted in the simulator; minik_sim_* are only written by --metrics.
//
// Plain values.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace minik::sim {

struct MetricFamily {
  std::string_view name;
  std::vector<std::string_view> labels;
  bool is_histogram = false;
};

std::span<const MetricFamily> metric_families();
// By its name or that of one of a histogram's samples ("…_count", "…_sum", "…_bucket"); null where there is none.
const MetricFamily* find_metric_family(std::string_view name);

}  // namespace minik::sim
