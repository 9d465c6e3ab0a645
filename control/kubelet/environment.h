// From a pod's spec to what a container is started with: environment, mounts, resources, security, name
// resolution. Pure functions over documents; what they need from the API is handed in.
//
// Errors are CreateContainerConfigError's sentences: a ConfigMap, Secret or key that is not there.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/kubelet/container_runtime.h"
#include "control/object/value.h"

namespace minik::control {

// The API objects that a pod's spec refers to, and the node's facts.
struct PodSurroundings {
  std::map<std::string, Value> config_maps, secrets;  // of the pod's namespace; absent: not there
  std::vector<Value> services;                        // of the pod's namespace, and default/kubernetes
  std::string cluster_domain = "cluster.local";
  std::string dns_address;
  std::string node_name;
  std::vector<std::string> host_ips;
  Value node_allocatable;
  // What Default DNS policy hands through: the machine's own resolvers.
  std::vector<std::string> host_dns_servers, host_dns_searches;
};

// Names of ConfigMaps and Secrets that the spec mentions anywhere.
struct PodReferences {
  std::vector<std::string> config_maps, secrets;
};
PodReferences references_of(const Value& pod_spec);

PodSandboxConfig make_sandbox_config(const Value& pod, const PodSurroundings& around, uint32_t attempt);

Result<std::vector<KeyValue>> make_environment(const Value& pod, const Value& container,
                                               const PodSurroundings& around,
                                               const std::vector<std::string>& pod_ips);
// $(NAME) becomes its value, $$(NAME) the text $(NAME); unknown names stay as they are.
std::string expand_variables(std::string_view text, const std::vector<KeyValue>& variables);

ContainerResources make_resources(const Value& pod_spec, const Value& container, int64_t node_memory);
ContainerSecurity make_security(const Value& pod_spec, const Value& container);

// runAsNonRoot keeps its word, also about an image whose user's number nobody knows.
Status check_not_root(const Value& pod, const Value& container, const ContainerSecurity& security, std::string_view image_user);

// A fieldRef's value for this pod; BadRequest for a path that is not served.
Result<std::string> field_of_pod(const Value& pod, std::string_view path, const PodSurroundings& around,
                                 const std::vector<std::string>& pod_ips);
Result<std::string> resource_of_container(const Value& pod_spec, const Value& resource_field,
                                          std::string_view container_name, const Value& node_allocatable);

}  // namespace minik::control
