#include "control/quota/ledger.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kCountAnew = minutes(5);
constexpr WallTime kBeforeAnyGrace{};  // a pod is never past the end of its grace then

WallTime end_of_grace(const Value& pod) {
  const Value& metadata = pod[keys::kMetadata];
  const auto leaving = parse_time(metadata[keys::kDeletionTimestamp].as_string());
  return leaving.value_or(WallTime{}) + seconds(metadata[keys::kDeletionGracePeriodSeconds].as_int());
}

}  // namespace

bool QuotaLedger::Account::concerns(const ResourceInfo& resource, const Value& object) const {
  return object.has_value() && quota_concerns(quota, hard, resource, object);
}

void QuotaLedger::Account::add(const ResourceInfo& resource, const Value& object) {
  if (!concerns(resource, object)) return;
  for (const auto& [name, amount] : quota_usage(resource, object, kBeforeAnyGrace)) {
    const auto known = used.find(name);
    if (known != used.end()) known->second = known->second + amount;
  }
  if (resource.id == kinds::kPods && is_deleting(object)) leaving.insert_or_assign(key_of(object), object);
}

void QuotaLedger::Account::subtract(const ResourceInfo& resource, const Value& object) {
  if (!concerns(resource, object)) return;
  for (const auto& [name, amount] : quota_usage(resource, object, kBeforeAnyGrace)) {
    const auto known = used.find(name);
    if (known != used.end()) known->second = known->second - amount;
  }
  if (resource.id == kinds::kPods) leaving.erase(key_of(object));
}

QuotaLedger::Account QuotaLedger::counted_anew(const Value& quota, const Value& hard, WallTime now,
                                               const VisitObjects& visit_all) const {
  Account account{quota, hard, {}, {}, now};
  const ResourceInfo& pods = schema_.resource(kinds::kPods);
  const auto noting_who_leaves = [&](KindId kind, std::string_view namespace_, const std::function<void(const Value&)>& visit) {
    visit_all(kind, namespace_, [&](const Value& object) {
      if (kind == kinds::kPods && is_deleting(object) && account.concerns(pods, object)) account.leaving.emplace(key_of(object), object);
      visit(object);
    });
  };
  account.used = counted_usage(schema_, quota, hard, kBeforeAnyGrace, custom_, noting_who_leaves);
  return account;
}

bool QuotaLedger::knows(const Account& account, const Value& quota, const Value& hard, WallTime now) const {
  const bool same = object_uid(account.quota) == object_uid(quota) && account.quota[keys::kSpec] == quota[keys::kSpec] && account.hard == hard;
  if (!same || now >= account.counted_at + kCountAnew) return false;
  if (custom_ == CustomKinds::kAsStated || !schema_.registry()) return true;
  // A kind that was defined since is not in the account.
  return std::ranges::all_of(schema_.registry()->stored(), [&](const ResourceInfo* resource) {
    const std::string name = cat("count/", resource->group_resource());
    return !resource->namespaced || !hard.contains(name) || account.used.contains(name);
  });
}

QuotaCount QuotaLedger::count(const Value& quota, const Value& hard, WallTime now, const VisitObjects& visit_all) {
  auto& here = accounts_[std::string(object_namespace(quota))];
  const std::string name(object_name(quota));
  auto found = here.find(name);
  if (found == here.end() || !knows(found->second, quota, hard, now)) {
    found = here.insert_or_assign(name, counted_anew(quota, hard, now, visit_all)).first;
  }
  const Account& account = found->second;
  QuotaCount count{account.used, std::nullopt};
  if (custom_ == CustomKinds::kAsStated) count_custom_kinds(schema_, quota, hard, custom_, visit_all, count.used);
  const ResourceInfo& pods = schema_.resource(kinds::kPods);
  for (const auto& [key, pod] : account.leaving) {
    const WallTime end = end_of_grace(pod);
    if (now <= end) {
      count.next_end_of_grace = std::min(count.next_end_of_grace.value_or(end - now), end - now);
      continue;
    }
    const Amounts still = quota_usage(pods, pod, now);
    for (const auto& [resource, amount] : quota_usage(pods, pod, kBeforeAnyGrace)) {
      const auto used = count.used.find(resource);
      if (used != count.used.end() && !still.contains(resource)) used->second = used->second - amount;
    }
  }
  return count;
}

void QuotaLedger::change(const ResourceInfo& resource, const Value& before, const Value& after) {
  const auto here = accounts_.find(object_namespace(after.has_value() ? after : before));
  if (here == accounts_.end() || !may_change_usage(resource, before, after)) return;
  for (auto& [name, account] : here->second) {
    account.subtract(resource, before);
    account.add(resource, after);
  }
}

void QuotaLedger::forget(const Value& quota) {
  const auto here = accounts_.find(object_namespace(quota));
  if (here == accounts_.end()) return;
  here->second.erase(std::string(object_name(quota)));
  if (here->second.empty()) accounts_.erase(here);
}

}  // namespace minik::control
