#include "control/kubelet/volumes.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/object/volume_match.h"

namespace minik::control {

namespace {

constexpr int kHostPathMode = 0755;
constexpr int kClaimMode = 0777;  // what was provisioned is for whatever user the container runs as

std::string directory_of(const std::string& root, const Value& volume) {
  return cat(root, "/", volume[keys::kName].as_string());
}

// Files of a ConfigMap or Secret: all keys, or the listed items under their own paths and modes.
Status add_keys(std::map<std::string, ContainerRuntime::VolumeFile>& files, const Value& source,
                const std::map<std::string, Value>& objects, std::string_view kind, const Key& name_key,
                int64_t default_mode, std::string_view pod_namespace) {
  const std::string name = source[name_key].string();
  const auto found = objects.find(name);
  const bool optional = source[keys::kOptional].as_bool();
  if (found == objects.end() || !found->second.has_value()) {
    if (optional) return {};
    return Error(ErrorCode::kNotFound, cat(kind, " ", quoted(name), " not found"));
  }
  const bool secret = kind == "secret";
  std::map<std::string, std::string> data;
  for (const auto& [key, value] : found->second[keys::kData].entries()) {
    data[std::string(key.text())] = secret ? from_base64(value.as_string()).value_or("") : value.string();
  }
  for (const auto& [key, value] : found->second[keys::kBinaryData].entries()) {
    data[std::string(key.text())] = from_base64(value.as_string()).value_or("");
  }
  const Value& items = source[keys::kItems];
  if (items.empty()) {
    for (auto& [key, content] : data) files[key] = {content, static_cast<int>(default_mode)};
    return {};
  }
  for (const auto& item : items.items()) {
    const auto content = data.find(item[keys::kKey].string());
    if (content == data.end()) {
      if (optional) continue;
      return Error(ErrorCode::kNotFound, cat("references non-existent ", kind, " key: ", pod_namespace, "/", name,
                                             " ", item[keys::kKey].as_string()));
    }
    files[item[keys::kPath].string()] = {content->second,
                                         static_cast<int>(item[keys::kMode].as_int(default_mode))};
  }
  return {};
}

Status add_downward(std::map<std::string, ContainerRuntime::VolumeFile>& files, const Value& items,
                    const Value& pod, const PodSurroundings& around,
                    const std::vector<std::string>& pod_ips, int64_t mode) {
  for (const auto& item : items.items()) {
    std::string content;
    if (item[keys::kFieldRef].has_value()) {
      MINIK_ASSIGN(content, field_of_pod(pod, item[keys::kFieldRef][keys::kFieldPath].as_string(), around, pod_ips));
    } else {
      MINIK_ASSIGN(content, resource_of_container(pod[keys::kSpec], item[keys::kResourceFieldRef], "",
                                                  around.node_allocatable));
    }
    files[item[keys::kPath].string()] = {std::move(content), static_cast<int>(item[keys::kMode].as_int(mode))};
  }
  return {};
}

Result<VolumeContent> projected(const Value& pod, const Value& volume, const PodSurroundings& around,
                                const TokensByPath& tokens, const std::string& root,
                                const std::vector<std::string>& pod_ips) {
  VolumeContent content{directory_of(root, volume), {}};
  const Value& source = volume[keys::kProjected];
  const int64_t mode = source[keys::kDefaultMode].as_int(0644);
  for (const auto& part : source[keys::kSources].items()) {
    if (part[keys::kConfigMap].has_value()) {
      MINIK_TRY(add_keys(content.files, part[keys::kConfigMap], around.config_maps, "configmap", keys::kName, mode,
                         object_namespace(pod)));
    } else if (part[keys::kSecret].has_value()) {
      MINIK_TRY(add_keys(content.files, part[keys::kSecret], around.secrets, "secret", keys::kName, mode,
                         object_namespace(pod)));
    } else if (part[keys::kDownwardAPI].has_value()) {
      MINIK_TRY(add_downward(content.files, part[keys::kDownwardAPI][keys::kItems], pod, around, pod_ips, mode));
    } else if (const Value& token = part[keys::kServiceAccountToken]; token.has_value()) {
      const auto found = tokens.find({volume[keys::kName].string(), token[keys::kPath].string()});
      if (found == tokens.end()) return Error(ErrorCode::kNotFound, "the service account token is not there yet");
      content.files[token[keys::kPath].string()] = {found->second, static_cast<int>(mode)};
    } else {
      return Error(ErrorCode::kBadRequest,
                   cat("volume ", quoted(volume[keys::kName].as_string()), " has a projection that is not there yet"));
    }
  }
  return content;
}

}  // namespace

bool shows_metadata(const Value& pod) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kVolumes].items(), [](const Value& volume) {
    const auto sources = volume[keys::kProjected][keys::kSources].items();
    return volume[keys::kDownwardAPI].has_value() ||
           std::ranges::any_of(sources, [](const Value& source) { return source[keys::kDownwardAPI].has_value(); });
  });
}

std::vector<TokenNeed> tokens_needed(const Value& spec) {
  std::vector<TokenNeed> needs;
  for (const auto& volume : spec[keys::kVolumes].items()) {
    for (const auto& part : volume[keys::kProjected][keys::kSources].items()) {
      const Value& token = part[keys::kServiceAccountToken];
      if (!token.has_value()) continue;
      needs.push_back({volume[keys::kName].string(), token[keys::kPath].string(), token[keys::kAudience].string(),
                       token[keys::kExpirationSeconds].as_int(3600)});
    }
  }
  return needs;
}

std::string mount_failure(std::string_view step, std::string_view volume, std::string_view why) {
  return cat(step, " failed for volume ", quoted(volume), " : ", why);
}

