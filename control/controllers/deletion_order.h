// In which order a controller's pods go when there are too many: unassigned, pending, not ready, cheap
// (controller.kubernetes.io/pod-deletion-cost), crowded, recently ready, often restarted, young first, as Kubernetes'
// ActivePodsWithRanks has it. Crowded is the node with more live pods of the set and its siblings, the other sets of
// its Deployment.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "control/base/time.h"
#include "control/client/object_cache.h"

namespace minik::control {

// The texts of the names live elsewhere.
using PodsByNode = std::map<std::string_view, int64_t>;
std::vector<Value> by_deletion_rank(std::span<const Value> pods, const PodsByNode& pods_on_node, WallTime now);

// The same order kept up with each change of the cache of pods, for sets that shrink by a few of ten thousand pods
// again and again, as those of a rollout do: a question costs what the set's nodes cost, not its pods.
//
// A set is followed from the first question about it until its last live pod is gone; pods of other sets cost a
// lookup for each change and no memory.
class DeletionOrder final : public CacheView {
 public:
  static constexpr std::string_view kName = "deletion-order";
  static std::unique_ptr<CacheView> make() { return std::make_unique<DeletionOrder>(); }

  DeletionOrder();
  ~DeletionOrder() override;
  void change(const Value& before, const Value& after) override;
  void clear() override;

  // The live pods of a set that go first, in order. `pods` is the cache that this is a view of; pods of other namespaces
  // that name the set their owner are none of its own.
  std::vector<Value> first(const ObjectCache& pods, const Value& set, std::span<const std::string> sibling_uids,
                           WallTime now, size_t number);

 private:
  struct Set;
  using Sets = std::map<std::string, Set, std::less<>>;
  // Null: it has no live pod, and is not followed.
  const Set* follow(const ObjectCache& pods, std::string_view namespace_, std::string_view set_uid);
  Sets::iterator set_of(const Value& pod);
  size_t number_of(std::string_view node);

  Sets followed_;                                                // by uid
  std::map<std::string, size_t, std::less<>> numbers_of_nodes_;  // "" for pods without one
};

}  // namespace minik::control
