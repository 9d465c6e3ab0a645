// A pod's volumes: what has to be written where, and what each container mounts. Pure functions; the
// worker carries the writes to the runtime and fetches tokens before.
//
// Served: emptyDir (also in memory), configMap, secret, projected, downwardAPI, hostPath, and claims,
// which the worker hands in as the paths that they are bound to. Anything else is an error that names the volume, and the pod waits with FailedMount.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/kubelet/container_runtime.h"
#include "control/kubelet/environment.h"

namespace minik::control {

struct VolumeContent {
  std::string directory;
  std::map<std::string, ContainerRuntime::VolumeFile> files;
};

// One of its volumes may show the pod's labels or annotations, which change while it runs.
bool shows_metadata(const Value& pod);

// Service account tokens by volume name and path, fetched for this pod.
using TokensByPath = std::map<std::pair<std::string, std::string>, std::string>;

struct TokenNeed {
  std::string volume, path, audience;
  int64_t expiration_seconds = 3600;
};
std::vector<TokenNeed> tokens_needed(const Value& pod_spec);

// A path of the machine's that must be as its volume wants it before a container shows it. Paths of any type are made when a
// container mounts them, as container runtimes do, and are not among these.
struct HostPathNeed {
  std::string volume;  // as messages call it: a claim's by its PersistentVolume
  ContainerRuntime::HostPath wanted;
};
// Of the volumes themselves, and of the claims' PersistentVolumes by claim.
std::vector<HostPathNeed> host_paths_needed(const Value& pod, const std::map<std::string, Value>& claimed_volumes);
// The message of a mount that failed in this step: "MountVolume.SetUp failed for volume "v" : why".
std::string mount_failure(std::string_view step, std::string_view volume, std::string_view why);

// Everything that must be written before the first container starts.
Result<std::vector<VolumeContent>> volume_contents(const Value& pod, const PodSurroundings& around,
                                                   const TokensByPath& tokens, const std::string& volume_root,
                                                   const std::vector<std::string>& pod_ips);

Result<std::vector<ContainerMount>> container_mounts(const Value& pod, const Value& container,
                                                     const std::string& volume_root,
                                                     const std::vector<KeyValue>& env);

}  // namespace minik::control
