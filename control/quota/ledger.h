// QuotaLedger: what each quota's objects use together, kept up change by change, so that an answer about a namespace
// of ten thousand pods costs what has changed in it.
//
//   count()  --first time, new limits, or after 5 min--> everything is counted anew   (counted_usage)
//   change() --before, after--> less what one used, more what the other uses
//
// Its owner tells it of every change of what count() shows it, in order, and of quotas that are gone; one that is not
// told of something is right again after the next full count. A pod on its way out counts until its grace is over,
// which no change tells: such pods are kept apart, and asked about with each count.
//
// Owned by the quota controller (over its caches) and by the admission that charges (over the store). Control thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control/object/object_ref.h"
#include "control/quota/usage.h"

namespace minik::control {

struct QuotaCount {
  Amounts used;
  std::optional<Duration> next_end_of_grace;  // until less is used although nothing changes
};

class QuotaLedger {
 public:
  QuotaLedger(const Schema& schema, CustomKinds custom) : schema_(schema), custom_(custom) {}

  // By the names of `hard`, which is the quota's spec.hard or status.hard.
  QuotaCount count(const Value& quota, const Value& hard, WallTime now, const VisitObjects& visit_all);
  // An object in a namespace has come (no `before`), gone (no `after`) or changed.
  void change(const ResourceInfo& resource, const Value& before, const Value& after);
  void forget(const Value& quota);

 private:
  struct Account {
    Value quota, hard;
    Amounts used;                        // with all that leaves
    std::map<ObjectKey, Value> leaving;  // pods that are being deleted
    WallTime counted_at;

    void add(const ResourceInfo& resource, const Value& object);
    void subtract(const ResourceInfo& resource, const Value& object);
    bool concerns(const ResourceInfo& resource, const Value& object) const;
  };

  Account counted_anew(const Value& quota, const Value& hard, WallTime now, const VisitObjects& visit_all) const;
  bool knows(const Account& account, const Value& quota, const Value& hard, WallTime now) const;

  const Schema& schema_;
  CustomKinds custom_;
  std::map<std::string, std::map<std::string, Account>, std::less<>> accounts_;  // by namespace, then name
};

}  // namespace minik::control
