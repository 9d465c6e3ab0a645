// What a pod's volumes are made of: claims, ConfigMaps, Secrets and tokens, fetched before they are
// written.
#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kRenewalRetry = seconds(30);
constexpr Duration kMountBackOffFirst = milliseconds(500), kMountBackOffLast = seconds(122);  // as Kubernetes has them

// After four fifths of the shortest life, as Kubernetes does.
Duration renewal_delay(const std::vector<TokenNeed>& needs) {
  int64_t shortest = needs.front().expiration_seconds;
  for (const auto& need : needs) shortest = std::min(shortest, need.expiration_seconds);
  return seconds(std::max<int64_t>(1, shortest * 4 / 5));
}

}  // namespace

bool PodWorker::fetch_references() {
  if (references_fetched_) return false;
  if (const Instant now = context_.executor.now(); references_due_ > now) {
    later(references_due_ - now);
    return true;
  }
  const auto wanted = references_of(pod_[keys::kSpec]);
  const auto get = [&](KindId kind, const std::string& name, std::map<std::string, Value>& into) {
    ApiRequest request;
    request.verb = Verb::kGet;
    request.kind = kind;
    request.namespace_ = object_namespace(pod_);
    request.name = name;
    // Of an API that does not answer nobody knows what is there.
    context_.client.send(std::move(request), step<ApiResponse>([this, kind, name, &into](Result<ApiResponse> response) {
      if (response || response.error().code == ErrorCode::kNotFound) {
        into[name] = response ? response->object : Value();
        return;
      }
      event("Warning", "FailedMount", cat("failed to fetch ", kind == kinds::kSecrets ? "secret " : "configmap ", quoted(name),
                                          ": ", response.error().message));
      references_due_ = context_.executor.now() + kRetry;
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

void PodWorker::claim_not_ready(const Value& volume, const std::string& claim, const std::string& why) {
  const std::string name = volume[keys::kName].string();
  event("Warning", "FailedMount",
        cat("Unable to attach or mount volumes: unmounted volumes=[", name,
            "], unattached volumes=[], failed to process volumes=[", name, "]: error processing PVC ",
            object_namespace(pod_), "/", claim, ": ", why));
  claims_.erase(claim);
  later(kRetry);
}

bool PodWorker::fetch_claims() {
  if (volumes_written_) return false;
  for (const auto& volume : pod_[keys::kSpec][keys::kVolumes].items()) {
    const std::string name = claim_of_volume(pod_, volume);
    if (name.empty() || claimed_volumes_.contains(name)) continue;
    if (wake_.armed()) return true;
    ApiRequest request;
    request.verb = Verb::kGet;
    const auto known = claims_.find(name);
    if (known == claims_.end()) {
      request.kind = kinds::kPersistentvolumeclaims;
      request.namespace_ = object_namespace(pod_);
      request.name = name;
      context_.client.send(std::move(request), step<ApiResponse>([this, volume, name](Result<ApiResponse> claim) {
        if (!claim) {
          claim_not_ready(volume, name, cat("failed to fetch PVC from API server: ", claim.error().message));
        } else if (const auto why = why_not_for_pod(pod_, volume, claim->object); !why.empty()) {
          claim_not_ready(volume, name, why);
        } else if (!is_fully_bound(claim->object)) {
          claim_not_ready(volume, name, "PVC is not bound");
        } else {
          claims_[name] = claim->object;
        }
      }));
      return true;
    }
    request.kind = kinds::kPersistentvolumes;
    request.name = known->second[keys::kSpec][keys::kVolumeName].string();
    context_.client.send(std::move(request), step<ApiResponse>([this, volume, name](Result<ApiResponse> found) {
      if (!found) {
        claim_not_ready(volume, name, cat("failed to fetch PV from API server: ", found.error().message));
        return;
      }
      const Value& spec = found->object[keys::kSpec];
      if (!is_reserved_for(found->object, claims_[name])) {
        claim_not_ready(volume, name, cat("PV ", quoted(object_name(found->object)), " is bound to another claim"));
      } else if (!spec[keys::kHostPath].has_value() && !spec[keys::kLocal].has_value()) {
        claim_not_ready(volume, name, "only hostPath and local volumes are served");
      } else if (spec[keys::kVolumeMode].as_string() == "Block") {
        claim_not_ready(volume, name, "block volumes are not served");
      } else {
        claimed_volumes_[name] = found->object;
      }
    }));
    return true;
  }
  return false;
}

// The pod as if its claims' volumes were its own: a claim is a path of this node.
Value PodWorker::pod_with_claimed_volumes() const {
  if (claimed_volumes_.empty()) return pod_;
  std::vector<Value> volumes;
  for (const auto& volume : pod_[keys::kSpec][keys::kVolumes].items()) {
    const auto found = claimed_volumes_.find(claim_of_volume(pod_, volume));
    if (found == claimed_volumes_.end()) {
      volumes.push_back(volume);
      continue;
    }
    const Value& spec = found->second[keys::kSpec];
    volumes.push_back(volume.with(keys::kHostPath, spec[keys::kHostPath].has_value()
                                                       ? spec[keys::kHostPath]
                                                       : Value::map({{keys::kPath, spec[keys::kLocal][keys::kPath]},
                                                                     {keys::kType, ContainerRuntime::kLocalVolume}})));
  }
  return pod_.with_at({keys::kSpec, keys::kVolumes}, Value::array(std::move(volumes)));
}

ApiRequest PodWorker::token_request(const TokenNeed& need) const {
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
  return request;
}

bool PodWorker::fetch_tokens() {
  if (volumes_written_) return false;
  const auto needs = tokens_needed(pod_[keys::kSpec]);
  for (const auto& need : needs) {
    if (tokens_.contains({need.volume, need.path})) continue;
    context_.client.send(token_request(need), step<ApiResponse>([this, need](Result<ApiResponse> response) {
      if (response) {
        tokens_[{need.volume, need.path}] = response->object[keys::kStatus][keys::kToken].string();
        return;
      }
      event("Warning", "FailedMount",
            mount_failure("MountVolume.SetUp", need.volume, cat("failed to fetch token: ", response.error().message)));
      mount_later();
    }));
    return true;
  }
  if (!needs.empty() && !renewal_.armed()) renewal_.arm(renewal_delay(needs), [this] { renew_tokens(); });
  return false;
}

// The pod goes on with its old tokens until the new ones are there; one that is refused is asked for
// again soon, of which the last fifth of its life leaves time enough.
void PodWorker::renew_tokens() {
  if (terminating_ || gone_) return;
  const auto needs = tokens_needed(pod_[keys::kSpec]);
  renewal_.arm(renewal_delay(needs), [this] { renew_tokens(); });
  for (const auto& need : needs) {
    context_.client.send(token_request(need), [this, alive = alive_, need](const Result<ApiResponse>& response) {
      if (!*alive || terminating_ || gone_) return;
      if (!response) {
        renewal_.arm(kRenewalRetry, [this] { renew_tokens(); });
        return;
      }
      const auto before = contents_now();
      tokens_[{need.volume, need.path}] = response->object[keys::kStatus][keys::kToken].string();
      if (volumes_written_) write_changed(before);
    });
  }
}

void PodWorker::on_reference(KindId kind, const Value& before, const Value& after) {
  const Value& object = after.has_value() ? after : before;
  if (object_namespace(object) != object_namespace(pod_)) return;
  auto& known = kind == kinds::kConfigmaps ? config_maps_ : secrets_;
  const auto found = known.find(std::string(object_name(object)));
  if (found == known.end() || found->second == after) return;
  const auto contents_before = contents_now();
  found->second = after;
  if (volumes_written_ && !terminating_ && !gone_) write_changed(contents_before);
}

Result<std::vector<VolumeContent>> PodWorker::contents_now() const {
  return volume_contents(pod_with_claimed_volumes(), surroundings(), tokens_,
                         context_.runtime.pod_volume_root(std::string(object_uid(pod_))), pod_ips());
}

// Only the volumes whose files differ are written, each as one atomic step; containers that mount a
// single file of one (subPath) keep theirs, as in Kubernetes.
void PodWorker::write_changed(const Result<std::vector<VolumeContent>>& before) {
  const auto& fs_group = pod_[keys::kSpec][keys::kSecurityContext][keys::kFsGroup];
  const Value pod = pod_with_claimed_volumes();
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    const auto after = volume_contents(pod.with_at({keys::kSpec, keys::kVolumes}, Value::array({volume})), surroundings(), tokens_,
                                       context_.runtime.pod_volume_root(std::string(object_uid(pod_))), pod_ips());
    if (!after) {  // what it shows is gone: it keeps what it has
      event("Warning", "FailedMount", after.error().message);
      continue;
    }
    for (const auto& content : *after) {
      const auto is_same = [&](const VolumeContent& old) { return old.directory == content.directory && old.files == content.files; };
      if (before && std::ranges::any_of(*before, is_same)) continue;
      context_.runtime.write_volume(content.directory, content.files,
                                    fs_group.is_int() ? std::optional(fs_group.as_int()) : std::nullopt,
                                    [this, alive = alive_](const Result<Unit>& result) {
                                      if (*alive && !result) event("Warning", "FailedMount", result.error().message);
                                    });
    }
  }
}

// A mount that fails is tried again soon, and then ever later.
void PodWorker::mount_later() {
  mount_back_off_ = mount_back_off_.ns == 0 ? kMountBackOffFirst : std::min(mount_back_off_ * 2, kMountBackOffLast);
  later(mount_back_off_);
}

bool PodWorker::write_volumes() {
  if (volumes_written_) return false;
  if (wake_.armed()) return true;
  auto contents = contents_now();
  if (!contents) {
    event("Warning", "FailedMount", contents.error().message);
    references_fetched_ = false;  // what was missing may be there next time
    config_maps_.clear();
    secrets_.clear();
    mount_later();
    return true;
  }
  const auto paths = host_paths_needed(pod_, claimed_volumes_);
  if (contents->empty() && paths.empty()) {
    volumes_written_ = true;
    return false;
  }
  struct Steps {
    size_t left;
    bool failed = false;
  };
  const auto steps = std::make_shared<Steps>(Steps{contents->size() + paths.size()});
  busy_ = true;
  const auto done = [this, alive = alive_, steps](const Result<Unit>& result, const std::string& failure) {
    if (!*alive) return;
    if (!result) event("Warning", "FailedMount", failure);
    steps->failed = steps->failed || !result;
    if (--steps->left > 0) return;
    busy_ = false;
    volumes_written_ = !steps->failed;
    if (steps->failed) mount_later();
    sync();
  };
  const auto& fs_group = pod_[keys::kSpec][keys::kSecurityContext][keys::kFsGroup];
  for (auto& content : *contents) {
    context_.runtime.write_volume(content.directory, std::move(content.files),
                                  fs_group.is_int() ? std::optional(fs_group.as_int()) : std::nullopt,
                                  [done](const Result<Unit>& result) { done(result, result ? "" : result.error().message); });
  }
  for (const auto& path : paths) {
    const bool local = path.wanted.type == ContainerRuntime::kLocalVolume;
    const auto* step = local ? "MountVolume.NewMounter initialization" : "MountVolume.SetUp";
    context_.runtime.check_host_path(path.wanted, [done, step, volume = path.volume](const Result<Unit>& result) {
      done(result, result ? "" : mount_failure(step, volume, result.error().message));
    });
  }
  return true;
}

}  // namespace minik::control
