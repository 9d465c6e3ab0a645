#include "control/scheduler/volume_limits.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/volume_match.h"

namespace minik::control {

VolumeLimits::VolumeLimits(const ObjectCache& csi_nodes, const ObjectCache& claims,
                           const ObjectCache& volumes, const ObjectCache& classes, PodsOn pods_on)
    : csi_nodes_(csi_nodes),
      claims_(claims),
      volumes_(volumes),
      classes_(classes),
      pods_on_(std::move(pods_on)) {}

void VolumeLimits::collect(const Value& pod, Attached& attached) const {
  for (const auto& name : claims_of_pod(pod)) {
    const Value& claim = claims_.find(object_namespace(pod), name);
    if (!claim.has_value()) continue;
    const auto volume_name = claim[keys::kSpec][keys::kVolumeName].as_string();
    if (volume_name.empty()) {
      const Value& maker = classes_.find("", storage_class_of(claim))[keys::kProvisioner];
      if (maker.is_string()) attached[maker.string()].insert(key_of(claim).text());
      continue;
    }
    const Value& csi = volumes_.find("", volume_name)[keys::kSpec].get("csi");
    if (csi.is_map()) attached[csi.get("driver").string()].insert(csi.get("volumeHandle").string());
  }
}

std::vector<Value> VolumeLimits::full_for(const Value& pod) const {
  std::vector<Value> full;
  if (!any()) return full;
  Attached wanted;
  collect(pod, wanted);
  if (wanted.empty()) return full;
  for (const auto& csi_node : csi_nodes_.list()) {
    Attached there = wanted;
    pods_on_(object_name(csi_node), [&](const Value& other) { collect(other, there); });
    const auto exceeds = [&](const Value& driver) {
      const auto name = driver[keys::kName].as_string();
      const Value& most = driver[keys::kAllocatable].get("count");
      if (!most.is_int() || !wanted.contains(name)) return false;
      return static_cast<int64_t>(there.find(name)->second.size()) > most.as_int();
    };
    if (std::ranges::any_of(csi_node[keys::kSpec].get("drivers").items(), exceeds)) {
      full.emplace_back(object_name(csi_node));
    }
  }
  return full;
}

}  // namespace minik::control
