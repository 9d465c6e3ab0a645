#include "control/quota/amounts.h"

#include <algorithm>

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

Amounts pod_amounts(const Value& pod_spec, const Key& which) {
  const auto of = [&which](const Value& holder) {
    return amounts_of(holder[keys::kResources][which]);
  };
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
  for (const auto& [name, amount] : of(pod_spec)) sum[name] = amount;
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
