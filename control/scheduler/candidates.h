// Candidates: for one pod class, the nodes that can take a pod, in groups and best first; brought
// up to date by the node table's change log, so that placing a pod costs what changed since the
// last one, not what exists.
//
//   group (zone a, no sibling yet)   node 7, then node 2, node 9 …   by what the node alone says
//   group (zone a, one sibling)      node 4 …
//   group (zone b, no sibling yet)   node 3, then node 8 …
//
// Rules that look at other nodes (domain_term.h) see all nodes of a group alike, so they are asked
// once a group: the best node is the first of some group. Inside a group the order is by the scores
// of the node alone; ties go by a hash of class and node, so that equal nodes are not all filled in
// name order and runs stay repeatable. A class that terms tell nothing about has one group.
//
// Not exact where Kubernetes is not either: image scores of a node are those of its last change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/scheduler/domain_term.h"
#include "control/scheduler/node_rules.h"
#include "control/scheduler/rank_heap.h"
#include "control/scheduler/room.h"

namespace minik::control {

class Candidates {
 public:
  Candidates(uint64_t id, PodClass pod_class, const Profile& profile,
             std::shared_ptr<NodeRules> rules, uint64_t salt);

  const PodClass& pod_class() const { return class_; }
  const Profile& profile() const { return profile_; }
  const NodeRules& rules() const { return *rules_; }
  // A number that no other class has: the order of classes where one is seen.
  uint64_t id() const { return id_; }

  // The best node, or -1.
  int best(NodeTable& table);
  // Whether the node alone has what a pod needs; asks no rule about other nodes, and costs no
  // refresh.
  bool has_place(const NodeTable& table, int node) const;
  // Whether a pod could go to this very node now.
  bool could_take(NodeTable& table, int node);
  // A change of this pod on its node may open other nodes too.
  bool depends_on(NodeTable& table, const Value& pod) const;
  bool has_terms() const { return !terms_.empty(); }
  // Whether some required rule counts pods, so that those who think pods away must ask allows().
  bool has_hard_terms() const { return hard_terms_; }
  // The required rules about pods, with `removed` pods of this node thought away.
  bool allows(NodeTable& table, int node, const std::vector<const PlacedPod*>& removed);

  // The first of those rules that refuses the node with all its pods there.
  std::string refusal_by_terms(int node) const;

  // Why no node is there for a pod: nodes by reason, in the order in which Kubernetes prints them.
  // From the first time on the reasons are kept like the order.
  std::vector<std::pair<int64_t, std::string>> diagnosis(NodeTable& table);
  // Nodes where fewer pods could help.
  std::vector<int> helpable(NodeTable& table);
  // Lets go of what is kept by node; it is made again when it is asked for.
  void forget();
  // Brings the order up to date without asking for a node.
  void refresh(NodeTable& table);

 private:
  using Place = std::vector<int64_t>;  // one for each term

  // The first node of a group, with what the group's place is worth.
  struct Choice {
    const Rank* top = nullptr;
    int64_t attraction = 0;
    int64_t crowding = 0;
    bool unspread = false;  // a label is missing that soft spreading goes by
  };

  enum class Filling : uint8_t { kOneByOne, kAtOnce };

  std::vector<Choice> choices();
  void build_terms(NodeTable& table);
  void add_spread_terms(NodeTable& table);
  int64_t attraction_of(const CarriedTerm& term) const;
  bool outdated(const NodeTable& table) const;
  void evaluate(const NodeTable& table, int node, Filling filling);
  void seat(const NodeTable& table, int node, Filling filling);
  int64_t score(const NodeTable& table, int node) const;
  bool counts_for(const DomainTerm& term, const NodeTable& table, int node) const;
  bool first_of_its_kind() const;
  const Place& place_of(int node);
  bool allowed(const Place& place, bool first) const;
  std::vector<Refusal> own_refusals(const NodeTable& table, int node) const;
  void note_refusals(const NodeTable& table, int node);
  void explain(NodeTable& table);

  uint64_t id_;
  PodClass class_;
  const Profile& profile_;
  std::shared_ptr<NodeRules> rules_;
  uint64_t salt_;
  std::vector<DomainTerm> terms_;
  std::vector<std::pair<Key, bool>> spread_labels_;  // that nodes must have to be counted; and for hard constraints?
  bool hard_terms_ = false;
  bool near_itself_ = false;  // it matches its own required affinity: the first of its kind may go anywhere
  uint64_t counts_version_ = 0;  // of the counts that the terms were built from
  uint64_t rules_generation_ = 0;
  uint64_t position_ = 0;
  bool built_ = false;
  std::map<Place, RankHeap> groups_;
  std::vector<RankHeap*> group_of_;  // by node; null when it cannot take the pod
  std::vector<uint32_t> places_;     // by node: where it stands in its group
  Place scratch_;
  // What each node alone has against the pod, and how many say so; kept once somebody has asked.
  struct Note {
    std::vector<std::map<std::string, int64_t>::iterator> reasons;
    bool resolvable = false;
  };
  bool explaining_ = false;
  std::vector<Note> notes_;
  std::map<std::string, int64_t> tally_;
};

}  // namespace minik::control
