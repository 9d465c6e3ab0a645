// The admission plugin ResourceQuota: refuses what would take a namespace over one of its quotas,
// and charges what it lets in.
//
// Checked and charged in one turn of the control thread, so creations side by side never exceed a
// quota together. status.used may be too high until the quota's controller has recounted (something
// was deleted), and never too low: when the controller reports a count from caches that lag, the
// count of what is stored takes its place. A quota limits from the moment that its controller has
// filled status.hard.
//
// Part of the API server's Admission; control thread only. A namespace without quotas costs one
// lookup.
#pragma once

#include <map>
#include <set>
#include <string>

#include "control/base/executor.h"
#include "control/base/result.h"
#include "control/quota/ledger.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class QuotaAdmission {
 public:
  QuotaAdmission(Store& store, const Schema& schema, Executor& executor);

  void load();
  // `old` is absent for a creation. Changes nothing.
  Status check(const ResourceInfo& resource, const Value& object, const Value& old) const;
  // After the object is in the store: status.used of its quotas grows.
  void charge(const ResourceInfo& resource, const Value& object, const Value& old);
  // `object` as it was stored last.
  void forget(const ResourceInfo& resource, const Value& object);
  // A quota whose status was reported, with what is really used.
  Value with_exact_usage(const Value& quota);

 private:
  // What this write adds for the quota, among the names that it limits.
  Value charged(const Value& quota, const ResourceInfo& resource, const Value& object,
                const Value& old) const;
  bool may_charge(const ResourceInfo& resource, const Value& object, const Value& old) const;
  void release(const ResourceInfo& resource, const Value& object, const std::set<std::string>& names);

  Store& store_;
  Executor& executor_;
  std::map<std::string, std::set<std::string>, std::less<>> quotas_;  // names by namespace
  QuotaLedger ledger_;
};

}  // namespace minik::control
