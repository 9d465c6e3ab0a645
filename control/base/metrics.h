// Counters, gauges and histograms in the Prometheus text format (version 0.0.4).
//
// A Registry belongs to one cluster (the simulator has many in one process), is filled and read on the
// control thread alone, and keeps its series in sorted order so that two equal runs print equal pages.
// Values are integers; histograms count nanoseconds against fixed bounds and print seconds. Handles
// stay valid as long as the registry; label values are not bounded here, so label only by what is
// bounded itself (verb, resource, controller), never by object name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/time.h"

namespace minik {

// Sorted by name by the caller: {{"resource", "pods"}, {"verb", "GET"}}.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(uint64_t n = 1) { value_ += n; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

class Gauge {
 public:
  void set(int64_t value) { value_ = value; }
  void add(int64_t n) { value_ += n; }
  int64_t value() const { return value_; }

 private:
  int64_t value_ = 0;
};

class Histogram {
 public:
  explicit Histogram(std::vector<Duration> bounds);
  void observe(Duration value);
  uint64_t count() const { return count_; }

 private:
  friend class MetricRegistry;
  std::vector<Duration> bounds_;
  std::vector<uint64_t> buckets_;  // one per bound; what is above all bounds shows in count_ only
  uint64_t count_ = 0;
  Duration sum_;
};

class MetricRegistry {
 public:
  MetricRegistry();
  ~MetricRegistry();
  MetricRegistry(const MetricRegistry&) = delete;
  MetricRegistry& operator=(const MetricRegistry&) = delete;

  // The same name and labels give the same series; a name has one help text and one type.
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  // Bounds default to 1 ms … 10 s, about three a decade.
  Histogram& histogram(std::string_view name, std::string_view help, MetricLabels labels = {},
                       std::vector<Duration> bounds = {});

  std::string text() const;

 private:
  struct Family;
  Family& family(std::string_view name, std::string_view help, std::string_view type);
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

}  // namespace minik
