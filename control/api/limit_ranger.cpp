#include "control/api/limit_ranger.h"

#include <algorithm>

#include "control/api/errors.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/quota/amounts.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kAnnotation = "kubernetes.io/limit-ranger";

// The broken rules, each a sentence.
using Complaints = std::vector<std::string>;

struct AskedAmounts {
  Amounts requests, limits;

  static AskedAmounts of(const Value& container) {
    const Value& resources = container[keys::kResources];
    return {amounts_of(resources[keys::kRequests]), amounts_of(resources[keys::kLimits])};
  }
};

const Quantity* amount_in(const Amounts& amounts, std::string_view name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? nullptr : &found->second;
}

void check_min(std::string_view type, const Value& least, const AskedAmounts& asked, Complaints& told) {
  for (const auto& [name, amount] : amounts_of(least)) {
    const Quantity* request = amount_in(asked.requests, name);
    const Quantity* limit = amount_in(asked.limits, name);
    const std::string rule = cat("minimum ", name, " usage per ", type, " is ", amount.text());
    if (!request) {
      told.push_back(cat(rule, ".  No request is specified"));
    } else if (*request < amount) {
      told.push_back(cat(rule, ", but request is ", request->text()));
    } else if (limit && *limit < amount) {
      told.push_back(cat(rule, ", but limit is ", limit->text()));
    }
  }
}

void check_max(std::string_view type, const Value& most, const AskedAmounts& asked, Complaints& told) {
  for (const auto& [name, amount] : amounts_of(most)) {
    const Quantity* request = amount_in(asked.requests, name);
    const Quantity* limit = amount_in(asked.limits, name);
    const std::string rule = cat("maximum ", name, " usage per ", type, " is ", amount.text());
    if (!limit) {
      told.push_back(cat(rule, ".  No limit is specified"));
    } else if (*limit > amount) {
      told.push_back(cat(rule, ", but limit is ", limit->text()));
    } else if (request && *request > amount) {
      told.push_back(cat(rule, ", but request is ", request->text()));
    }
  }
}

// With six decimals, as the message has it.
std::string ratio_text(Int128 limit, Int128 request) {
  constexpr int64_t kMillion = 1'000'000;
  const Int128 millionths = (limit * kMillion + request / 2) / request;
  const std::string decimals = std::to_string(static_cast<int64_t>(millionths % kMillion));
  return cat(static_cast<int64_t>(millionths / kMillion), ".",
             std::string(6 - decimals.size(), '0'), decimals);
}

void check_ratio(std::string_view type, const Value& ratios, const AskedAmounts& asked, Complaints& told) {
  for (const auto& [name, ratio] : amounts_of(ratios)) {
    const Quantity* request = amount_in(asked.requests, name);
    const Quantity* limit = amount_in(asked.limits, name);
    const std::string rule =
        cat(name, " max limit to request ratio per ", type, " is ", ratio.text());
    if (!request || request->zero()) {
      told.push_back(cat(rule, ", but no request is specified or request is 0"));
    } else if (!limit || limit->zero()) {
      told.push_back(cat(rule, ", but no limit is specified or limit is 0"));
    } else if (Int128(limit->milli()) * 1000 > Int128(request->milli()) * ratio.milli()) {
      told.push_back(
          cat(rule, ", but provided ratio is ", ratio_text(limit->milli(), request->milli())));
    }
  }
}

void check_rules(const Value& item, const AskedAmounts& asked, Complaints& told) {
  const auto type = item[keys::kType].as_string();
  check_min(type, item[keys::kMin], asked, told);
  check_max(type, item[keys::kMax], asked, told);
  check_ratio(type, item[keys::kMaxLimitRequestRatio], asked, told);
}

// What a pod's containers ask for together; of what one of them leaves open the pod says nothing.
Amounts said_by_all(const Value& pod_spec, const Key& which) {
  Amounts sum = pod_amounts(pod_spec.without(keys::kOverhead), which);
  for (const auto& container : pod_spec[keys::kContainers].items()) {
    const Value& said = container[keys::kResources][which];
    std::erase_if(sum, [&](const auto& entry) { return !said.contains(entry.first); });
  }
  return sum;
}

void check_range(const Value& range, const Value& spec, Complaints& told) {
  for (const auto& item : range[keys::kSpec][keys::kLimits].items()) {
    const auto type = item[keys::kType].as_string();
    if (type == "Pod") {
      check_rules(item, {said_by_all(spec, keys::kRequests), said_by_all(spec, keys::kLimits)},
                  told);
    }
    if (type != "Container") continue;
    for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
      for (const auto& container : spec[key].items()) {
        check_rules(item, AskedAmounts::of(container), told);
      }
    }
  }
}

