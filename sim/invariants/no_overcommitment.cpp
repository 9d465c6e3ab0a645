// No node has more to bear than it has: neither the pods that the scheduler has bound to it nor those that it has
// admitted, by their requests against allocatable, while they have not ended. What somebody sends to a node past the
// scheduler is the node's to refuse. A pod counts with what it was bound with, and after a resize with what its node has
// given it.
// Not verified: that pods really use what they ask for, extended resources, ports, and nodes that are not registered.
#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/scheduler/pod_class.h"
#include "control/schema/kinds.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

namespace {

struct Book {
  int64_t milli_cpu = 0, memory_bytes = 0, pods = 0;

  void add(const Book& other, int64_t sign) {
    milli_cpu += sign * other.milli_cpu;
    memory_bytes += sign * other.memory_bytes;
    pods += sign * other.pods;
  }
  bool operator==(const Book&) const = default;
};

Book requests_of(const Value& pod_spec) {
  const auto requests = control::pod_requests(pod_spec);
  return {requests.milli_cpu, requests.memory_bytes, 1};
}

// Its spec with what its node has given the containers; nothing until that is known of all of them.
std::optional<Value> given_spec(const Value& pod) {
  const Value& spec = pod[keys::kSpec];
  std::vector<Value> containers;
  for (const auto& container : spec[keys::kContainers].items()) {
    const auto statuses = pod[keys::kStatus][keys::kContainerStatuses].items();
    const auto of_it = std::ranges::find_if(statuses, [&](const Value& status) { return status[keys::kName] == container[keys::kName]; });
    if (of_it == statuses.end() || !(*of_it)[keys::kAllocatedResources].has_value()) return {};
    containers.push_back(container.with_at({keys::kResources, keys::kRequests}, (*of_it)[keys::kAllocatedResources]));
  }
  return spec.with(keys::kContainers, Value::array(std::move(containers)));
}

bool is_admitted(const Value& pod) { return pod[keys::kStatus][keys::kContainerStatuses].size() > 0 || pod[keys::kStatus][keys::kPhase].as_string() == "Running"; }

std::string_view node_of(const Value& pod) {
  if (!pod.has_value() || control::is_pod_ended(pod)) return {};
  return pod[keys::kSpec][keys::kNodeName].as_string();
}

std::optional<std::string> judge(std::string_view name, const Book& used, const Value& node) {
  const auto have = control::node_allocatable(node);
  if (used.milli_cpu <= have.milli_cpu && used.memory_bytes <= have.memory_bytes && used.pods <= have.pods) return {};
  return cat("node ", name, " has ", used.pods, " pods with ", used.milli_cpu, "m CPU and ", used.memory_bytes,
             " bytes bound, and ", have.pods, ", ", have.milli_cpu, "m and ", have.memory_bytes, " to give");
}

class NoOvercommitment : public Invariant {
 public:
  std::string_view name() const override { return "no node is overcommitted"; }
  std::vector<control::KindId> kinds() const override { return {kinds::kPods, kinds::kNodes}; }

  void on_event(control::KindId kind, const control::StoreEvent& event) override {
    const bool deleted = event.type == control::StoreEvent::Type::kDeleted;
    if (kind == kinds::kNodes) {
      Node& node = nodes_[std::string(control::object_name(event.object))];
      node.object = deleted ? Value() : event.object;
      return;
    }
    const uint64_t uid = fnv1a_64(control::object_uid(event.object));
    const auto found = pods_.find(uid);
    const auto name = deleted ? std::string_view() : node_of(event.object);
    if (name.empty()) {
      if (found != pods_.end()) leave(found);
      return;
    }
    if (found == pods_.end()) {
      const bool by_scheduler = event.previous.has_value() && event.previous[keys::kSpec][keys::kNodeName].as_string().empty();
      const auto node = nodes_.try_emplace(std::string(name)).first;
      Pod& pod = pods_.emplace(uid, Pod{&*node, requests_of(event.object[keys::kSpec]), by_scheduler, is_admitted(event.object)}).first->second;
      count(pod, 1);
      return judge_node(pod);
    }
    Pod& pod = found->second;
    const Pod before = pod;
    pod.admitted |= is_admitted(event.object);
    if (!(event.previous[keys::kSpec] == event.object[keys::kSpec]) ||
        !(event.previous[keys::kStatus][keys::kContainerStatuses] == event.object[keys::kStatus][keys::kContainerStatuses])) {
      if (const auto given = given_spec(event.object)) pod.requests = requests_of(*given);
    }
    if (pod.admitted == before.admitted && pod.requests == before.requests) return;
    count(before, -1);
    count(pod, 1);
    judge_node(pod);
  }

  void look(const control::Store&, Instant, Instant) override {}
  void forget() override {
    pods_.clear();
    nodes_.clear();
  }

 private:
  struct Node {
    Book bound, admitted;
    Value object;
  };
  using Nodes = std::map<std::string, Node, std::less<>>;
  struct Pod {
    Nodes::value_type* node;
    Book requests;
    bool by_scheduler, admitted;
  };
  using Pods = std::map<uint64_t, Pod>;  // by hash of the uid: those that are bound and have not ended

  static void count(const Pod& pod, int64_t sign) {
    if (pod.by_scheduler) pod.node->second.bound.add(pod.requests, sign);
    if (pod.admitted) pod.node->second.admitted.add(pod.requests, sign);
  }
  void leave(Pods::iterator pod) {
    count(pod->second, -1);
    pods_.erase(pod);
  }
  void judge_node(const Pod& pod) {
    const auto& [name, node] = *pod.node;
    if (!node.object.has_value()) return;
    for (const auto* used : {&node.bound, &node.admitted}) {
      if (auto how = judge(name, *used, node.object)) breaks(*std::move(how));
    }
  }

  Pods pods_;
  Nodes nodes_;
};

}  // namespace

std::unique_ptr<Invariant> make_no_overcommitment() { return std::make_unique<NoOvercommitment>(); }

std::optional<std::string> overcommitted_node(const control::Store& store) {
  std::map<std::string, Book, std::less<>> bound;
  store.for_each(kinds::kPods, [&](const Value& pod) {
    if (const auto node = node_of(pod); !node.empty()) bound[std::string(node)].add(requests_of(pod[keys::kSpec]), 1);
  });
  for (const auto& [name, used] : bound) {
    const Value& node = store.find(kinds::kNodes, "", name);
    if (!node.has_value()) continue;
    if (auto how = judge(name, used, node)) return how;
  }
  return {};
}

}  // namespace minik::sim
