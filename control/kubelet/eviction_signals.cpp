#include "control/kubelet/eviction_signals.h"

#include <algorithm>
#include <iterator>

#include "control/base/text.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

struct SignalFacts {
  std::string_view name, resource;
  NodePressure pressure;
  EvictionThreshold by_default;
};

constexpr int64_t kWhole = 10'000;  // hundredths of a percent

// By EvictionSignal.
constexpr SignalFacts kSignals[] = {
    {"memory.available", "memory", NodePressure::kMemory, {100LL << 20, 0}},
    {"imagefs.available", "ephemeral-storage", NodePressure::kDisk, {0, 1500}},
    {"nodefs.available", "ephemeral-storage", NodePressure::kDisk, {0, 1000}},
    {"imagefs.inodesFree", "inodes", NodePressure::kDisk, {0, 500}},
    {"nodefs.inodesFree", "inodes", NodePressure::kDisk, {0, 500}},
    {"pid.available", "pids", NodePressure::kPid, {0, 0}},
};

// By NodePressure.
constexpr NodePressureWords kPressures[] = {
    {"MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "KubeletHasSufficientMemory",
     "kubelet has sufficient memory available", "NodeHasInsufficientMemory", "NodeHasSufficientMemory"},
    {"DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure",
     "NodeHasDiskPressure", "NodeHasNoDiskPressure"},
    {"PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available", "KubeletHasSufficientPID",
     "kubelet has sufficient PID available", "NodeHasInsufficientPID", "NodeHasSufficientPID"},
};

const SignalFacts& facts_of(EvictionSignal signal) { return kSignals[static_cast<size_t>(signal)]; }

}  // namespace

const NodePressureWords& words_of(NodePressure pressure) { return kPressures[static_cast<size_t>(pressure)]; }
std::string_view name_of(EvictionSignal signal) { return facts_of(signal).name; }
std::string_view resource_of(EvictionSignal signal) { return facts_of(signal).resource; }
NodePressure pressure_of(EvictionSignal signal) { return facts_of(signal).pressure; }

int64_t EvictionThreshold::of(int64_t capacity) const {
  return share == 0 ? quantity : capacity / kWhole * share + capacity % kWhole * share / kWhole;
}

EvictionThresholds default_eviction_thresholds() {
  EvictionThresholds thresholds;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    const auto& threshold = kSignals[i].by_default;
    if (threshold.quantity > 0 || threshold.share > 0) thresholds[static_cast<EvictionSignal>(i)] = threshold;
  }
  return thresholds;
}

std::optional<EvictionSignal> eviction_signal_named(std::string_view name) {
  const auto found = std::ranges::find(kSignals, name, &SignalFacts::name);
  if (found == std::end(kSignals)) return std::nullopt;
  return static_cast<EvictionSignal>(found - std::begin(kSignals));
}

std::string known_eviction_signals() {
  std::vector<std::string> names;
  for (const auto& signal : kSignals) names.emplace_back(signal.name);
  return join(names, ", ");
}

Result<std::optional<EvictionThreshold>> parse_eviction_threshold(EvictionSignal signal, std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorCode::kBadRequest, cat("the threshold ", quoted(text), " of ", name_of(signal), " ", why));
  };
  if (text.ends_with('%')) {
    const auto number = text.substr(0, text.size() - 1);
    const bool plain = !number.empty() && number.find_first_not_of("0123456789.") == std::string_view::npos;
    const auto percent = Quantity::parse(plain ? number : "");
    if (!percent) return refuse("is no percentage: 10% and 2.5% are");
    if (*percent > Quantity::of(100)) return refuse("is more than all there is");
    const int64_t share = percent->milli() / 10;
    if (share == 0 || share == kWhole) return std::optional<EvictionThreshold>();
    return std::optional<EvictionThreshold>({0, share});
  }
  const auto quantity = Quantity::parse(text);
  if (!quantity) return refuse("is neither a quantity, as 100Mi is, nor a percentage");
  if (quantity->units() <= 0) return refuse("must be above zero; 0% turns the signal off");
  return std::optional<EvictionThreshold>({quantity->units(), 0});
}

Result<EvictionThresholds> parse_eviction_thresholds(std::string_view text) {
  EvictionThresholds thresholds;
  for (const auto part : split(text, ',')) {
    const size_t less = part.find('<');
    if (less == std::string_view::npos) {
      return Error(ErrorCode::kBadRequest, cat(quoted(trim(part)), " is no eviction threshold: memory.available<100Mi is one"));
    }
    const auto name = trim(part.substr(0, less));
    const auto signal = eviction_signal_named(name);
    if (!signal) {
      return Error(ErrorCode::kBadRequest, cat("there is no eviction signal ", quoted(name), "; known are ", known_eviction_signals()));
    }
    MINIK_ASSIGN(const auto threshold, parse_eviction_threshold(*signal, trim(part.substr(less + 1))));
    if (threshold) thresholds[*signal] = *threshold;
  }
  return thresholds;
}

std::vector<Shortage> shortages(const EvictionThresholds& thresholds, const SignalReadings& readings) {
  std::vector<Shortage> found;
  for (const auto& [signal, threshold] : thresholds) {
    const auto reading = readings.find(signal);
    if (reading == readings.end()) continue;
    const int64_t wanted = threshold.of(reading->second.capacity);
    if (reading->second.available < wanted) found.push_back({signal, wanted, reading->second.available});
  }
  return found;
}

}  // namespace minik::control
