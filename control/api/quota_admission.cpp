#include "control/api/quota_admission.h"

#include "control/api/errors.h"
#include "control/api/metadata.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/quota/ledger.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// What the write adds, among the names that the quota limits and without what stays as it was.
Amounts added_usage(const Value& quota, const ResourceInfo& resource, const Value& object,
                    const Value& old, WallTime now) {
  const Value& hard = quota[keys::kStatus][keys::kHard];
  Amounts added = quota_usage(resource, object, now);
  if (old.has_value() && quota_concerns(quota, hard, resource, old)) {
    for (const auto& [name, before] : quota_usage(resource, old, now)) {
      auto& amount = added[name];
      amount = amount > before ? amount - before : Quantity();
    }
  }
  std::erase_if(
      added, [&](const auto& entry) { return entry.second.zero() || !hard.contains(entry.first); });
  return added;
}

Status check_one(const Value& quota, const ResourceInfo& resource, const Value& object,
                 const Amounts& added) {
  const auto name = object_name(quota);
  const auto refused = [&](std::string why) {
    return forbidden(resource, object_name(object), why);
  };
  const Value& hard = quota[keys::kStatus][keys::kHard];
  const Amounts used = amounts_of(quota[keys::kStatus][keys::kUsed]);
  if (resource.id == kinds::kPods) {
    const std::string missing = unspecified_for_quota(quota, object[keys::kSpec]);
    if (!missing.empty()) return refused(cat("failed quota: ", name, ": ", missing));
  }
  std::vector<std::string> unknown;
  for (const auto& [limited, limit] : hard.entries()) {
    if (quota_counts(resource, limited.text()) && !used.contains(limited.text())) {
      unknown.emplace_back(limited.text());
    }
  }
  if (!unknown.empty()) {
    return refused(cat("status unknown for quota: ", name, ", resources: ", join(unknown, ",")));
  }
  Amounts requested, spent, limited;
  for (const auto& [what, amount] : added) {
    const Quantity limit = Quantity::of_value(hard.get(what));
    const Quantity before = used.contains(what) ? used.find(what)->second : Quantity();
    if (before + amount <= limit) continue;
    requested[what] = amount;
    spent[what] = before;
    limited[what] = limit;
  }
  if (requested.empty()) return {};
  return refused(cat("exceeded quota: ", name, ", requested: ", amounts_text(requested),
                     ", used: ", amounts_text(spent), ", limited: ", amounts_text(limited)));
}

}  // namespace

QuotaAdmission::QuotaAdmission(Store& store, const Schema& schema, Executor& executor)
    : store_(store), executor_(executor), ledger_(schema, CustomKinds::kCounted) {}

void QuotaAdmission::load() {
  store_.for_each(kinds::kResourcequotas, [this](const Value& quota) {
    quotas_[std::string(object_namespace(quota))].emplace(object_name(quota));
  });
}

// Of most kinds only the number counts, which an update does not change; a pod may be resized.
bool QuotaAdmission::may_charge(const ResourceInfo& resource, const Value& object, const Value& old) const {
  if (quotas_.empty() || !resource.namespaced || resource.plural == "events") return false;
  if (resource.id == kinds::kPods && old.has_value()) {
    return !(old[keys::kSpec][keys::kContainers] == object[keys::kSpec][keys::kContainers]);
  }
  return old.is_absent() || resource.id == kinds::kServices ||
         resource.id == kinds::kPersistentvolumeclaims;
}

Status QuotaAdmission::check(const ResourceInfo& resource, const Value& object,
                             const Value& old) const {
  if (!may_charge(resource, object, old)) return {};
  const auto namespace_ = object_namespace(object);
  const auto here = quotas_.find(namespace_);
  if (here == quotas_.end()) return {};
  for (const auto& name : here->second) {
    const Value& quota = store_.find(kinds::kResourcequotas, namespace_, name);
    if (!quota_concerns(quota, quota[keys::kStatus][keys::kHard], resource, object)) continue;
    const Amounts added = added_usage(quota, resource, object, old, executor_.wall_now());
    if (added.empty() && old.has_value()) continue;
    MINIK_TRY(check_one(quota, resource, object, added));
  }
  return {};
}

void QuotaAdmission::charge(const ResourceInfo& resource, const Value& object, const Value& old) {
  const auto namespace_ = object_namespace(object);
  if (!quotas_.empty() && resource.namespaced) ledger_.change(resource, old, object);
  if (may_charge(resource, object, old)) {
    const auto here = quotas_.find(namespace_);
    const auto names = here == quotas_.end() ? std::set<std::string>{} : here->second;
    for (const auto& name : names) {
      const Value quota = store_.find(kinds::kResourcequotas, namespace_, name);
      const Value next = charged(quota, resource, object, old);
      if (next == quota) continue;
      store_.put(kinds::kResourcequotas, with_revision(next, store_.next_revision()));
    }
  }
  if (resource.id == kinds::kResourcequotas && old.is_absent()) {
    quotas_[std::string(namespace_)].emplace(object_name(object));
  }
}

Value QuotaAdmission::charged(const Value& quota, const ResourceInfo& resource, const Value& object,
                              const Value& old) const {
  if (!quota_concerns(quota, quota[keys::kStatus][keys::kHard], resource, object)) return quota;
  Amounts used = amounts_of(quota[keys::kStatus][keys::kUsed]);
  add_amounts(used, added_usage(quota, resource, object, old, executor_.wall_now()));
  return quota.with_at({keys::kStatus, keys::kUsed}, amounts_value(used));
}

void QuotaAdmission::forget(const ResourceInfo& resource, const Value& object) {
  const auto here = quotas_.find(object_namespace(object));
  if (here == quotas_.end()) return;
  ledger_.change(resource, object, Value());
  if (resource.custom) return release(resource, object, here->second);
  if (resource.id != kinds::kResourcequotas) return;
  ledger_.forget(object);
  here->second.erase(std::string(object_name(object)));
  if (here->second.empty()) quotas_.erase(here);
}

// Of built-in kinds the quota's controller learns; no controller has a cache of custom ones.
void QuotaAdmission::release(const ResourceInfo& resource, const Value& object, const std::set<std::string>& names) {
  const std::string counted = cat("count/", resource.group_resource());
  for (const auto& name : names) {
    const Value quota = store_.find(kinds::kResourcequotas, object_namespace(object), name);
    const Value& used = quota[keys::kStatus][keys::kUsed];
    if (!used.contains(counted) || !quota_concerns(quota, quota[keys::kStatus][keys::kHard], resource, object)) continue;
    const Quantity before = Quantity::of_value(used.get(counted)), one = Quantity::of(1);
    const Value after = (before > one ? before - one : Quantity()).text();
    const Value next = quota.with_at({keys::kStatus, keys::kUsed}, used.with(Key(counted), after));
    store_.put(kinds::kResourcequotas, with_revision(next, store_.next_revision()));
  }
}

Value QuotaAdmission::with_exact_usage(const Value& quota) {
  const Value& hard = quota[keys::kStatus][keys::kHard];
  if (hard.empty()) return quota;
  const auto visit_all = [this](KindId kind, std::string_view namespace_,
                                const std::function<void(const Value&)>& visit) {
    const auto list = store_.list(kind, namespace_);
    for (const auto& object : list->objects) visit(object);
  };
  const QuotaCount count = ledger_.count(quota, hard, executor_.wall_now(), visit_all);
  return quota.with_at({keys::kStatus, keys::kUsed}, amounts_value(count.used));
}

}  // namespace minik::control
