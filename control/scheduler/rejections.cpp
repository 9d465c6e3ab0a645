#include "control/scheduler/rejections.h"

#include <array>

namespace minik::control {

namespace {

struct Sentence {
  std::string_view begin, plugin;
};
// The first whose beginning fits names the plugin.
constexpr std::array<Sentence, 19> kSentences = {{
    {"Insufficient ", "NodeResourcesFit"},
    {"Too many pods", "NodeResourcesFit"},
    {"node(s) were unschedulable", "NodeUnschedulable"},
    {"node(s) had untolerated taint", "TaintToleration"},
    {"node(s) didn't match Pod's node affinity/selector", "NodeAffinity"},
    {"node(s) didn't match scheduler-enforced node affinity", "NodeAffinity"},
    {"node(s) didn't satisfy plugin(s) [NodeAffinity]", "NodeAffinity"},
    {"node(s) didn't have free ports", "NodePorts"},
    {"node(s) didn't match pod topology spread", "PodTopologySpread"},
    {"node(s) didn't match pod a", "InterPodAffinity"},
    {"node(s) didn't satisfy existing pods anti-affinity", "InterPodAffinity"},
    {"node(s) exceed max volume count", "NodeVolumeLimits"},
    {"node(s) had no available volume zone", "VolumeZone"},
    {"node has pod using PersistentVolumeClaim", "VolumeRestrictions"},
    {"node(s) ", "VolumeBinding"},  // the others are about volumes
    {"persistentvolumeclaim ", "VolumeBinding"},
    {"pod has unbound immediate PersistentVolumeClaims", "VolumeBinding"},
    {"waiting for ephemeral volume controller", "VolumeBinding"},
    {kNobodyAllocates, "DynamicResources"},
}};

}  // namespace

void Rejections::add(std::string_view reason) {
  for (size_t i = 0; i < kSentences.size(); ++i) {
    if (!reason.starts_with(kSentences[i].begin)) continue;
    // The bit of the plugin's first sentence.
    for (size_t first = 0; first <= i; ++first) {
      if (kSentences[first].plugin != kSentences[i].plugin) continue;
      plugins_ |= uint32_t{1} << first;
      return;
    }
  }
}

std::vector<std::string_view> Rejections::plugins() const {
  std::vector<std::string_view> found;
  for (size_t i = 0; i < kSentences.size(); ++i) {
    if (plugins_ >> i & 1) found.push_back(kSentences[i].plugin);
  }
  return found;
}

}  // namespace minik::control
