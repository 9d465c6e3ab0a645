// What a pod's volumes are made of: ConfigMaps, Secrets and tokens, fetched before they are written.
#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

bool PodWorker::fetch_references() {
  if (references_fetched_) return false;
  const auto wanted = references_of(pod_[keys::kSpec]);
  const auto get = [&](KindId kind, const std::string& name, std::map<std::string, Value>& into) {
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = kind;
    request.namespace_ = object_namespace(pod_);
    request.name = name;
    context_.client.send(std::move(request), step<ApiResponse>([name, &into](Result<ApiResponse> response) {
      into[name] = response ? response->object : Value();
    }));
  };
  for (const auto& name : wanted.config_maps) {
    if (!config_maps_.contains(name)) {
      get(kinds::kConfigmaps, name, config_maps_);
      return true;
    }
  }
  for (const auto& name : wanted.secrets) {
    if (!secrets_.contains(name)) {
      get(kinds::kSecrets, name, secrets_);
      return true;
    }
  }
  references_fetched_ = true;
  return false;
}

bool PodWorker::fetch_tokens() {
  if (volumes_written_) return false;
  for (const auto& need : tokens_needed(pod_[keys::kSpec])) {
    if (tokens_.contains({need.volume, need.path})) continue;
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kServiceaccounts;
    request.namespace_ = object_namespace(pod_);
    request.name = pod_[keys::kSpec][keys::kServiceAccountName].string();
    request.subresource = "token";
    const Value bound = Value::map({{keys::kApiVersion, "v1"},
                                    {keys::kKind, "Pod"},
                                    {keys::kName, pod_[keys::kMetadata][keys::kName]},
                                    {keys::kUid, pod_[keys::kMetadata][keys::kUid]}});
    request.body = Value::map(
        {{keys::kSpec,
          Value::map({{keys::kAudiences, need.audience.empty() ? Value() : Value::array({Value(need.audience)})},
                      {keys::kExpirationSeconds, need.expiration_seconds},
                      {keys::kBoundObjectRef, bound}})}});
    context_.client.send(std::move(request), step<ApiResponse>([this, need](Result<ApiResponse> response) {
      if (response) {
        tokens_[{need.volume, need.path}] = response->object[keys::kStatus][keys::kToken].string();
        return;
      }
      event("Warning", "FailedMount", cat("MountVolume.SetUp failed for volume ", quoted(need.volume),
                                          ": failed to fetch token: ", response.error().message));
      later(kRetry);
    }));
    return true;
  }
  return false;
}

bool PodWorker::write_volumes() {
  if (volumes_written_) return false;
  if (wake_.armed()) return true;
  const std::string root = context_.runtime.pod_volume_root(std::string(object_uid(pod_)));
  auto contents = volume_contents(pod_, surroundings(), tokens_, root, pod_ips());
  if (!contents) {
    event("Warning", "FailedMount", contents.error().message);
    references_fetched_ = false;  // what was missing may be there next time
    config_maps_.clear();
    secrets_.clear();
    later(kRetry);
    return true;
  }
  auto left = std::make_shared<size_t>(contents->size());
  if (*left == 0) {
    volumes_written_ = true;
    return false;
  }
  busy_ = true;
  const auto& fs_group = pod_[keys::kSpec][keys::kSecurityContext][keys::kFsGroup];
  for (auto& content : *contents) {
    context_.runtime.write_volume(
        content.directory, std::move(content.files),
        fs_group.is_int() ? std::optional(fs_group.as_int()) : std::nullopt,
        [this, alive = alive_, left](Result<Unit> result) {
          if (!*alive) return;
          if (!result) event("Warning", "FailedMount", result.error().message);
          if (--*left > 0) return;
          busy_ = false;
          volumes_written_ = true;
          sync();
        });
  }
  return true;
}

}  // namespace minik::control
