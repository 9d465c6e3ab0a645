#include "control/base/metrics.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik {

namespace {

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

std::string label_text(const MetricLabels& labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return {};
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ',';
    text += cat(name, "=", quoted(value));
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
  std::map<MetricLabels, Counter> counters;
  std::map<MetricLabels, Gauge> gauges;
  std::map<MetricLabels, Histogram> histograms;
};

MetricRegistry::MetricRegistry() = default;
MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Family& MetricRegistry::family(std::string_view name, std::string_view help,
                                               std::string_view type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    found = families_.emplace(std::string(name), std::make_unique<Family>()).first;
    found->second->help = help;
    found->second->type = type;
  }
  CHECK(found->second->type == type) << name << " is a " << found->second->type;
  return *found->second;
}

Counter& MetricRegistry::counter(std::string_view name, std::string_view help,
                                 MetricLabels labels) {
  return family(name, help, "counter").counters[std::move(labels)];
}

Gauge& MetricRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return family(name, help, "gauge").gauges[std::move(labels)];
}

Histogram& MetricRegistry::histogram(std::string_view name, std::string_view help,
                                     MetricLabels labels, std::vector<Duration> bounds) {
  auto& series = family(name, help, "histogram").histograms;
  if (bounds.empty()) bounds = default_bounds();
  return series.try_emplace(std::move(labels), std::move(bounds)).first->second;
}

std::string MetricRegistry::text() const {
  std::string page;
  for (const auto& [name, family] : families_) {
    page += cat("# HELP ", name, " ", family->help, "\n# TYPE ", name, " ", family->type, "\n");
    for (const auto& [labels, counter] : family->counters) {
      page += cat(name, label_text(labels), " ", counter.value(), "\n");
    }
    for (const auto& [labels, gauge] : family->gauges) {
      page += cat(name, label_text(labels), " ", gauge.value(), "\n");
    }
    for (const auto& [labels, histogram] : family->histograms) {
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
  return page;
}

}  // namespace minik
