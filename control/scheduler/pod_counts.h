// PodCounts: how many placed pods of some sort stand on each node, kept as pods come and go.
//
// A sort is "selected by this affinity term or spread constraint", "owned by this controller", or
// "carries this term itself" (an anti-affinity of pods that are there already binds those that
// come). Equal sorts share one count, however many pods ask for it. A new sort counts what is
// placed once; afterwards every change costs the sorts that the pod belongs to, which are
// remembered for pods with the same labels.
//
// Spreading, also that by owner, leaves out pods that are being deleted; affinity does not.
//
// A sort is dropped when nobody holds it. A change of a namespace's labels recounts what selects by
// them, and grows version(). Owned by the NodeTable; control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/object/selector.h"
#include "control/object/value.h"

namespace minik::control {

// Which pods a term is about.
struct PodMatcher {
  std::vector<std::string> namespaces;              // sorted
  std::optional<LabelSelector> namespace_selector;  // also those whose labels match
  LabelSelector pods;
  bool staying_only = false;  // not those that are being deleted
  std::string text;           // equal for equal matchers
};

class PodCount {
 public:
  int64_t on(int node) const {
    const auto found = by_node_.find(node);
    return found == by_node_.end() ? 0 : found->second;
  }
  int64_t total() const { return total_; }

 private:
  friend class PodCounts;
  void add(int node, int64_t by);
  std::map<int, int64_t> by_node_;
  int64_t total_ = 0;
};

// An affinity term of pods that are placed, as it meets a pod that comes.
struct CarriedTerm {
  // A required anti-affinity, which keeps the pod away; a required affinity, which draws it by what its profile says;
  // a preference.
  enum class Kind : uint8_t { kApart, kNear, kPreferred };
  Kind kind = Kind::kApart;
  Key topology_key;
  PodMatcher matcher;
  int64_t weight = 0;  // of a preference: what each carrier adds to the score
  PodCount carriers;
};

class PodCounts {
 public:
  using Visit = std::function<void(const Value& pod, int node)>;
  using AllPods = std::function<void(const Visit&)>;
  explicit PodCounts(AllPods all_pods) : all_pods_(std::move(all_pods)) {}

  // Pods that every one of the matchers selects.
  std::shared_ptr<const PodCount> matching(std::vector<PodMatcher> matchers);
  // Pods with this controller, by its uid, but those that are being deleted.
  std::shared_ptr<const PodCount> owned_by(const Value& owner_uid);
  // Whether this pod is one of them.
  bool counts(const PodCount& count, const Value& pod);
  // Terms carried by placed pods that are about such a pod.
  std::vector<std::shared_ptr<const CarriedTerm>> carried_about(std::string_view namespace_,
                                                                const Value& labels) const;

  bool matches(const PodMatcher& matcher, std::string_view namespace_, const Value& labels) const;

  // Whether counts have changed.
  bool put_namespace(const Value& namespace_);
  void change(const Value& pod, int node, int sign);
  // The pod, as it is counted, stays on its node and is being deleted from now on. Answers whether somebody counts on
  // the difference.
  bool begin_deletion(const Value& pod, int node);
  // Grows when terms that a pod's class was made with may have changed.
  uint64_t version() const { return version_; }
  bool any_carried() const { return !carried_.empty(); }

 private:
  struct Selected {
    std::vector<PodMatcher> matchers;
    std::weak_ptr<PodCount> count;
  };
  struct Owned {
    std::shared_ptr<PodCount> staying = std::make_shared<PodCount>();
    int64_t pods = 0;  // those that are being deleted included
  };
  struct Membership {
    Value namespace_, labels, affinity, owner;
    std::vector<std::shared_ptr<PodCount>> counts, spreading;
    Owned* owned = nullptr;  // in owned_, which drops memberships before it drops a count
  };
  const Membership& membership(const Value& pod);
  static void add(const Membership& member, const Value& pod, int node, int sign);
  void forget_memberships();
  void collect_carried(Membership& member);
  std::shared_ptr<PodCount> carry(CarriedTerm::Kind kind, const Value& term, int64_t weight,
                                  const Membership& member);
  bool selects_by_namespace() const;
  void recount();

  AllPods all_pods_;
  std::map<std::string, Selected> selected_;  // by the matchers' texts
  std::map<std::string, Owned, std::less<>> owned_;
  std::map<std::string, std::shared_ptr<CarriedTerm>> carried_;
  std::map<std::string, Value, std::less<>> namespace_labels_;
  std::map<uint64_t, Membership> memberships_;  // a memo, cleared when a sort comes or goes
  uint64_t version_ = 1;
};

// The matcher of an affinity term; `labels` are those of the pod that has the term.
PodMatcher affinity_matcher(const Value& term, std::string_view namespace_, const Value& labels);
// Of a topology spread constraint: pods of its own namespace.
PodMatcher spread_matcher(const Value& constraint, std::string_view namespace_,
                          const Value& labels);

}  // namespace minik::control
