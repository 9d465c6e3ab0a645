// Counters, gauges and histograms in the Prometheus text format (version 0.0.4) or OpenMetrics 1.0.
//
// A Registry belongs to one cluster (the simulator has many in one process), is filled and read on the
// control thread alone, and keeps its series in sorted order so that two equal runs print equal pages.
// Values are integers; whatever is a time counts nanoseconds and prints seconds. What can be looked up when
// somebody asks (how much is stored, the process's memory) is filled in by a collector at that moment instead
// of being kept up. Handles stay valid as long as the registry; label values are not bounded here, so label only by what is
// bounded itself (verb, resource, controller), never by object name.
#pragma once

#include <cstdint>
#include <functional>
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

enum class MetricUnit : uint8_t { kNone, kSeconds };  // seconds are held as nanoseconds
enum class MetricFormat : uint8_t { kPrometheus, kOpenMetrics };

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

  // The same name and labels give the same series; a name has one help text, one type and one unit.
  // A counter's name ends in _total.
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {},
                   MetricUnit unit = MetricUnit::kNone);
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {},
               MetricUnit unit = MetricUnit::kNone);
  // Bounds default to 1 ms … 10 s, about three a decade.
  Histogram& histogram(std::string_view name, std::string_view help, MetricLabels labels = {},
                       std::vector<Duration> bounds = {});

  // Called before each text(), to bring series up to date; until the handle, which must not outlive the
  // registry, is gone.
  class Collector;
  [[nodiscard]] Collector collect(std::function<void()> fill);

  std::string text(MetricFormat format = MetricFormat::kPrometheus);

 private:
  struct Family;
  Family& family(std::string_view name, std::string_view help, std::string_view type, MetricUnit unit);
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
  std::map<uint64_t, std::function<void()>> collectors_;
  uint64_t next_collector_ = 0;
};

class MetricRegistry::Collector {
 public:
  Collector() = default;
  Collector(MetricRegistry& registry, uint64_t id) : registry_(&registry), id_(id) {}
  Collector(Collector&& other) noexcept : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}
  Collector& operator=(Collector&& other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~Collector() {
    if (registry_) registry_->collectors_.erase(id_);
  }

 private:
  MetricRegistry* registry_ = nullptr;
  uint64_t id_ = 0;
};

}  // namespace minik
