#include "control/kubelet/eviction.h"

#include <algorithm>
#include <tuple>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"

namespace minik::control {

namespace {

constexpr std::string_view kDisk = "ephemeral-storage";

Quantity asked_by(const Value& container) {
  return Quantity::of_value(container[keys::kResources][keys::kRequests].get(kDisk));
}

int64_t bytes_above_request(const EvictionCandidate& candidate) {
  const Value& spec = candidate.pod[keys::kSpec];
  int64_t asked = 0;
  for (const auto& container : spec[keys::kContainers].items()) asked += asked_by(container).units();
  for (const auto& container : spec[keys::kInitContainers].items()) asked = std::max(asked, asked_by(container).units());
  int64_t bytes = -asked;
  for (const auto& [name, written] : candidate.written_bytes) bytes += written;
  return bytes;
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

std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates) {
  std::optional<size_t> next;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].pod[keys::kSpec][keys::kPriority].as_int() >= kCriticalPriority) continue;
    if (!next || rank(candidates[i]) < rank(candidates[*next])) next = i;
  }
  return next;
}

std::string eviction_message(const EvictionCandidate& candidate) {
  std::string message = cat("The node was low on resource: ", kDisk, ". ");
  for (const auto& container : candidate.pod[keys::kSpec][keys::kContainers].items()) {
    const auto name = container[keys::kName].string();
    const auto written = candidate.written_bytes.find(name);
    const Quantity asked = asked_by(container);
    if (written == candidate.written_bytes.end() || written->second <= asked.units()) continue;
    message += cat("Container ", name, " was using ", Quantity::of(written->second, Quantity::Format::kBinarySI).text(), ", request is ",
                   asked.text(), ", has larger consumption of ", kDisk, ". ");
  }
  return message;
}

}  // namespace minik::control
