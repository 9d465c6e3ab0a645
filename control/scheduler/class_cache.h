// ClassCache: from a pod to its class's candidates, which live as long as the class is in use.
//
// The pod before is remembered by its spec's node, so that the replicas of one template find their
// class without a look at the spec. A class that is seen for the first time gets no candidates yet
// when it can do without (quick_pick.h): an order is made for those that come again. Rules about
// nodes alone are shared by all classes that have the same. When there are too many classes all are
// forgotten and made again as they are needed; whoever holds one keeps it. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "control/scheduler/candidates.h"

namespace minik::control {

class ClassCache {
 public:
  ClassCache(NodeTable& table, uint64_t salt) : table_(table), salt_(salt) {}

  // The candidates of the pod's class, or null when the class is new; then `fresh` is its key.
  // `volume_rules` are what the pod's claims ask of nodes (volume_rules.h), absent without claims.
  std::shared_ptr<Candidates> find(const Value& pod, const Profile& profile,
                                   const Value& volume_rules, PodClassKey& fresh);
  std::shared_ptr<Candidates> make(const PodClass& pod_class, const Profile& profile);
  std::shared_ptr<NodeRules> rules_of(const PodClassKey& key, const Profile& profile);
  // The class came once before without being made.
  bool seen_before(const PodClassKey& key);

 private:
  struct Last {
    Value spec, labels, owner, namespace_, volumes;
    uint64_t counts_version = 0, nodes_version = 0;
    const Profile* profile = nullptr;
    std::shared_ptr<Candidates> candidates;
  };

  NodeTable& table_;
  uint64_t salt_;
  uint64_t next_id_ = 1;
  Last last_;
  std::map<uint64_t, std::vector<std::shared_ptr<Candidates>>> classes_;  // by the key's hash
  size_t count_ = 0;
  std::vector<std::shared_ptr<NodeRules>> rules_;
  std::set<uint64_t> seen_;  // hashes of keys
};

}  // namespace minik::control
