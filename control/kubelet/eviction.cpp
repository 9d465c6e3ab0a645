#include "control/kubelet/eviction.h"

#include <algorithm>
#include <tuple>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/object/object_ref.h"
#include "control/object/qos_class.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

constexpr std::string_view kDisk = "ephemeral-storage", kMemory = "memory", kInodes = "inodes", kPids = "pids";
constexpr std::string_view kMemoryTaint = "node.kubernetes.io/memory-pressure";

Quantity asked_by(const Value& container, std::string_view resource) {
  return Quantity::of_value(container[keys::kResources][keys::kRequests].get(resource));
}

Quantity limit_of(const Value& container) {
  return Quantity::of_value(container[keys::kResources][keys::kLimits].get(kDisk));
}

std::string amount_text(std::string_view resource, int64_t amount) {
  const bool counted = resource == kInodes || resource == kPids;
  return Quantity::of(amount, counted ? Quantity::Format::kDecimalSI : Quantity::Format::kBinarySI).text();
}

int64_t sum_of(const std::map<std::string, int64_t>& amounts) {
  int64_t sum = 0;
  for (const auto& [name, amount] : amounts) sum += amount;
  return sum;
}

int64_t written_bytes(const DiskUsage::Pod& written) { return sum_of(written.containers) + sum_of(written.volumes); }

int64_t used_by(const EvictionCandidate& candidate, std::string_view resource) {
  if (resource == kMemory) return sum_of(candidate.memory_bytes);
  if (resource == kPids) return candidate.processes;
  return resource == kInodes ? candidate.written.inodes : written_bytes(candidate.written);
}

// Whoever has no limit counts as nothing, as the real agent counts.
std::optional<Quantity> limit_of_pod(const Value& spec) { return container_aggregate(spec, keys::kLimits, kDisk); }

// What the pod says as a whole goes before what its containers do.
int64_t asked_by_pod(const Value& spec, std::string_view resource) {
  if (const Value& whole = spec[keys::kResources][keys::kRequests].get(resource); whole.has_value()) return Quantity::of_value(whole).units();
  int64_t asked = 0;
  for (const auto& container : spec[keys::kContainers].items()) asked += asked_by(container, resource).units();
  for (const auto& container : spec[keys::kInitContainers].items()) asked = std::max(asked, asked_by(container, resource).units());
  return asked;
}

// The least is the first to go.
auto rank(const EvictionCandidate& candidate, std::string_view resource) {
  const Value& pod = candidate.pod;
  const std::string_view created = pod[keys::kMetadata][keys::kCreationTimestamp].as_string();
  // Times in the API's form sort as texts do; the newest is to come first.
  std::string newest_first(created);
  for (char& c : newest_first) c = static_cast<char>('~' - c);
  const int64_t above = used_by(candidate, resource) - asked_by_pod(pod[keys::kSpec], resource);
  const bool is_modest = above <= 0 && resource != kPids;
  return std::tuple(is_modest, pod[keys::kSpec][keys::kPriority].as_int(), -above, newest_first, key_of(pod));
}

}  // namespace

bool is_critical(const Value& pod) { return pod[keys::kSpec][keys::kPriority].as_int() >= kCriticalPriority; }

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

std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates, EvictionSignal signal) {
  const auto resource = resource_of(signal);
  std::optional<size_t> next;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (is_critical(candidates[i].pod)) continue;
    if (!next || rank(candidates[i], resource) < rank(candidates[*next], resource)) next = i;
  }
  return next;
}

std::string eviction_message(const EvictionCandidate& candidate, const Shortage& shortage) {
  const auto resource = resource_of(shortage.signal);
  std::string message = cat("The node was low on resource: ", resource, ". Threshold quantity: ", amount_text(resource, shortage.threshold),
                            ", available: ", amount_text(resource, shortage.available), ". ");
  if (resource != kDisk && resource != kMemory) return message;
  const Value& spec = candidate.pod[keys::kSpec];
  const auto blame = [&](std::string_view what, std::string_view name, int64_t used, const Quantity& asked) {
    message += cat(what, " ", name, " was using ", amount_text(resource, used), ", request is ", asked.text(),
                   ", has larger consumption of ", resource, ". ");
  };
  const Value& whole = spec[keys::kResources][keys::kRequests].get(resource);
  if (resource == kMemory && whole.has_value()) {
    blame("Pod", object_name(candidate.pod), used_by(candidate, resource), Quantity::of_value(whole));
  }
  const auto& used = resource == kMemory ? candidate.memory_bytes : candidate.written.containers;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : spec[list].items()) {
      const auto name = container[keys::kName].string();
      const auto of_it = used.find(name);
      const Quantity asked = asked_by(container, resource);
      if (of_it != used.end() && of_it->second > asked.units()) blame("Container", name, of_it->second, asked);
    }
  }
  return message;
}

std::optional<std::string> refused_under_pressure(const Value& pod, const std::set<NodePressure>& pressures) {
  if (pressures.empty() || is_critical(pod)) return std::nullopt;
  const Value& spec = pod[keys::kSpec];
  if (pressures.size() == 1 && pressures.contains(NodePressure::kMemory)) {
    const Value taint = Value::map({{keys::kKey, kMemoryTaint}, {keys::kEffect, "NoSchedule"}});
    if (qos_class(spec) != "BestEffort" || tolerates(spec[keys::kTolerations], taint)) return std::nullopt;
  }
  std::vector<std::string> conditions;
  for (const auto pressure : pressures) conditions.emplace_back(words_of(pressure).condition);
  return cat("The node had condition: [", join(conditions, " "), "]. ");
}

}  // namespace minik::control
