// What an object uses of a ResourceQuota. The one place that knows the names a quota may limit: the
// admission that charges and the controller that recounts ask the same questions here.
//
//   pods, cpu, memory, requests.*, limits.*, hugepages-*      pods that have not ended
//   services, services.nodeports, services.loadbalancers     Services
//   persistentvolumeclaims, requests.storage,
//   <class>.storageclass.storage.k8s.io/<one of these>       PersistentVolumeClaims
//   configmaps, secrets, replicationcontrollers,
//   resourcequotas, count/<plural>[.<group>]                 any kind, custom ones too, each object one
//
// A quota with scopes or a scopeSelector counts only pods that are in all of them. Events are never
// counted. Pure functions; volume attributes classes are no scope here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/quota/amounts.h"
#include "control/schema/schema.h"

namespace minik::control {

// Whether this name of a quota's list is about objects of this resource.
bool quota_counts(const ResourceInfo& resource, std::string_view name);
// Whether some name of the quota's limits is, and the object is in all of its scopes. `hard` is
// status.hard for an admission, spec.hard for a count.
bool quota_concerns(const Value& quota, const Value& hard, const ResourceInfo& resource,
                    const Value& object);
// Every name that the object uses something of, whether a quota limits it or not. A pod that has
// ended, or is past the end of its grace at `now`, still counts as an object.
Amounts quota_usage(const ResourceInfo& resource, const Value& object, WallTime now);
// False: nothing that quotas look at differs between these two versions of an object.
bool may_change_usage(const ResourceInfo& resource, const Value& before, const Value& after);
// "must specify limits.cpu for: web,db; ...": what the pod's containers leave open although the
// quota limits it. Empty: nothing.
std::string unspecified_for_quota(const Value& quota, const Value& pod_spec);

// The built-in kinds whose objects a quota may count, each once however many versions serve it.
std::vector<KindId> quota_kinds(const Schema& schema);

// Who has no cache of custom kinds takes their counts from the quota's status, which the API server keeps exact.
enum class CustomKinds : uint8_t { kCounted, kAsStated };

// Everything that is there by the names of these limits, counted anew. `visit_all` shows each object of a kind in the
// quota's namespace.
using VisitObjects = std::function<void(KindId, std::string_view namespace_,
                                        const std::function<void(const Value&)>& visit)>;
Amounts counted_usage(const Schema& schema, const Value& quota, const Value& hard, WallTime now, CustomKinds custom,
                      const VisitObjects& visit_all);
// The part of it that is about custom kinds, put into `used`.
void count_custom_kinds(const Schema& schema, const Value& quota, const Value& hard, CustomKinds custom, const VisitObjects& visit_all,
                        Amounts& used);

}  // namespace minik::control
