#include "control/api/pod_references.h"

#include <algorithm>
#include <functional>

#include "control/object/keys.h"

namespace minik::control {

namespace {

bool in_environment(const Value& spec, const Key& by_key, const Key& whole) {
  for (const auto& list : {keys::kInitContainers, keys::kContainers, keys::kEphemeralContainers}) {
    for (const auto& container : spec[list].items()) {
      const auto one = [&](const Value& variable) { return variable[keys::kValueFrom][by_key].is_map(); };
      const auto all = [&](const Value& source) { return source[whole].is_map(); };
      if (std::ranges::any_of(container[keys::kEnv].items(), one)) return true;
      if (std::ranges::any_of(container[keys::kEnvFrom].items(), all)) return true;
    }
  }
  return false;
}

bool in_volumes(const Value& spec, const std::function<bool(const Value&)>& found) {
  return std::ranges::any_of(spec[keys::kVolumes].items(), [&](const Value& volume) {
    return found(volume) || std::ranges::any_of(volume[keys::kProjected][keys::kSources].items(), found);
  });
}

}  // namespace

bool names_secrets(const Value& pod_spec) {
  if (!pod_spec[keys::kImagePullSecrets].empty()) return true;
  if (in_environment(pod_spec, keys::kSecretKeyRef, keys::kSecretRef)) return true;
  return in_volumes(pod_spec, [](const Value& source) {
    if (source[keys::kSecret].is_map()) return true;
    // The drivers of old: each has its credentials under one of these names.
    for (const auto& [driver, settings] : source.entries()) {
      if (settings[keys::kSecretRef].is_map() || settings[keys::kNodePublishSecretRef].is_map()) return true;
      if (driver.text() == "azureFile" && !settings[keys::kSecretName].as_string().empty()) return true;
    }
    return false;
  });
}

bool names_config_maps(const Value& pod_spec) {
  return in_environment(pod_spec, keys::kConfigMapKeyRef, keys::kConfigMapRef) ||
         in_volumes(pod_spec, [](const Value& source) { return source[keys::kConfigMap].is_map(); });
}

bool is_mirror_pod(const Value& pod) {
  return pod[keys::kMetadata][keys::kAnnotations].contains("kubernetes.io/config.mirror");
}

}  // namespace minik::control
