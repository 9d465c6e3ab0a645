// Admission: what the cluster adds to an object or refuses about it, between decoding and validation.
// NamespaceLifecycle, ServiceAccount, Priority, RuntimeClass, DefaultTolerationSeconds, LimitRanger and
// ResourceQuota (limit_ranger.h, quota_admission.h), DefaultStorageClass,
// StorageObjectInUseProtection, PersistentVolumeClaimResize; and the allocation of Service addresses and node ports
// (service_admission.h), which comes after what users' webhooks and policies have changed.
//
// Pods of one template arrive with one and the same spec node, so what decoding, admission and validation
// made of it is remembered by that node's identity: the second pod costs three pointer comparisons.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "control/api/api_server.h"
#include "control/api/event_retention.h"
#include "control/api/limit_ranger.h"
#include "control/api/quota_admission.h"
#include "control/api/service_admission.h"

namespace minik::control {

class Admission {
 public:
  Admission(Store& store, const Schema& schema, Executor& executor, std::string service_cidr);

  // Rebuilds the allocations from what is stored.
  void load();

  Result<Value> cached_decode(const ResourceInfo& resource, const ApiRequest& request,
                              const std::function<Result<Value>()>& decode);
  Result<Value> admit_create(const ResourceInfo& resource, Value object);
  // The same for what users' webhooks and policies have changed since: a container of theirs has defaults too.
  Result<Value> admit_again(const ResourceInfo& resource, Value object);
  // What has to be found for the object, now that nobody changes it any more. `old` is absent for a new one.
  Result<Value> allocate(const ResourceInfo& resource, Value object, const Value& old);
  // What is refused of the object as it will be stored: first limits and mountable secrets, and last of all a quota,
  // lest something be refused for a quota that never was to be. `old` is absent for a new one.
  Status check_limits(const ResourceInfo& resource, const Value& object, const Value& old) const;
  Status check_quota(const ResourceInfo& resource, const Value& object, const Value& old) const;
  Result<Value> admit_update(const ResourceInfo& resource, Value object, const Value& old);
  // Of the subresource status.
  Value admit_status(const ResourceInfo& resource, Value object);
  Status admit_delete(const ResourceInfo& resource, const Value& object);
  Status cached_validate(const ResourceInfo& resource, const Value& object,
                         const std::function<Status()>& validate);

  // What has been stored, for the allocations and the quotas.
  void created(const ResourceInfo& resource, const Value& object);
  EventRetention& events() { return events_; }
  void updated(const ResourceInfo& resource, const Value& object, const Value& old);
  void deleted(const ResourceInfo& resource, const Value& object);  // as it was stored

 private:
  struct Memo {
    Value body_spec;   // as sent; held, so that its identity stays taken
    Value decoded;     // spec after decoding and defaulting
    std::string namespace_;
    Value account;     // the ServiceAccount seen
    Value admitted;    // spec after admission
    bool validated = false;
  };
  Memo* memo_of_decoded(const Value& spec);

  Result<Value> complete_new(const ResourceInfo& resource, Value object);
  Value with_default_ingress_class(Value ingress) const;
  Value admit_claim(Value claim) const;
  Status admit_claim_update(const Value& claim, const Value& old) const;
  Result<Value> admit_pod(Value pod);
  Status check_only_default(const Value& priority_class) const;
  Status add_priority(const Value& spec, MapBuilder& builder) const;
  // The error is the reason alone. A mirror pod has no account.
  Result<Value> admit_pod_spec(const Value& given, std::string_view namespace_, const Value& account);

  Store& store_;
  const Schema& schema_;
  LimitRanger limit_ranger_;
  QuotaAdmission quota_;
  EventRetention events_;
  ServiceAdmission services_;
  std::deque<Memo> memos_;
};

}  // namespace minik::control
