#include "sim/agreement/pod_templates.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr std::string_view kProbes[] = {"readinessProbe", "livenessProbe", "startupProbe"};

// Where the pod stands in it: a pod, or what has a template.
const Value& pod_of(const Value& object) {
  const Value& spec = object[keys::kSpec];
  if (object[keys::kKind].as_string() == "Pod") return object;
  if (spec.contains("jobTemplate")) return spec.get("jobTemplate")[keys::kSpec][keys::kTemplate];
  return spec[keys::kTemplate];
}

}  // namespace

std::vector<PodTemplate> pod_templates(const std::vector<Action>& deeds) {
  std::vector<PodTemplate> all;
  for (const auto& deed : deeds) {
    const auto* apply = std::get_if<ApplyAction>(&deed.what);
    if (!apply) continue;
    for (const auto& object : apply->objects) {
      const Value& pod = pod_of(object);
      if (!pod[keys::kSpec][keys::kContainers].is_array()) continue;
      const std::string namespace_(object[keys::kMetadata][keys::kNamespace].as_string("default"));
      all.push_back({cat(object[keys::kKind].as_string(), " ", namespace_, "/", control::object_name(object)), namespace_,
                     pod[keys::kMetadata][keys::kLabels], pod[keys::kSpec]});
    }
  }
  return all;
}

std::vector<PodTemplate> chosen_by(const PodChoice& choice, std::vector<PodTemplate> templates) {
  std::erase_if(templates, [&](const PodTemplate& one) {
    return (!choice.namespace_.empty() && choice.namespace_ != one.namespace_) || !choice.labels.matches(one.labels);
  });
  return templates;
}

std::vector<std::string> without_memory_limit(const Value& pod_spec) {
  std::vector<std::string> names;
  for (const auto& container : pod_spec[keys::kContainers].items()) {
    if (!container[keys::kResources][keys::kLimits].get("memory").has_value()) names.push_back(container[keys::kName].string());
  }
  return names;
}

bool has_probe(const Value& pod_spec, std::string_view kind) {
  return std::ranges::any_of(pod_spec[keys::kContainers].items(), [&](const Value& container) { return container.contains(kind); });
}

bool probes_over_tls_or_grpc(const Value& pod_spec) {
  const auto asks_so = [](const Value& container) {
    return std::ranges::any_of(kProbes, [&](std::string_view kind) {
      const Value& probe = container.get(kind);
      return probe.contains("grpc") || probe.get("httpGet").get("scheme").as_string() == "HTTPS";
    });
  };
  return std::ranges::any_of(pod_spec[keys::kContainers].items(), asks_so) ||
         std::ranges::any_of(pod_spec[keys::kInitContainers].items(), asks_so);
}

bool probes_only_by_http(const Value& pod_spec) {
  return std::ranges::all_of(pod_spec[keys::kContainers].items(), [](const Value& container) {
    return std::ranges::all_of(kProbes, [&](std::string_view kind) {
      return !container.contains(kind) || container.get(kind).contains("httpGet");
    });
  });
}

}  // namespace minik::sim
