#include "control/api/runtime_class.h"

#include <algorithm>
#include <span>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

// Whether every taint that `other` tolerates is also tolerated by `wide`, and as long.
bool covers(const Value& wide, const Value& other) {
  if (wide == other) return true;
  const auto text = [](const Value& toleration, const Key& key) { return toleration[key].as_string(); };
  const bool exists = text(wide, keys::kOperator) == "Exists";
  const bool every_key = text(wide, keys::kKey).empty() && exists;
  if (text(wide, keys::kKey) != text(other, keys::kKey) && !every_key) return false;
  const auto effect = text(wide, keys::kEffect);
  if (!effect.empty() && effect != text(other, keys::kEffect)) return false;
  const Value& limit = wide[keys::kTolerationSeconds];
  if (effect == "NoExecute" && limit.is_int()) {
    const Value& wanted = other[keys::kTolerationSeconds];
    if (!wanted.is_int() || wanted.as_int() > limit.as_int()) return false;
  }
  return exists || (text(other, keys::kOperator) != "Exists" && text(wide, keys::kValue) == text(other, keys::kValue));
}

// Both lists in one, without those that another one of them makes needless; of equals the first stays.
std::vector<Value> merged_tolerations(std::vector<Value> all) {
  std::vector<Value> merged;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto covered_by = [&](const Value& wide) { return covers(wide, all[i]); };
    const auto later = std::span(all).subspan(i + 1);
    const bool needless = std::ranges::any_of(merged, covered_by) ||
                          std::ranges::any_of(later, [&](const Value& t) { return !(t == all[i]) && covered_by(t); });
    if (!needless) merged.push_back(all[i]);
  }
  return merged;
}

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
    const auto added = scheduling[keys::kTolerations].items();
    tolerations.insert(tolerations.end(), added.begin(), added.end());
    spec.set(keys::kTolerations, Value::array(merged_tolerations(std::move(tolerations))));
  }
  return std::move(spec).build();
}

}  // namespace minik::control