// The range's amounts of one kind for containers; the first item that names a resource has it.
Amounts defaults_of(const Value& range, const Key& which) {
  Amounts defaults;
  for (const auto& item : range[keys::kSpec][keys::kLimits].items()) {
    if (item[keys::kType].as_string() == "Container") defaults.merge(amounts_of(item[which]));
  }
  return defaults;
}

// Adds to the container's list what it leaves open, and says so in `notes`.
Value completed(const Value& container, const Key& which, const Amounts& defaults,
                std::string_view what, std::vector<std::string>& notes) {
  MapBuilder list(container[keys::kResources][which]);
  std::vector<std::string> added;
  for (const auto& [name, amount] : defaults) {
    if (!list.get(Key(name)).is_absent()) continue;
    list.set(Key(name), amount.text());
    added.push_back(name);
  }
  if (added.empty()) return container;
  notes.push_back(cat(join(added, ", "), what, container[keys::kName].as_string()));
  return container.with_at({keys::kResources, which}, std::move(list).build());
}

Value completed_by(const Value& range, const Value& pod) {
  const Amounts limits = defaults_of(range, keys::kDefault);
  const Amounts requests = defaults_of(range, keys::kDefaultRequest);
  if (limits.empty() && requests.empty()) return pod;
  std::vector<std::string> notes;
  Value changed = pod;
  for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
    const std::string_view of = key == keys::kContainers ? "container " : "init container ";
    std::vector<Value> containers;
    for (const auto& container : pod[keys::kSpec][key].items()) {
      const Value requesting =
          completed(container, keys::kRequests, requests, cat(" request for ", of), notes);
      containers.push_back(
          completed(requesting, keys::kLimits, limits, cat(" limit for ", of), notes));
    }
    if (!containers.empty()) {
      changed = changed.with_at({keys::kSpec, key}, Value::array(std::move(containers)));
    }
  }
  if (notes.empty()) return pod;
  return changed.with_at({keys::kMetadata, keys::kAnnotations, Key(kAnnotation)},
                         cat("LimitRanger plugin set: ", join(notes, "; ")));
}

// One complaint stands alone, several are listed: how Kubernetes joins errors.
Error refused(const ResourceInfo& resource, const Value& object, Complaints told) {
  std::vector<std::string> once;
  for (auto& complaint : told) {
    if (std::ranges::find(once, complaint) == once.end()) once.push_back(std::move(complaint));
  }
  return forbidden(resource, object_name(object),
                   once.size() == 1 ? once.front() : cat("[", join(once, ", "), "]"));
}

}  // namespace

std::vector<Value> LimitRanger::ranges_of(std::string_view namespace_) const {
  if (store_.count(kinds::kLimitranges) == 0) return {};
  return store_.list(kinds::kLimitranges, namespace_)->objects;
}

Value LimitRanger::with_defaults(const Value& pod) const {
  Value changed = pod;
  for (const auto& range : ranges_of(object_namespace(pod))) changed = completed_by(range, changed);
  return changed;
}

Status LimitRanger::check_pod(const Value& pod) const {
  for (const auto& range : ranges_of(object_namespace(pod))) {
    Complaints told;
    check_range(range, pod[keys::kSpec], told);
    if (!told.empty()) return refused(schema_.resource(kinds::kPods), pod, std::move(told));
  }
  return {};
}

Status LimitRanger::check_claim(const Value& claim) const {
  for (const auto& range : ranges_of(object_namespace(claim))) {
    Complaints told;
    const AskedAmounts asked{amounts_of(claim[keys::kSpec][keys::kResources][keys::kRequests]), {}};
    for (const auto& item : range[keys::kSpec][keys::kLimits].items()) {
      const auto type = item[keys::kType].as_string();
      if (type != "PersistentVolumeClaim") continue;
      check_min(type, item[keys::kMin], asked, told);
      // A claim has no limits: its request is held against the maximum.
      for (const auto& [name, amount] : amounts_of(item[keys::kMax])) {
        const Quantity* request = amount_in(asked.requests, name);
        const std::string rule = cat("maximum ", name, " usage per ", type, " is ", amount.text());
        if (!request) {
          told.push_back(cat(rule, ".  No request is specified"));
        } else if (*request > amount) {
          told.push_back(cat(rule, ", but request is ", request->text()));
        }
      }
    }
    if (!told.empty()) {
      return refused(schema_.resource(kinds::kPersistentvolumeclaims), claim, std::move(told));
    }
  }
  return {};
}

}  // namespace minik::control
