// What a pod's imagePullSecrets say about one image: with which credentials its registry is asked, and in which order.
//
// A Secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg lists registries as `docker login` writes them:
// a host ("ghcr.io", "localhost:5000"), or a host and the beginning of a path ("ghcr.io/team"), with or without a scheme and
// Docker's /v1/ and /v2/. Parts of a host may hold globs (*.azurecr.io), each of which stands for one part. An image of
// Docker Hub has also what is saved under Hub's oldest name, index.docker.io.
//
// Pure. Longer entries come before the shorter that begin alike, and names before globs, as Kubernetes' kubelet sorts them. A
// Secret that cannot be read, or is of another type, says nothing: the pull shows what is missing.
#pragma once

#include <string_view>
#include <vector>

#include "control/kubelet/container_runtime.h"
#include "control/object/value.h"

namespace minik::control {

// Empty: nobody knows the registry, which may serve everybody.
std::vector<PullCredentials> credentials_for(std::string_view image, const std::vector<Value>& secrets);

}  // namespace minik::control
