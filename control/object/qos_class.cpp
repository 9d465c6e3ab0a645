#include "control/object/qos_class.h"

#include "control/object/keys.h"
#include "control/object/quantity.h"

namespace minik::control {

std::string_view qos_class(const Value& spec) {
  bool any = false, guaranteed = true;
  const auto look_at = [&](const Value& resources) {
    for (const auto& name : {keys::kCpu, keys::kMemory}) {
      const Quantity limit = Quantity::of_value(resources[keys::kLimits][name]);
      const Value& asked = resources[keys::kRequests][name];
      const Quantity request = asked.has_value() ? Quantity::of_value(asked) : limit;
      if (!limit.zero() || !request.zero()) any = true;
      if (limit.zero() || !(limit == request)) guaranteed = false;
    }
  };
  // Where the pod as a whole says what it needs, that alone counts, even if it is but huge pages.
  if (spec[keys::kResources].has_value()) {
    look_at(spec[keys::kResources]);
  } else {
    for (const auto& key : {keys::kContainers, keys::kInitContainers}) {
      for (const auto& container : spec[key].items()) look_at(container[keys::kResources]);
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace minik::control