std::vector<HostPathNeed> host_paths_needed(const Value& pod, const std::map<std::string, Value>& claimed_volumes) {
  std::vector<HostPathNeed> needs;
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    const auto claimed = claimed_volumes.find(claim_of_volume(pod, volume));
    const bool is_claim = claimed != claimed_volumes.end();
    const Value& source = is_claim ? claimed->second[keys::kSpec] : volume;
    const std::string name(is_claim ? object_name(claimed->second) : volume[keys::kName].as_string());
    if (const Value& local = source[keys::kLocal]; is_claim && local.has_value()) {
      needs.push_back({name, {local[keys::kPath].string(), std::string(ContainerRuntime::kLocalVolume)}});
    } else if (const Value& host = source[keys::kHostPath]; !host[keys::kType].as_string().empty()) {
      needs.push_back({name, {host[keys::kPath].string(), host[keys::kType].string(), is_claim ? kClaimMode : kHostPathMode}});
    }
  }
  return needs;
}

Result<std::vector<VolumeContent>> volume_contents(const Value& pod, const PodSurroundings& around,
                                                   const TokensByPath& tokens, const std::string& root,
                                                   const std::vector<std::string>& pod_ips) {
  std::vector<VolumeContent> contents;
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    const auto failed = [&](const Error& error) {
      return Error(error.code, mount_failure("MountVolume.SetUp", volume[keys::kName].as_string(), error.message));
    };
    VolumeContent content{directory_of(root, volume), {}};
    Status status;
    if (const Value& map = volume[keys::kConfigMap]; map.has_value()) {
      status = add_keys(content.files, map, around.config_maps, "configmap", keys::kName,
                        map[keys::kDefaultMode].as_int(0644), object_namespace(pod));
    } else if (const Value& secret = volume[keys::kSecret]; secret.has_value()) {
      status = add_keys(content.files, secret, around.secrets, "secret", keys::kSecretName,
                        secret[keys::kDefaultMode].as_int(0644), object_namespace(pod));
    } else if (const Value& downward = volume[keys::kDownwardAPI]; downward.has_value()) {
      status = add_downward(content.files, downward[keys::kItems], pod, around, pod_ips,
                            downward[keys::kDefaultMode].as_int(0644));
    } else if (volume[keys::kProjected].has_value()) {
      auto made = projected(pod, volume, around, tokens, root, pod_ips);
      if (!made) return failed(made.error());
      content = *std::move(made);
    } else if (volume[keys::kHostPath].has_value() || volume[keys::kEmptyDir].has_value()) {
      continue;
    } else {
      return failed(Error(ErrorCode::kBadRequest, "this kind of volume is not there yet"));
    }
    if (!status.ok()) return failed(status.error());
    contents.push_back(std::move(content));
  }
  return contents;
}

Result<std::vector<ContainerMount>> container_mounts(const Value& pod, const Value& container,
                                                     const std::string& root, const std::vector<KeyValue>& env) {
  std::vector<ContainerMount> mounts;
  for (const auto& mount : container[keys::kVolumeMounts].items()) {
    const Value* volume = nullptr;
    for (const auto& v : pod[keys::kSpec][keys::kVolumes].items()) {
      if (v[keys::kName] == mount[keys::kName]) volume = &v;
    }
    if (!volume) {
      return Error(ErrorCode::kNotFound, cat("volume ", quoted(mount[keys::kName].as_string()), " not found"));
    }
    ContainerMount m;
    m.container_path = mount[keys::kMountPath].string();
    m.read_only = mount[keys::kReadOnly].as_bool();
    m.propagation = mount[keys::kMountPropagation].string();
    m.host_path = directory_of(root, *volume);
    if (const Value& host = (*volume)[keys::kHostPath]; host.has_value()) {
      m.host_path = host[keys::kPath].string();
      const bool claimed = (*volume)[keys::kPersistentVolumeClaim].has_value() || (*volume)[keys::kEphemeral].has_value();
      if (claimed) m.kind = ContainerMount::Kind::kClaim;
      m.read_only = m.read_only || (*volume)[keys::kPersistentVolumeClaim][keys::kReadOnly].as_bool();
      const auto type = host[keys::kType].as_string();
      if (type != ContainerRuntime::kLocalVolume) m.mode_when_missing = claimed && type == "DirectoryOrCreate" ? kClaimMode : kHostPathMode;
    } else if (const Value& empty = (*volume)[keys::kEmptyDir]; empty.has_value()) {
      m.kind = empty[keys::kMedium].as_string() == "Memory" ? ContainerMount::Kind::kMemory
                                                            : ContainerMount::Kind::kEmptyDir;
      m.size_limit_bytes = Quantity::of_value(empty[keys::kSizeLimit]).units();
    } else {
      m.kind = ContainerMount::Kind::kProjected;
      m.read_only = true;  // what the API projects is never written from inside
    }
    std::string sub_path = mount[keys::kSubPath].string();
    if (const auto expression = mount[keys::kSubPathExpr].as_string(); !expression.empty()) {
      sub_path = expand_variables(expression, env);
    }
    if (!sub_path.empty()) {
      if (sub_path.starts_with('/') || cat("/", sub_path, "/").find("/../") != std::string::npos) {
        return Error(ErrorCode::kBadRequest, cat("subPath ", quoted(sub_path), " must stay inside the volume"));
      }
      m.sub_path = std::move(sub_path);
      if (!m.read_only && m.mode_when_missing == 0) m.mode_when_missing = 0755;
    }
    mounts.push_back(std::move(m));
  }
  return mounts;
}

}  // namespace minik::control
