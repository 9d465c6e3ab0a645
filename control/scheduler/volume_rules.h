// VolumeRules: what a pod's claims mean for where it may go. Kubernetes' VolumeBinding, VolumeZone,
// VolumeRestrictions and NodeVolumeLimits, turned into rules about nodes that the pod's class carries, so that
// replicas on one claim share one order and pods without claims never come here.
//
//   bound claim      its volume's node affinity and zone labels
//   waiting claim    nodes of free volumes that fit, or, with a provisioner, the class's topologies
//   several of them  nodes that have a free volume for each of them at once
//   unbound claim    of a class that binds at once: no node until the binder has done its part
//   any of them      nodes whose driver attaches one more (volume_limits.h)
//
// A rule is {reason, nodeSelectorTerms}: a node satisfies it when one of the terms matches; none
// matches nothing. Reads caches, owns nothing, writes nothing; requests_for() says what PreBind has
// to send.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/client/object_cache.h"
#include "control/client/request.h"
#include "control/scheduler/volume_limits.h"

namespace minik::control {

struct VolumeVerdict {
  std::string refusal;           // no node can help: the sentence that says why
  Value rules;                   // absent for a pod without claims, else an array
  std::vector<Value> undecided;  // claims whose volume is chosen with the node
};

bool has_claims(const Value& pod);
// The first rule that the node breaks, or absent.
const Value& broken_volume_rule(const Value& rules, const Value& node_labels,
                                std::string_view node);
// A rule that no node satisfies, for this reason.
Value refusing_volume_rules(const std::string& reason);

class VolumeRules {
 public:
  using VisitNode = std::function<void(const std::string& name, const Value& labels)>;
  using EachNode = std::function<void(const VisitNode& visit)>;
  // `is_placed`: whether a pod has a node, though the cache may not know it yet.
  VolumeRules(const ObjectCache& claims, const ObjectCache& volumes, const ObjectCache& classes,
              const ObjectCache& pods, VolumeLimits limits,
              std::function<bool(const Value& pod)> is_placed, EachNode each_node);

  VolumeVerdict of(const Value& pod) const;
  // What decides the claims for this node: a free volume there is reserved, else the claim is
  // marked for its provisioner, if it has one. Each write carries the resourceVersion that was read.
  std::vector<ApiRequest> requests_for(const std::vector<Value>& undecided,
                                       const Value& node_labels, const std::string& node) const;
  // Some node has a limit, so that any pod with claims that goes may be what another waits for.
  bool has_limits() const { return limits_.any(); }
  // All claims of the pod have their volumes.
  bool all_bound(const Value& pod) const;

 private:
  // A claim that is still to get its volume, with the free ones that can serve it.
  struct Wish {
    Value claim;
    std::vector<Value> free;
  };
  std::vector<Wish> wishes_of(const std::vector<Value>& undecided) const;
  static std::vector<Value> choose(const std::vector<Wish>& wishes, const Value& labels, std::string_view node);
  std::vector<Value> nodes_short_of_volumes(const std::vector<Value>& undecided) const;
  // Its volumes are made by hand: no provisioner will make one.
  bool is_static(const Value& claim) const;
  void add_claim(const Value& pod, const Value& claim, VolumeVerdict& verdict,
                 std::vector<Value>& rules) const;
  void add_waiting(const Value& claim, const Value& storage_class, std::vector<Value>& rules) const;
  bool used_by_another(const Value& pod, const Value& claim) const;
  std::vector<Value> free_volumes(const Value& claim) const;

  const ObjectCache& claims_;
  const ObjectCache& volumes_;
  const ObjectCache& classes_;
  const ObjectCache& pods_;
  VolumeLimits limits_;
  std::function<bool(const Value& pod)> is_placed_;
  EachNode each_node_;
};

}  // namespace minik::control
