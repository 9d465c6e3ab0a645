#include "control/kubelet/eviction.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>

#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

bool asks_for_disk(const Value& pod) {
  const auto containers = pod[keys::kSpec][keys::kContainers].items();
  return std::ranges::any_of(containers, [](const Value& container) {
    return container[keys::kResources][keys::kRequests].get("ephemeral-storage").has_value();
  });
}

// The least is the first to go.
auto rank(const Value& pod) {
  const std::string_view created = pod[keys::kMetadata][keys::kCreationTimestamp].as_string();
  // Times in the API's form sort as texts do; the newest is to come first.
  std::string newest_first(created);
  for (char& c : newest_first) c = static_cast<char>('~' - c);
  return std::tuple(asks_for_disk(pod), pod[keys::kSpec][keys::kPriority].as_int(), newest_first, key_of(pod));
}

}  // namespace

std::optional<size_t> next_to_evict(const std::vector<Value>& pods) {
  std::optional<size_t> next;
  for (size_t i = 0; i < pods.size(); ++i) {
    if (pods[i][keys::kSpec][keys::kPriority].as_int() >= kCriticalPriority) continue;
    if (!next || rank(pods[i]) < rank(pods[*next])) next = i;
  }
  return next;
}

}  // namespace minik::control
