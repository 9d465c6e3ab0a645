// The admission plugin LimitRanger: what a namespace's LimitRanges give a pod that says nothing,
// and what they refuse of pods and claims.
//
// Containers get the default requests and limits of every LimitRange, in the order of the ranges'
// names; the annotation kubernetes.io/limit-ranger says which. Then each container, the pod as a
// whole and each claim must keep to min, max and maxLimitRequestRatio. Every broken rule is told,
// in Kubernetes' words.
//
// Part of the API server's Admission; control thread only. A cluster without LimitRanges costs one
// count.
#pragma once

#include "control/base/result.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class LimitRanger {
 public:
  LimitRanger(Store& store, const Schema& schema) : store_(store), schema_(schema) {}

  Value with_defaults(const Value& pod) const;
  // A pod that is new or resized, once all who may change it have done so.
  Status check_pod(const Value& pod) const;
  // A claim that is new or changed.
  Status check_claim(const Value& claim) const;

 private:
  std::vector<Value> ranges_of(std::string_view namespace_) const;

  Store& store_;
  const Schema& schema_;
};

}  // namespace minik::control
