#include "control/quota/amounts.h"

#include <algorithm>
#include <vector>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

void raise_to(Amounts& amounts, const Amounts& least) {
  for (const auto& [name, amount] : least) {
    auto& own = amounts[name];
    own = std::max(own, amount);
  }
}

}  // namespace

Amounts amounts_of(const Value& list) {
  Amounts amounts;
  for (const auto& [name, value] : list.entries()) {
    amounts.emplace(name.text(), Quantity::of_value(value));
  }
  return amounts;
}

Value amounts_value(const Amounts& amounts) {
  MapBuilder list;
  for (const auto& [name, amount] : amounts) list.set(Key(name), amount.text());
  return std::move(list).build();
}

void add_amounts(Amounts& sum, const Amounts& more) {
  for (const auto& [name, amount] : more) {
    auto& own = sum[name];
    own = own + amount;
  }
}

std::string amounts_text(const Amounts& amounts) {
  std::string text;
  for (const auto& [name, amount] : amounts) {
    text += cat(text.empty() ? "" : ",", name, "=", amount.text());
  }
  return text;
}

namespace {

const Value& status_of_container(const Value& pod, const Value& container) {
  for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
    for (const auto& status : pod[keys::kStatus][list].items()) {
      if (status[keys::kName] == container[keys::kName]) return status;
    }
  }
  return Value::absent();
}

bool has_other_size(const Value& pod, const Value& container) {
  const Value& given = status_of_container(pod, container)[keys::kResources];
  return given.has_value() && !(given == container[keys::kResources]);
}

bool can_never_grow(const Value& pod) {
  return std::ranges::any_of(pod[keys::kStatus][keys::kConditions].items(), [](const Value& condition) {
    return condition[keys::kType].as_string() == "PodResizePending" && condition[keys::kReason].as_string() == "Infeasible";
  });
}

}  // namespace

bool changes_size(const Value& pod) {
  return std::ranges::any_of(std::initializer_list<Key>{keys::kContainers, keys::kInitContainers}, [&](const Key& list) {
    return std::ranges::any_of(pod[keys::kSpec][list].items(), [&](const Value& container) { return has_other_size(pod, container); });
  });
}

Value spec_in_force(const Value& pod) {
  if (!changes_size(pod)) return pod[keys::kSpec];
  Value spec = pod[keys::kSpec];
  const bool stays = can_never_grow(pod);
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    if (spec[list].empty()) continue;
    std::vector<Value> containers;
    for (const auto& container : spec[list].items()) {
      Value next = container;
      if (has_other_size(pod, container)) {
        const Value& status = status_of_container(pod, container);
        for (const auto& which : {keys::kRequests, keys::kLimits}) {
          Amounts amounts = amounts_of(status[keys::kResources][which]);
          if (which == keys::kRequests) raise_to(amounts, amounts_of(status[keys::kAllocatedResources]));
          if (!stays) raise_to(amounts, amounts_of(container[keys::kResources][which]));
          next = next.with_at({keys::kResources, which}, amounts_value(amounts));
        }
      }
      containers.push_back(std::move(next));
    }
    spec = spec.with(list, Value::array(std::move(containers)));
  }
  return spec;
}

Amounts pod_amounts(const Value& pod_spec, const Key& which) {
  Amounts sum;
  for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
    for (const auto& container : pod_spec[list].items()) {
      for (const auto& [name, amount] : container[keys::kResources][which].entries()) {
        if (!sum.contains(name.text())) sum.emplace(name.text(), container_aggregate(pod_spec, which, name).value_or(Quantity()));
      }
    }
  }
  for (const auto& [name, amount] : amounts_of(pod_spec[keys::kResources][which])) sum[name] = amount;
  const bool limits = which == keys::kLimits;
  for (const auto& [name, amount] : amounts_of(pod_spec[keys::kOverhead])) {
    // Without a limit of the containers there is none of the pod.
    if (limits && !sum.contains(name)) continue;
    auto& own = sum[name];
    own = own + amount;
  }
  return sum;
}

}  // namespace minik::control
