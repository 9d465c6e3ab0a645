// What the node agent looks at before it lets a pod in, or lets one of its pods grow: what the others have of the node.
#include <utility>

#include "control/base/text.h"
#include "control/kubelet/kubelet.h"
#include "control/object/keys.h"
#include "control/object/quantity.h"
#include "control/schema/kinds.h"

namespace minik::control {

// What is known of it without a question.
Value Kubelet::known_node() const {
  const Value& node = node_.cache().find({}, config_.node_name);
  if (node.has_value()) return node;
  return Value().with_at({keys::kStatus, keys::kAllocatable}, context_.node_allocatable);
}

NodeLoad Kubelet::load() const {
  NodeLoad load;
  load.pods.reserve(workers_.size() + 1);
  for (const auto& [uid, worker] : workers_) {
    if (!worker->takes_room()) continue;
    const PodShare share = worker->share();
    load.shares.milli_cpu += share.milli_cpu;
    load.shares.memory_bytes += share.memory_bytes;
    load.shares.storage_bytes += share.storage_bytes;
    load.pods.push_back(&worker->pod());
  }
  return load;
}

// Whoever has sent the pod may know more of the Node than its watch has told so far.
void Kubelet::look_at_node_for(const Value& pod) {
  ApiRequest get;
  get.verb = Verb::kGet;
  get.kind = kinds::kNodes;
  get.name = config_.node_name;
  client_.send(std::move(get), [this, alive = alive_, key = key_of(pod), uid = std::string(object_uid(pod))](const Result<ApiResponse>& node) {
    if (!*alive) return;
    const Value newest = pods_.cache().find(key.namespace_, key.name);
    if (object_uid(newest) != uid || workers_.contains(uid)) return;  // it has gone, or was looked at once more
    take_in(newest, node ? node->object : known_node(), NodeNews::kAsked);
  });
}

std::unique_ptr<ResizeRefusal> Kubelet::resize_refusal(const Value& pod) const {
  const auto asked = [](const Value& of, const Key& resource) {
    int64_t sum = 0;
    for (const auto& container : of[keys::kSpec][keys::kContainers].items()) {
      sum += Quantity::of_value(container[keys::kResources][keys::kRequests][resource]).milli();
    }
    return sum;
  };
  for (const auto& resource : {keys::kCpu, keys::kMemory}) {
    const int64_t wanted = asked(pod, resource);
    const int64_t capacity = Quantity::of_value(context_.node_allocatable[resource]).milli();
    int64_t others = 0;
    for (const auto& [uid, worker] : workers_) {
      if (uid != object_uid(pod) && !worker->state().terminal) others += asked(worker->pod(), resource);
    }
    const auto amounts = [&](int64_t free) {
      return cat("Node didn't have enough capacity: ", resource.text(), ", requested: ", wanted, ", capacity: ", free);
    };
    const auto refuse = [](std::string_view reason, std::string message) {
      return std::make_unique<ResizeRefusal>(ResizeRefusal{std::string(reason), std::move(message)});
    };
    if (wanted > capacity) return refuse("Infeasible", amounts(capacity));
    if (wanted > capacity - others) return refuse("Deferred", amounts(capacity - others));
  }
  return nullptr;
}

}  // namespace minik::control
