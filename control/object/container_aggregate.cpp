#include "control/object/container_aggregate.h"

#include <algorithm>

#include "control/object/keys.h"
#include "control/object/pod_containers.h"

namespace minik::control {

std::optional<Quantity> container_aggregate(const Value& pod_spec, const Key& which, const Key& resource) {
  std::optional<Quantity> together;
  Quantity sidecars, highest_start;
  for (const auto& container : pod_spec[keys::kContainers].items()) {
    const Value& amount = container[keys::kResources][which][resource];
    if (amount.has_value()) together = together.value_or(Quantity()) + Quantity::of_value(amount);
  }
  for (const auto& container : pod_spec[keys::kInitContainers].items()) {
    const Value& amount = container[keys::kResources][which][resource];
    if (!amount.has_value()) continue;
    const Quantity step = sidecars + Quantity::of_value(amount);
    highest_start = std::max(highest_start, step);
    if (!together) together.emplace();
    if (!is_sidecar(container)) continue;
    *together = *together + Quantity::of_value(amount);
    sidecars = step;
  }
  return together ? std::optional(std::max(*together, highest_start)) : std::nullopt;
}

}  // namespace minik::control
