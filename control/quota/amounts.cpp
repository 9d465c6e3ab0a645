#include "control/quota/amounts.h"

#include <algorithm>
#include <functional>

#include "control/base/text.h"
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

// `of` says what a container asks for.
Amounts sum_of_pod(const Value& pod_spec, const Key& which, const std::function<Amounts(const Value& container)>& of) {
  Amounts sum, sidecars, highest_start;
  for (const auto& container : pod_spec[keys::kContainers].items()) add_amounts(sum, of(container));
  for (const auto& container : pod_spec[keys::kInitContainers].items()) {
    Amounts step = sidecars;
    add_amounts(step, of(container));
    raise_to(highest_start, step);
    if (container[keys::kRestartPolicy].as_string() != "Always") continue;
    add_amounts(sum, of(container));
    sidecars = std::move(step);
  }
  raise_to(sum, highest_start);
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

const Value& status_of_container(const Value& pod, const Value& container) {
  for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
    for (const auto& status : pod[keys::kStatus][list].items()) {
      if (status[keys::kName] == container[keys::kName]) return status;
    }
  }
  return Value::absent();
}

bool can_never_grow(const Value& pod) {
  return std::ranges::any_of(pod[keys::kStatus][keys::kConditions].items(), [](const Value& condition) {
    return condition[keys::kType].as_string() == "PodResizePending" && condition[keys::kReason].as_string() == "Infeasible";
  });
}

}  // namespace

Amounts pod_amounts(const Value& pod_spec, const Key& which) {
  return sum_of_pod(pod_spec, which, [&which](const Value& container) { return amounts_of(container[keys::kResources][which]); });
}

Amounts pod_amounts_in_force(const Value& pod, const Key& which) {
  const bool stays = can_never_grow(pod);
  return sum_of_pod(pod[keys::kSpec], which, [&](const Value& container) {
    const Value& asked = container[keys::kResources][which];
    const Value& status = status_of_container(pod, container);
    if (!status[keys::kResources].has_value()) return amounts_of(asked);
    Amounts amounts = amounts_of(status[keys::kResources][which]);
    if (which == keys::kRequests) raise_to(amounts, amounts_of(status[keys::kAllocatedResources]));
    if (!stays) raise_to(amounts, amounts_of(asked));
    return amounts;
  });
}

}  // namespace minik::control
