#include "control/api/mountable_secrets.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

bool lists(const Value& references, std::string_view name) {
  return std::ranges::any_of(references.items(), [&](const Value& r) { return r[keys::kName].as_string() == name; });
}

// What of the pod names a Secret that the account does not; empty: nothing.
std::string trespass(const Value& spec, const Value& account) {
  const Value& allowed = account.get("secrets");
  const std::string_view who = object_name(account);
  for (const auto& volume : spec[keys::kVolumes].items()) {
    const std::string_view name = volume.get("secret").get("secretName").as_string();
    if (name.empty() || lists(allowed, name)) continue;
    return cat("volume with secret.secretName=", quoted(name), " is not allowed because service account ", who,
               " does not reference that secret");
  }
  const std::pair<Key, std::string_view> kinds_of[] = {{keys::kInitContainers, "init container "},
                                                       {keys::kContainers, "container "},
                                                       {keys::kEphemeralContainers, "ephemeral container "}};
  for (const auto& [key, what] : kinds_of) {
    for (const auto& container : spec[key].items()) {
      for (const auto& variable : container.get("env").items()) {
        const std::string_view name = variable.get("valueFrom").get("secretKeyRef").get("name").as_string();
        if (name.empty() || lists(allowed, name)) continue;
        return cat(what, container[keys::kName].as_string(), " with envVar ", variable[keys::kName].as_string(),
                   " referencing secret.secretName=", quoted(name), " is not allowed because service account ", who,
                   " does not reference that secret");
      }
      for (const auto& source : container.get("envFrom").items()) {
        const std::string_view name = source.get("secretRef").get("name").as_string();
        if (name.empty() || lists(allowed, name)) continue;
        return cat(what, container[keys::kName].as_string(), " with envFrom referencing secret.secretName=", quoted(name),
                   " is not allowed because service account ", who, " does not reference that secret");
      }
    }
  }
  const auto pulls = spec[keys::kImagePullSecrets].items();
  for (size_t i = 0; i < pulls.size(); ++i) {
    const std::string_view name = pulls[i][keys::kName].as_string();
    if (lists(account[keys::kImagePullSecrets], name)) continue;
    return cat("imagePullSecrets[", i, "].name=", quoted(name), " is not allowed because service account ", who,
               " does not reference that imagePullSecret");
  }
  return {};
}

}  // namespace

Status check_mountable_secrets(const Value& pod, const Value& account) {
  const Value& mark = account[keys::kMetadata][keys::kAnnotations].get("kubernetes.io/enforce-mountable-secrets");
  constexpr std::string_view kYes[] = {"1", "t", "T", "true", "TRUE", "True"};
  if (std::ranges::find(kYes, mark.as_string()) == std::end(kYes)) return {};
  const std::string wrong = trespass(pod[keys::kSpec], account);
  if (wrong.empty()) return {};
  return Error(ErrorCode::kForbidden, cat("pods ", quoted(object_name(pod)), " is forbidden: ", wrong));
}

}  // namespace minik::control
