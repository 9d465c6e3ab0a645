#include "control/base/metrics.h"

#include <algorithm>
#include <iterator>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik {

namespace {

constexpr std::string_view kTotal = "_total";
// Counters whose names Kubernetes left without the ending.
constexpr std::string_view kKubernetesOwn[] = {"endpoint_slice_controller_changes", "endpoint_slice_controller_syncs"};

const std::vector<Duration>& default_bounds() {
  static const std::vector<Duration> bounds{
      milliseconds(1),   milliseconds(2),   milliseconds(5),    milliseconds(10), milliseconds(25),
      milliseconds(50),  milliseconds(100), milliseconds(250),  milliseconds(500), seconds(1),
      milliseconds(2500), seconds(5),       seconds(10)};
  return bounds;
}

// Seconds with as many digits as the nanoseconds need: no floating point, so no rounding to explain.
std::string seconds_text(Duration d) {
  std::string text = cat(d.ns / 1'000'000'000);
  if (const int64_t fraction = d.ns % 1'000'000'000; fraction != 0) {
    std::string digits = cat(1'000'000'000 + fraction).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += cat(".", digits);
  }
  return text;
}

// A label's value: only these three need an escape, everything else is UTF-8 as it is.
std::string label_value(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string label_text(const MetricLabels& labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ',';
    text += cat(name, "=", label_value(value));
  }
  if (!more.empty()) text += cat(text.size() > 1 ? "," : "", more);
  return text + "}";
}

}  // namespace

Histogram::Histogram(std::vector<Duration> bounds)
    : bounds_(std::move(bounds)), buckets_(bounds_.size()) {}

void Histogram::observe(Duration value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  if (static_cast<size_t>(bucket) < buckets_.size()) ++buckets_[static_cast<size_t>(bucket)];
  ++count_;
  sum_ = sum_ + value;
}

struct MetricRegistry::Family {
  std::string help;
  std::string type;
  MetricUnit unit = MetricUnit::kNone;
  std::map<MetricLabels, Counter> counters;
  std::map<MetricLabels, Gauge> gauges;
  std::map<MetricLabels, Histogram> histograms;

  std::string number(int64_t value) const {
    return unit == MetricUnit::kSeconds ? seconds_text(Duration{value}) : cat(value);
  }
  void print(const std::string& name, MetricFormat format, std::string& page) const;
};

MetricRegistry::MetricRegistry() = default;
MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Family& MetricRegistry::family(std::string_view name, std::string_view help,
                                               std::string_view type, MetricUnit unit) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), std::make_unique<Family>()).first;
    found->second->help = help;
    found->second->type = type;
    found->second->unit = unit;
  }
  CHECK(found->second->type == type) << name << " is a " << found->second->type;
  return *found->second;
}

Counter& MetricRegistry::counter(std::string_view name, std::string_view help, MetricLabels labels,
                                 MetricUnit unit) {
  CHECK(name.ends_with(kTotal) || std::ranges::find(kKubernetesOwn, name) != std::end(kKubernetesOwn)) << name;
  return family(name, help, "counter", unit).counters[std::move(labels)];
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels,
                             MetricUnit unit) {
  return family(name, help, "gauge", unit).gauges[std::move(labels)];
}

Histogram& MetricRegistry::histogram(std::string_view name, std::string_view help,
                                     MetricLabels labels, std::vector<Duration> bounds) {
  auto& series = family(name, help, "histogram", MetricUnit::kSeconds).histograms;
  if (bounds.empty()) bounds = default_bounds();
  return series.try_emplace(std::move(labels), std::move(bounds)).first->second;
}

MetricRegistry::Collector MetricRegistry::collect(std::function<void()> fill) {
  collectors_.emplace(next_collector_, std::move(fill));
  return Collector(*this, next_collector_++);
}

void MetricRegistry::Family::print(const std::string& name, MetricFormat format,
                                   std::string& page) const {
  // OpenMetrics names a counter's family without the ending of its samples.
  const bool bare = format == MetricFormat::kOpenMetrics && type == "counter";
  const bool ends = name.ends_with(kTotal);
  const std::string title = bare && ends ? name.substr(0, name.size() - kTotal.size()) : name;
  const std::string sample = bare && !ends ? cat(name, kTotal) : name;
  page += cat("# HELP ", title, " ", help, "\n# TYPE ", title, " ", type, "\n");
  for (const auto& [labels, counter] : counters) {
    page += cat(sample, label_text(labels), " ", number(static_cast<int64_t>(counter.value())), "\n");
  }
  for (const auto& [labels, gauge] : gauges) {
    page += cat(name, label_text(labels), " ", number(gauge.value()), "\n");
  }
  for (const auto& [labels, histogram] : histograms) {
    uint64_t below = 0;
    for (size_t i = 0; i < histogram.bounds_.size(); ++i) {
      below += histogram.buckets_[i];
      const auto bound = cat("le=\"", seconds_text(histogram.bounds_[i]), "\"");
      page += cat(name, "_bucket", label_text(labels, bound), " ", below, "\n");
    }
    page += cat(name, "_bucket", label_text(labels, "le=\"+Inf\""), " ", histogram.count_, "\n");
    page += cat(name, "_sum", label_text(labels), " ", seconds_text(histogram.sum_), "\n");
    page += cat(name, "_count", label_text(labels), " ", histogram.count_, "\n");
  }
}

std::string MetricRegistry::text(MetricFormat format) {
  for (const auto& [id, fill] : collectors_) fill();
  std::string page;
  for (const auto& [name, family] : families_) family->print(name, format, page);
  if (format == MetricFormat::kOpenMetrics) page += "# EOF\n";
  return page;
}

}  // namespace minik
