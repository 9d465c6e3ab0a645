#include "control/api/runtime_class.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

Error rejected(std::string_view why) { return Error(ErrorCode::kForbidden, cat("pod rejected: ", why)); }

}  // namespace

Result<Value> with_runtime_class(const Value& pod_spec, const Value& runtime_class) {
  const auto name = pod_spec[keys::kRuntimeClassName].as_string();
  if (!name.empty() && runtime_class.is_absent()) return rejected(cat("RuntimeClass ", quoted(name), " not found"));
  const Value& said = pod_spec[keys::kOverhead];
  const Value& overhead = runtime_class[keys::kOverhead][keys::kPodFixed];
  if (!said.empty() && overhead.empty()) return rejected("Pod Overhead set without corresponding RuntimeClass defined Overhead");
  if (!said.empty() && amounts_of(said) != amounts_of(overhead))
    return rejected("Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  if (name.empty()) return pod_spec;
  MapBuilder spec(pod_spec);
  if (!overhead.empty()) spec.set(keys::kOverhead, overhead);
  const Value& scheduling = runtime_class[keys::kScheduling];
  if (!scheduling[keys::kNodeSelector].empty()) {
    MapBuilder selector(pod_spec[keys::kNodeSelector].is_map() ? pod_spec[keys::kNodeSelector] : Value::empty_map());
    for (const auto& [key, value] : scheduling[keys::kNodeSelector].entries()) {
      const Value own = selector.get(key);
      if (own.has_value() && !(own == value)) {
        return rejected(cat("conflict: runtimeClass.scheduling.nodeSelector[", key.text(), "] = ", value.as_string(),
                            "; pod.spec.nodeSelector[", key.text(), "] = ", own.as_string()));
      }
      selector.set(key, value);
    }
    spec.set(keys::kNodeSelector, std::move(selector).build());
  }
  if (!scheduling[keys::kTolerations].empty()) {
    const auto own = pod_spec[keys::kTolerations].items();
    std::vector<Value> tolerations(own.begin(), own.end());
    for (const auto& toleration : scheduling[keys::kTolerations].items()) {
      if (std::ranges::find(tolerations, toleration) == tolerations.end()) tolerations.push_back(toleration);
    }
    spec.set(keys::kTolerations, Value::array(std::move(tolerations)));
  }
  return std::move(spec).build();
}

}  // namespace minik::control
