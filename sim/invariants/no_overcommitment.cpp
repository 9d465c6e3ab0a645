// No node has more bound to it than it has: the requests of its pods that have not ended, against allocatable.
// Not verified: that pods really use what they ask for, extended resources, ports, and nodes that are not registered.
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

  void add(const Value& pod, int64_t sign) {
    const auto requests = control::pod_requests(pod[keys::kSpec]);
    milli_cpu += sign * requests.milli_cpu;
    memory_bytes += sign * requests.memory_bytes;
    pods += sign;
  }
};

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
    const auto before = node_of(event.previous), after = deleted ? std::string_view() : node_of(event.object);
    if (before == after && (after.empty() || event.previous[keys::kSpec] == event.object[keys::kSpec])) return;
    if (!before.empty()) nodes_[std::string(before)].used.add(event.previous, -1);
    if (after.empty()) return;
    Node& node = nodes_[std::string(after)];
    node.used.add(event.object, 1);
    if (!node.object.has_value()) return;
    if (auto how = judge(after, node.used, node.object)) breaks(*std::move(how));
  }

  void look(const control::Store&, Instant, Instant) override {}
  void forget() override { nodes_.clear(); }

 private:
  struct Node {
    Book used;
    Value object;
  };
  std::map<std::string, Node, std::less<>> nodes_;
};

}  // namespace

std::unique_ptr<Invariant> make_no_overcommitment() { return std::make_unique<NoOvercommitment>(); }

std::optional<std::string> overcommitted_node(const control::Store& store) {
  std::map<std::string, Book, std::less<>> bound;
  store.for_each(kinds::kPods, [&](const Value& pod) {
    if (const auto node = node_of(pod); !node.empty()) bound[std::string(node)].add(pod, 1);
  });
  for (const auto& [name, used] : bound) {
    const Value& node = store.find(kinds::kNodes, "", name);
    if (!node.has_value()) continue;
    if (auto how = judge(name, used, node)) return how;
  }
  return {};
}

}  // namespace minik::sim
