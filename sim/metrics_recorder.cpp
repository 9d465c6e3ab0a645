#include "sim/metrics_recorder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "sim/cluster.h"

namespace minik::sim {

namespace {

// Prometheus takes a series for ended after five minutes without a point.
constexpr Duration kSilenceMax = minutes(4);

// Unix time in seconds with milliseconds.
std::string timestamp(WallTime at) {
  const int64_t ms = at.ns / 1'000'000;
  return cat(ms / 1000, ".", cat(1000 + ms % 1000).substr(1));
}

}  // namespace

std::string series_of(std::string_view sample) {
  const size_t begin = sample.find('{');
  const size_t end = sample.rfind('}');
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  const auto labels = sample.substr(begin + 1, end - begin - 1);
  // The registry writes `le` last.
  const size_t bound = labels.rfind("le=\"");
  if (bound == std::string_view::npos || (bound > 0 && labels[bound - 1] != ',')) return std::string(labels);
  return std::string(labels.substr(0, bound > 0 ? bound - 1 : 0));
}

MetricsRecorder::MetricsRecorder(WallTime begin, Duration run_time, Duration every)
    : begin_(begin), run_time_(run_time), every_(std::max(every, run_time / kSamplesMax)) {}

void MetricsRecorder::on_write(Instant, const control::LogRecord& record) { census_.on_write(record); }

void MetricsRecorder::count() {
  for (size_t i = 0; i < kPodPhases; ++i) {
    const auto phase = static_cast<PodPhase>(i);
    registry_.gauge("minik_sim_pods", "Pods by phase.", {{"phase", std::string(phase_name(phase))}}).set(census_.pods(phase));
  }
  const std::string nodes = "Nodes by condition.";
  registry_.gauge("minik_sim_nodes", nodes, {{"condition", "Ready"}}).set(census_.nodes().ready);
  registry_.gauge("minik_sim_nodes", nodes, {{"condition", "NotReady"}}).set(census_.nodes().not_ready);
  registry_.gauge("minik_sim_nodes_cordoned", "Nodes that take no new pods.").set(census_.nodes().cordoned);
  registry_.gauge("minik_sim_container_restarts", "Restarts of containers so far.").set(census_.restarts());
  for (const auto& [name, rollout] : census_.rollouts()) {
    const auto gauge = [&, &workload = name](const char* state, int64_t value) {
      registry_.gauge("minik_sim_workload_pods", "Pods of a workload by their state in its rollout.",
                      {{"state", state}, {"workload", workload}}).set(value);
    };
    gauge("wanted", rollout.wanted);
    gauge("updated", rollout.updated);
    gauge("old", rollout.old);
    gauge("ready", rollout.ready);
  }
}

void MetricsRecorder::on_second(Duration now, SimulatedCluster& cluster) {
  if (now < next_ && now != run_time_) return;
  next_ = now + every_;
  count();
  sample(now, cluster.metrics().text(MetricFormat::kOpenMetrics));
  sample(now, registry_.text(MetricFormat::kOpenMetrics));
}

void MetricsRecorder::sample(Duration now, std::string_view page) {
  std::vector<Series*> seen;
  Family* family = nullptr;
  for (const auto line : split(page, '\n')) {
    if (line.empty() || line == "# EOF") continue;
    if (line.front() == '#') {
      const auto words = split(line, ' ');
      family = &families_[std::string(words.size() > 2 ? words[2] : line)];
      if (family->title.find(line) == std::string::npos) family->title += cat(line, "\n");
    } else if (family) {
      Series& series = family->series[series_of(line)];
      if (series.next.empty()) seen.push_back(&series);
      series.next += cat(line, "\n");
    }
  }
  const std::string at = cat(" ", timestamp(begin_ + now), "\n");
  for (auto* series : seen) {
    const std::string look = std::exchange(series->next, {});
    if (look == series->last && now - series->written < kSilenceMax) continue;
    for (const auto line : split(std::string_view(look).substr(0, look.size() - 1), '\n')) series->points += cat(line, at);
    series->last = look;
    series->written = now;
  }
}

std::string MetricsRecorder::page() const {
  std::string page;
  for (const auto& [name, family] : families_) {
    page += family.title;
    for (const auto& [labels, series] : family.series) page += series.points;
  }
  return page + "# EOF\n";
}

}  // namespace minik::sim
