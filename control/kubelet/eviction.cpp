#include "control/kubelet/eviction.h"

#include <algorithm>
#include <tuple>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

constexpr std::string_view kDisk = "ephemeral-storage";

Quantity asked_by(const Value& container) {
  return Quantity::of_value(container[keys::kResources][keys::kRequests].get(kDisk));
}

Quantity limit_of(const Value& container) {
  return Quantity::of_value(container[keys::kResources][keys::kLimits].get(kDisk));
}

std::string binary_text(int64_t bytes) { return Quantity::of(bytes, Quantity::Format::kBinarySI).text(); }

int64_t written_bytes(const DiskUsage::Pod& written) {
  int64_t bytes = 0;
  for (const auto& [name, of_it] : written.containers) bytes += of_it;
  for (const auto& [name, of_it] : written.volumes) bytes += of_it;
  return bytes;
}

// Whoever has no limit counts as nothing, as the real agent counts.
std::optional<Quantity> limit_of_pod(const Value& spec) { return container_aggregate(spec, keys::kLimits, kDisk); }

int64_t bytes_above_request(const EvictionCandidate& candidate) {
  const Value& spec = candidate.pod[keys::kSpec];
  int64_t asked = 0;
  for (const auto& container : spec[keys::kContainers].items()) asked += asked_by(container).units();
  for (const auto& container : spec[keys::kInitContainers].items()) asked = std::max(asked, asked_by(container).units());
  return written_bytes(candidate.written) - asked;
}

// The least is the first to go.
auto rank(const EvictionCandidate& candidate) {
  const Value& pod = candidate.pod;
  const std::string_view created = pod[keys::kMetadata][keys::kCreationTimestamp].as_string();
  // Times in the API's form sort as texts do; the newest is to come first.
  std::string newest_first(created);
  for (char& c : newest_first) c = static_cast<char>('~' - c);
  const int64_t above = bytes_above_request(candidate);
  return std::tuple(above <= 0, pod[keys::kSpec][keys::kPriority].as_int(), -above, newest_first, key_of(pod));
}

}  // namespace

bool is_critical(const Value& pod) { return pod[keys::kSpec][keys::kPriority].as_int() >= kCriticalPriority; }

std::optional<DiskShortage> disk_shortage(const DiskUsage& usage, const DiskThresholds& thresholds) {
  for (const int64_t percent : {thresholds.images_percent, thresholds.node_percent}) {
    const int64_t threshold = usage.capacity_bytes * percent / 100;
    if (usage.available_bytes < threshold) return DiskShortage{threshold, usage.available_bytes};
  }
  return std::nullopt;
}

bool has_storage_limit(const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  return limit_of_pod(spec).has_value() || std::ranges::any_of(spec[keys::kVolumes].items(), [](const Value& volume) {
           return volume[keys::kEmptyDir][keys::kSizeLimit].has_value();
         });
}

std::optional<std::string> exceeded_storage_limit(const EvictionCandidate& candidate) {
  if (is_critical(candidate.pod)) return std::nullopt;
  const Value& spec = candidate.pod[keys::kSpec];
  for (const auto& volume : spec[keys::kVolumes].items()) {
    const auto written = candidate.written.volumes.find(volume[keys::kName].string());
    const Quantity limit = Quantity::of_value(volume[keys::kEmptyDir][keys::kSizeLimit]);
    if (written == candidate.written.volumes.end() || limit.units() <= 0 || written->second <= limit.units()) continue;
    return cat("Usage of EmptyDir volume ", quoted(written->first), " exceeds the limit ", quoted(limit.text()), ". ");
  }
  if (const auto limit = limit_of_pod(spec); limit && written_bytes(candidate.written) > limit->units()) {
    return cat("Pod ephemeral local storage usage exceeds the total limit of containers ", limit->text(), ". ");
  }
  for (const auto& container : spec[keys::kContainers].items()) {
    const auto written = candidate.written.containers.find(container[keys::kName].string());
    const Quantity limit = limit_of(container);
    if (written == candidate.written.containers.end() || limit.units() == 0 || written->second <= limit.units()) continue;
    return cat("Container ", written->first, " exceeded its local ephemeral storage limit ", quoted(limit.text()), ". ");
  }
  return std::nullopt;
}

std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates) {
  std::optional<size_t> next;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (is_critical(candidates[i].pod)) continue;
    if (!next || rank(candidates[i]) < rank(candidates[*next])) next = i;
  }
  return next;
}

std::string eviction_message(const EvictionCandidate& candidate, const DiskShortage& shortage) {
  std::string message = cat("The node was low on resource: ", kDisk, ". Threshold quantity: ", binary_text(shortage.threshold_bytes),
                            ", available: ", binary_text(shortage.available_bytes), ". ");
  for (const auto& container : candidate.pod[keys::kSpec][keys::kContainers].items()) {
    const auto name = container[keys::kName].string();
    const auto written = candidate.written.containers.find(name);
    const Quantity asked = asked_by(container);
    if (written == candidate.written.containers.end() || written->second <= asked.units()) continue;
    message += cat("Container ", name, " was using ", binary_text(written->second), ", request is ",
                   asked.text(), ", has larger consumption of ", kDisk, ". ");
  }
  return message;
}

}  // namespace minik::control
